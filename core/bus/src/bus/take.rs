//! Messages on their way here: offers judged, bytes taken, the whole checked and handed over.
//!
//! What is it: the receiving part of [`Bus`]. Who calls it: serving a link, and whole messages
//! from mailboxes. What can go wrong: everything here was written by strangers. What does not
//! fit what was offered is refused as damaged, and nothing of it stays.

use super::Bus;
use super::arriving::{Blame, Name, Took};
use super::gate::Said;
use super::io::{Event, Key, LinkId, Op, Output, Record, SettleId, WireHash};
use super::line::{Incoming, Line, Stage};
use crate::depot::{Arrival, Effect, Meta, Source};
use crate::label::{DidTag, Label, Priority};
use crate::receipt::Reason;
use crate::{Envelope, EnvelopeId};

impl Bus {
    pub(super) fn data(&mut self, link: LinkId, id: EnvelopeId, offset: u64, bytes: Vec<u8>) {
        let now = self.now;
        let Some(line) = self.lines.note(link) else {
            return;
        };
        let Some(incoming) = line.incoming.get(&id).copied() else {
            return;
        };
        if incoming.stage == Stage::Landed {
            return;
        }
        let (name, dear) = (incoming.name(id), line.session.is_dear());
        let took = match self.arriving.data(now, link, &name, offset, bytes) {
            Took::More if dear && self.arriving.is_worth_it(&name) => Took::Checkpoint,
            took => took,
        };
        match took {
            Took::More | Took::Unwanted => {}
            Took::Checkpoint => {
                if let Some(partial) = self.arriving.save(now, &name) {
                    self.turn.ops.push(Op::Put(Record::Partial(partial)));
                }
            }
            Took::Whole(wire) => self.whole(link, name, wire),
            Took::Full => {
                if !self.make_way() {
                    self.refuse_all(&name, Reason::Full);
                }
            }
        }
    }

    /// Lets go of what nobody brings, until there is room. False if there is none.
    pub(super) fn make_way(&mut self) -> bool {
        while let Some(name) = self.arriving.gives_way(self.now) {
            self.drop_transfer(&name);
        }
        self.arriving.has_room()
    }

    pub(super) fn drop_transfer(&mut self, name: &Name) -> super::arriving::Over {
        let over = self.arriving.over(name);
        if over.on_disk {
            self.turn.ops.push(Op::Drop(Key::Partial(name.1)));
        }
        if self.arriving.names_of(&name.0).is_empty() {
            self.depot.abandon(&name.0);
        }
        over
    }

    /// This wire form is not taken from anybody.
    fn refuse_all(&mut self, name: &Name, reason: Reason) {
        for link in self.drop_transfer(name).bringers {
            self.refuse(link, &name.0, reason);
        }
    }

    fn refuse(&mut self, link: LinkId, id: &EnvelopeId, reason: Reason) {
        if let Some(line) = self.lines.stir(link) {
            line.settled(id);
            line.session.refuse(id, reason);
        }
        self.unpark(link);
    }

    /// All bytes are here.
    fn whole(&mut self, link: LinkId, name: Name, wire: Vec<u8>) {
        let told = Envelope::decode(&wire).is_ok_and(|envelope| envelope.id() == name.0);
        // What ends here needs no other proof than its id. What goes on goes under its wire
        // form's name too, by which pieces from several nodes are put together.
        let ends_here = |line: &Line| {
            let incoming = line.incoming.get(&name.0);
            incoming.is_some_and(|incoming| self.identity.contains(&incoming.label.to))
        };
        let proven = told && self.lines.look(link).is_some_and(ends_here);
        if !proven && WireHash::of(&wire) != name.1 {
            self.wrong(name);
            return;
        }
        let Some(line) = self.lines.note(link) else {
            return;
        };
        let (Some(incoming), Some(key)) = (line.incoming.get(&name.0).copied(), line.peer) else {
            return;
        };
        let transport = line.transport.clone();
        if !told {
            // Whoever offered this, the name was a lie.
            self.refuse_all(&name, Reason::Damaged);
            return;
        }
        let bringers = self.end_transfers(&name.0);
        let source = Source::Node { key, transport };
        let meta = incoming.meta(name.0);
        let turn = &mut self.turn;
        match self.depot.arrived(self.now, &source, &meta, turn) {
            Arrival::Inbox => self.turn.ops.push(Op::Body(name.0, wire)),
            Arrival::Carry => {
                self.shelf.copy_in(name.0, &wire);
                self.turn.ops.push(Op::Body(name.0, wire));
            }
            Arrival::Have => {}
            Arrival::Refuse(reason) => {
                for bringer in bringers {
                    self.refuse(bringer, &name.0, reason);
                }
                return;
            }
        }
        for bringer in bringers {
            if let Some(incoming) = self
                .lines
                .note(bringer)
                .and_then(|line| line.incoming.get_mut(&name.0))
                && (incoming.stage == Stage::Asked || bringer == link)
            {
                if incoming.stage == Stage::Waits
                    && let Some(line) = self.lines.note(bringer)
                {
                    line.promised += meta.bytes;
                }
                self.land(bringer, &name.0);
            }
            self.said.push(Said::Custody(bringer, name.0));
        }
    }

