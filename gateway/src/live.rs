//! Which accounts have a live connection, and what is pushed there.
//!
//! What is it: [`Seats`], a table of connections by account. Who calls it: a conversation enters
//! itself when its visitor asked for live delivery, the office pushes what has just been stored.
//! What can go wrong: a connection that takes nothing, or more bytes on their way than there is
//! room for; then the connection is *behind*: what did not fit waits in the mailbox like
//! everything else, and the visitor is told so. Nothing is removed from a mailbox here: a pushed
//! message is kept until it is acknowledged.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use packmule_bus::EnvelopeId;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};

use crate::mediator::Stored;

/// Connections that one account may have at a time; more push out the oldest.
const EACH: usize = 16;
/// Bytes of messages that are on their way to live connections, or wait for their time: the
/// mailboxes' own bounds do not count them any more once they are acknowledged.
const ROOM: usize = 64 << 20;

/// Messages of an account that are known to have been pushed: where several gateways share their
/// mailboxes, what was stored here is found once more by looking for what others stored.
const RECENT: usize = 256;

/// A message on its way to live connections, and its share of the room for such.
#[derive(Debug)]
pub(crate) struct Push {
    pub(crate) stored: Stored,
    _share: OwnedSemaphorePermit,
}

/// The table.
#[derive(Debug)]
pub(crate) struct Seats {
    table: Mutex<HashMap<String, Row>>,
    room: Arc<Semaphore>,
}

/// An account's connections.
#[derive(Debug, Default)]
struct Row {
    seats: Vec<Seat>,
    recent: VecDeque<EnvelopeId>,
}

/// A connection that listens.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub(crate) connection: u64,
    pub(crate) pushes: mpsc::Sender<Arc<Push>>,
    /// Told when something was not pushed that its visitor might wait for.
    pub(crate) behind: Arc<Notify>,
    /// Its conversation is to end.
    pub(crate) over: Arc<Notify>,
}

impl Default for Seats {
    fn default() -> Self {
        Self {
            table: Mutex::default(),
            room: Arc::new(Semaphore::new(ROOM)),
        }
    }
}

impl Seats {
    /// From now on this connection gets what comes for the account.
    pub(crate) fn enter(&self, account: &str, seat: Seat) {
        let mut table = self.table();
        let seats = &mut table.entry(account.to_owned()).or_default().seats;
        seats.retain(|one| one.connection != seat.connection);
        if seats.len() >= EACH {
            seats.remove(0);
        }
        seats.push(seat);
    }

    /// From now on it does not.
    pub(crate) fn leave(&self, account: &str, connection: u64) {
        let mut table = self.table();
        if let Some(row) = table.get_mut(account) {
            row.seats.retain(|seat| seat.connection != connection);
            if row.seats.is_empty() {
                table.remove(account);
            }
        }
    }

    /// The account goes by another DID now: those who listen under this one are let go, but for
    /// the connection that told so, which only leaves.
    pub(crate) fn end(&self, account: &str, but: Option<u64>) {
        let row = self.table().remove(account);
        for seat in row.into_iter().flat_map(|row| row.seats) {
            if Some(seat.connection) != but {
                seat.over.notify_one();
            }
        }
    }

    /// More waits for the account than its connections were told of.
    pub(crate) fn tell_behind(&self, account: &str) {
        let table = self.table();
        let row = table.get(account);
        for seat in row.into_iter().flat_map(|row| &row.seats) {
            seat.behind.notify_one();
        }
    }

    /// Takes its share of the room for what is on its way. None: there is none left, and those
    /// who wait for it are behind.
    pub(crate) fn weigh(&self, stored: Stored) -> Option<Arc<Push>> {
        let bytes = u32::try_from(stored.packed.len()).unwrap_or(u32::MAX);
        let share = Arc::clone(&self.room).try_acquire_many_owned(bytes);
        if let Ok(share) = share {
            let _share = share;
            return Some(Arc::new(Push { stored, _share }));
        }
        self.tell_behind(&stored.account);
        None
    }

    /// Hands what was stored to its account's connections, once: to how many.
    pub(crate) fn push(&self, push: &Arc<Push>) -> usize {
        let mut table = self.table();
        let Some(row) = table.get_mut(&push.stored.account) else {
            return 0;
        };
        if row.recent.contains(&push.stored.id) {
            return 0;
        }
        let taken = |seat: &&Seat| {
            let taken = seat.pushes.try_send(Arc::clone(push)).is_ok();
            if !taken {
                seat.behind.notify_one();
            }
            taken
        };
        let taken = row.seats.iter().filter(taken).count();
        if taken > 0 {
            if row.recent.len() >= RECENT {
                row.recent.pop_front();
            }
            row.recent.push_back(push.stored.id);
        }
        taken
    }

