//! `ble:ADDRESS`: opening a way is to be a central, listening on one a peripheral; with `?didcomm`
//! it leads to a mailbox by the DIF's profile, otherwise to a link.
//!
//! What is it: [`Ble`], the same for every [`Radio`]. Who calls it: the node's driver. What can go
//! wrong: no such device, or it goes; strangers connect and say nothing, of whom some are let wait
//! for a while; an L2CAP channel opens and carries nothing, and GATT is taken.

use std::sync::Arc;
use std::time::Duration;

use packmule_bus::link::{
    BoxFut, Link, Listener, OpenError, Port, Probe, Role, Scout, Transport, Way,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};
use uuid::Uuid;

use crate::advert::Draw;
use crate::around::Around;
use crate::letters::Letters;
use crate::link;
use crate::plan;
use crate::radio::{Address, Bearer, Offer, Peripheral, Radio};
use crate::scout::Looking;
use crate::value::Tag;

/// The transport's name.
pub(crate) const NAME: &str = "ble";
/// So many connections may wait for their opening; of more, all such are let go.
const OPENINGS: usize = 4;
/// And so long: a peripheral may have one place for all of them.
const OPENING: Duration = Duration::from_secs(15);
/// An L2CAP channel by which nothing has come after this time carries nothing.
const FIRST: Duration = Duration::from_secs(5);
/// A node that has not begun to look out for others by then does not dial …
const SETTLED: Duration = Duration::from_secs(1);
/// … and so often it is seen to that the tag is not too old, where no scout does it.
const TICK: Duration = Duration::from_secs(30);

/// Tags by the system's randomness.
#[must_use]
pub fn tags() -> Draw {
    Box::new(|| {
        // Not its seventh and ninth bytes, which are not all random.
        let [a, b, c, d, e, f, _, _, _, _, g, h, ..] = Uuid::new_v4().into_bytes();
        [a, b, c, d, e, f, g, h]
    })
}

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
        Self::over(radio, tags())
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

impl Ble {
    /// A link to this device; by values where a channel opens and nothing comes by it.
    async fn dial(&self, to: &Address, tag: Tag, l2cap: bool) -> Result<(Link, Tag), OpenError> {
        let channel = self.radio.connect(to, &plan::OURS, l2cap).await?;
        let by = channel.bearer;
        let opened = link::open(channel, Role::Dialer, tag);
        if by == Bearer::Gatt {
            return opened.await;
        }
        match timeout(FIRST, opened).await {
            Ok(opened) => opened,
            Err(_) => {
                let channel = self.radio.connect(to, &plan::OURS, false).await?;
                link::open(channel, Role::Dialer, tag).await
            }
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
            let wanted = read(to)?;
            let address = Address(wanted.place.to_owned());
            if wanted.didcomm {
                let channel = self.radio.connect(&address, &plan::DIDCOMM, false).await?;
                return Ok(Port::Mailbox(Box::new(Letters::over(channel))));
            }
            let dialling = self.around.dialling(&address);
            let (mut link, theirs) = self.dial(&address, dialling.tag(), wanted.l2cap).await?;
            link.with = to.to_string();
            let link = dialling.opened(link, theirs);
            let twice = || OpenError::NoAnswer(format!("{to}: there is a link to it already"));
            Ok(Port::Link(link.ok_or_else(twice)?))
        })
    }

    fn listen<'a>(&'a self, at: &'a Way) -> BoxFut<'a, Result<Box<dyn Listener>, OpenError>> {
        Box::pin(async move {
            let wanted = read(at)?;
            let offer = Offer {
                advert: self.around.advert(),
                l2cap: wanted.l2cap,
                didcomm: wanted.didcomm,
            };
            let peripheral = self.radio.serve(wanted.place, &offer).await?;
            let way = format!("{NAME}:{}", peripheral.address());
            let way = Way::parse(&way).ok_or_else(|| OpenError::BadWay {
                transport: NAME,
                way: at.clone(),
                why: "its device has an address that is none".to_owned(),
            })?;
            self.around.shown(offer.advert);
            let mut ticks = interval_at(Instant::now() + SETTLED, TICK);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            Ok(Box::new(Listening {
                way,
                peripheral,
                radio: Arc::clone(&self.radio),
                around: Arc::clone(&self.around),
                opening: JoinSet::new(),
                ticks,
            }) as Box<dyn Listener>)
        })
    }

    /// Of those who listen here: a radio is not switched on because a node runs.
    fn scout(&self, ours: &[Way]) -> Option<Box<dyn Scout>> {
        let listens = ours.iter().any(|way| way.transport() == NAME);
        listens.then(|| {
            self.around.looks_out();
            let looking = Looking::new(Arc::clone(&self.radio), Arc::clone(&self.around));
            Box::new(looking) as Box<dyn Scout>
        })
    }
}

