//! Serving links: their sessions' events, fresh offers, PDUs while there is room.
//!
//! What is it: the part of [`Bus`] that keeps links busy. Who calls it: the end of every input,
//! for each link that was stirred. What can go wrong: a session breaks; its link is closed.

use super::Bus;
use super::asks::CLAIMS;
use super::io::{Claim, Event, LinkId, NodeKey, Output};
use crate::EnvelopeId;
use crate::depot::Effect;
use crate::receipt::Receipt;
use crate::session::{self, Limits};

/// Receipts that are passed on before anything else at a meeting, the newest first: many links
/// live for seconds. And how many at a time when nothing else is to be sent.
const RECEIPTS: usize = 32;

impl Bus {
    /// Serves every link that was stirred.
    pub(super) fn serve(&mut self) {
        while let Some(link) = self.lines.next_stirred() {
            self.serve_one(link);
            self.lines.schedule(link);
        }
    }

    fn serve_one(&mut self, link: LinkId) {
        self.events(link);
        self.refresh(link);
        self.transmit(link);
        while let Some(line) = self.lines.note(link)
            && line.telling
            && line.room > 0
        {
            // Nothing else is to be sent: the older receipts.
            self.tell_some(link);
            self.transmit(link);
        }
        // Sending may have found that a body is missing.
        self.events(link);
    }

    fn events(&mut self, link: LinkId) {
        while let Some(line) = self.lines.note(link)
            && let Some(event) = line.session.poll()
        {
            self.event(link, event);
        }
    }

    fn event(&mut self, link: LinkId, event: session::Event) {
        use session::Event as Heard;
        let now = self.now;
        match event {
            Heard::Up {
                peer,
                hash,
                their_limits,
                ..
            } => self.met(link, peer, hash, their_limits),
            Heard::Offered(offers) => self.offered(link, offers),
            Heard::Data { id, offset, bytes } => self.data(link, id, offset, bytes),
            Heard::Withdrawn(id) => self.withdrawn(link, &id),
            Heard::Custody(id) => {
                if self.answered(link, &id) {
                    self.depot.taken(now, link, &id, &mut self.turn);
                }
            }
            Heard::Have(id) => {
                if self.answered(link, &id) {
                    self.depot.had(now, link, &id, &mut self.turn);
                }
            }
            Heard::Refused(id, reason) => {
                if self.answered(link, &id) && !self.config.sabotage.lose_refusals {
                    let turn = &mut self.turn;
                    self.depot.refused(now, link, &id, reason, turn);
                }
            }
            Heard::Receipts(receipts) => self.receipts(link, receipts),
            Heard::Claims(claims) => self.claims(link, claims),
            Heard::NeedBody(id) => self.need_body(link, id),
            Heard::Forgot => self.forgot(link),
            Heard::Bye => self.hang_up(link, "it said goodbye"),
            Heard::Broken(why) => self.hang_up(link, &why),
        }
    }

    fn met(&mut self, link: LinkId, peer: NodeKey, hash: [u8; 32], limits: Limits) {
        let Some(line) = self.lines.stir(link) else {
            return;
        };
        line.hash = hash;
        line.window = usize::try_from(limits.offers)
            .unwrap_or(usize::MAX)
            .min(1024);
        line.more = true;
        if line.peer != Some(peer) {
            let (transport, way) = (line.transport.clone(), line.way.clone());
            if line.peer.replace(peer).is_some() {
                line.proven.clear();
                self.depot.parted(self.now, link);
            }
            self.depot
                .contact(self.now, peer, link, &transport, way.as_ref());
            let event = Event::Met(link, peer);
            self.outputs.push_back(Output::Event(event));
        }
        self.prove(link);
        self.tell_some(link);
    }

    /// Tells the newest receipts that were not told yet, if there are any.
    fn tell_some(&mut self, link: LinkId) {
        let receipts = self.depot.receipts_for(link, RECEIPTS);
        if let Some(line) = self.lines.note(link) {
            line.telling = !receipts.is_empty();
            line.session.tell(&receipts);
        }
    }

