//! The receiving half of a session: what follows from what the other side says.
//!
//! What is it: PDUs to packets or records, those to frames, control frames to messages, messages
//! to events. Who calls it: [`Session::receive`]. What can go wrong: whatever strangers can think
//! of. What cannot be opened is not heard (on links that lose nothing it ends the session); what
//! was opened and breaks a rule ends it.

use std::time::Duration;

use super::door::Entered;
use super::receiving::{Breach, Use};
use super::sending::NeverOffered;
use super::talk::{TalkIn, TalkOut};
use super::{Event, Packets, Session, Wire};
use crate::link::Role;
use crate::pdu::control::Control;
use crate::pdu::frame::{Frame, Frames, Sent};
use crate::pdu::packet::{Handshake, Packet, whole_number};
use crate::receipt::Reason;
use crate::time::Time;

/// Most packets kept that overtook the last message of the first handshake.
const EARLY: usize = 64;

/// So many packets in a row that cannot be opened are no noise.
const DEAF: u32 = 8;

/// What came of a packet's frames.
#[derive(Clone, Copy, Default)]
struct Heard {
    /// It wants an ack.
    wants_ack: bool,
    /// Something in it was new.
    fresh: bool,
    /// Something in it could not be used yet: it has to come again.
    too_early: bool,
}

impl From<NeverOffered> for Breach {
    fn from(_: NeverOffered) -> Self {
        Self("an answer to what was never offered")
    }
}

