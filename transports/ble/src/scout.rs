//! Looks for neighbours, some seconds at a time, and says whom to dial.
//!
//! Called by the node's driver. What can go wrong: the radio is switched off, which the driver is
//! told, and asks again later; a node that does not dial whom it is told of.

use std::sync::Arc;
use std::time::Duration;

use packmule_bus::link::{BoxFut, OpenError, Scout, Way};
use tokio::time::{Instant, sleep_until};

use crate::advert::Dial;
use crate::around::Around;
use crate::radio::{Radio, Scan, Sighting};
use crate::transport::NAME;

/// A radio that listens all the time takes as much as one that sends: so long it looks …
pub const LOOK: Duration = Duration::from_secs(5);
/// … and so long it rests.
pub const REST: Duration = Duration::from_secs(10);
/// A node that has not begun to dial after this time will not.
const BEGIN: Duration = Duration::from_secs(5);

/// Whoever looks out for others.
pub(crate) struct Looking {
    radio: Arc<dyn Radio>,
    around: Arc<Around>,
    scan: Option<Box<dyn Scan>>,
    /// When the looking or the resting is over.
    turn: Instant,
    promised: Option<(Dial, Instant)>,
}

impl Looking {
    pub(crate) fn new(radio: Arc<dyn Radio>, around: Arc<Around>) -> Self {
        Self {
            radio,
            around,
            scan: None,
            turn: Instant::now(),
            promised: None,
        }
    }

    /// Looks or rests, as its time is. Cancel-safe.
    async fn turn(&mut self) -> Result<(), OpenError> {
        if Instant::now() < self.turn {
            return Ok(());
        }
        if self.scan.take().is_some() {
            self.turn = Instant::now() + REST;
        } else {
            self.scan = Some(self.radio.scan().await?);
            self.turn = Instant::now() + LOOK;
        }
        Ok(())
    }

    /// When there is something to do, if nobody is seen and nothing happens.
    fn wake(&self) -> Instant {
        let promised = self.promised.as_ref().map(|(_, until)| *until);
        let times = [self.around.deadline(), promised];
        let first = times.into_iter().flatten().min();
        first.map_or(self.turn, |first| first.min(self.turn))
    }
}

impl Scout for Looking {
    fn next(&mut self) -> BoxFut<'_, Result<Way, OpenError>> {
        Box::pin(async {
            loop {
                self.turn().await?;
                if let Some((dial, _)) =
                    self.promised.take_if(|(_, until)| *until <= Instant::now())
                {
                    self.around.unkept(&dial);
                }
                self.around.show(&*self.radio).await?;
                if let Some(dial) = self.around.promise() {
                    let way = Way::parse(&format!("{NAME}:{}", dial.to));
                    self.promised = Some((dial, Instant::now() + BEGIN));
                    if let Some(way) = way {
                        return Ok(way);
                    }
                }
                let wake = self.wake();
                tokio::select! {
                    () = sleep_until(wake) => {}
                    () = self.around.news.notified() => {}
                    seen = next(&mut self.scan) => match seen {
                        Ok(sighting) => self.around.saw(&sighting),
                        Err(why) => {
                            self.scan = None;
                            return Err(why);
                        }
                    },
                }
            }
        })
    }
}

/// The next device; for ever, while nobody looks.
async fn next(scan: &mut Option<Box<dyn Scan>>) -> Result<Sighting, OpenError> {
    match scan {
        Some(scan) => scan.next().await,
        None => std::future::pending().await,
    }
}
