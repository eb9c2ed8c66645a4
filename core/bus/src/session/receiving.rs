//! What is offered to us, what we want of it, and which of its bytes have come.
//!
//! What is it: [`Receiving`]. Who calls it: the session. What can go wrong: floods of offers,
//! offers too large, bytes beyond the end, bytes that nobody wants, sets of ranges fragmented on
//! purpose: each is refused, dropped, or [`Breach`]es the session.

use std::collections::BTreeMap;

use super::sending::RANGE_COST;
use super::{Event, Limits, Offer};
use crate::EnvelopeId;
use crate::ranges::Ranges;
use crate::receipt::Reason;

/// Most bytes kept of segments that overtook their offers, each counted with [`EARLY_COST`]; the
/// other side pushes no more than 64 KiB unasked.
const EARLY: usize = 128 << 10;
const EARLY_COST: usize = 64;
/// What one offer takes in memory, about.
const IN_COST: usize = 256;
/// Most gaps in what has come of one message.
const MAX_GAPS: usize = 8192;

/// The rule that the other side broke.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Breach(pub(super) &'static str);

/// What to do with a segment's packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It was used, or nobody wants it any more.
    Done,
    /// Its offer has not come yet, and it cannot be kept: as if it had not arrived.
    TooEarly,
}

/// Offers to ask the bus about, and those refused already.
pub(super) type Sorted = (Vec<Offer>, Vec<(u64, Reason)>);

#[derive(Debug)]
struct In {
    id: EnvelopeId,
    bytes: u64,
    /// What we said is missing; nothing said yet: all of it.
    missing: Option<Ranges>,
    got: Ranges,
}

/// All that is offered to us.
#[derive(Debug, Default)]
pub(super) struct Receiving {
    ins: BTreeMap<u64, In>,
    handles: BTreeMap<EnvelopeId, u64>,
    next: u64,
    /// Segments that overtook their offers, by handle.
    early: BTreeMap<u64, Vec<(u64, Vec<u8>)>>,
    early_bytes: usize,
}

impl Receiving {
    /// Takes offers in.
    pub(super) fn offered(
        &mut self,
        offers: Vec<Offer>,
        limits: &Limits,
    ) -> Result<Sorted, Breach> {
        let (mut asked, mut refused) = (Vec::new(), Vec::new());
        for offer in offers {
            let handle = self.next;
            self.next += 1;
            if offer.bytes > limits.max_bytes {
                refused.push((handle, Reason::TooLarge));
                continue;
            }
            if offer.bytes == 0 {
                refused.push((handle, Reason::Damaged));
                continue;
            }
            if self.ins.len() as u64 >= u64::from(limits.offers) {
                return Err(Breach("more offers at once than we take"));
            }
            if self.handles.insert(offer.id, handle).is_some() {
                return Err(Breach("one message offered twice at once"));
            }
            let fresh = In {
                id: offer.id,
                bytes: offer.bytes,
                missing: None,
                got: Ranges::new(),
            };
            self.ins.insert(handle, fresh);
            asked.push(offer);
        }
        Ok((asked, refused))
    }

    /// Keeps a segment until its offer comes. `false`: there is no room.
    fn keep(&mut self, handle: u64, offset: u64, bytes: &[u8]) -> bool {
        let cost = bytes.len() + EARLY_COST;
        let fits = self.early_bytes + cost <= EARLY;
        if fits {
            self.early_bytes += cost;
            let kept = self.early.entry(handle).or_default();
            kept.push((offset, bytes.to_vec()));
        }
        fits
    }

    /// The segments whose offers have come by now: handle, offset, bytes.
    pub(super) fn overtaken(&mut self) -> Vec<(u64, u64, Vec<u8>)> {
        let later = self.early.split_off(&self.next);
        let ready = std::mem::replace(&mut self.early, later);
        let mut all = Vec::new();
        for (handle, segments) in ready {
            for (offset, bytes) in segments {
                self.early_bytes -= bytes.len() + EARLY_COST;
                all.push((handle, offset, bytes));
            }
        }
        all
    }

    /// A segment came; what of it is new and wanted goes to `events`.
    pub(super) fn segment(
        &mut self,
        handle: u64,
        offset: u64,
        bytes: &[u8],
        mut event: impl FnMut(Event),
    ) -> Result<Use, Breach> {
        let Some(open) = self.ins.get_mut(&handle) else {
            return Ok(if handle < self.next || self.keep(handle, offset, bytes) {
                Use::Done
            } else {
                Use::TooEarly
            });
        };
        let range = offset..offset.saturating_add(bytes.len() as u64);
        if range.end > open.bytes {
            return Err(Breach("bytes beyond the end of what was offered"));
        }
        let fresh = open.got.missing(range);
        let wanted = match &open.missing {
            Some(missing) => fresh.intersection(missing),
            None => fresh,
        };
        for part in wanted.iter() {
            open.got.insert(part.clone());
            let (from, to) = (part.start - offset, part.end - offset);
            let part_bytes = bytes.get(from as usize..to as usize).unwrap_or_default();
            event(Event::Data {
                id: open.id,
                offset: part.start,
                bytes: part_bytes.to_vec(),
            });
        }
        if open.got.count() > MAX_GAPS {
            return Err(Breach("a message in too many pieces"));
        }
        Ok(Use::Done)
    }

    /// We want these bytes: the handle, what is missing, and what of it had come already. What is
    /// on its way to the bus (`coming`) has not come yet for it, and is not asked for again.
    pub(super) fn want(
        &mut self,
        id: &EnvelopeId,
        missing: &Ranges,
        coming: &Ranges,
    ) -> Option<(u64, Ranges, Ranges)> {
        let handle = *self.handles.get(id)?;
        let open = self.ins.get_mut(&handle)?;
        let missing: Ranges = missing.within(0..open.bytes).collect();
        let mut again = open.got.intersection(&missing);
        again.remove_all(coming);
        open.got.remove_all(&again);
        open.missing = Some(missing.clone());
        // "All of it" is said by saying nothing.
        let whole = missing.covers(0..open.bytes);
        Some((handle, if whole { Ranges::new() } else { missing }, again))
    }

    /// Ends an offer; its handle, if it was open.
    pub(super) fn end(&mut self, id: &EnvelopeId) -> Option<u64> {
        let handle = self.handles.remove(id)?;
        self.ins.remove(&handle);
        Some(handle)
    }

    /// They take an offer back; which message, if it was open.
    pub(super) fn withdrawn(&mut self, handle: u64) -> Result<Option<EnvelopeId>, Breach> {
        if handle >= self.next {
            return Err(Breach("taken back before it was offered"));
        }
        let Some(open) = self.ins.remove(&handle) else {
            return Ok(None);
        };
        self.handles.remove(&open.id);
        Ok(Some(open.id))
    }

    /// About how many bytes all this takes.
    pub(super) fn memory(&self) -> usize {
        let gaps = |open: &In| open.got.count() + open.missing.as_ref().map_or(0, Ranges::count);
        let ins = self.ins.values();
        let ins: usize = ins.map(|open| IN_COST + gaps(open) * RANGE_COST).sum();
        ins + self.early_bytes
    }

    /// Forgets every offer.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
