//! The air that controllers share: its time, who hears whom, and when which packet goes.
//!
//! What is it: [`Air`], a simulation by events: octets of hosts and times in; octets for hosts and
//! the time of the next event out. Who calls it: [`crate::Room`], which gives it tokio's clock;
//! tests. What can go wrong: whatever hosts send was written by strangers: it is answered with an
//! error or passed over.

use std::collections::BTreeMap;

use crate::codes::{event, le, status};
use crate::device::{Address, CONNECTIONS, Device, Initiating, SHORT};
use crate::link::{Control, End, Link, Pdu};
use crate::{ACL, COMMAND};

/// Advertisements come up to so much later than planned, in microseconds, so that two devices do
/// not speak at once for ever.
const SPREAD: u64 = 10_000;
/// From an advertisement to the first packet of the connection that it led to, in microseconds.
const SOON: u64 = 3_750;
/// What every controller here can do: data PDUs of 251 bytes (5) and 2M (8).
pub(crate) const FEATURES: u64 = 1 << 5 | 1 << 8;

/// A controller on this air.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Id(pub(crate) usize);

#[derive(Clone, Copy, Debug)]
enum Plan {
    /// A device advertises, if it still does.
    Advertise { device: usize, round: u64 },
    /// A connection event begins.
    Event(u64),
    /// An exchange of packets is over.
    Done(u64),
}

/// A room with controllers in it. The same seed, hosts and times give the same octets.
#[derive(Debug)]
pub struct Air {
    pub(crate) now: u64,
    order: u64,
    agenda: BTreeMap<(u64, u64), Plan>,
    pub(crate) devices: Vec<Device>,
    pub(crate) links: BTreeMap<u64, Link>,
    next_link: u64,
    dice: u64,
    lost: u16,
}

