//! The sending half of a session: what goes into the next record or packet, and in what order.
//!
//! What is it: acks, then control messages, then the bytes of messages by priority and age. Who
//! calls it: [`Session::transmit`]. What can go wrong: a body is not at hand: its message waits
//! and the next one goes; a body is shorter than was offered: the offer is taken back.

use std::collections::VecDeque;

use super::records::Records;
use super::sending::Next;
use super::silence::Beat;
use super::{Bodies, Event, Packets, Session};
use crate::pdu::control::{Control, OFFER_ROOM};
use crate::pdu::frame::{self, Sent};
use crate::pdu::packet::{self, PIECE_HEAD};
use crate::pdu::varint_len;
use crate::receipt::Reason;
use crate::seal::MAX_NUMBER;
use crate::time::Time;

/// Below this MTU a packet is cut in pieces, so that its number and tag are paid for once.
const CUT_BELOW: usize = 64;
/// So many pieces then make a packet.
const CUT: usize = 4;
/// The most that an ack takes of a packet that has other things to say.
const ACK_ROOM: usize = 160;
/// No segment begins in less room than this, unless nothing else is in the packet.
const SLIVER: usize = 24;

impl Session {
    /// The next PDU on a link that may lose.
    pub(super) fn next_packet(&mut self, now: Time, bodies: &mut dyn Bodies) -> Option<Vec<u8>> {
        let mtu = self.mtu();
        if let Some(piece) = self.packets_mut()?.pieces.pop_front() {
            return Some(piece);
        }
        let packet = if let Some(message) = self.door.message() {
            packet::with_checksum(message)
        } else if self.door.reset() {
            packet::reset()
        } else {
            self.data_packet(now, bodies)?
        };
        let mut pieces: VecDeque<Vec<u8>> = packet::cut(packet, mtu).into();
        let first = pieces.pop_front();
        self.packets_mut()?.pieces = pieces;
        first
    }

    fn data_packet(&mut self, now: Time, bodies: &mut dyn Bodies) -> Option<Vec<u8>> {
        let mtu = self.mtu();
        let length = if mtu < CUT_BELOW {
            CUT * (mtu - PIECE_HEAD)
        } else {
            mtu
        };
        let tag = self.seal.as_ref()?.tag();
        let half_duplex = self.facts.half_duplex;
        let Packets {
            flight, arrivals, ..
        } = self.packets_mut()?;
        let (number, known) = flight.number();
        let (may_send, due) = (
            flight.has_room(),
            arrivals.due() || half_duplex && arrivals.owed(),
        );
        if number >= MAX_NUMBER {
            self.break_off("all packet numbers are used");
            return None;
        }
        let mut pdu = Vec::with_capacity(length);
        packet::put_number(&mut pdu, number, known);
        let limit = length.saturating_sub(pdu.len() + tag);
        let mut plain = std::mem::take(&mut self.plain);
        plain.clear();
        let mut acked = due && self.put_ack(now, &mut plain, limit.saturating_sub(1).min(ACK_ROOM));
        let (mut sent, mut closed) = (Vec::new(), false);
        if may_send {
            closed = self.fill(&mut plain, limit, bodies, &mut sent);
        }
        let mut wants_ack = !sent.is_empty();
        if !wants_ack && self.packets_mut()?.flight.probe_owed() {
            frame::put_ping(&mut plain);
            wants_ack = true;
        }
        if !plain.is_empty() && !acked && !closed && self.packets_mut()?.arrivals.owed() {
            let room = limit.saturating_sub(plain.len()).min(ACK_ROOM);
            acked = self.put_ack(now, &mut plain, room);
        }
        let fits = !plain.is_empty() && self.seal.as_ref()?.seal(number, &plain, &mut pdu);
        self.plain = plain;
        if !fits {
            return None;
        }
        let Packets {
            flight, arrivals, ..
        } = self.packets_mut()?;
        flight.sent(now, pdu.len(), wants_ack.then_some(sent));
        if acked {
            arrivals.acked();
        }
        Some(pdu)
    }

    fn put_ack(&mut self, now: Time, plain: &mut Vec<u8>, room: usize) -> bool {
        self.packets_mut().is_some_and(|packets| {
            let (seen, delay) = packets.arrivals.ack(now);
            frame::put_ack(plain, seen, delay, room)
        })
    }