struct Listening {
    way: Way,
    peripheral: Box<dyn Peripheral>,
    radio: Arc<dyn Radio>,
    around: Arc<Around>,
    opening: JoinSet<Option<(Link, Tag)>>,
    ticks: Interval,
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
                        if let Ok(Some((link, theirs))) = opened
                            && let Some(link) = self.around.came(link, theirs)
                        {
                            return Ok(Port::Link(link));
                        }
                    }
                    channel = self.peripheral.accept() => {
                        let channel = channel?;
                        if channel.service == &plan::DIDCOMM {
                            return Ok(Port::Mailbox(Box::new(Letters::over(channel))));
                        }
                        if self.opening.len() >= OPENINGS {
                            self.opening.abort_all();
                        }
                        let tag = self.around.advert().tag;
                        let opened = link::open(channel, Role::Listener, tag);
                        self.opening.spawn(async { timeout(OPENING, opened).await.ok()?.ok() });
                    }
                    _ = self.ticks.tick() => self.around.show(&*self.radio).await.unwrap_or_default(),
                }
            }
        })
    }
}

/// What a way says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Wanted<'a> {
    /// An address to open, an adapter to listen on.
    place: &'a str,
    l2cap: bool,
    didcomm: bool,
}

/// Reads `ble:PLACE`, with `?gatt` (no L2CAP), `?didcomm` (the DIF's service) or both behind it,
/// an `&` between them.
fn read(way: &Way) -> Result<Wanted<'_>, OpenError> {
    let bad = |why: &str| OpenError::BadWay {
        transport: NAME,
        way: way.clone(),
        why: why.to_owned(),
    };
    let rest = way.as_str().strip_prefix("ble:");
    let rest = rest.ok_or_else(|| bad("it should be ble:ADDRESS"))?;
    let (place, words) = rest.split_once('?').unwrap_or((rest, ""));
    let mut wanted = Wanted {
        place,
        l2cap: true,
        didcomm: false,
    };
    for word in words.split('&').filter(|word| !word.is_empty()) {
        match word {
            "gatt" => wanted.l2cap = false,
            "didcomm" => wanted.didcomm = true,
            _ => return Err(bad("behind the ? may stand gatt and didcomm")),
        }
    }
    if place.is_empty() {
        return Err(bad("it should be ble:ADDRESS"));
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_say_where_and_how() {
        let way = |text: &str| Way::parse(text).expect("a way");
        let plain = Wanted {
            place: "00:AA:01:00:00:42",
            l2cap: true,
            didcomm: false,
        };
        assert_eq!(read(&way("ble:00:AA:01:00:00:42")).ok(), Some(plain));
        let both = Wanted {
            place: "hci0",
            l2cap: false,
            didcomm: true,
        };
        for text in ["ble:hci0?gatt&didcomm", "ble:hci0?didcomm&gatt"] {
            assert_eq!(read(&way(text)).ok(), Some(both));
        }
        for text in ["ble:hci0?gat", "ble:?gatt", "tcp:hci0"] {
            assert!(read(&way(text)).is_err(), "{text}");
        }
    }
}
