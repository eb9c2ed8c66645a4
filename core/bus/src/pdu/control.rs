//! Control messages: offers, answers, custody, receipts, claims.
//!
//! What is it: [`Control`]; on the wire one ordered stream of messages in each direction, cut as
//! the link needs it. Offers are numbered by their order in that stream: no handle is told with
//! them. Who calls it: `session`. What can go wrong: see `pdu`; a message of unknown type is
//! skipped, one longer than [`MAX_CONTROL`] ends the session.
//!
//! ```text
//! message  = type, length varint, body
//! offers   = 01: until the end: id 32, wire 16, bytes varint, to 16, flags, [expires varint],
//!            hops, copies varint            flags: priority (0–2), 4: expires is told
//! want     = 02: handle varint, ranges missing (none: all of it), ranges again
//! have     = 03: handles          custody = 05: handles          withdraw = 06: handles
//! refuse   = 04: until the end: handle varint, reason
//! receipts = 07: until the end: reason or 0, at varint, did text, kid text, signature bytes,
//!            count varint, count × id 32, ascending
//! claims   = 08: until the end: did text, kid text, signature bytes
//! bye      = 09:
//! handles  = the lowest, then each less the one before, less one: varints until the end
//! ranges   = count varint, count × (gap to the end of the one before varint, length varint)
//! ```

mod people;

use super::{Octets, PduError, put_bytes, put_varint};
use crate::EnvelopeId;
use crate::bus::io::{Claim, WireHash};
use crate::label::{DidTag, Label, Priority};
use crate::ranges::Ranges;
use crate::receipt::{Reason, Receipt};
use crate::session::Offer;

/// The longest body of a message.
pub const MAX_CONTROL: usize = 32 << 10;
/// Most ranges in a want; more of them are wanted as fewer and larger ones.
pub const MAX_RANGES: usize = 256;
/// What an offer may take.
pub(crate) const OFFER_ROOM: usize = 32 + 16 + 10 + 16 + 1 + 10 + 1 + 3;

/// One thing said about offers.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Control {
    /// These could be sent. The first offer of a session has the handle 0, the next 1.
    Offers(Vec<Offer>),
    /// Send these bytes.
    Want {
        /// Which offer.
        handle: u64,
        /// What is missing; empty: all of it.
        missing: Ranges,
        /// What has come already and is needed once more.
        again: Ranges,
    },
    /// Durable here before, ascending handles.
    Have(Vec<u64>),
    /// Not taken.
    Refuse(Vec<(u64, Reason)>),
    /// Durable here now, ascending handles.
    Custody(Vec<u64>),
    /// Taken back, ascending handles.
    Withdraw(Vec<u64>),
    /// Receipts passed on.
    Receipts(Vec<Receipt>),
    /// Claims to DIDs.
    Claims(Vec<Claim>),
    /// Nothing more will come.
    Bye,
    /// Of a later version, skipped.
    Later,
}

impl Control {
    /// Appends the whole message.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut body = Vec::new();
        let kind = match self {
            Self::Offers(offers) => {
                for offer in offers {
                    put_offer(&mut body, offer);
                }
                1
            }
            Self::Want {
                handle,
                missing,
                again,
            } => {
                put_varint(&mut body, *handle);
                put_ranges(&mut body, missing);
                put_ranges(&mut body, again);
                2
            }
            Self::Have(handles) => put_handles(&mut body, handles, 3),
            Self::Refuse(refusals) => {
                for (handle, reason) in refusals {
                    put_varint(&mut body, *handle);
                    body.push(*reason as u8);
                }
                4
            }
            Self::Custody(handles) => put_handles(&mut body, handles, 5),
            Self::Withdraw(handles) => put_handles(&mut body, handles, 6),
            Self::Receipts(receipts) => {
                for receipt in receipts {
                    people::put_receipt(&mut body, receipt);
                }
                7
            }
            Self::Claims(claims) => {
                for claim in claims {
                    people::put_claim(&mut body, claim);
                }
                8
            }
            Self::Bye | Self::Later => 9,
        };
        out.push(kind);
        put_bytes(out, &body);
    }

    /// Takes the first message off a stream: it and its length, or nothing if more has to come.
    ///
    /// # Errors
    /// [`PduError`] if no continuation can make a message of it.
    pub fn read(stream: &[u8]) -> Result<Option<(Self, usize)>, PduError> {
        let mut octets = Octets::new(stream);
        let Ok(kind) = octets.byte() else {
            return Ok(None);
        };
        let length = match octets.varint() {
            Ok(length) => length,
            Err(PduError::Truncated) => return Ok(None),
            Err(e) => return Err(e),
        };
        if length > MAX_CONTROL as u64 {
            return Err(PduError::Malformed("a control message longer than allowed"));
        }
        let Ok(body) = octets.take(length as usize) else {
            return Ok(None);
        };
        let message = Self::body(kind, &mut Octets::new(body))?;
        Ok(Some((message, stream.len() - octets.left())))
    }

    fn body(kind: u8, octets: &mut Octets<'_>) -> Result<Self, PduError> {
        let message = match kind {
            1 => Self::Offers(until_end(octets, read_offer)?),
            2 => Self::Want {
                handle: octets.varint()?,
                missing: read_ranges(octets)?,
                again: read_ranges(octets)?,
            },
            3 => Self::Have(read_handles(octets)?),
            4 => Self::Refuse(until_end(octets, |octets| {
                let handle = octets.varint()?;
                // A reason that only a later version knows is its policy to us.
                let reason = Reason::from_byte(octets.byte()?).unwrap_or(Reason::Policy);
                Ok((handle, reason))
            })?),
            5 => Self::Custody(read_handles(octets)?),
            6 => Self::Withdraw(read_handles(octets)?),
            7 => Self::Receipts(until_end(octets, people::read_receipt)?),
            8 => Self::Claims(until_end(octets, people::read_claim)?),
            9 => Self::Bye,
            _ => {
                octets.rest();
                Self::Later
            }
        };
        if octets.is_empty() {
            Ok(message)
        } else {
            Err(PduError::Malformed("bytes after a control message"))
        }
    }
}