    /// However many forms of a message are on their way, it is here: who was bringing them.
    fn end_transfers(&mut self, id: &EnvelopeId) -> Vec<LinkId> {
        let mut bringers = Vec::new();
        for name in self.arriving.names_of(id) {
            let over = self.arriving.over(&name);
            if over.on_disk {
                self.turn.ops.push(Op::Drop(Key::Partial(name.1)));
            }
            bringers.extend(over.bringers);
        }
        bringers
    }

    fn land(&mut self, link: LinkId, id: &EnvelopeId) {
        let line = self.lines.note(link);
        if let Some(incoming) = line.and_then(|line| line.incoming.get_mut(id)) {
            incoming.stage = Stage::Landed;
        }
    }

    /// The bytes are not what was offered.
    fn wrong(&mut self, name: Name) {
        match self.arriving.wrong(&name) {
            Blame::One(link) => {
                self.refuse(link, &name.0, Reason::Damaged);
                self.leave(link, name);
            }
            Blame::Again(link) => self.ask_for(link, &name.0),
            Blame::Nobody => self.refuse_all(&name, Reason::Damaged),
        }
    }

    /// A whole message came by a mailbox.
    pub(super) fn whole_came(
        &mut self,
        transport: String,
        envelope: &Envelope,
        to: &[DidTag],
        settle: SettleId,
    ) {
        let id = envelope.id();
        if self.disk.refuses().is_some() {
            // It comes again.
            self.outputs.push_back(Output::Unsettle(settle));
            return;
        }
        let ours = to.iter().find(|tag| self.identity.contains(tag));
        let Some(to) = ours
            .or_else(|| to.first())
            .or_else(|| self.identity.first())
        else {
            self.outputs.push_back(Output::Unsettle(settle));
            return;
        };
        let wire = envelope.to_wire();
        let policy = self.config.depot.policy;
        let meta = Meta {
            id,
            wire: WireHash::of(&wire),
            bytes: wire.len() as u64,
            label: Label {
                to: *to,
                expires: None,
                priority: Priority::Normal,
                hops: policy.hops,
                copies: policy.copies,
            },
        };
        let source = Source::Mailbox { transport };
        let turn = &mut self.turn;
        match self.depot.arrived(self.now, &source, &meta, turn) {
            Arrival::Inbox | Arrival::Carry => {
                self.turn.ops.push(Op::Body(id, wire));
                for bringer in self.end_transfers(&id) {
                    self.said.push(Said::Custody(bringer, id));
                }
            }
            Arrival::Have => {}
            Arrival::Refuse(reason) => {
                // It stays where it is; others may want it.
                let event = Effect::Event(Event::NotTaken(id, reason));
                self.said.push(Said::Depot(event));
                self.outputs.push_back(Output::Unsettle(settle));
                return;
            }
        }
        self.said.push(Said::Settle(settle, id));
    }
}

impl Incoming {
    pub(super) const fn meta(&self, id: EnvelopeId) -> Meta {
        Meta {
            id,
            wire: self.wire,
            bytes: self.bytes,
            label: self.label,
        }
    }
}