    fn transmit(&mut self, link: LinkId) {
        while let Some(line) = self.lines.note(link)
            && line.room > 0
            && let Some(pdu) = line.session.transmit(self.now.time, &mut self.shelf)
        {
            line.room -= 1;
            self.outputs.push_back(Output::Transmit(link, pdu));
        }
    }

    /// They have answered an offer of ours. False if it is none.
    fn answered(&mut self, link: LinkId, id: &EnvelopeId) -> bool {
        let Some(line) = self.lines.note(link) else {
            return false;
        };
        let ours = line.outgoing.remove(id);
        // Ask for more when half of the window is free, not for each.
        if line.outgoing.len() <= line.window / 2 {
            line.more = true;
        }
        self.routes = true;
        self.shelf.cool(id);
        ours
    }

    fn receipts(&mut self, link: LinkId, receipts: Vec<Receipt>) {
        for receipt in receipts {
            self.receipt_came(Some(link), receipt);
        }
    }

    /// Has its signature verified, if it is news.
    pub(super) fn receipt_came(&mut self, link: Option<LinkId>, receipt: Receipt) {
        if self.depot.wants_receipt(&receipt)
            && let Some(ask) = self.asks.receipt(link, receipt)
        {
            self.outputs.push_back(ask);
        }
    }

    fn claims(&mut self, link: LinkId, claims: Vec<Claim>) {
        let Some(line) = self.lines.note(link) else {
            return;
        };
        if claims.is_empty() && line.claims == 0 {
            line.more = true;
            self.depot.introduced(link);
            return;
        }
        for claim in claims {
            if line.claims >= CLAIMS || line.proven.len() >= CLAIMS {
                break;
            }
            line.claims += 1;
            let ask = self.asks.claim(link, &line.hash, line.other(), claim);
            self.outputs.push_back(ask);
        }
    }

    fn need_body(&mut self, link: LinkId, id: EnvelopeId) {
        let (first, waiting) = self.shelf.wait(id);
        waiting.links.insert(link);
        if first {
            self.outputs.push_back(Output::Fetch(id));
        }
    }

    /// The other end was born again.
    fn forgot(&mut self, link: LinkId) {
        let Some(line) = self.lines.note(link) else {
            return;
        };
        line.outgoing.clear();
        line.parked.clear();
        line.promised = 0;
        line.more = true;
        let incoming = std::mem::take(&mut line.incoming);
        self.depot.forgot(link);
        for (id, incoming) in incoming {
            self.leave(link, incoming.name(id));
        }
    }

    pub(super) fn hang_up(&mut self, link: LinkId, why: &str) {
        // What the session still wants to say, as far as there is room.
        self.transmit(link);
        self.part(link, why);
        self.outputs.push_back(Output::Close(link));
    }

    /// Asks the depot for more to offer on a link.
    fn refresh(&mut self, link: LinkId) {
        let Some(line) = self.lines.note(link) else {
            return;
        };
        let free = line.window.saturating_sub(line.outgoing.len());
        if !line.more || line.peer.is_none() || free == 0 {
            return;
        }
        let mark = self.turn.effects.len();
        let turn = &mut self.turn;
        let lots = self.depot.offers(self.now, link, free, turn);
        let promised = turn.effects.iter().skip(mark);
        let promised = promised.filter(|e| matches!(e, Effect::Offer { .. }));
        if let Some(line) = self.lines.note(link) {
            line.more = lots.len() + promised.count() >= free;
        }
        for lot in lots {
            self.offer(link, lot);
        }
    }

    /// Dials and hands to mailboxes what is due.
    pub(super) fn route(&mut self) {
        if !std::mem::take(&mut self.routes) {
            return;
        }
        for way in self.depot.dials(self.now) {
            self.outputs.push_back(Output::Dial(way));
        }
        for (id, way) in self.depot.deliveries(self.now) {
            if let Some(wire) = self.shelf.copy(&id) {
                self.outputs.push_back(Output::Deliver { id, way, wire });
                continue;
            }
            let (first, waiting) = self.shelf.wait(id);
            waiting.ways.insert(way);
            if first {
                self.outputs.push_back(Output::Fetch(id));
            }
        }
    }
}
