//! One connection: what waits at both ends, and how packets go.
//!
//! Called by [`crate::Air`], a packet at a time. What can go wrong: one end is away, and the other
//! one notices by the supervision time-out.
//!
//! The central speaks first in each connection event; both answer every packet, with an empty one
//! if they have nothing to say; an event goes on as long as somebody has more to say and the time
//! to the next one suffices. Source: Bluetooth Core 5.4, Vol 6, Part B, 2.1 and 4.5.

use std::collections::VecDeque;

use crate::device::{Address, LONG, SHORT, Terms};

/// The pause after each packet, in microseconds.
const PAUSE: u64 = 150;
/// Packets of the link layer that say something have about this payload.
const CONTROL: usize = 12;

/// What the link layers say to one another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Control {
    Terminate(u8),
    Update(Terms),
    /// Data PDUs of up to so many bytes, from the one who says it.
    Length(u16),
    /// 2M from now on, or 1M.
    Phy(bool),
    Features,
    Version,
}

/// An ACL packet of the host, and how much of it has gone.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) bytes: Vec<u8>,
    pub(crate) first: bool,
    pub(crate) sent: usize,
}

/// What is on the air in one direction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Pdu {
    Empty,
    Control(Control),
    /// The next so many bytes of the packet in front.
    Data(usize),
}

/// One end.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) device: usize,
    pub(crate) handle: u16,
    pub(crate) address: Address,
    pub(crate) queue: VecDeque<Packet>,
    pub(crate) control: VecDeque<Control>,
    /// The longest data PDU that it sends.
    pub(crate) octets: u16,
    /// When it last heard the other one.
    pub(crate) heard: u64,
    /// Its host has asked to end the connection.
    pub(crate) parting: bool,
    /// Its controller still knows of the connection.
    pub(crate) alive: bool,
}

impl End {
    pub(crate) const fn new(device: usize, handle: u16, address: Address, now: u64) -> Self {
        Self {
            device,
            handle,
            address,
            queue: VecDeque::new(),
            control: VecDeque::new(),
            octets: SHORT,
            heard: now,
            parting: false,
            alive: true,
        }
    }

    /// What it says next.
    fn next(&self) -> Pdu {
        if let Some(control) = self.control.front() {
            return Pdu::Control(*control);
        }
        match self.queue.front() {
            Some(packet) => {
                let rest = packet.bytes.len() - packet.sent;
                Pdu::Data(rest.min(usize::from(self.octets)))
            }
            None => Pdu::Empty,
        }
    }

    /// Is there more than what is on the air now?
    fn has_more(&self, now: &Pdu) -> bool {
        match now {
            Pdu::Empty => !self.control.is_empty() || !self.queue.is_empty(),
            Pdu::Control(_) => self.control.len() > 1 || !self.queue.is_empty(),
            Pdu::Data(bytes) => {
                let front = self.queue.front();
                let whole = front.is_none_or(|packet| packet.sent + bytes >= packet.bytes.len());
                self.queue.len() > 1 || !whole
            }
        }
    }
}

/// A connection: the central's end, then the peripheral's.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) ends: [End; 2],
    pub(crate) terms: Terms,
    pub(crate) fast: bool,
    /// When the present event began.
    pub(crate) anchor: u64,
    /// Both have heard one another.
    pub(crate) established: bool,
    /// What is on the air, and whether the event goes on after it.
    pub(crate) on_air: Option<([Pdu; 2], bool)>,
}

impl Link {
    /// Begins an exchange at this time; how long it takes, or nothing, if the event is over.
    pub(crate) fn exchange(&mut self, now: u64, room: [bool; 2]) -> Option<u64> {
        let [central, peripheral] = &self.ends;
        // Whoever has no room does not acknowledge, and the other one tries again in the next
        // event: it is the same as not to say it.
        let say = |end: &End, room: bool| if room { end.next() } else { Pdu::Empty };
        let said = [say(central, room[1]), say(peripheral, room[0])];
        let more =
            room[1] && central.has_more(&said[0]) || room[0] && peripheral.has_more(&said[1]);
        let micros = self.packet(&said[0]) + self.packet(&said[1]) + 2 * PAUSE;
        let first = now == self.anchor;
        if !first && now + micros > self.anchor + self.terms.micros() {
            return None;
        }
        self.on_air = Some((said, more));
        Some(micros)
    }

    /// How long a packet takes: preamble, access address, head, payload, checksum.
    const fn packet(&self, pdu: &Pdu) -> u64 {
        let payload = match pdu {
            Pdu::Empty => 0,
            Pdu::Control(_) => CONTROL,
            Pdu::Data(bytes) => *bytes,
        } as u64;
        if self.fast {
            (11 + payload) * 4
        } else {
            (10 + payload) * 8
        }
    }

    /// How long an end may hear nothing, in microseconds.
    pub(crate) const fn patience(&self) -> u64 {
        match self.established {
            true => self.terms.patience(),
            false => 6 * self.terms.micros(),
        }
    }

    /// How long the longest data PDU takes at this payload, in microseconds, as hosts are told.
    pub(crate) const fn airtime(octets: u16) -> u16 {
        (octets + 14) * 8
    }
}

/// The longest payload that is possible, of what a host asks for.
pub(crate) fn possible(octets: u16) -> u16 {
    octets.clamp(SHORT, LONG)
}