/// Whether a receipt can be told at all: its texts and lists are within what readers take.
pub(crate) use people::{claim_fits, receipt_fits};

fn until_end<'a, T>(
    octets: &mut Octets<'a>,
    mut read: impl FnMut(&mut Octets<'a>) -> Result<T, PduError>,
) -> Result<Vec<T>, PduError> {
    let mut all = Vec::new();
    while !octets.is_empty() {
        all.push(read(octets)?);
    }
    Ok(all)
}

const EXPIRES: u8 = 4;

fn put_offer(out: &mut Vec<u8>, offer: &Offer) {
    let label = &offer.label;
    out.extend_from_slice(offer.id.as_bytes());
    out.extend_from_slice(&offer.wire.0);
    put_varint(out, offer.bytes);
    out.extend_from_slice(label.to.as_bytes());
    out.push(label.priority as u8 | label.expires.map_or(0, |_| EXPIRES));
    if let Some(expires) = label.expires {
        put_varint(out, expires);
    }
    out.push(label.hops);
    put_varint(out, u64::from(label.copies));
}

fn read_offer(octets: &mut Octets<'_>) -> Result<Offer, PduError> {
    let id = EnvelopeId::from_bytes(octets.fixed()?);
    let wire = WireHash(octets.fixed()?);
    let bytes = octets.varint()?;
    let to = DidTag::from_bytes(octets.fixed()?);
    let flags = octets.byte()?;
    let priority = match flags & !EXPIRES {
        0 => Priority::Bulk,
        1 => Priority::Normal,
        2 => Priority::Urgent,
        _ => return Err(PduError::Malformed("flags of an unknown kind")),
    };
    let expires = (flags & EXPIRES != 0)
        .then(|| octets.varint())
        .transpose()?;
    let hops = octets.byte()?;
    let copies = u16::try_from(octets.varint()?)
        .map_err(|_| PduError::Malformed("more copies than can be"))?;
    Ok(Offer {
        id,
        wire,
        bytes,
        label: Label {
            to,
            expires,
            priority,
            hops,
            copies,
        },
        age: 0,
    })
}

fn put_handles(out: &mut Vec<u8>, handles: &[u64], kind: u8) -> u8 {
    let mut least = 0;
    for handle in handles {
        put_varint(out, handle.saturating_sub(least));
        least = handle.saturating_add(1);
    }
    kind
}

fn read_handles(octets: &mut Octets<'_>) -> Result<Vec<u64>, PduError> {
    let mut least = 0_u64;
    until_end(octets, |octets| {
        let beyond = PduError::Malformed("a handle beyond 64 bits");
        let handle = least.checked_add(octets.varint()?).ok_or(beyond)?;
        least = handle.checked_add(1).ok_or(beyond)?;
        Ok(handle)
    })
}

/// Writes a set; one of more than [`MAX_RANGES`] as fewer ranges that cover it.
fn put_ranges(out: &mut Vec<u8>, ranges: &Ranges) {
    let mut list: Vec<_> = ranges.iter().collect();
    if list.len() > MAX_RANGES {
        let tail = list.split_off(MAX_RANGES - 1);
        if let (Some(first), Some(last)) = (tail.first(), tail.last()) {
            list.push(first.start..last.end);
        }
    }
    put_varint(out, list.len() as u64);
    let mut at = 0;
    for range in list {
        put_varint(out, range.start - at);
        put_varint(out, range.end - range.start);
        at = range.end;
    }
}

fn read_ranges(octets: &mut Octets<'_>) -> Result<Ranges, PduError> {
    const BEYOND: PduError = PduError::Malformed("a range beyond 64 bits");
    let count = octets.count(2)?;
    if count > MAX_RANGES {
        return Err(PduError::Malformed("more ranges than allowed"));
    }
    let mut ranges = Ranges::new();
    let mut at = 0_u64;
    for nth in 0..count {
        let (gap, length) = (octets.varint()?, octets.varint()?);
        if length == 0 || (gap == 0 && nth > 0) {
            return Err(PduError::Malformed("ranges that are empty or touch"));
        }
        let start = at.checked_add(gap).ok_or(BEYOND)?;
        at = start.checked_add(length).ok_or(BEYOND)?;
        ranges.insert(start..at);
    }
    Ok(ranges)
}
