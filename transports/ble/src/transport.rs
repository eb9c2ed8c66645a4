//! `ble:ADDRESS`: opening a way is to be a central, listening on one a peripheral.
//!
//! What is it: [`Ble`], the same for every [`Radio`]. Who calls it: the node's driver. What can go
//! wrong: no such device, or it goes; strangers connect and say nothing, of whom some are let wait.

use std::sync::Arc;

use packmule_bus::link::{BoxFut, Link, Listener, OpenError, Port, Probe, Role, Transport, Way};
use tokio::task::JoinSet;

use crate::advert::Advert;
use crate::link;
use crate::radio::{Address, Peripheral, Radio};
use crate::value::Tag;

/// The transport's name.
const NAME: &str = "ble";
/// So many connections may wait for their opening; of more, all such are let go.
const OPENINGS: usize = 4;

/// Links over Bluetooth LE.
#[derive(Clone)]
pub struct Ble {
    radio: Arc<dyn Radio>,
    tag: Tag,
}

impl Ble {
    /// Over this radio. The tag is random: it is what others see of us.
    #[must_use]
    pub fn over(radio: impl Radio + 'static, tag: Tag) -> Self {
        Self {
            radio: Arc::new(radio),
            tag,
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
            let channel = self.radio.connect(&address).await?;
            let (mut link, _) = link::open(channel, Role::Dialer, self.tag).await?;
            link.with = to.to_string();
            Ok(Port::Link(link))
        })
    }

    fn listen<'a>(&'a self, at: &'a Way) -> BoxFut<'a, Result<Box<dyn Listener>, OpenError>> {
        Box::pin(async move {
            let advert = Advert {
                tag: self.tag,
                dials: false,
            };
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
                tag: self.tag,
                opening: JoinSet::new(),
            }) as Box<dyn Listener>)
        })
    }
}

struct Listening {
    way: Way,
    peripheral: Box<dyn Peripheral>,
    tag: Tag,
    opening: JoinSet<Result<Link, OpenError>>,
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
                        if let Ok(Ok(link)) = opened {
                            return Ok(Port::Link(link));
                        }
                    }
                    channel = self.peripheral.accept() => {
                        let channel = channel?;
                        if self.opening.len() >= OPENINGS {
                            self.opening.abort_all();
                        }
                        let tag = self.tag;
                        self.opening.spawn(async move {
                            Ok(link::open(channel, Role::Listener, tag).await?.0)
                        });
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