impl Air {
    /// An empty room.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            now: 0,
            order: 0,
            agenda: BTreeMap::new(),
            devices: Vec::new(),
            links: BTreeMap::new(),
            next_link: 0,
            dice: seed,
            lost: 0,
        }
    }

    /// A controller with this public address, lowest octet first.
    pub fn join(&mut self, address: [u8; 6]) -> Id {
        self.devices.push(Device::new(address));
        Id(self.devices.len() - 1)
    }

    /// A packet of a controller's host, its indicator first. What is none is passed over.
    pub fn host(&mut self, id: Id, packet: &[u8]) {
        match packet {
            [COMMAND, low, high, length, rest @ ..] if rest.len() == usize::from(*length) => {
                self.command(id.0, u16::from_le_bytes([*low, *high]), rest);
            }
            [ACL, a, b, c, d, rest @ ..]
                if rest.len() == usize::from(u16::from_le_bytes([*c, *d])) =>
            {
                self.data(id.0, u16::from_le_bytes([*a, *b]), rest);
            }
            _ => {}
        }
    }

    /// The next packet for a controller's host, its indicator first.
    pub fn take(&mut self, id: Id) -> Option<Vec<u8>> {
        self.devices.get_mut(id.0)?.out.pop_front()
    }

    /// Is there one?
    #[must_use]
    pub fn has(&self, id: Id) -> bool {
        self.devices
            .get(id.0)
            .is_some_and(|device| !device.out.is_empty())
    }

    /// From now on a controller reaches nobody, or everybody again. Neither host is told.
    pub fn away(&mut self, id: Id, away: bool) {
        if let Some(device) = self.devices.get_mut(id.0) {
            device.away = away;
        }
    }

    /// A controller loses its power. Others notice that it is gone, its host does not.
    pub fn leave(&mut self, id: Id) {
        self.away(id, true);
        self.forget(id.0);
        if let Some(device) = self.devices.get_mut(id.0) {
            device.reset();
            device.out.clear();
        }
    }

    /// Of a thousand exchanges so many are lost, which the link layer says again.
    pub const fn lose(&mut self, per_mille: u16) {
        self.lost = per_mille;
    }

    /// How many connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.links.len()
    }

    /// When [`Air::advance`] is to be called, in microseconds since the beginning.
    #[must_use]
    pub fn deadline(&self) -> Option<u64> {
        self.agenda.first_key_value().map(|((time, _), _)| *time)
    }

    /// Time passes, up to this moment in microseconds since the beginning.
    pub fn advance(&mut self, to: u64) {
        while let Some(first) = self.agenda.first_entry() {
            if first.key().0 > to {
                break;
            }
            let ((time, _), plan) = first.remove_entry();
            self.now = self.now.max(time);
            match plan {
                Plan::Advertise { device, round } => self.advertise(device, round),
                Plan::Event(link) => {
                    if let Some(link) = self.links.get_mut(&link) {
                        link.anchor = self.now;
                    }
                    self.exchange(link);
                }
                Plan::Done(link) => self.done(link),
            }
        }
        self.now = self.now.max(to);
    }

    fn plan(&mut self, at: u64, plan: Plan) {
        self.order += 1;
        self.agenda.insert((at, self.order), plan);
    }

    /// Below this number.
    pub(crate) fn throw(&mut self, below: u64) -> u64 {
        // Knuth's multiplier: enough to mix.
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) % below.max(1)
    }

    /// A device begins to advertise.
    pub(crate) fn begin_advertising(&mut self, device: usize) {
        let Some(it) = self.devices.get_mut(device) else {
            return;
        };
        it.advertising.on = true;
        it.advertising.round += 1;
        let round = it.advertising.round;
        let at = self.now + 1_000 + self.throw(SPREAD);
        self.plan(at, Plan::Advertise { device, round });
    }

    fn advertise(&mut self, device: usize, round: u64) {
        let Some(it) = self.devices.get(device) else {
            return;
        };
        if !it.advertising.on || it.advertising.round != round {
            return;
        }
        let shown = it.advertising.clone();
        if let (false, Some(from)) = (it.away, it.address(shown.own)) {
            let listed = it.accept_list.clone();
            let busy = it.links.len() >= CONNECTIONS;
            for other in 0..self.devices.len() {
                let now = self.now;
                let Some(hearer) = self.devices.get_mut(other) else {
                    break;
                };
                if other == device || hearer.away {
                    continue;
                }
                let scan = &hearer.scanning;
                if scan.on && now % scan.interval < scan.window {
                    let own = hearer.address(scan.own);
                    let answers =
                        shown.policy & 1 == 0 || own.is_some_and(|own| listed.contains(&own));
                    let asks = scan.active && shown.scannable() && answers;
                    hearer.heard(from, shown.kind, &shown.data);
                    if asks {
                        hearer.heard(from, 4, &shown.response);
                    }
                }
                let Some(wish) = hearer.initiating.clone() else {
                    continue;
                };
                let wanted = match wish.peer {
                    Some(peer) => peer == from,
                    None => hearer.accept_list.contains(&from),
                };
                let listens = now % wish.interval < wish.window;
                let Some(own) = hearer.address(wish.own) else {
                    continue;
                };
                let answers = shown.policy & 2 == 0 || listed.contains(&own);
                if wanted && listens && answers && shown.connectable() && !busy {
                    self.connect((other, own), (device, from), &wish);
                    return;
                }
            }
        }
        let at = self.now + shown.interval + self.throw(SPREAD);
        self.plan(at, Plan::Advertise { device, round });
    }

    fn connect(
        &mut self,
        central: (usize, Address),
        peripheral: (usize, Address),
        wish: &Initiating,
    ) {
        let number = self.next_link;
        self.next_link += 1;
        let ends = [(central, peripheral.1), (peripheral, central.1)];
        let mut made = Vec::with_capacity(2);
        for (role, ((device, own), peer)) in (0_u8..).zip(ends) {
            let Some(it) = self.devices.get_mut(device) else {
                return;
            };
            if role == 0 {
                it.initiating = None;
            } else {
                it.advertising.on = false;
            }
            let handle = it.handle();
            it.links.insert(handle, (number, usize::from(role)));
            let mut end = End::new(device, handle, own, self.now);
            if it.octets > SHORT {
                end.control.push_back(Control::Length(it.octets));
            }
            made.push(end);
            it.tell_connected(status::SUCCESS, handle, role, peer, wish.terms);
        }
        let Ok(ends) = <[End; 2]>::try_from(made) else {
            return;
        };
        let link = Link {
            ends,
            terms: wish.terms,
            fast: false,
            anchor: self.now + SOON,
            established: false,
            on_air: None,
        };
        self.links.insert(number, link);
        self.plan(self.now + SOON, Plan::Event(number));
    }

    /// The next packets of a connection, if both ends hear one another.
    fn exchange(&mut self, number: u64) {
        let lost = self.lost > 0 && self.throw(1_000) < u64::from(self.lost);
        let now = self.now;
        let Some(link) = self.links.get_mut(&number) else {
            return;
        };
        let room = link.ends.each_ref().map(|end| {
            let device = self.devices.get(end.device);
            let here = device.filter(|device| end.alive && !device.away);
            here.map(Device::has_room)
        });
        let [Some(central), Some(peripheral)] = room else {
            return self.close(number);
        };
        if lost {
            return self.close(number);
        }
        match link.exchange(now, [central, peripheral]) {
            Some(micros) => self.plan(now + micros, Plan::Done(number)),
            None => self.close(number),
        }
    }

    fn done(&mut self, number: u64) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&number) else {
            return;
        };
        let Some((said, more)) = link.on_air.take() else {
            return;
        };
        let deaf = |end: &End| self.devices.get(end.device).is_none_or(|it| it.away) || !end.alive;
        if link.ends.iter().any(deaf) {
            return self.close(number);
        }
        link.established = true;
        for end in &mut link.ends {
            end.heard = now;
        }
        for (side, pdu) in said.iter().enumerate() {
            self.deliver(number, side, pdu);
        }
        if more {
            self.exchange(number)
        } else {
            self.close(number)
        }
    }

    /// The event is over. The next one is planned, unless somebody has not been heard for too long.
    fn close(&mut self, number: u64) {
        let Some(link) = self.links.get(&number) else {
            return;
        };
        let next = link.anchor + link.terms.micros();
        let patience = link.patience();
        if !link.ends.iter().any(|end| next >= end.heard + patience) {
            return self.plan(next, Plan::Event(number));
        }
        let reasons = link
            .ends
            .each_ref()
            .map(|end| match (end.parting, link.established) {
                (true, _) => status::ENDED_BY_US,
                (false, true) => status::CONNECTION_TIMEOUT,
                (false, false) => status::NOT_ESTABLISHED,
            });
        self.finish(number, reasons);
    }

    /// A connection is over, for each end by this reason.
    pub(crate) fn finish(&mut self, number: u64, reasons: [u8; 2]) {
        let Some(link) = self.links.remove(&number) else {
            return;
        };
        for (end, reason) in link.ends.iter().zip(reasons) {
            let Some(device) = self.devices.get_mut(end.device).filter(|_| end.alive) else {
                continue;
            };
            device.links.remove(&end.handle);
            // Packets that have not gone are dropped with it, of which the host is not told.
            let [low, high] = end.handle.to_le_bytes();
            device.tell(
                event::DISCONNECTION_COMPLETE,
                &[status::SUCCESS, low, high, reason],
            );
        }
    }

    /// A controller knows nothing of its connections any more.
    pub(crate) fn forget(&mut self, device: usize) {
        let Some(it) = self.devices.get_mut(device) else {
            return;
        };
        for (number, side) in std::mem::take(&mut it.links).into_values() {
            let Some(link) = self.links.get_mut(&number) else {
                continue;
            };
            if let Some(end) = link.ends.get_mut(side) {
                end.alive = false;
            }
            if link.ends.iter().all(|end| !end.alive) {
                self.links.remove(&number);
            }
        }
    }

    /// What one end said has come to the other one, and it knows that.
    fn deliver(&mut self, number: u64, side: usize, pdu: &Pdu) {
        match pdu {
            Pdu::Empty => {}
            Pdu::Control(control) => self.control(number, side, *control),
            Pdu::Data(bytes) => self.carry(number, side, *bytes),
        }
    }

    /// Tells both hosts something of their connection, the one whose end it was first.
    pub(crate) fn both(
        &mut self,
        number: u64,
        code: u8,
        say: impl Fn(&Link, usize, [u8; 2]) -> Vec<u8>,
    ) {
        let Some(link) = self.links.get(&number) else {
            return;
        };
        for (side, end) in link.ends.iter().enumerate() {
            if let Some(device) = self.devices.get_mut(end.device) {
                device.tell_le(code, &say(link, side, end.handle.to_le_bytes()));
            }
        }
    }
}

impl Device {
    /// A connection was made, or could not be.
    pub(crate) fn tell_connected(
        &mut self,
        status: u8,
        handle: u16,
        role: u8,
        peer: Address,
        terms: crate::device::Terms,
    ) {
        let enhanced = self.hears(le::ENHANCED_CONNECTION_COMPLETE);
        let mut told = vec![status];
        told.extend_from_slice(&handle.to_le_bytes());
        told.extend_from_slice(&[role, peer.0]);
        told.extend_from_slice(&peer.1);
        if enhanced {
            // Nobody's address is resolved here.
            told.extend_from_slice(&[0; 12]);
        }
        for number in [terms.interval, terms.latency, terms.timeout] {
            told.extend_from_slice(&number.to_le_bytes());
        }
        told.push(0);
        match enhanced {
            true => self.tell_le(le::ENHANCED_CONNECTION_COMPLETE, &told),
            false => self.tell_le(le::CONNECTION_COMPLETE, &told),
        }
    }
}
