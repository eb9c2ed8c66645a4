//! What others offer: judged, asked for, put off.
//!
//! What is it: the part of [`Bus`] that decides what it wants now. Who calls it: serving a link.
//! What can go wrong: more is offered than can be taken at once: it waits, so that no link runs
//! further ahead of the disk than it may; what another link is bringing waits too, and is asked
//! for when that one stalls or goes.

use super::Bus;
use super::arriving::Name;
use super::gate::Said;
use super::io::{LinkId, Op};
use super::line::{Incoming, Stage};
use crate::EnvelopeId;
use crate::depot::Judgement;
use crate::receipt::Reason;
use crate::session::{Answer, Offer};

impl Bus {
    pub(super) fn offered(&mut self, link: LinkId, offers: Vec<Offer>) {
        for offer in offers {
            let id = offer.id;
            if let Some(answer) = self.judge(link, &offer)
                && let Some(line) = self.lines.stir(link)
            {
                line.session.answer(&id, answer);
            }
        }
    }

    /// What to answer to an offer now; nothing if it has to wait.
    fn judge(&mut self, link: LinkId, offer: &Offer) -> Option<Answer> {
        if let Some(reason) = self.disk.refuses() {
            return Some(Answer::Refuse(reason));
        }
        let line = self.lines.note(link)?;
        let peer = line.peer?;
        if line.incoming.contains_key(&offer.id) {
            return None;
        }
        let mut incoming = Incoming {
            wire: offer.wire,
            bytes: offer.bytes,
            label: offer.label,
            stage: Stage::Waits,
        };
        let meta = incoming.meta(offer.id);
        let name = incoming.name(offer.id);
        if offer.bytes == 0 || self.arriving.contradicts(&name, offer.bytes) {
            return Some(Answer::Refuse(Reason::Damaged));
        }
        let turn = &mut self.turn;
        match self.depot.judge(self.now, peer, &line.proven, &meta, turn) {
            Judgement::Have
                if self.gate.is_uncertain(&offer.id) || stores(&self.turn.ops, &offer.id) =>
            {
                // It is here, but is it durable? The gate knows when.
                line.incoming.insert(offer.id, incoming);
                self.said.push(Said::Custody(link, offer.id));
                return None;
            }
            Judgement::Have => return Some(Answer::Have),
            Judgement::Refuse(reason) => return Some(Answer::Refuse(reason)),
            Judgement::Want | Judgement::Coming => {}
        }
        self.arriving
            .joined(self.now, link, name, offer.bytes, offer.label);
        let brought = self.is_asked_for(&name);
        let line = self.lines.note(link)?;
        let ahead = line.promised > 0 && line.promised + offer.bytes > self.config.ahead;
        if brought {
            line.incoming.insert(offer.id, incoming);
            return None;
        }
        if ahead {
            line.incoming.insert(offer.id, incoming);
            line.parked.push_back(offer.id);
            return None;
        }
        incoming.stage = Stage::Asked;
        line.promised += offer.bytes;
        line.incoming.insert(offer.id, incoming);
        Some(Answer::Want(self.arriving.missing(&name)))
    }

    /// Is some link bringing it?
    fn is_asked_for(&self, name: &Name) -> bool {
        self.arriving.bringers(name).any(|link| {
            let line = self.lines.look(link);
            let incoming = line.and_then(|line| line.incoming.get(&name.0));
            incoming.is_some_and(|incoming| incoming.stage == Stage::Asked)
        })
    }

    /// Asks a link for what is missing of a message that it has offered.
    pub(super) fn ask_for(&mut self, link: LinkId, id: &EnvelopeId) {
        let Some(line) = self.lines.stir(link) else {
            return;
        };
        let Some(incoming) = line.incoming.get_mut(id) else {
            return;
        };
        if incoming.stage == Stage::Landed {
            return;
        }
        if incoming.stage == Stage::Waits {
            incoming.stage = Stage::Asked;
            line.promised += incoming.bytes;
        }
        let missing = self.arriving.missing(&incoming.name(*id));
        line.session.answer(id, Answer::Want(missing));
    }

    /// What one link does not bring is asked of another one that could.
    pub(super) fn help_stalled(&mut self) {
        for (name, links) in self.arriving.stalled(self.now.time) {
            let waits = |link: &&LinkId| {
                let incoming = self.lines.look(**link)?.incoming.get(&name.0)?;
                Some(incoming.stage == Stage::Waits)
            };
            if let Some(link) = links.iter().find(|link| waits(link) == Some(true)) {
                self.ask_for(*link, &name.0);
            }
        }
    }

    /// Asks for what was put off, as far as there is room now.
    pub(super) fn unpark(&mut self, link: LinkId) {
        while let Some(line) = self.lines.note(link)
            && let Some(id) = line.parked.front().copied()
        {
            let waits = line
                .incoming
                .get(&id)
                .filter(|incoming| incoming.stage == Stage::Waits);
            if let Some(incoming) = waits {
                let bytes = incoming.bytes;
                if line.promised > 0 && line.promised + bytes > self.config.ahead {
                    return;
                }
            }
            let wanted = waits.is_some();
            line.parked.pop_front();
            if wanted {
                self.ask_for(link, &id);
            }
        }
    }

    pub(super) fn withdrawn(&mut self, link: LinkId, id: &EnvelopeId) {
        let Some(line) = self.lines.stir(link) else {
            return;
        };
        if let Some(incoming) = line.settled(id) {
            self.leave(link, incoming.name(*id));
            self.unpark(link);
        }
    }
}

/// Is the body of this message among these changes?
fn stores(ops: &[Op], id: &EnvelopeId) -> bool {
    let mut ops = ops.iter();
    ops.any(|op| matches!(op, Op::Body(of, _) if of == id))
}
