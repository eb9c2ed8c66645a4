//! `ble:ADDRESS`: opening a way is to be a central, listening on one a peripheral.
//!
//! What is it: [`Ble`], the same for every [`Radio`]. Who calls it: the node's driver. What can go
//! wrong: no such device, or it goes; strangers connect and say nothing, of whom some are let wait.

use std::sync::Arc;

use packmule_bus::link::{
    BoxFut, Link, Listener, OpenError, Port, Probe, Role, Scout, Transport, Way,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::advert::Draw;
use crate::around::Around;
use crate::link;
use crate::radio::{Address, Peripheral, Radio};
use crate::scout::Looking;
use crate::value::Tag;

/// The transport's name.
pub(crate) const NAME: &str = "ble";
/// So many connections may wait for their opening; of more, all such are let go.
const OPENINGS: usize = 4;

/// Links over Bluetooth LE. Every clone is the same device to others.
#[derive(Clone)]
pub struct Ble {
    radio: Arc<dyn Radio>,
    around: Arc<Around>,
}

impl Ble {
    /// Over this radio, with tags that nobody can guess.
    #[must_use]
    pub fn new(radio: impl Radio + 'static) -> Self {
        // Not its seventh and ninth bytes, which are not all random.
        let draw = || {
            let [a, b, c, d, e, f, _, _, _, _, g, h, ..] = Uuid::new_v4().into_bytes();
            [a, b, c, d, e, f, g, h]
        };
        Self::over(radio, Box::new(draw))
    }

    /// Over this radio, with tags of this draw: it is what others see of us.
    #[must_use]
    pub fn over(radio: impl Radio + 'static, draw: Draw) -> Self {
        Self {
            radio: Arc::new(radio),
            around: Arc::new(Around::new(draw)),
        }
    }
}

impl Transport for Ble {
    fn name(&self) -> &'static str {
        NAME
    }

    fn probe(&self) -> BoxFut<'_, Probe> {
        self.radio.probe()
    }

    fn open<'a>(&'a self, to: &'a Way) -> BoxFut<'a, Result<Port, OpenError>> {
        Box::pin(async move {
            let address = Address(read(to)?.to_owned());
            let dialling = self.around.dialling(&address);
            let channel = self.radio.connect(&address).await?;
            let (mut link, theirs) = link::open(channel, Role::Dialer, dialling.tag()).await?;
            link.with = to.to_string();
            let link = dialling.opened(link, theirs);
            let twice = || OpenError::NoAnswer(format!("{to}: there is a link to it already"));
            Ok(Port::Link(link.ok_or_else(twice)?))
        })
    }

    fn listen<'a>(&'a self, at: &'a Way) -> BoxFut<'a, Result<Box<dyn Listener>, OpenError>> {
        Box::pin(async move {
            let advert = self.around.advert();
            let peripheral = self.radio.serve(read(at)?, &advert).await?;
            let way = format!("{NAME}:{}", peripheral.address());
            let way = Way::parse(&way).ok_or_else(|| OpenError::BadWay {
                transport: NAME,
                way: at.clone(),
                why: "its device has an address that is none".to_owned(),
            })?;
            Ok(Box::new(Listening {
                way,
                peripheral,
                around: Arc::clone(&self.around),
                opening: JoinSet::new(),
            }) as Box<dyn Listener>)
        })
    }

    /// Of those who listen here: a radio is not switched on because a node runs.
    fn scout(&self, ours: &[Way]) -> Option<Box<dyn Scout>> {
        let listens = ours.iter().any(|way| way.transport() == NAME);
        let looking = || Looking::new(Arc::clone(&self.radio), Arc::clone(&self.around));
        listens.then(|| Box::new(looking()) as Box<dyn Scout>)
    }
}

struct Listening {
    way: Way,
    peripheral: Box<dyn Peripheral>,
    around: Arc<Around>,
    opening: JoinSet<Result<(Link, Tag), OpenError>>,
}

impl Listener for Listening {
    fn way(&self) -> Way {
        self.way.clone()
    }

    fn accept(&mut self) -> BoxFut<'_, Result<Port, OpenError>> {
        Box::pin(async {
            loop {
                tokio::select! {
                    Some(opened) = self.opening.join_next() => {
                        // A stranger who opens badly is nobody's loss.
                        if let Ok(Ok((link, theirs))) = opened
                            && let Some(link) = self.around.came(link, theirs)
                        {
                            return Ok(Port::Link(link));
                        }
                    }
                    channel = self.peripheral.accept() => {
                        let channel = channel?;
                        if self.opening.len() >= OPENINGS {
                            self.opening.abort_all();
                        }
                        let tag = self.around.advert().tag;
                        self.opening.spawn(link::open(channel, Role::Listener, tag));
                    }
                }
            }
        })
    }
}

/// The address or adapter in a way.
fn read(way: &Way) -> Result<&str, OpenError> {
    let rest = way.as_str().strip_prefix("ble:");
    rest.ok_or_else(|| OpenError::BadWay {
        transport: NAME,
        way: way.clone(),
        why: "it should be ble:ADDRESS".to_owned(),
    })
}
