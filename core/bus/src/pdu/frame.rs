//! Frames: what a record or a packet is filled with.
//!
//! What is it: [`Frame`], borrowed from its record, and writers for each. Who calls it:
//! `session`. What can go wrong: see `pdu`.
//!
//! ```text
//! padding  = 00                                   in a record: also the answer to a ping
//! ping     = 01                                   wants an ack; in a record: an answer, if the
//!                                                 other side has been quiet as well
//! ack      = 02, largest varint, delay µs varint, more varint, run varint, more × (gap varint, run varint)
//! control  = 10, offset varint, bytes to the end / 11, offset varint, length varint, bytes
//! segment  = 20, handle varint, offset varint, bytes to the end
//!          / 21, handle varint, offset varint, length varint, bytes
//! ```
//! A `run` is a count of packets less one, from `largest` downwards; a `gap` is the count of
//! packets between two runs less one.

use std::ops::Range;

use super::{Octets, PduError, put_varint, varint_len};
use crate::ranges::Ranges;

const PADDING: u8 = 0x00;
const PING: u8 = 0x01;
const ACK: u8 = 0x02;
const CONTROL: u8 = 0x10;
const SEGMENT: u8 = 0x20;
/// Added to [`CONTROL`] and [`SEGMENT`]: the length is told.
const MEASURED: u8 = 0x01;
/// Unknown frames from here on tell their length.
const LATER: u8 = 0x40;
/// Most runs in one ack.
pub const MAX_RUNS: usize = 64;

/// One thing said.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Frame<'a> {
    /// Nothing.
    Padding,
    /// Answer, please.
    Ping,
    /// These packets came.
    Ack {
        /// Packet numbers.
        packets: Ranges,
        /// How long the highest of them had been here, in microseconds.
        delay: u64,
    },
    /// A piece of the stream of control messages.
    Control {
        /// Where in the stream.
        offset: u64,
        /// The piece.
        bytes: &'a [u8],
    },
    /// A piece of an offered message.
    Segment {
        /// The offer: the first one made in a session is 0, the next 1.
        handle: u64,
        /// Where in the wire form.
        offset: u64,
        /// The piece.
        bytes: &'a [u8],
    },
    /// Of a later version, skipped.
    Later,
}

/// Reads a record's or packet's frames one after the other.
#[derive(Debug)]
pub struct Frames<'a>(Octets<'a>);

impl<'a> Frames<'a> {
    /// Reads from these bytes.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(Octets::new(bytes))
    }

    fn read(&mut self) -> Result<Frame<'a>, PduError> {
        let octets = &mut self.0;
        Ok(match octets.byte()? {
            PADDING => Frame::Padding,
            PING => Frame::Ping,
            ACK => read_ack(octets)?,
            kind if kind & !MEASURED == CONTROL => {
                let offset = octets.varint()?;
                let bytes = piece(octets, kind)?;
                end(offset, bytes)?;
                Frame::Control { offset, bytes }
            }
            kind if kind & !MEASURED == SEGMENT => {
                let (handle, offset) = (octets.varint()?, octets.varint()?);
                let bytes = piece(octets, kind)?;
                end(offset, bytes)?;
                Frame::Segment {
                    handle,
                    offset,
                    bytes,
                }
            }
            kind if kind >= LATER => {
                octets.bytes(usize::MAX)?;
                Frame::Later
            }
            _ => return Err(PduError::Malformed("a frame of unknown type")),
        })
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, PduError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let frame = self.read();
        if frame.is_err() {
            self.0.rest();
        }
        Some(frame)
    }
}

fn piece<'a>(octets: &mut Octets<'a>, kind: u8) -> Result<&'a [u8], PduError> {
    if kind & MEASURED != 0 {
        octets.bytes(usize::MAX)
    } else {
        Ok(octets.rest())
    }
}

/// No piece may end beyond what a number can say.
fn end(offset: u64, bytes: &[u8]) -> Result<u64, PduError> {
    offset
        .checked_add(bytes.len() as u64)
        .ok_or(PduError::Malformed("an offset beyond 64 bits"))
}

fn read_ack<'a>(octets: &mut Octets<'_>) -> Result<Frame<'a>, PduError> {
    const BELOW: PduError = PduError::Malformed("a packet number below zero");
    let (largest, delay) = (octets.varint()?, octets.varint()?);
    let more = octets.count(2)?;
    if more >= MAX_RUNS {
        return Err(PduError::Malformed("more runs than allowed"));
    }
    let mut packets = Ranges::new();
    let mut high = largest;
    for nth in 0..=more {
        if nth > 0 {
            let gap = octets.varint()?.checked_add(2).ok_or(BELOW)?;
            high = high.checked_sub(gap).ok_or(BELOW)?;
        }
        let run = octets.varint()?;
        let low = high.checked_sub(run).ok_or(BELOW)?;
        let end = high.checked_add(1).ok_or(BELOW)?;
        packets.insert(low..end);
        high = low;
    }
    Ok(Frame::Ack { packets, delay })
}

/// Appends padding.
pub fn put_padding(out: &mut Vec<u8>) {
    out.push(PADDING);
}

/// Appends a ping.
pub fn put_ping(out: &mut Vec<u8>) {
    out.push(PING);
}

/// Appends an ack of the highest of these packets: as many runs as fit in `room` bytes, at most
/// [`MAX_RUNS`]. `false`: not even one does, or there is none.
pub fn put_ack(out: &mut Vec<u8>, packets: &Ranges, delay: u64, room: usize) -> bool {
    let mut runs = packets.iter().rev();
    let Some(first) = runs.next() else {
        return false;
    };
    let largest = first.end - 1;
    let run = largest - first.start;
    let mut used = 2 + varint_len(largest) + varint_len(delay) + varint_len(run);
    if used > room {
        return false;
    }
    let mut more = Vec::new();
    let mut low = first.start;
    for next in runs.take(MAX_RUNS - 1) {
        let (gap, run) = (low - next.end - 1, next.end - 1 - next.start);
        used += varint_len(gap) + varint_len(run);
        if used > room {
            break;
        }
        more.push((gap, run));
        low = next.start;
    }
    out.push(ACK);
    put_varint(out, largest);
    put_varint(out, delay);
    put_varint(out, more.len() as u64);
    put_varint(out, run);
    for (gap, run) in more {
        put_varint(out, gap);
        put_varint(out, run);
    }
    true
}

/// Appends a piece of the control stream; `last`: nothing follows it.
pub fn put_control(out: &mut Vec<u8>, offset: u64, bytes: &[u8], last: bool) {
    out.push(CONTROL | if last { 0 } else { MEASURED });
    put_varint(out, offset);
    if !last {
        put_varint(out, bytes.len() as u64);
    }
    out.extend_from_slice(bytes);
}

/// Appends a piece of a message; `last`: nothing follows it.
pub fn put_segment(out: &mut Vec<u8>, handle: u64, offset: u64, bytes: &[u8], last: bool) {
    out.push(SEGMENT | if last { 0 } else { MEASURED });
    put_varint(out, handle);
    put_varint(out, offset);
    if !last {
        put_varint(out, bytes.len() as u64);
    }
    out.extend_from_slice(bytes);
}

/// What was sent, to be said again if it is lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Sent {
    Control(Range<u64>),
    Segment { handle: u64, range: Range<u64> },
}
