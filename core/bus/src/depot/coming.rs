//! What is being received, or was until a link broke.
//!
//! What is it: [`Coming`], the room kept for messages that are not whole. Who calls it: judging
//! and arriving. What can go wrong: half messages of strangers fill the store. So one whose link
//! is gone keeps only the room of the bytes that are here, and makes way for others, the one
//! that waited longest first, and what is for us last.

use std::collections::{BTreeMap, BTreeSet};

use super::quota::Charge;
use crate::EnvelopeId;
use crate::time::Time;

/// What is for us makes way last; otherwise whatever nobody has brought more of for longest.
type Rank = (bool, Time);

#[derive(Clone, Copy, Debug)]
struct Part {
    charge: Charge,
    /// What makes way first, if nobody brings more of it now.
    paused: Option<Rank>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Coming {
    parts: BTreeMap<EnvelopeId, Part>,
    paused: BTreeSet<(Rank, EnvelopeId)>,
}

impl Coming {
    /// Room is kept for a whole message.
    pub(super) fn begin(&mut self, id: EnvelopeId, charge: Charge) {
        self.end(&id);
        let paused = None;
        self.parts.insert(id, Part { charge, paused });
    }

    /// Nobody brings it any more; so much room is kept for what is here.
    pub(super) fn pause(&mut self, id: EnvelopeId, charge: Charge, ours: bool, now: Time) {
        self.end(&id);
        let rank = (ours, now);
        let paused = Some(rank);
        self.parts.insert(id, Part { charge, paused });
        self.paused.insert((rank, id));
    }

    pub(super) fn end(&mut self, id: &EnvelopeId) -> Option<Charge> {
        let part = self.parts.remove(id)?;
        if let Some(rank) = part.paused {
            self.paused.remove(&(rank, *id));
        }
        Some(part.charge)
    }

    pub(super) fn get(&self, id: &EnvelopeId) -> Option<Charge> {
        self.parts.get(id).map(|part| part.charge)
    }

    pub(super) fn is_paused(&self, id: &EnvelopeId) -> bool {
        self.parts.get(id).is_some_and(|part| part.paused.is_some())
    }

    /// What may make way, in the order in which it does.
    pub(super) fn paused(&self) -> impl Iterator<Item = (EnvelopeId, Charge)> {
        let parts = self.paused.iter();
        parts.filter_map(|(_, id)| Some((*id, self.get(id)?)))
    }

    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.parts.values().map(|part| part.charge.bytes).sum()
    }
}
