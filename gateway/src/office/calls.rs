//! Live delivery over links, for those who ask for it while they are at the other end of one.
//!
//! What is it: [`Calls`], which accounts have it, and for each a task that gives the node a
//! delivery of what was stored, until its owner wants no more, or leaves. Who calls it: `links`,
//! with what the mediator heard; `near` leaves such accounts alone meanwhile. What can go wrong:
//! the link ends, and live delivery with it: what was not delivered is taken back, and what the
//! mailbox holds is given as `near` gives it, by whichever link or stick comes. Nothing leaves a
//! mailbox here: it is kept until it is acknowledged.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use packmule_agent::message::Message;
use packmule_bus::EnvelopeId;
use packmule_node::Submit;
use packmule_node::control::EventLine;
use tokio::sync::{Notify, mpsc};

use super::talk::together;
use super::{Office, near};
use crate::counters::Count;
use crate::live::{Push, Seat};
use crate::mediator::{Live, Visit};
use crate::store::{Moment, canonical};

/// Deliveries of one account that the node has and has not delivered; more wait for their turn,
/// and then in the mailbox.
const UNDELIVERED: usize = 16;
/// A delivery lives so long, in seconds: the link that it is for is open.
const LIFE: u64 = 3_600;

/// Accounts that have live delivery over a link.
#[derive(Default)]
pub(super) struct Calls(Mutex<HashMap<String, Call>>);

struct Call {
    number: u64,
    over: Arc<Notify>,
}

impl Calls {
    /// Has it live delivery?
    pub(super) fn has(&self, account: &str) -> bool {
        self.table().contains_key(account)
    }

    /// From now on; one that was going on ends.
    fn begin(&self, account: &str, call: Call) {
        if let Some(before) = self.table().insert(account.to_owned(), call) {
            before.over.notify_one();
        }
    }

    /// This one is over, if it is still this one.
    fn end(&self, account: &str, number: u64) {
        let mut table = self.table();
        if table.get(account).is_some_and(|call| call.number == number) {
            table.remove(account);
        }
    }

    fn hang_up(&self, account: &str) {
        if let Some(call) = self.table().get(account) {
            call.over.notify_one();
        }
    }

    /// Whoever panicked here left whole entries.
    fn table(&self) -> MutexGuard<'_, HashMap<String, Call>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Office {
    /// What this visit is to the mediator: whoever is at the other end of a link may have live
    /// delivery; whose message a mule brought may not.
    pub(super) async fn seen(
        &self,
        visit: &Visit,
        message: &Message,
        sender: Option<&str>,
    ) -> Visit {
        let mut visit = visit.clone();
        if let Some(account) = sender.map(canonical) {
            visit.live = self.calls.has(account);
            visit.persistent = message.type_uri.ends_with("/live-delivery-change")
                && self.node.is_here(account).await;
        }
        visit
    }

    /// Live delivery goes on or off for an account on a link. Answers how much waits, counted
    /// once it is on: what is stored from then on is pushed.
    pub(super) async fn wished(self: &Arc<Self>, wish: Live) -> Option<Message> {
        if !wish.wanted {
            self.calls.hang_up(&wish.account);
            return None;
        }
        self.watch(&wish.account).await;
        let (pushes, pushed) = mpsc::channel(self.settings.pushes);
        let seat = Seat {
            connection: self.connection(),
            pushes,
            behind: Arc::default(),
            over: Arc::default(),
        };
        let call = Call {
            number: seat.connection,
            over: Arc::clone(&seat.over),
        };
        self.calls.begin(&wish.account, call);
        self.seats.enter(&wish.account, seat.clone());
        let status = self.mediator.live_status(&wish, Moment::now()).await;
        tokio::spawn(Arc::clone(self).call(wish, seat, pushed));
        status.ok()
    }

    async fn call(self: Arc<Self>, live: Live, seat: Seat, pushed: mpsc::Receiver<Arc<Push>>) {
        let mut given = BTreeSet::new();
        let mut closing = self.closing.clone();
        tokio::select! {
            () = self.serve_call(&live, &seat, pushed, &mut given) => {}
            () = seat.over.notified() => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
        self.seats.leave(&live.account, seat.connection);
        self.calls.end(&live.account, seat.connection);
        for id in given {
            let _ = self.node.forget(id).await;
        }
        self.near.look_again();
    }

    /// Until its owner has left. `given`: deliveries that the node has and has not delivered.
    async fn serve_call(
        &self,
        live: &Live,
        seat: &Seat,
        mut pushed: mpsc::Receiver<Arc<Push>>,
        given: &mut BTreeSet<EnvelopeId>,
    ) {
        let mut events = self.node.events();
        // It may have gone before we began to listen.
        let mut look = true;
        while !look || self.node.is_here(&live.account).await {
            look = false;
            let room = given.len() < UNDELIVERED;
            tokio::select! {
                event = events.next() => match event {
                    None => return,
                    Some(EventLine::Progress { id, rung, .. }) if rung == "delivered" => {
                        if let Ok(id) = id.parse() {
                            given.remove(&id);
                        }
                    }
                    // It was refused, or took too long: its mailbox has it still.
                    Some(EventLine::Dead { id, .. }) => {
                        if let Ok(id) = id.parse() && given.remove(&id) {
                            let _ = self.node.forget(id).await;
                            seat.behind.notify_one();
                        }
                    }
                    Some(EventLine::Parted { .. }) => look = true,
                    // Some events were left out.
                    Some(EventLine::Other { .. }) => {
                        look = true;
                        self.ask_after(given).await;
                    }
                    Some(_) => {}
                },
                Some(first) = pushed.recv(), if room => {
                    let pushes = together(first, &mut pushed);
                    for packed in self.deliveries(Some(live), &pushes).await {
                        match self.give_delivery(&live.account, packed).await {
                            Some(id) => drop(given.insert(id)),
                            None => seat.behind.notify_one(),
                        }
                    }
                }
                // When all else was said: it would wait for ever for what did not fit.
                () = seat.behind.notified(), if room => {
                    if let Some(packed) = self.left(Some(live)).await {
                        given.extend(self.give_delivery(&live.account, packed).await);
                    }
                }
            }
        }
    }

    async fn give_delivery(&self, account: &str, packed: Vec<u8>) -> Option<EnvelopeId> {
        let options = Submit {
            expires: Some(Moment::now().as_secs() + LIFE),
            // It is for the link that is open; after a restart it is taken back by this name.
            seek: Some(false),
            name: Some(format!("{}live/{}", near::NAME, self.connection())),
            ..Submit::default()
        };
        let given = self.node.submit(packed, account, options).await;
        self.counters.one(match given {
            Ok(_) => Count::AnsweredNode,
            Err(_) => Count::AnswerLost,
        });
        given.ok()
    }

    /// Leaves those that the node has still to deliver.
    async fn ask_after(&self, given: &mut BTreeSet<EnvelopeId>) {
        for id in given.clone() {
            let why = self.node.why(id).await;
            if why.is_none_or(|why| matches!(why.rung.as_str(), "delivered" | "expired")) {
                given.remove(&id);
            }
        }
    }
}