    /// How many pushes one of its connections still takes.
    #[must_use]
    pub(crate) fn room(&self, account: &str) -> usize {
        let table = self.table();
        let row = table.get(account);
        let room = |seat: &Seat| seat.pushes.capacity();
        let rooms = row.into_iter().flat_map(|row| &row.seats).map(room);
        rooms.max().unwrap_or(0)
    }

    /// Has it a live connection?
    #[must_use]
    pub(crate) fn has(&self, account: &str) -> bool {
        self.table().contains_key(account)
    }

    /// How many connections are live.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.table().values().map(|row| row.seats.len()).sum()
    }

    /// Whoever panicked here left whole entries, or fewer.
    fn table(&self) -> MutexGuard<'_, HashMap<String, Row>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use packmule_bus::Envelope;

    use super::*;
    use crate::store::Moment;

    fn stored(account: &str, text: &str) -> Stored {
        let packed = format!("{{\"text\":\"{text}\"}}").into_bytes();
        Stored {
            account: account.to_owned(),
            recipient: account.to_owned(),
            id: Envelope::from_packed(&packed).unwrap().id(),
            packed,
            not_before: Moment::default(),
            expires: Moment::NEVER,
        }
    }

    fn seat(connection: u64, pushes: mpsc::Sender<Arc<Push>>) -> Seat {
        Seat {
            connection,
            pushes,
            behind: Arc::default(),
            over: Arc::default(),
        }
    }

    /// Has it been told since it was asked last?
    fn is_behind(seat: &Seat) -> bool {
        let mut told = pin!(seat.behind.notified());
        told.as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    }

    #[test]
    fn only_those_who_entered_get_it_and_a_full_one_does_not_block() {
        let seats = Seats::default();
        let (first, mut at_first) = mpsc::channel(1);
        let (second, mut at_second) = mpsc::channel(8);
        let (first, second) = (seat(1, first), seat(2, second));
        seats.enter("a", first.clone());
        seats.enter("a", second.clone());
        let push = |account, text| {
            let push = seats.weigh(stored(account, text)).unwrap();
            seats.push(&push)
        };
        assert_eq!(push("b", "x"), 0);
        assert_eq!(push("a", "x"), 2);
        assert_eq!(seats.room("a"), 7);
        assert_eq!(push("a", "y"), 1, "the first one is full");
        assert_eq!(push("a", "y"), 0, "it was pushed");
        assert!(is_behind(&first));
        assert!(!is_behind(&second));
        let text = |push: Arc<Push>| String::from_utf8(push.stored.packed.clone()).unwrap();
        assert!(text(at_first.try_recv().unwrap()).contains('x'));
        assert!(text(at_second.try_recv().unwrap()).contains('x'));
        assert!(text(at_second.try_recv().unwrap()).contains('y'));
        seats.leave("a", 1);
        seats.leave("a", 2);
        assert!(!seats.has("a"));
        assert_eq!(seats.count(), 0);
    }

    #[test]
    fn an_account_has_so_many_connections_and_no_more() {
        let seats = Seats::default();
        let mut kept = Vec::new();
        for connection in 0..100 {
            let (pushes, at) = mpsc::channel(1);
            kept.push(at);
            seats.enter("a", seat(connection, pushes));
        }
        assert_eq!(seats.count(), EACH);
        let push = seats.weigh(stored("a", "x")).unwrap();
        assert_eq!(seats.push(&push), EACH);
        assert!(kept[99].try_recv().is_ok() && kept[0].try_recv().is_err());
    }

    #[test]
    fn what_is_on_its_way_has_so_much_room_and_no_more() {
        let seats = Seats::default();
        let (pushes, at) = mpsc::channel(64);
        let listener = seat(1, pushes);
        seats.enter("a", listener.clone());
        let mut large = stored("a", "x");
        large.packed = vec![b'x'; 8 << 20];
        // Nobody reads, and mallory has acknowledged each of them elsewhere meanwhile.
        for number in 0..ROOM / (8 << 20) {
            large.id = stored("a", &number.to_string()).id;
            let push = seats.weigh(large.clone()).unwrap();
            assert_eq!(seats.push(&push), 1);
        }
        assert!(!is_behind(&listener));
        assert!(seats.weigh(large.clone()).is_none());
        assert!(is_behind(&listener));
        drop(at);
        assert!(seats.weigh(large).is_some(), "the room is free again");
    }
}
