//! One side of a link: between the tasks that speak and the thread that has the chip.
//!
//! What is it: [`Seat`], a slot for the PDU that goes next and a few for those that came; the
//! halves of a [`Link`] on one side, [`Place`] (an [`End`] of a pipe) on the other. Who calls it:
//! the loops in `tap`. What can go wrong: either side leaves; the other is told once everything
//! that came was read.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use packmule_bus::link::{BoxFut, Link, LinkError, LinkFacts, LinkRx, LinkTx, Role};
use tokio::sync::Notify;

use crate::pipe::{End, MTU};

/// What a link over NFC is like. The rate is what 106 kbit/s leave of ISO-DEP (NXP's table).
pub const FACTS: LinkFacts = LinkFacts {
    mtu: MTU,
    ordered: true,
    reliable: true,
    half_duplex: true,
    sealed: false,
    rate: Some(7_900),
};

/// PDUs that may have come and were not read: a moment's worth.
const CAME: usize = 4;

#[derive(Debug, Default)]
struct State {
    /// The PDU that goes next.
    out: Option<Vec<u8>>,
    came: VecDeque<Vec<u8>>,
    tx_left: bool,
    rx_left: bool,
    /// PDUs that went or came.
    tally: u64,
    /// The other side has left, or the medium is gone.
    over: bool,
}

/// What the two sides share.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    state: Mutex<State>,
    /// For the thread: something to say, or somebody left.
    words: Condvar,
    /// For the sending half: there is room, or nobody.
    room: Notify,
    /// For the receiving half: something came, or nothing will.
    news: Notify,
}

impl Seat {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        // A panic elsewhere leaves the state whole: every change of it is one assignment.
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until there is something to say, or somebody left; for so long at most.
    pub(crate) fn wait(&self, most: Duration) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |state: &mut State| state.out.is_none() && !(state.tx_left && state.rx_left);
        // Poisoned or not, it is only a wait.
        drop(self.words.wait_timeout_while(state, most, idle));
    }

    /// How many PDUs went and came.
    pub(crate) fn tally(&self) -> u64 {
        self.with(|state| state.tally)
    }

    /// The link is over: the halves hear of it.
    pub(crate) fn end(&self) {
        self.with(|state| {
            state.over = true;
            state.out = None;
        });
        self.room.notify_one();
        self.news.notify_one();
        self.words.notify_all();
    }

    /// The link to this seat.
    pub(crate) fn link(self: &Arc<Self>, role: Role, with: String) -> Link {
        Link {
            facts: FACTS,
            role,
            with,
            tx: Box::new(Tx(Arc::clone(self))),
            rx: Box::new(Rx(Arc::clone(self))),
        }
    }
}

/// The thread's side.
#[derive(Debug)]
pub(crate) struct Place(pub(crate) Arc<Seat>);

impl End for Place {
    fn has_room(&self) -> bool {
        self.0
            .with(|state| state.rx_left || state.came.len() < CAME)
    }

    fn give(&mut self, pdu: Vec<u8>) {
        let news = self.0.with(|state| {
            state.tally += 1;
            let news = !state.rx_left && !state.over;
            if news {
                state.came.push_back(pdu);
            }
            news
        });
        if news {
            self.0.news.notify_one();
        }
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        let pdu = self.0.with(|state| {
            state.tally += u64::from(state.out.is_some());
            state.out.take()
        })?;
        self.0.room.notify_one();
        Some(pdu)
    }

    fn has_left(&self) -> bool {
        self.0
            .with(|state| state.tx_left && state.rx_left && state.out.is_none())
    }

    fn ended(&mut self) {
        self.0.end();
    }
}

struct Tx(Arc<Seat>);

impl LinkTx for Tx {
    fn send(&mut self, pdu: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            if pdu.is_empty() {
                // No bytes are how an exchange says that it carries no PDU.
                return Err(LinkError::Refused("an empty PDU".to_owned()));
            }
            if pdu.len() > MTU {
                return Err(LinkError::TooLarge {
                    bytes: pdu.len(),
                    limit: MTU,
                });
            }
            let mut pdu = Some(pdu);
            loop {
                let done = self.0.with(|state| {
                    if state.over {
                        return Some(Err(LinkError::Closed));
                    }
                    if state.out.is_some() {
                        return None;
                    }
                    state.out = pdu.take();
                    Some(Ok(()))
                });
                if let Some(done) = done {
                    self.0.words.notify_all();
                    return done;
                }
                // A word between the look and the wait is kept for us.
                self.0.room.notified().await;
            }
        })
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        self.0.with(|state| state.tx_left = true);
        self.0.words.notify_all();
    }
}

struct Rx(Arc<Seat>);

impl LinkRx for Rx {
    fn recv(&mut self) -> BoxFut<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(async move {
            loop {
                let came = self.0.with(|state| match state.came.pop_front() {
                    Some(pdu) => Some(Ok(pdu)),
                    None => state.over.then_some(Err(LinkError::Closed)),
                });
                if let Some(came) = came {
                    return came;
                }
                self.0.news.notified().await;
            }
        })
    }
}

impl Drop for Rx {
    fn drop(&mut self) {
        self.0.with(|state| {
            state.rx_left = true;
            state.came.clear();
        });
        self.0.words.notify_all();
    }
}
