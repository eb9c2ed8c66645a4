//! Which accounts have a live connection, and what is pushed there.
//!
//! What is it: [`Seats`], a table of connections by account. Who calls it: a conversation enters
//! itself when its visitor asked for live delivery, the office pushes what has just been stored.
//! What can go wrong: a connection that takes nothing; then its queue is full, and what did not
//! fit waits in the mailbox like everything else. Nothing is removed from a mailbox here: a pushed
//! message is kept until it is acknowledged.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::mediator::Stored;

/// Connections that one account may have at a time; more push out the oldest.
const EACH: usize = 16;

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Seats(Mutex<HashMap<String, Vec<Seat>>>);

#[derive(Debug)]
struct Seat {
    connection: u64,
    pushes: mpsc::Sender<Arc<Stored>>,
}

impl Seats {
    /// From now on this connection gets what comes for the account.
    pub(crate) fn enter(&self, account: &str, connection: u64, pushes: mpsc::Sender<Arc<Stored>>) {
        let mut table = self.table();
        let seats = table.entry(account.to_owned()).or_default();
        seats.retain(|seat| seat.connection != connection);
        if seats.len() >= EACH {
            seats.remove(0);
        }
        seats.push(Seat { connection, pushes });
    }

    /// From now on it does not.
    pub(crate) fn leave(&self, account: &str, connection: u64) {
        let mut table = self.table();
        if let Some(seats) = table.get_mut(account) {
            seats.retain(|seat| seat.connection != connection);
            if seats.is_empty() {
                table.remove(account);
            }
        }
    }

    /// Hands what was stored to its account's connections: to how many.
    pub(crate) fn push(&self, push: &Arc<Stored>) -> usize {
        let table = self.table();
        let seats = table
            .get(&push.account)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let taken = |seat: &&Seat| seat.pushes.try_send(Arc::clone(push)).is_ok();
        seats.iter().filter(taken).count()
    }

    /// Has it a live connection?
    #[must_use]
    pub(crate) fn has(&self, account: &str) -> bool {
        self.table().contains_key(account)
    }

    /// How many connections are live.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.table().values().map(Vec::len).sum()
    }

    /// Whoever panicked here left whole entries, or fewer.
    fn table(&self) -> MutexGuard<'_, HashMap<String, Vec<Seat>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use packmule_bus::Envelope;

    use super::*;
    use crate::store::Moment;

    fn stored(account: &str, text: &str) -> Arc<Stored> {
        let packed = format!("{{\"text\":\"{text}\"}}").into_bytes();
        Arc::new(Stored {
            account: account.to_owned(),
            recipient: account.to_owned(),
            id: Envelope::from_packed(&packed).unwrap().id(),
            packed,
            not_before: Moment::default(),
            expires: Moment::NEVER,
        })
    }

    #[test]
    fn only_those_who_entered_get_it_and_a_full_one_does_not_block() {
        let seats = Seats::default();
        let (first, mut at_first) = mpsc::channel(1);
        let (second, mut at_second) = mpsc::channel(8);
        seats.enter("a", 1, first);
        seats.enter("a", 2, second);
        let (x, y) = (stored("a", "x"), stored("a", "y"));
        assert_eq!(seats.push(&stored("b", "x")), 0);
        assert_eq!(seats.push(&x), 2);
        assert_eq!(seats.push(&y), 1, "the first one is full");
        assert_eq!(at_first.try_recv().unwrap(), x);
        assert_eq!(at_second.try_recv().unwrap(), x);
        assert_eq!(at_second.try_recv().unwrap(), y);
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
            seats.enter("a", connection, pushes);
        }
        assert_eq!(seats.count(), EACH);
        assert_eq!(seats.push(&stored("a", "x")), EACH);
        assert!(kept[99].try_recv().is_ok() && kept[0].try_recv().is_err());
    }
}
