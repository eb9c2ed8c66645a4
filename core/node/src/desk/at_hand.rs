//! Bodies that came a moment ago, still in memory.
//!
//! What is it: what the driver has just given to the disk and the clerk is about to open need
//! not be read and checked again. Who calls it: the driver puts, judging takes. What can go
//! wrong: nothing depends on it: what is not here is read from the store. It holds [`MOST`] bytes;
//! the oldest make room.

use std::collections::BTreeMap;

use packmule_bus::{Envelope, EnvelopeId};

/// Bytes of bodies kept.
const MOST: usize = 2 << 20;

#[derive(Default)]
pub(super) struct AtHand {
    /// Each with its place in the line.
    forms: BTreeMap<EnvelopeId, (u64, Vec<u8>)>,
    /// Oldest first.
    line: BTreeMap<u64, EnvelopeId>,
    next: u64,
    bytes: usize,
}

impl AtHand {
    /// Keeps a form that was checked against this id.
    pub(super) fn put(&mut self, id: EnvelopeId, form: &[u8]) {
        if form.len() > MOST {
            return;
        }
        self.remove(&id);
        while self.bytes + form.len() > MOST {
            let Some((_, oldest)) = self.line.pop_first() else {
                break;
            };
            self.remove(&oldest);
        }
        self.next += 1;
        self.line.insert(self.next, id);
        self.bytes += form.len();
        self.forms.insert(id, (self.next, form.to_vec()));
    }

    pub(super) fn take(&mut self, id: &EnvelopeId) -> Option<Envelope> {
        let form = self.remove(id)?;
        Envelope::decode_trusted(&form, *id).ok()
    }

    fn remove(&mut self, id: &EnvelopeId) -> Option<Vec<u8>> {
        let (place, form) = self.forms.remove(id)?;
        self.line.remove(&place);
        self.bytes -= form.len();
        Some(form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(n: usize, bytes: usize) -> Envelope {
        Envelope::from_packed(format!("{n}{}", "x".repeat(bytes)).as_bytes()).unwrap()
    }

    #[test]
    fn the_oldest_make_room_and_what_is_taken_is_gone() {
        let mut at_hand = AtHand::default();
        let all: Vec<Envelope> = (0..6).map(|n| envelope(n, MOST / 4)).collect();
        for one in &all {
            at_hand.put(one.id(), one.identity());
        }
        assert!(at_hand.bytes <= MOST);
        assert_eq!(at_hand.take(&all[0].id()), None);
        assert_eq!(at_hand.take(&all[5].id()).as_ref(), Some(&all[5]));
        assert_eq!(at_hand.take(&all[5].id()), None);
    }

    #[test]
    fn a_long_life_costs_no_memory() {
        let mut at_hand = AtHand::default();
        for n in 0..10_000 {
            let one = envelope(n, 10);
            at_hand.put(one.id(), one.identity());
            if n % 3 > 0 {
                at_hand.take(&one.id()).unwrap();
            }
        }
        assert_eq!(at_hand.line.len(), at_hand.forms.len());
        let kept: usize = at_hand.forms.values().map(|(_, form)| form.len()).sum();
        assert_eq!(kept, at_hand.bytes);
        at_hand.put(envelope(0, 10).id(), envelope(0, 10).identity());
        assert_eq!(kept, at_hand.bytes, "the same again takes no more");
    }
}
