//! Who is around: the [`Meeting`] of one device, and the links that it decides about.
//!
//! Called by [`crate::Ble`] for every link that opens or came, and by its scout. What can go
//! wrong: nothing; a link that is dropped says so itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use packmule_bus::link::{BoxFut, Link, LinkError, LinkRx, LinkTx, OpenError};
use packmule_bus::time::Time;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::advert::{Advert, Came, Dial, Draw, Meeting};
use crate::radio::{Address, Radio, Sighting};
use crate::value::Tag;

/// The meeting, its clock, and what its decisions are carried out on.
pub(crate) struct Around {
    began: Instant,
    state: Mutex<State>,
    /// There may be somebody else to dial, or another deadline.
    pub(crate) news: Notify,
}

struct State {
    meeting: Meeting,
    /// What others see, as far as the radio did as it was told.
    shown: Option<Advert>,
    /// Somebody looks out for others.
    looks_out: bool,
    /// Somebody to dial, of whom the node was told.
    promised: Option<Dial>,
    /// Links that we dialled by the meeting's word, and how to end each.
    dialled: BTreeMap<Address, watch::Sender<bool>>,
}

impl Around {
    pub(crate) fn new(draw: Draw) -> Self {
        let state = State {
            meeting: Meeting::new(Time::default(), true, draw),
            shown: None,
            looks_out: false,
            promised: None,
            dialled: BTreeMap::new(),
        };
        Self {
            began: Instant::now(),
            state: Mutex::new(state),
            news: Notify::new(),
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut State, Time) -> T) -> T {
        let micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        // A panic elsewhere leaves it whole: nothing in here panics.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut state, Time::from_micros(micros))
    }

    pub(crate) fn advert(&self) -> Advert {
        self.with(|state, _| state.meeting.advert())
    }

    /// A device was seen.
    pub(crate) fn saw(&self, sighting: &Sighting) {
        self.with(|state, now| state.meeting.saw(now, sighting));
    }

    /// Somebody begins to look out for others.
    pub(crate) fn looks_out(&self) {
        self.with(|state, _| state.looks_out = true);
    }

    /// The radio shows this.
    pub(crate) fn shown(&self, advert: Advert) {
        self.with(|state, _| state.shown = Some(advert));
    }

    /// Time went by: has the radio show another advertisement, if there is one; the same one again
    /// the next time, if it does not. Cancel-safe.
    pub(crate) async fn show(&self, radio: &dyn Radio) -> Result<(), OpenError> {
        let advert = self.with(|state, now| {
            state.meeting.dials(state.looks_out);
            state.meeting.timeout(now);
            let advert = state.meeting.advert();
            (state.shown != Some(advert)).then_some(advert)
        });
        if let Some(advert) = advert {
            radio.show(&advert).await?;
            self.shown(advert);
        }
        Ok(())
    }

    /// When to ask again, if nothing happens before.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let due = self.with(|state, _| state.meeting.deadline());
        due.map(|due| self.began + due.since(Time::default()))
    }

    /// Whom the node should dial now.
    pub(crate) fn promise(&self) -> Option<Dial> {
        self.with(|state, now| {
            let dial = state.meeting.dial(now)?;
            state.promised = Some(dial.clone());
            Some(dial)
        })
    }

    /// The node has its own reasons not to dial whom it was told of.
    pub(crate) fn unkept(&self, dial: &Dial) {
        self.with(|state, now| {
            if state.promised.take_if(|it| it == dial).is_some() {
                state.meeting.dialled(now, dial, None);
            }
        });
    }

    /// The node dials; of its own, or because it was told to.
    pub(crate) fn dialling(self: &Arc<Self>, to: &Address) -> Dialling {
        let dial = self.with(|state, _| state.promised.take_if(|dial| dial.to == *to));
        Dialling {
            tag: dial
                .as_ref()
                .map_or_else(|| self.advert().tag, |dial| dial.tag),
            around: Arc::clone(self),
            dial,
        }
    }

    /// A link came from the device with this tag; nothing, if it is not wanted.
    pub(crate) fn came(self: &Arc<Self>, link: Link, theirs: Tag) -> Option<Link> {
        let stays = self.with(|state, _| match state.meeting.came(theirs) {
            Came::Keep => true,
            Came::Instead(address) => {
                if let Some(end) = state.dialled.remove(&address) {
                    end.send_replace(true);
                }
                true
            }
            Came::Refuse => false,
        });
        self.news.notify_one();
        let (_, never) = watch::channel(false);
        stays.then(|| {
            ending(
                link,
                never,
                Until {
                    around: Arc::clone(self),
                    of: Of::Came(theirs),
                },
            )
        })
    }
}

