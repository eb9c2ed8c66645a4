//! A link that loses nothing, as one stream of bytes each way.
//!
//! What is it: [`Records`]: each record has two bytes of length before it; PDUs are the stream cut
//! anywhere, with no byte of their own. Who calls it: the session. What can go wrong: a length
//! beyond what is allowed ends the session before anything is kept of it.

use std::borrow::Cow;

use super::silence::Silence;
use crate::link::LinkFacts;
use crate::seal::{MAX_HANDSHAKE, Seal};

/// The longest record, sealed.
const RECORD: usize = 16 << 10;
/// From this MTU on records are cut to fill PDUs exactly; on brief links always, as of a record
/// that has not come whole nothing can be kept.
const WIDE: usize = 4096;
/// No record is begun in less room than this.
const LEAST: usize = 128;

/// Both directions.
#[derive(Debug)]
pub(super) struct Records {
    pub(super) silence: Silence,
    out: Vec<u8>,
    /// How much of `out` went already.
    gone: usize,
    sent: u64,
    /// A record that has not come whole.
    inbox: Vec<u8>,
    received: u64,
}

impl Records {
    pub(super) const fn new(silence: Silence) -> Self {
        Self {
            silence,
            out: Vec::new(),
            gone: 0,
            sent: 0,
            inbox: Vec::new(),
            received: 0,
        }
    }

    /// Bytes that wait to be sent.
    pub(super) const fn ready(&self) -> usize {
        self.out.len() - self.gone
    }

    pub(super) const fn memory(&self) -> usize {
        self.out.len() + self.inbox.len()
    }

    /// How long the next record's frames may be. `None`: none begins in this PDU.
    pub(super) fn limit(facts: &LinkFacts, ready: usize, tag: usize) -> Option<usize> {
        let mtu = facts.mtu.min(super::MAX_MTU);
        if mtu < WIDE && !facts.is_brief() {
            // A few PDUs: what is more urgent waits no longer than that.
            return Some((mtu * 16).clamp(1024, RECORD) - tag);
        }
        let room = mtu - ready;
        (room >= LEAST).then(|| (room - 2).min(RECORD) - tag)
    }

    /// Adds a record as it is.
    pub(super) fn push(&mut self, record: &[u8]) {
        self.out
            .extend_from_slice(&(record.len() as u16).to_be_bytes());
        self.out.extend_from_slice(record);
    }

    /// Adds a record, sealed.
    pub(super) fn seal(&mut self, seal: &Seal, plain: &[u8], mtu: usize) {
        let length = plain.len() + seal.tag();
        if self.out.is_empty() {
            self.out.reserve(mtu.max(length + 2));
        }
        self.out.extend_from_slice(&(length as u16).to_be_bytes());
        seal.seal(self.sent, plain, &mut self.out);
        self.sent += 1;
    }

    /// The next PDU.
    pub(super) fn take(&mut self, mtu: usize) -> Option<Vec<u8>> {
        if self.ready() == 0 {
            return None;
        }
        if self.gone == 0 && self.out.len() <= mtu {
            return Some(std::mem::take(&mut self.out));
        }
        let end = self.out.len().min(self.gone + mtu);
        let pdu = self.out.get(self.gone..end).unwrap_or_default().to_vec();
        self.gone = end;
        if self.ready() == 0 {
            self.out.clear();
            self.gone = 0;
        }
        Some(pdu)
    }

    /// Takes the next record off `bytes`, perhaps only its end. `None`: it has not come whole.
    pub(super) fn next<'b>(
        &mut self,
        bytes: &mut &'b [u8],
        live: bool,
    ) -> Result<Option<Cow<'b, [u8]>>, &'static str> {
        let most = if live { RECORD } else { MAX_HANDSHAKE };
        if self.inbox.is_empty()
            && let Some((head, rest)) = bytes.split_first_chunk()
        {
            let length = checked(*head, most)?;
            if let Some((record, rest)) = rest.split_at_checked(length) {
                *bytes = rest;
                return Ok(Some(record.into()));
            }
        }
        // Only as much as this record needs is kept.
        while let Some((first, rest)) = bytes.split_first()
            && self.inbox.len() < 2
        {
            self.inbox.push(*first);
            *bytes = rest;
        }
        let Some(head) = self.inbox.first_chunk() else {
            return Ok(None);
        };
        let length = checked(*head, most)?;
        let missing = (length + 2).saturating_sub(self.inbox.len());
        let (more, rest) = bytes.split_at(missing.min(bytes.len()));
        self.inbox.extend_from_slice(more);
        *bytes = rest;
        if self.inbox.len() < length + 2 {
            return Ok(None);
        }
        let mut record = std::mem::take(&mut self.inbox);
        record.drain(..2);
        Ok(Some(record.into()))
    }

    /// The number of the record that came.
    pub(super) const fn count(&mut self) -> u64 {
        let number = self.received;
        self.received += 1;
        number
    }
}

fn checked(head: [u8; 2], most: usize) -> Result<usize, &'static str> {
    match usize::from(u16::from_be_bytes(head)) {
        0 => Err("an empty record"),
        length if length > most => Err("a record longer than allowed"),
        length => Ok(length),
    }
}
