//! Virtual time and the one queue of what will happen.
//!
//! What is it: [`World`], events ordered by time and, at one time, by who was planned first.
//! Who calls it: the engine; anybody who writes a simulation of their own. What can go wrong:
//! an event planned for the past happens now.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Microseconds of virtual time since the run began.
pub type Micros = u64;

/// The queue of a run. `E` is whatever may happen.
#[derive(Debug)]
pub struct World<E> {
    now: Micros,
    planned: u64,
    queue: BinaryHeap<Reverse<Entry<E>>>,
}

#[derive(Debug)]
struct Entry<E> {
    at: Micros,
    turn: u64,
    event: E,
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.turn) == (other.at, other.turn)
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.turn).cmp(&(other.at, other.turn))
    }
}

impl<E> Default for World<E> {
    fn default() -> Self {
        Self {
            now: 0,
            planned: 0,
            queue: BinaryHeap::new(),
        }
    }
}

impl<E> World<E> {
    /// What time it is.
    #[must_use]
    pub const fn now(&self) -> Micros {
        self.now
    }

    /// How many events were planned so far.
    #[must_use]
    pub const fn planned(&self) -> u64 {
        self.planned
    }

    /// Plans an event at a time; now, if that is over.
    pub fn at(&mut self, at: Micros, event: E) {
        let turn = self.planned;
        self.planned += 1;
        let at = at.max(self.now);
        self.queue.push(Reverse(Entry { at, turn, event }));
    }

    /// Plans an event so many microseconds from now.
    pub fn after(&mut self, wait: Micros, event: E) {
        self.at(self.now.saturating_add(wait), event);
    }

    /// The next event up to `end`; the clock moves to it. `None`: there is none, and the clock
    /// stands at `end`.
    pub fn next(&mut self, end: Micros) -> Option<E> {
        if self
            .queue
            .peek()
            .is_none_or(|Reverse(entry)| entry.at > end)
        {
            self.now = self.now.max(end);
            return None;
        }
        let Reverse(entry) = self.queue.pop()?;
        self.now = entry.at;
        Some(entry.event)
    }
}

#[cfg(test)]
mod tests {
    use super::World;

    #[test]
    fn what_was_planned_first_happens_first_at_the_same_time() {
        let mut world = World::default();
        world.at(5, "second");
        world.at(5, "third");
        world.at(2, "first");
        world.at(9, "too late");
        let seen: Vec<_> = std::iter::from_fn(|| world.next(8)).collect();
        assert_eq!(seen, ["first", "second", "third"]);
        assert_eq!(world.now(), 8);
        world.at(1, "in the past");
        assert_eq!(world.next(8), Some("in the past"));
        assert_eq!(world.now(), 8);
    }
}
