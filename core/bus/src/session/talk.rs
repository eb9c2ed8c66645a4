//! The ordered stream of control messages in each direction.
//!
//! What is it: [`TalkOut`] keeps what was said until it is known to have arrived and gives it out
//! in pieces; [`TalkIn`] puts pieces in order and reads messages off the front. Who calls it: the
//! session. What can go wrong: pieces come twice, overlapping, out of order or far ahead; what is
//! ahead is bounded by [`WINDOW`] and [`MAX_HELD`].

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use crate::pdu::PduError;
use crate::pdu::control::{Control, MAX_CONTROL};
use crate::ranges::Ranges;

/// Nothing new is said while more than this has not arrived: with the longest message it stays
/// within [`WINDOW`].
const BACKLOG: usize = 32 << 10;
/// How far ahead of the last whole message pieces are taken.
const WINDOW: u64 = 4 * MAX_CONTROL as u64;
/// Most pieces that wait for one before them.
const MAX_HELD: usize = 4096;

/// What is being said.
#[derive(Debug, Default)]
pub(super) struct TalkOut {
    base: u64,
    bytes: VecDeque<u8>,
    pending: Ranges,
    arrived: Ranges,
    /// Where the last receipt ends.
    receipts: u64,
}

impl TalkOut {
    /// May more be said?
    pub(super) fn has_room(&self) -> bool {
        self.bytes.len() <= BACKLOG
    }

    /// Bytes that wait to be sent.
    pub(super) fn pending(&self) -> u64 {
        self.pending.total()
    }

    pub(super) fn say(&mut self, message: &Control) {
        let mut out = Vec::new();
        message.write(&mut out);
        let start = self.base + self.bytes.len() as u64;
        let end = start + out.len() as u64;
        self.pending.insert(start..end);
        self.bytes.extend(out);
        if matches!(message, Control::Receipts(_)) {
            self.receipts = end;
        }
    }

    /// Are receipts among what was said and is not known to have arrived?
    pub(super) fn receipts_open(&self) -> bool {
        self.receipts > self.base
    }

    /// Where the next piece begins, if there is one to send.
    pub(super) fn offset(&self) -> Option<u64> {
        self.pending.first().map(|r| r.start)
    }

    /// The next piece to send, of at most `room` bytes.
    pub(super) fn piece(&mut self, room: usize) -> Option<(Range<u64>, Vec<u8>)> {
        let first = self.pending.first().filter(|_| room > 0)?;
        let range = first.start..first.end.min(first.start + room as u64);
        self.pending.remove(range.clone());
        let at = |offset: u64| (offset.saturating_sub(self.base) as usize).min(self.bytes.len());
        let bytes = self.bytes.range(at(range.start)..at(range.end));
        let bytes = bytes.copied().collect();
        Some((range, bytes))
    }

    pub(super) fn memory(&self) -> usize {
        self.bytes.len()
    }

    /// A piece has arrived.
    pub(super) fn arrived(&mut self, range: Range<u64>) {
        self.pending.remove(range.clone());
        self.arrived.insert(range.start.max(self.base)..range.end);
        if let Some(first) = self.arrived.first().filter(|r| r.start <= self.base) {
            let count = (first.end - self.base) as usize;
            self.bytes.drain(..count.min(self.bytes.len()));
            self.base = first.end;
            self.arrived.drop_first();
        }
    }

    /// A piece was lost, or may have been.
    pub(super) fn lost(&mut self, range: Range<u64>) {
        let end = self.base + self.bytes.len() as u64;
        let wanted = range.start.max(self.base)..range.end.min(end);
        self.pending.insert_all(&self.arrived.missing(wanted));
    }
}

/// What is being heard.
#[derive(Debug, Default)]
pub(super) struct TalkIn {
    /// Where `ready` begins in the stream.
    base: u64,
    ready: Vec<u8>,
    held: BTreeMap<u64, Vec<u8>>,
    ahead: Ranges,
}

impl TalkIn {
    /// Takes a piece. `false`: it lies too far ahead to be kept, and was not.
    pub(super) fn hear(&mut self, offset: u64, bytes: &[u8]) -> bool {
        let next = self.base + self.ready.len() as u64;
        let end = offset.saturating_add(bytes.len() as u64);
        if end > self.base.saturating_add(WINDOW) {
            return false;
        }
        if offset <= next {
            let known = (next - offset) as usize;
            let fresh = bytes.get(known..).unwrap_or_default();
            self.ready.extend_from_slice(fresh);
            self.join();
            return true;
        }
        for part in self.ahead.missing(offset..end).iter() {
            if self.held.len() >= MAX_HELD {
                return false;
            }
            let (from, to) = (part.start - offset, part.end - offset);
            let piece = bytes.get(from as usize..to as usize).unwrap_or_default();
            self.held.insert(part.start, piece.to_vec());
            self.ahead.insert(part);
        }
        true
    }

    /// Has all of this piece been heard?
    pub(super) fn knows(&self, offset: u64, bytes: &[u8]) -> bool {
        offset.saturating_add(bytes.len() as u64) <= self.base + self.ready.len() as u64
    }

    /// What was held and now follows what is ready.
    fn join(&mut self) {
        while let Some(entry) = self.held.first_entry() {
            let next = self.base + self.ready.len() as u64;
            if *entry.key() > next {
                break;
            }
            let (offset, bytes) = entry.remove_entry();
            let known = (next - offset) as usize;
            let fresh = bytes.get(known..).unwrap_or_default();
            self.ready.extend_from_slice(fresh);
            self.ahead.remove(offset..offset + bytes.len() as u64);
        }
    }

    pub(super) fn memory(&self) -> usize {
        let held = self.ahead.total() as usize + self.held.len() * 64;
        self.ready.len() + held
    }

    /// The next whole message.
    pub(super) fn message(&mut self) -> Result<Option<Control>, PduError> {
        let Some((message, length)) = Control::read(&self.ready)? else {
            return Ok(None);
        };
        self.ready.drain(..length);
        self.base += length as u64;
        Ok(Some(message))
    }
}
