//! Data of hosts, and what link layers say to one another: both go by the packets of a connection.
//!
//! Called by [`crate::Air`]. What can go wrong: a host gives more packets than there are buffers,
//! longer ones, or for a connection that is over: it is told of the first two, all are dropped.

use crate::air::{Air, FEATURES};
use crate::codes::{event, le, status};
use crate::commands::{COMPANY, VERSION};
use crate::device::{BUFFER, BUFFERS};
use crate::link::{Control, End, Link, Packet};

impl Air {
    /// A packet of a host, for one of its connections.
    pub(crate) fn data(&mut self, device: usize, head: u16, bytes: &[u8]) {
        let (handle, boundary) = (head & 0x0fff, head >> 12 & 3);
        let Some(it) = self.devices.get_mut(device) else {
            return;
        };
        let Some((number, side)) = it.links.get(&handle) else {
            return;
        };
        let end = self.links.get_mut(number);
        let end = end.and_then(|link| link.ends.get_mut(*side));
        // Nothing is broadcast, and nothing goes behind a farewell.
        let goes = |end: &&mut End| !end.parting && matches!(boundary, 0..=2) && head >> 14 == 0;
        let Some(end) = end.filter(goes) else {
            return;
        };
        // A host is told of so many buffers for all connections, and each has as many: trouble-host
        // 0.8 takes them to be for each, and would be lost with two.
        if end.queue.len() >= BUFFERS || bytes.len() > BUFFER {
            // Of ACL data.
            return it.tell(event::BUFFER_OVERFLOW, &[1]);
        }
        end.queue.push_back(Packet {
            bytes: bytes.to_vec(),
            first: boundary != 1,
            sent: 0,
        });
    }

    /// So many bytes of the packet in front have come to the other end.
    pub(crate) fn carry(&mut self, number: u64, side: usize, bytes: usize) {
        let Some(Link {
            ends: [central, peripheral],
            ..
        }) = self.links.get_mut(&number)
        else {
            return;
        };
        let (from, to) = if side == 0 {
            (central, peripheral)
        } else {
            (peripheral, central)
        };
        let Some(packet) = from.queue.front_mut() else {
            return;
        };
        let first = packet.first && packet.sent == 0;
        let until = packet.bytes.len().min(packet.sent + bytes);
        let payload = packet.bytes.get(packet.sent..until).unwrap_or_default();
        if let Some(hearer) = self.devices.get_mut(to.device)
            && !payload.is_empty()
        {
            hearer.came(to.handle, first, payload);
        }
        packet.sent = until;
        if until == packet.bytes.len() {
            from.queue.pop_front();
            if let Some(speaker) = self.devices.get_mut(from.device) {
                speaker.completed(from.handle);
            }
        }
    }

    /// What one link layer said to the other.
    pub(crate) fn control(&mut self, number: u64, side: usize, control: Control) {
        let Some(link) = self.links.get_mut(&number) else {
            return;
        };
        let Some(end) = link.ends.get_mut(side) else {
            return;
        };
        end.control.pop_front();
        let (device, [low, high]) = (end.device, end.handle.to_le_bytes());
        match control {
            Control::Terminate(reason) => {
                let mut reasons = [reason; 2];
                if let Some(ours) = reasons.get_mut(side) {
                    *ours = status::ENDED_BY_US;
                }
                self.finish(number, reasons);
            }
            Control::Update(terms) => {
                link.terms = terms;
                self.both(
                    number,
                    le::CONNECTION_UPDATE_COMPLETE,
                    |link, _, [low, high]| {
                        let numbers = [link.terms.interval, link.terms.latency, link.terms.timeout];
                        let numbers = numbers.map(u16::to_le_bytes);
                        [&[status::SUCCESS, low, high][..], numbers.as_flattened()].concat()
                    },
                );
            }
            Control::Length(octets) => {
                // The other one answers with the most that it can, as most do.
                for end in &mut link.ends {
                    end.octets = octets;
                }
                self.both(number, le::DATA_LENGTH_CHANGE, |_, _, handle| {
                    let [octets, time] = [octets, Link::airtime(octets)].map(u16::to_le_bytes);
                    [handle, octets, time, octets, time].concat()
                });
            }
            Control::Phy(fast) => {
                link.fast = fast;
                let phy = 1 + u8::from(fast);
                self.both(number, le::PHY_UPDATE_COMPLETE, |_, _, [low, high]| {
                    vec![status::SUCCESS, low, high, phy, phy]
                });
            }
            Control::Features => {
                let told = [&[status::SUCCESS, low, high][..], &FEATURES.to_le_bytes()].concat();
                if let Some(device) = self.devices.get_mut(device) {
                    device.tell_le(le::REMOTE_FEATURES_COMPLETE, &told);
                }
            }
            Control::Version => {
                let [company, other] = COMPANY.to_le_bytes();
                let told = [status::SUCCESS, low, high, VERSION, company, other, 0, 0];
                if let Some(device) = self.devices.get_mut(device) {
                    device.tell(event::REMOTE_VERSION_COMPLETE, &told);
                }
            }
        }
    }
}