/// A dial under way; dropped, it has failed.
pub(crate) struct Dialling {
    around: Arc<Around>,
    tag: Tag,
    /// If the meeting asked for it.
    dial: Option<Dial>,
}

impl Dialling {
    /// Our tag, for the opening.
    pub(crate) const fn tag(&self) -> Tag {
        self.tag
    }

    /// It led to a link; nothing, if that is not wanted any more.
    pub(crate) fn opened(mut self, link: Link, theirs: Tag) -> Option<Link> {
        let Some(dial) = self.dial.take() else {
            return Some(link);
        };
        let (end, is_ended) = watch::channel(false);
        let stays = self.around.with(|state, now| {
            let stays = state.meeting.dialled(now, &dial, Some(theirs));
            if stays {
                state.dialled.insert(dial.to.clone(), end);
            }
            stays
        });
        self.around.news.notify_one();
        let around = Arc::clone(&self.around);
        stays.then(|| {
            ending(
                link,
                is_ended,
                Until {
                    around,
                    of: Of::Dialled(dial),
                },
            )
        })
    }
}

impl Drop for Dialling {
    fn drop(&mut self) {
        if let Some(dial) = self.dial.take() {
            self.around
                .with(|state, now| state.meeting.dialled(now, &dial, None));
            self.around.news.notify_one();
        }
    }
}

/// Tells the meeting, when it is dropped, that a link is over.
struct Until {
    around: Arc<Around>,
    of: Of,
}

enum Of {
    Dialled(Dial),
    Came(Tag),
}

impl Drop for Until {
    fn drop(&mut self) {
        self.around.with(|state, now| match &self.of {
            Of::Dialled(dial) => {
                state.dialled.remove(&dial.to);
                state.meeting.ended(now, dial);
            }
            Of::Came(tag) => state.meeting.left(now, *tag),
        });
        self.around.news.notify_one();
    }
}

/// A link that ends when it is told to, and tells when it has ended.
fn ending(link: Link, told: watch::Receiver<bool>, until: Until) -> Link {
    let until = Arc::new(until);
    Link {
        tx: Box::new(Tx {
            inner: link.tx,
            told: told.clone(),
            _until: Arc::clone(&until),
        }),
        rx: Box::new(Rx {
            inner: link.rx,
            told,
            _until: until,
        }),
        ..link
    }
}

struct Tx {
    inner: Box<dyn LinkTx>,
    told: watch::Receiver<bool>,
    _until: Arc<Until>,
}

impl LinkTx for Tx {
    fn send(&mut self, pdu: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            tokio::select! {
                biased;
                () = end(&mut self.told) => Err(LinkError::Closed),
                sent = self.inner.send(pdu) => sent,
            }
        })
    }
}

struct Rx {
    inner: Box<dyn LinkRx>,
    told: watch::Receiver<bool>,
    _until: Arc<Until>,
}

impl LinkRx for Rx {
    fn recv(&mut self) -> BoxFut<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(async move {
            tokio::select! {
                biased;
                () = end(&mut self.told) => Err(LinkError::Closed),
                came = self.inner.recv() => came,
            }
        })
    }
}

/// Until the link is told to end; for ever where nobody can tell it any more.
async fn end(told: &mut watch::Receiver<bool>) {
    if told.wait_for(|told| *told).await.is_err() {
        std::future::pending::<()>().await;
    }
}
