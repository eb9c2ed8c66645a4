//! Receipts from node to node, and what follows from a depot's turn.

use std::collections::VecDeque;

use packmule_bus::bus::io::{LinkId, Verdict};
use packmule_bus::depot::{Effect, Lot, Turn};
use packmule_bus::receipt::Receipt;

use super::crowd::Crowd;

/// A signature's length: Ed25519.
const SIGNATURE: usize = 64;
/// Receipts told when two meet, the newest first: half of contacts last for 2.4 s, and a message
/// is worth more than what most have heard. The bus does the same, and tells the rest when the
/// link has nothing else to say; here it waits for the next meeting.
const GREETING: usize = 32;

impl Crowd<'_> {
    /// Two nodes that meet tell each other the receipts they know.
    pub(super) fn greet(&mut self, link: LinkId, a: u32, b: u32) {
        for (from, to) in [(a, b), (b, a)] {
            let Some(person) = self.people.get_mut(from as usize) else {
                return;
            };
            let told = person.depot.receipts_for(link, GREETING);
            self.tell(link, to, told);
        }
    }

    /// What a turn wants said, as if its ops were committed at once. Offers are handed back.
    pub(super) fn settle(&mut self, node: u32, turn: Turn) -> Vec<(LinkId, Lot)> {
        let mut offers = Vec::new();
        let mut turns = VecDeque::from([(node, turn)]);
        while let Some((node, turn)) = turns.pop_front() {
            for effect in turn.effects {
                match effect {
                    Effect::Offer { link, lot } => offers.push((link, lot)),
                    Effect::Withdraw { link, id } => self.withdrawn(link, node, &id),
                    Effect::Discard(id) => {
                        let number = self.ids.get(&id).copied().unwrap_or(u32::MAX);
                        if let Some(person) = self.people.get_mut(node as usize) {
                            person.partials.remove(&number);
                        }
                    }
                    Effect::Tell { receipts, except } => {
                        let Some(person) = self.person(node) else {
                            continue;
                        };
                        let near: Vec<(u32, LinkId)> = person
                            .near
                            .iter()
                            .filter(|(_, link)| Some(**link) != except)
                            .map(|(other, link)| (*other, *link))
                            .collect();
                        for (other, link) in near {
                            turns.extend(self.heard(link, other, receipts.clone()));
                        }
                    }
                    Effect::Sign { by, ids, refused } => {
                        self.receipts += 1;
                        let mut signature = vec![0; SIGNATURE];
                        signature[..8].copy_from_slice(&self.receipts.to_be_bytes());
                        let now = self.now;
                        let Some(person) = self.people.get_mut(node as usize) else {
                            continue;
                        };
                        let receipt = Receipt {
                            ids: ids.clone(),
                            refused,
                            at: now.wall,
                            did: person.did.clone(),
                            kid: format!("{}#key-1", person.did),
                            signature,
                        };
                        let mut turn = Turn::default();
                        person
                            .depot
                            .signed(now, by, &ids, refused, Some(receipt), &mut turn);
                        turns.push_back((node, turn));
                    }
                    _ => {}
                }
            }
        }
        offers
    }

    fn tell(&mut self, link: LinkId, to: u32, receipts: Vec<Receipt>) {
        for (node, turn) in self.heard(link, to, receipts) {
            self.settle(node, turn);
        }
    }

    /// Receipts cross a link: what follows at the other end.
    fn heard(&mut self, link: LinkId, to: u32, receipts: Vec<Receipt>) -> Vec<(u32, Turn)> {
        let now = self.now;
        let mut turns = Vec::new();
        for receipt in receipts {
            self.control(link, bytes_of(&receipt));
            let Some(person) = self.people.get_mut(to as usize) else {
                continue;
            };
            if !person.depot.wants_receipt(&receipt) {
                continue;
            }
            let ids = receipt.ids.clone();
            let mut turn = Turn::default();
            person.depot.receipt(now, receipt, Some(link), &mut turn);
            turns.push((to, turn));
            for id in ids {
                // What is on its way in will not be wanted any more.
                let number = self.ids.get(&id).copied().unwrap_or(u32::MAX);
                let active = self.is_receiving(to, number);
                if let Some(person) = self.people.get_mut(to as usize)
                    && !active
                    && person.partials.remove(&number).is_some()
                {
                    person.depot.abandon(&id);
                }
            }
            self.touched.insert(to);
        }
        turns
    }

    /// The agent of the recipient has it.
    pub(super) fn keep(&mut self, node: u32, id: &packmule_bus::EnvelopeId) {
        let now = self.now;
        let mut turn = Turn::default();
        if let Some(person) = self.people.get_mut(node as usize) {
            person.depot.acknowledge(now, id, Verdict::Kept, &mut turn);
        }
        self.settle(node, turn);
    }
}

/// What a receipt takes on a link: ids, DID and key id as a node of ours writes them (did:peer,
/// about 60 bytes), signature, lengths.
fn bytes_of(receipt: &Receipt) -> u64 {
    (receipt.ids.len() * 32 + 60 + 16 + receipt.signature.len() + 16) as u64
}