    /// The next PDU on a link that loses nothing: the next bytes of one long stream of records.
    pub(super) fn next_bytes(&mut self, now: Time, bodies: &mut dyn Bodies) -> Option<Vec<u8>> {
        let mtu = self.mtu();
        let mut sent = Vec::new();
        while let Some(ready) = self.records_mut().map(|r| r.ready())
            && ready < mtu
        {
            if let Some(message) = self.door.message() {
                self.records_mut()?.push(&message);
                continue;
            }
            let Some(tag) = self.seal.as_ref().map(|seal| seal.tag()) else {
                break;
            };
            let Some(limit) = Records::limit(&self.facts, ready, tag) else {
                break;
            };
            let mut plain = std::mem::take(&mut self.plain);
            plain.clear();
            self.fill(&mut plain, limit, bodies, &mut sent);
            for what in sent.drain(..) {
                // Nothing is lost here: what is sent has as good as arrived.
                if let Sent::Control(range) = what {
                    self.talk_out.arrived(range);
                }
            }
            if plain.is_empty() && ready == 0 {
                match self.records_mut()?.silence.owed() {
                    Some(Beat::Ping) => frame::put_ping(&mut plain),
                    Some(Beat::Answer) => frame::put_padding(&mut plain),
                    None => {}
                }
            }
            let done = plain.is_empty();
            if let (false, Some(seal), super::Wire::Records(records)) =
                (done, self.seal.as_ref(), &mut self.wire)
            {
                records.seal(seal, &plain, mtu);
            }
            self.plain = plain;
            if done {
                break;
            }
        }
        let records = self.records_mut()?;
        let pdu = records.take(mtu)?;
        records.silence.said(now);
        Some(pdu)
    }

    /// Fills `plain` up to `limit` bytes with whatever is next. `true`: nothing can follow.
    fn fill(
        &mut self,
        plain: &mut Vec<u8>,
        limit: usize,
        bodies: &mut dyn Bodies,
        sent: &mut Vec<Sent>,
    ) -> bool {
        self.go_ahead(limit);
        loop {
            let room = limit.saturating_sub(plain.len());
            self.say(room);
            if let Some(offset) = self.talk_out.offset() {
                let head = 1 + varint_len(offset) + varint_len(room as u64);
                let piece = self.talk_out.piece(room.saturating_sub(head));
                let Some((range, bytes)) = piece else {
                    return false;
                };
                frame::put_control(plain, range.start, &bytes, false);
                sent.push(Sent::Control(range));
                continue;
            }
            if room < SLIVER && !plain.is_empty() {
                return false;
            }
            match self.sending.next(room as u64) {
                None => return false,
                Some(Next::Offer) => {
                    if !self.announce(1) {
                        return false;
                    }
                }
                Some(Next::Segment { id, handle, range }) => {
                    let Some(body) = bodies.body(&id) else {
                        if self.sending.wait_for_body(&id) {
                            self.events.push_back(Event::NeedBody(id));
                        }
                        continue;
                    };
                    let head = 1 + varint_len(handle) + varint_len(range.start);
                    let most = room.saturating_sub(head);
                    let length = (range.end - range.start) as usize;
                    let last = length + varint_len(length as u64) > most;
                    let length = length.min(most);
                    let range = range.start..range.start + length as u64;
                    let Some(bytes) = body.get(range.start as usize..range.end as usize) else {
                        self.take_back(&id);
                        continue;
                    };
                    if bytes.is_empty() {
                        return false;
                    }
                    frame::put_segment(plain, handle, range.start, bytes, last);
                    self.sending.sent(&id, range.clone());
                    sent.push(Sent::Segment { handle, range });
                    if last {
                        return true;
                    }
                }
            }
        }
    }

    /// Turns what waits to be said into bytes, as much as the room wants.
    fn say(&mut self, room: usize) {
        while self.talk_out.pending() < room as u64 && self.talk_out.has_room() {
            let Some(message) = self.speech.next() else {
                return;
            };
            if let Control::Withdraw(handles) = &message {
                self.sending.withdrawals_told(handles.len());
            }
            self.talk_out.say(&message);
        }
    }

    /// Announces some offers ahead of their turn, but mostly sends what is announced.
    fn go_ahead(&mut self, limit: usize) {
        let some = (limit / 4 / OFFER_ROOM).max(1);
        if self.sending.may_go_ahead() && self.talk_out.pending() < limit as u64 {
            self.announce(some);
        }
    }

    /// Announces up to so many offers. `false`: too much of what was said has not arrived.
    fn announce(&mut self, most: usize) -> bool {
        if !self.talk_out.has_room() {
            return false;
        }
        let mut offers = Vec::new();
        while offers.len() < most && (offers.is_empty() || self.sending.may_go_ahead()) {
            let Some(offer) = self.sending.announce() else {
                break;
            };
            offers.push(offer);
        }
        if !offers.is_empty() {
            self.talk_out.say(&Control::Offers(offers));
        }
        true
    }

    /// A body is not what was offered.
    fn take_back(&mut self, id: &crate::EnvelopeId) {
        self.withdraw(id);
        self.events.push_back(Event::Refused(*id, Reason::Disk));
    }
}
