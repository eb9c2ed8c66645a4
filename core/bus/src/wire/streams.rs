//! The three streams of a wire form.
//!
//! What is it: *control* (small numbers, a CBOR sequence), *text* (what compresses) and *raw*
//! (what does not: keys, ciphertext). [`Sink`] collects them, [`Source`] reads them, under one
//! [`Budget`] for everything that reading unfolds. Who calls it: all of `wire`. What can go
//! wrong: hostile forms: every read is bounded by what is there.

use std::collections::BTreeMap;

use super::names::Name;
use crate::cbor::{self, Reader};
use crate::envelope::{DecodeError, MAX_ENVELOPE};

/// Bytes that any form may unfold to.
const FREE: usize = 64 << 10;
/// Bytes that each byte of a form may unfold to beyond [`FREE`].
pub(super) const EXPANSION: usize = 256;

/// What a form may still unfold to, in bytes: no more than its length justifies.
#[derive(Debug)]
pub(crate) struct Budget(usize);

impl Budget {
    /// The budget of a form of this length.
    pub(super) fn of(form: usize) -> Self {
        Self(
            form.saturating_mul(EXPANSION)
                .saturating_add(FREE)
                .min(MAX_ENVELOPE + FREE),
        )
    }

    /// Spends, or fails.
    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.0 = self.0.checked_sub(bytes).ok_or(DecodeError::Expansion)?;
        Ok(())
    }
}

/// The streams while they are written.
#[derive(Default)]
pub(super) struct Sink<'a> {
    pub(super) control: Vec<u8>,
    pub(super) text: Vec<u8>,
    pub(super) raw: Vec<u8>,
    /// Names written so far and their numbers.
    pub(super) names: BTreeMap<&'a str, (usize, Name)>,
    /// The payload of a JWS, in which names may be found.
    pub(super) context: Option<&'a str>,
    /// did:peer:4 long forms taken apart so far.
    pub(super) long_names: usize,
    /// The last service of a did:peer:2.
    pub(super) last_service: Vec<u8>,
}

impl Sink<'_> {
    /// A small number.
    pub(super) fn number(&mut self, value: usize) {
        cbor::uint(&mut self.control, value as u64);
    }

    /// Text, its length first.
    pub(super) fn text(&mut self, text: &[u8]) {
        self.number(text.len());
        self.text.extend_from_slice(text);
    }

    /// Raw bytes, whose length the reader knows.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
    }
}

/// The streams while they are read.
pub(super) struct Source<'a> {
    pub(super) control: Reader<'a>,
    pub(super) text: Reader<'a>,
    pub(super) raw: Reader<'a>,
    pub(super) budget: Budget,
    pub(super) names: Vec<Name>,
    pub(super) context: Option<&'a str>,
    pub(super) long_names: usize,
    pub(super) last_service: Vec<u8>,
}

impl<'a> Source<'a> {
    /// A small number.
    pub(super) fn number(&mut self, name: &'static str) -> Result<usize, DecodeError> {
        self.control.size(name)
    }

    /// Text, its length first.
    pub(super) fn text(&mut self, name: &'static str) -> Result<&'a [u8], DecodeError> {
        let length = self.number("length of text")?;
        self.text.take(name, length)
    }

    /// Text that must be UTF-8.
    pub(super) fn string(&mut self, name: &'static str) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.text(name)?)
            .map_err(|_| DecodeError::Malformed("text that is not UTF-8"))
    }
}
