//! Which packets came, what acks are owed, and packets that come in pieces.
//!
//! What is it: [`Arrivals`], the replay window and the clock of acks, and [`Joiner`]. Who calls
//! it: the session. What can go wrong: packets come twice, late or never whole; all that is kept
//! of them is bounded.

use std::collections::VecDeque;
use std::time::Duration;

use crate::pdu::packet::{MAX_PIECES, Piece};
use crate::ranges::Ranges;
use crate::time::Time;

/// Most runs of packet numbers that are remembered; what lies below them counts as come.
const MAX_RUNS: usize = 512;
/// An ack goes at the latest after so many packets, or so long after one.
const EVERY: u32 = 16;
const DELAY: Duration = Duration::from_millis(20);
/// A packet with nothing new in it counts as so many: our acks do not arrive.
const KNOWN: u32 = 8;
/// After a gap: something may be lost, and the other side wants to know.
const GAP_DELAY: Duration = Duration::from_millis(5);

/// Packet numbers that came.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    seen: Ranges,
    floor: u64,
    owed: u32,
    due: bool,
    due_at: Option<Time>,
    highest_at: Time,
}

impl Arrivals {
    /// The number that is expected next.
    pub(super) fn expected(&self) -> u64 {
        self.seen.last().map_or(self.floor, |r| r.end)
    }

    /// Has this one not been here?
    pub(super) fn is_new(&self, number: u64) -> bool {
        number >= self.floor && !self.seen.contains(number)
    }

    /// It came, and was used; `fresh`: there was something new in it.
    pub(super) fn record(&mut self, now: Time, number: u64, wants_ack: bool, fresh: bool) {
        let expected = self.expected();
        self.seen.insert(number..number + 1);
        while self.seen.count() > MAX_RUNS {
            if let Some(first) = self.seen.first() {
                self.floor = first.end;
            }
            self.seen.drop_first();
        }
        if number >= expected {
            self.highest_at = now;
        }
        if wants_ack {
            self.owed += if fresh { 1 } else { KNOWN };
            self.due |= self.owed >= EVERY;
            let delay = if number == expected { DELAY } else { GAP_DELAY };
            let at = now + delay;
            self.due_at = Some(self.due_at.map_or(at, |due| due.min(at)));
        }
    }

    /// Is an ack to go, even if nothing else does?
    pub(super) fn due(&self) -> bool {
        self.due
    }

    /// May one go along?
    pub(super) fn owed(&self) -> bool {
        self.owed > 0
    }

    /// The packets to ack, and how long the highest has been here.
    pub(super) fn ack(&self, now: Time) -> (&Ranges, u64) {
        let delay = now.since(self.highest_at).as_micros();
        (&self.seen, u64::try_from(delay).unwrap_or(u64::MAX))
    }

    /// An ack went.
    pub(super) fn acked(&mut self) {
        (self.owed, self.due, self.due_at) = (0, false, None);
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.due_at.filter(|_| !self.due)
    }

    pub(super) fn timeout(&mut self, now: Time) {
        self.due |= self.due_at.is_some_and(|at| at <= now);
    }
}

/// Most packets that are put together at once, and most bytes of them.
const JOINING: usize = 512;
const JOINING_BYTES: usize = 64 << 10;

#[derive(Debug)]
struct Parts {
    tag: u16,
    parts: Vec<Option<Vec<u8>>>,
    /// How many there are, once the last one came.
    count: Option<usize>,
}

/// Puts packets together from pieces.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    packets: VecDeque<Parts>,
    bytes: usize,
}

impl Joiner {
    /// Takes a piece; the packet, if that was all of it.
    pub(super) fn join(&mut self, piece: &Piece<'_>) -> Option<Vec<u8>> {
        let at = self.packets.iter().position(|p| p.tag == piece.tag);
        let mut whole = at.and_then(|at| self.take(at)).unwrap_or(Parts {
            tag: piece.tag,
            parts: Vec::new(),
            count: None,
        });
        let index = usize::from(piece.index);
        if index < MAX_PIECES && whole.parts.len() <= index {
            whole.parts.resize(index + 1, None);
        }
        if let Some(part) = whole.parts.get_mut(index) {
            *part = Some(piece.bytes.to_vec());
        }
        if piece.last {
            whole.count = Some(index + 1);
        }
        // A damaged piece may have claimed any place: those after the last one do not count.
        let parts = whole.count.and_then(|count| whole.parts.get(..count));
        if let Some(parts) = parts.filter(|parts| parts.iter().all(Option::is_some)) {
            let packet: Vec<u8> = parts.iter().flatten().flatten().copied().collect();
            if crc32fast::hash(&packet) as u16 == piece.tag {
                return Some(packet);
            }
            // One of them is damaged. All stay: when the packet is said again, the damaged one is
            // replaced.
        }
        self.bytes += whole.bytes();
        self.packets.push_back(whole);
        while self.packets.len() > JOINING || self.bytes > JOINING_BYTES {
            self.take(0)?;
        }
        None
    }

    pub(super) const fn memory(&self) -> usize {
        self.bytes
    }

    fn take(&mut self, at: usize) -> Option<Parts> {
        let parts = self.packets.remove(at)?;
        self.bytes -= parts.bytes();
        Some(parts)
    }
}

impl Parts {
    /// What it costs to keep: its bytes, and its places.
    fn bytes(&self) -> usize {
        self.parts
            .iter()
            .flatten()
            .map(|part| part.len() + 32)
            .sum()
    }
}