impl Session {
    /// A PDU of a link that may lose.
    pub(super) fn hear_packet(&mut self, now: Time, pdu: &[u8]) -> Result<(), &'static str> {
        match Packet::read(pdu) {
            Ok(Packet::Data {
                number,
                width,
                sealed,
            }) => self.hear_data(now, number, width, sealed),
            Ok(Packet::Handshake(heard)) => self.hear_handshake(now, &heard),
            Ok(Packet::Reset) => {
                self.door.was_reset(now);
                Ok(())
            }
            Ok(Packet::Piece(piece)) => {
                let whole = self.packets_mut().and_then(|p| p.joiner.join(&piece));
                match whole.as_deref().map(Packet::read) {
                    // Pieces of pieces are nobody's.
                    Some(Ok(Packet::Piece(_))) | None => Ok(()),
                    Some(_) => self.hear_packet(now, whole.as_deref().unwrap_or_default()),
                }
            }
            Ok(Packet::Later) | Err(_) => Ok(()),
        }
    }

    fn hear_data(
        &mut self,
        now: Time,
        low: u32,
        width: u8,
        sealed: &[u8],
    ) -> Result<(), &'static str> {
        let Wire::Packets(packets) = &mut self.wire else {
            return Ok(());
        };
        let Some(seal) = &self.seal else {
            self.door.unreadable(now);
            if self.door.is_opening() && packets.early.len() < EARLY {
                packets.early.push((low, width, sealed.to_vec()));
            }
            return Ok(());
        };
        let number = whole_number(low, width, packets.arrivals.expected());
        if !packets.arrivals.is_new(number) {
            return Ok(());
        }
        let mut room = std::mem::take(&mut self.room);
        let opened = seal.open(number, sealed, &mut room);
        let heard = match opened {
            Some(plain) => {
                self.door.confirmed();
                self.hear_frames(now, plain).map(Some)
            }
            None => Ok(None),
        };
        self.room = room;
        if let Some(packets) = self.packets_mut() {
            packets.unopened = if matches!(heard, Ok(None)) {
                packets.unopened + 1
            } else {
                0
            };
            if packets.unopened >= DEAF {
                packets.unopened = 0;
                self.door.deaf(now);
            }
        }
        if let Some(heard) = heard?
            && !heard.too_early
            && let Some(packets) = self.packets_mut()
        {
            packets.flight.heard();
            let Heard {
                wants_ack, fresh, ..
            } = heard;
            packets.arrivals.record(now, number, wants_ack, fresh);
        }
        Ok(())
    }

    /// A piece of the stream of a link that loses nothing.
    pub(super) fn hear_bytes(&mut self, now: Time, mut bytes: &[u8]) -> Result<(), &'static str> {
        if let Some(records) = self.records_mut() {
            records.silence.heard(now);
        }
        let mut room = std::mem::take(&mut self.room);
        let outcome = self.hear_records(now, &mut bytes, &mut room);
        self.room = room;
        outcome
    }

    fn hear_records(
        &mut self,
        now: Time,
        bytes: &mut &[u8],
        room: &mut Vec<u8>,
    ) -> Result<(), &'static str> {
        loop {
            let live = self.seal.is_some();
            let Wire::Records(records) = &mut self.wire else {
                return Ok(());
            };
            let Some(record) = records.next(bytes, live)? else {
                return Ok(());
            };
            let Some(seal) = &self.seal else {
                let heard = Handshake::read(&record).map_err(|_| "no handshake")?;
                self.hear_handshake(now, &heard)?;
                continue;
            };
            let plain = seal
                .open(records.count(), &record, room)
                .ok_or("a record that cannot be opened")?;
            if self.hear_frames(now, plain)?.too_early {
                return Err("bytes of what was never offered");
            }
        }
    }

    fn hear_handshake(&mut self, now: Time, heard: &Handshake<'_>) -> Result<(), &'static str> {
        let Some(entered) = self.door.take(now, heard)? else {
            return Ok(());
        };
        self.enter(now, entered);
        let early = self.packets_mut().map(|p| std::mem::take(&mut p.early));
        for (low, width, sealed) in early.unwrap_or_default() {
            self.hear_data(now, low, width, &sealed)?;
        }
        Ok(())
    }

    /// A handshake was completed: the first one, or one beside the live session.
    fn enter(&mut self, now: Time, entered: Entered) {
        let Entered {
            node,
            made,
            hello,
            round_trip,
        } = entered;
        let before = self.theirs.replace(hello);
        let same = before
            .is_none_or(|before| (before.epoch, before.instance) == (hello.epoch, hello.instance));
        self.seal = Some(made.seal);
        self.node = Some(node);
        let mut lost = Vec::new();
        if let Some(records) = self.records_mut() {
            // Until now it was the door's.
            records.silence.said(now);
        }
        if let Wire::Packets(packets) = &mut self.wire {
            lost = packets.flight.restart(round_trip);
            packets.arrivals = super::arrivals::Arrivals::default();
            if self.role == Role::Listener {
                // So that they hear that their last message arrived.
                packets.flight.owe_probe();
            }
        }
        if same {
            self.lost(lost);
        } else {
            (self.talk_out, self.talk_in) = (TalkOut::default(), TalkIn::default());
            if !self.config.sabotage.no_epoch {
                self.sending.clear();
                self.receiving.clear();
                self.speech.void_answers();
                self.events.push_back(Event::Forgot);
            }
        }
        self.events.push_back(Event::Up {
            peer: node,
            hash: made.hash,
            peer_epoch: hello.epoch,
            their_limits: hello.limits,
        });
        for id in self.sending.limit(hello.limits) {
            self.withdraw(&id);
            self.events.push_back(Event::Refused(id, Reason::TooLarge));
        }
    }

    fn hear_frames(&mut self, now: Time, plain: &[u8]) -> Result<Heard, &'static str> {
        let mut heard = Heard::default();
        for frame in Frames::new(plain) {
            match frame.map_err(|_| "frames that cannot be read")? {
                Frame::Padding => {}
                Frame::Ping => {
                    heard.wants_ack = true;
                    if let Some(records) = self.records_mut() {
                        records.silence.pinged(now);
                    }
                }
                Frame::Later => heard.wants_ack = true,
                Frame::Ack { packets, delay } => {
                    self.hear_ack(now, &packets, Duration::from_micros(delay))?;
                }
                Frame::Control { offset, bytes } => {
                    heard.wants_ack = true;
                    heard.fresh |= !self.talk_in.knows(offset, bytes);
                    if !self.talk_in.hear(offset, bytes) {
                        heard.too_early = true;
                    }
                    self.hear_talk().map_err(|Breach(why)| why)?;
                }
                Frame::Segment {
                    handle,
                    offset,
                    bytes,
                } => {
                    heard.wants_ack = true;
                    let before = self.events.len();
                    let used = self.hear_segment(handle, offset, bytes);
                    heard.fresh |= self.events.len() > before;
                    heard.too_early |= used.map_err(|Breach(why)| why)? == Use::TooEarly;
                }
            }
        }
        Ok(heard)
    }

    fn hear_segment(&mut self, handle: u64, offset: u64, bytes: &[u8]) -> Result<Use, Breach> {
        let events = &mut self.events;
        self.receiving
            .segment(handle, offset, bytes, |event| events.push_back(event))
    }

    fn hear_ack(
        &mut self,
        now: Time,
        numbers: &crate::ranges::Ranges,
        delay: Duration,
    ) -> Result<(), &'static str> {
        let Some(Packets { flight, .. }) = self.packets_mut() else {
            return Ok(());
        };
        let news = flight
            .acked(now, numbers, delay)
            .ok_or("an ack of what was never sent")?;
        for what in news.arrived {
            match what {
                Sent::Control(range) => self.talk_out.arrived(range),
                Sent::Segment { handle, range } => self.sending.arrived(handle, range),
            }
        }
        self.lost(news.lost);
        Ok(())
    }

    /// These have to be sent again.
    pub(super) fn lost(&mut self, lost: Vec<Sent>) {
        for what in lost {
            match what {
                Sent::Control(range) => self.talk_out.lost(range),
                Sent::Segment { handle, range } => self.sending.lost(handle, range),
            }
        }
    }

    /// Whatever whole control messages are there.
    fn hear_talk(&mut self) -> Result<(), Breach> {
        while let Some(message) = self
            .talk_in
            .message()
            .map_err(|_| Breach("a control message that cannot be read"))?
        {
            self.hear_control(message)?;
        }
        Ok(())
    }

    fn hear_control(&mut self, message: Control) -> Result<(), Breach> {
        match message {
            Control::Offers(offers) => {
                let (asked, refused) = self.receiving.offered(offers, &self.config.limits)?;
                for (handle, reason) in refused {
                    self.say_refused(handle, reason);
                }
                if !asked.is_empty() {
                    self.events.push_back(Event::Offered(asked));
                }
                for (handle, offset, bytes) in self.receiving.overtaken() {
                    self.hear_segment(handle, offset, &bytes)?;
                }
            }
            Control::Want {
                handle,
                missing,
                again,
            } => {
                if let Some(id) = self.sending.named(handle)? {
                    self.sending.wanted(&id, missing, &again);
                    if !again.is_empty()
                        && let Some(packets) = self.packets_mut()
                    {
                        // Acks that come late are of bytes which they have thrown away.
                        let stale = packets.flight.disown(handle);
                        self.lost(stale);
                    }
                }
            }
            Control::Have(handles) => self.settled(&handles, Event::Have)?,
            Control::Custody(handles) => self.settled(&handles, Event::Custody)?,
            Control::Refuse(refusals) => {
                for (handle, reason) in refusals {
                    self.settled(&[handle], |id| Event::Refused(id, reason))?;
                }
            }
            Control::Withdraw(handles) => {
                for handle in handles {
                    if let Some(id) = self.receiving.withdrawn(handle)? {
                        self.events.push_back(Event::Withdrawn(id));
                    }
                }
            }
            Control::Receipts(receipts) => self.events.push_back(Event::Receipts(receipts)),
            Control::Claims(claims) => self.events.push_back(Event::Claims(claims)),
            Control::Bye => self.events.push_back(Event::Bye),
            Control::Later => {}
        }
        Ok(())
    }

    /// Our offers with these handles came to this end.
    fn settled(
        &mut self,
        handles: &[u64],
        event: impl Fn(crate::EnvelopeId) -> Event,
    ) -> Result<(), Breach> {
        for handle in handles {
            if let Some(id) = self.sending.named(*handle)? {
                self.sending.end(&id);
                self.events.push_back(event(id));
            }
        }
        Ok(())
    }
}
