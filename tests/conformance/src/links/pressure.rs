//! A reader who does not read stops the writer.
//!
//! What is it: a check, and [`Flood`], by which others fill a link. Who calls it:
//! [`super::links`]. What can go wrong: an adapter that queues without end eats the memory.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::{Pin, pin};

use packmule_bus::link::{Link, LinkError, LinkTx};
use tokio::time::timeout;

use super::ledger::Ledger;
use crate::patience::{Promise, STUCK};
use crate::{Broken, Dice};

/// What a link may hold while nobody reads: sockets of the system hold some megabytes.
const MAX_HELD: usize = 32 << 20;

/// And in PDUs, where these are short.
const MAX_PDUS: usize = 100_000;

/// While the other side does not read, `send` comes to wait within 32 MiB; when it reads again,
/// everything arrives.
///
/// # Errors
/// If the link takes more, or loses what it took.
pub async fn a_slow_reader_stops_the_writer(pair: (Link, Link)) -> Result<(), Broken> {
    let promise = Promise("a reader who does not read stops the writer");
    let (mut near, mut far) = pair;
    let flood = Flood::default();
    let mut ledger = {
        let mut writing = pin!(flood.write(near.facts.mtu, &mut *near.tx));
        flood.until_stuck(promise, writing.as_mut()).await?;
        let mut ledger = flood.ledger(promise, far.facts);
        flood.enough.set(true);
        let (wrote, ()) = tokio::try_join!(
            async { promise.soon("the send that waited", writing).await },
            ledger.settle(&mut *far.rx)
        )?;
        match wrote {
            End::Enough => {}
            End::TooMuch => return Err(promise.broken("it never waited")),
            End::Failed(fault) => return Err(promise.broken(format!("send failed: {fault}"))),
        }
        ledger
    };
    drop(near);
    ledger.end(&mut *far.rx).await
}

/// A writer that does not stop by itself.
#[derive(Default)]
pub(crate) struct Flood {
    sent: RefCell<Vec<Vec<u8>>>,
    /// Stop after the present one.
    enough: Cell<bool>,
}

/// Why a flood ended.
pub(crate) enum End {
    /// It was told to.
    Enough,
    /// The link took more than any link may hold.
    TooMuch,
    /// Sending failed.
    Failed(LinkError),
}

impl Flood {
    pub(crate) async fn write(&self, mtu: usize, tx: &mut dyn LinkTx) -> End {
        let mut dice = Dice::new(5);
        for _ in 0..MAX_PDUS.min(MAX_HELD / mtu.max(1)) {
            let pdu = dice.bytes(mtu);
            self.sent.borrow_mut().push(pdu.clone());
            if let Err(fault) = tx.send(pdu).await {
                return End::Failed(fault);
            }
            if self.enough.get() {
                return End::Enough;
            }
        }
        End::TooMuch
    }

    /// Lets the writer write until it makes no more progress.
    pub(crate) async fn until_stuck(
        &self,
        promise: Promise,
        mut writing: Pin<&mut impl Future<Output = End>>,
    ) -> Result<(), Broken> {
        loop {
            let before = self.sent.borrow().len();
            match timeout(STUCK, writing.as_mut()).await {
                Ok(End::TooMuch) => {
                    return Err(promise.broken(format!(
                        "{before} PDUs and more were taken while nobody read"
                    )));
                }
                Ok(End::Enough) => return Err(promise.broken("the writer stopped by itself")),
                Ok(End::Failed(fault)) => {
                    return Err(promise.broken(format!("send failed: {fault}")));
                }
                Err(_) if self.sent.borrow().len() == before => return Ok(()),
                Err(_) => {}
            }
        }
    }

    /// Everything sent so far is owed, the one that waits too.
    pub(crate) fn ledger(&self, promise: Promise, facts: packmule_bus::link::LinkFacts) -> Ledger {
        let mut ledger = Ledger::new(promise, facts);
        for pdu in self.sent.borrow().iter() {
            ledger.owe(pdu.clone());
        }
        ledger
    }
}
