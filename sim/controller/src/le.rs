//! Commands of Bluetooth LE: advertising, scanning, connecting, and what a connection is like.
//!
//! Called by [`Air`] for each. What can go wrong: parameters out of their bounds, or a command that
//! is not allowed now: an error goes back and nothing changes.
//!
//! Source: Bluetooth Core 5.4, Vol 4, Part E, 7.8. Advertising, scanning and connecting are those
//! of 4.0 ("legacy"): hosts see that from the list of commands, and use them.

use crate::air::{Air, FEATURES};
use crate::codes::{op, status};
use crate::commands::{Answer, Reply};
use crate::device::{ACCEPT_LIST, CONNECTIONS, Device, Initiating, LONG, SHORT, Terms};
use crate::link::{Control, Link, possible};
use crate::packet::Fields;

/// A microsecond value of steps of 625.
const fn steps(number: u16) -> u64 {
    number as u64 * 625
}

impl Air {
    pub(crate) fn le_command(
        &mut self,
        device: usize,
        code: u16,
        fields: &mut Fields<'_>,
    ) -> Answer {
        match code {
            op::LE_ADVERTISE => Answer::Complete(self.switch(device, fields)),
            op::LE_CREATE_CONNECTION => Answer::Status(self.create(device, fields)),
            op::LE_CONNECTION_UPDATE => Answer::Status(self.update(device, fields)),
            op::LE_READ_REMOTE_FEATURES => {
                Answer::Status(self.ask(device, fields, Control::Features))
            }
            op::LE_SET_PHY => Answer::Status(self.set_phy(device, fields)),
            op::LE_READ_PHY => Answer::Complete(self.phy(device, fields)),
            op::LE_SET_DATA_LENGTH => Answer::Complete(self.data_length(device, fields)),
            op::LE_RAND => Answer::Complete(fields.end().map(|()| {
                let bytes = [0; 8].map(|_: u8| self.throw(256).to_le_bytes()[0]);
                bytes.to_vec()
            })),
            _ => match self
                .devices
                .get_mut(device)
                .map(|it| it.le_setting(code, fields))
            {
                Some(Some(reply)) => Answer::Complete(reply),
                _ => Answer::Status(Err(status::UNKNOWN_COMMAND)),
            },
        }
    }

    fn switch(&mut self, device: usize, fields: &mut Fields<'_>) -> Reply {
        let on = fields.only(|fields| fields.upto(1))?;
        let it = self.devices.get_mut(device).ok_or(status::DISALLOWED)?;
        let shown = &mut it.advertising;
        match (on, shown.on) {
            (0, _) => shown.on = false,
            (_, true) => {}
            _ if it.address(it.advertising.own).is_none() => return Err(status::INVALID),
            _ if it.advertising.connectable() && it.links.len() >= CONNECTIONS => {
                return Err(status::CONNECTION_LIMIT);
            }
            _ => self.begin_advertising(device),
        }
        Ok(Vec::new())
    }

    fn create(&mut self, device: usize, fields: &mut Fields<'_>) -> Result<(), u8> {
        let interval = steps(fields.within(4, 0x4000)?);
        let window = steps(fields.within(4, 0x4000)?);
        let listed = fields.upto(1)? == 1;
        let peer = (fields.byte()?, fields.array()?);
        let own = fields.upto(1)?;
        let terms = terms(fields)?;
        if window > interval || !listed && peer.0 > 1 {
            return Err(status::INVALID);
        }
        let it = self.devices.get(device).ok_or(status::DISALLOWED)?;
        if it.initiating.is_some() {
            return Err(status::DISALLOWED);
        }
        if it.address(own).is_none() {
            return Err(status::INVALID);
        }
        if it.links.len() >= CONNECTIONS {
            return Err(status::CONNECTION_LIMIT);
        }
        let same = |(number, side): &(u64, usize)| {
            let link = self.links.get(number);
            let other = link.and_then(|link| link.ends.get(1 - side));
            other.is_some_and(|end| end.address == peer)
        };
        if !listed && it.links.values().any(same) {
            return Err(status::CONNECTION_EXISTS);
        }
        if let Some(it) = self.devices.get_mut(device) {
            it.initiating = Some(Initiating {
                interval,
                window,
                peer: (!listed).then_some(peer),
                own,
                terms,
            });
        }
        Ok(())
    }

    fn update(&mut self, device: usize, fields: &mut Fields<'_>) -> Result<(), u8> {
        let handle = fields.short()?;
        let terms = terms(fields)?;
        let links = self.devices.get(device).map(|it| &it.links);
        let side = links
            .and_then(|links| links.get(&handle))
            .map(|(_, side)| *side);
        let end = self.end(device, handle)?;
        // A peripheral asks by L2CAP: the procedure of the link layer for that is not here.
        if side != Some(0) {
            return Err(status::UNSUPPORTED_REMOTE);
        }
        end.say(Control::Update(terms))
    }

    fn set_phy(&mut self, device: usize, fields: &mut Fields<'_>) -> Result<(), u8> {
        let handle = fields.short()?;
        let fast = preferred(fields)?;
        fields.short()?;
        fields.end()?;
        self.end(device, handle)?.say(Control::Phy(fast))
    }

    fn phy(&mut self, device: usize, fields: &mut Fields<'_>) -> Reply {
        let handle = fields.only(Fields::short)?;
        self.end(device, handle)?;
        let links = self.devices.get(device).map(|it| &it.links);
        let number = links
            .and_then(|links| links.get(&handle))
            .map(|(number, _)| *number);
        let link = number.and_then(|number| self.links.get(&number));
        let phy = 1 + u8::from(link.is_some_and(|link| link.fast));
        let [low, high] = handle.to_le_bytes();
        Ok(vec![low, high, phy, phy])
    }

    fn data_length(&mut self, device: usize, fields: &mut Fields<'_>) -> Reply {
        let handle = fields.short()?;
        let octets = fields.within(SHORT, LONG)?;
        fields.within(0x0148, 0x4290)?;
        fields.end()?;
        let end = self.end(device, handle)?;
        if end.octets != octets {
            end.say(Control::Length(octets))?;
        }
        Ok(handle.to_le_bytes().to_vec())
    }
}

/// The parameters of a connection: the longer interval is chosen.
fn terms(fields: &mut Fields<'_>) -> Result<Terms, u8> {
    let least = fields.within(6, 3_200)?;
    let interval = fields.within(least, 3_200)?;
    let latency = fields.within(0, 499)?;
    let timeout = fields.within(10, 3_200)?;
    let (shortest, longest) = (fields.short()?, fields.short()?);
    fields.end()?;
    let terms = Terms {
        interval,
        latency,
        timeout,
    };
    let patient = terms.patience() > 2 * (1 + u64::from(latency)) * terms.micros();
    match shortest <= longest && patient {
        true => Ok(terms),
        false => Err(status::INVALID),
    }
}

/// Which PHYs a host prefers: 2M or not.
fn preferred(fields: &mut Fields<'_>) -> Result<bool, u8> {
    let none = fields.upto(3)?;
    let (there, back) = (fields.upto(7)?, fields.upto(7)?);
    if none & 1 == 0 && there == 0 || none & 2 == 0 && back == 0 {
        return Err(status::INVALID);
    }
    // The coded one is not here.
    let fast = |none, wanted| none || wanted & 2 != 0;
    if none & 1 == 0 && there & 3 == 0 {
        return Err(status::UNSUPPORTED);
    }
    Ok(fast(none & 1 != 0, there) && fast(none & 2 != 0, back))
}

impl Device {
    fn le_setting(&mut self, code: u16, fields: &mut Fields<'_>) -> Option<Reply> {
        let nothing = |()| Vec::new();
        Some(match code {
            op::LE_SET_EVENT_MASK => fields.only(Fields::long).map(|mask| {
                *self.masks().1 = mask;
                Vec::new()
            }),
            op::LE_READ_BUFFER_SIZE => fields.end().map(|()| Self::buffers()),
            op::LE_READ_FEATURES => fields.end().map(|()| FEATURES.to_le_bytes().to_vec()),
            op::LE_READ_STATES => fields
                .end()
                .map(|()| vec![0xff, 0xff, 0xff, 0xff, 0xff, 3, 0, 0]),
            op::LE_SET_RANDOM_ADDRESS => self.set_random(fields).map(nothing),
            op::LE_SET_ADVERTISING_PARAMETERS => self.advertising_parameters(fields).map(nothing),
            op::LE_READ_ADVERTISING_POWER => fields.end().map(|()| vec![0]),
            op::LE_SET_ADVERTISING_DATA => shown(fields).map(|data| {
                self.advertising.data = data;
                Vec::new()
            }),
            op::LE_SET_SCAN_RESPONSE => shown(fields).map(|data| {
                self.advertising.response = data;
                Vec::new()
            }),
            op::LE_SET_SCAN_PARAMETERS => self.scan_parameters(fields).map(nothing),
            op::LE_SCAN => self.scan(fields).map(nothing),
            op::LE_CREATE_CONNECTION_CANCEL => fields.end().and_then(|()| {
                let was = self.initiating.take();
                was.map(|_| Vec::new()).ok_or(status::DISALLOWED)
            }),
            op::LE_READ_ACCEPT_LIST_SIZE => fields
                .end()
                .map(|()| vec![u8::try_from(ACCEPT_LIST).unwrap_or(u8::MAX)]),
            op::LE_CLEAR_ACCEPT_LIST
            | op::LE_ADD_TO_ACCEPT_LIST
            | op::LE_REMOVE_FROM_ACCEPT_LIST => self.accept(code, fields).map(nothing),
            op::LE_READ_DEFAULT_DATA_LENGTH => fields.end().map(|()| {
                [self.octets, Link::airtime(self.octets)]
                    .map(u16::to_le_bytes)
                    .concat()
            }),
            op::LE_WRITE_DEFAULT_DATA_LENGTH => self.default_length(fields).map(nothing),
            op::LE_READ_MAXIMUM_DATA_LENGTH => fields.end().map(|()| {
                let (octets, time) = (LONG, Link::airtime(LONG));
                [octets, time, octets, time].map(u16::to_le_bytes).concat()
            }),
            // It is taken, and hosts ask for another one on each connection.
            op::LE_SET_DEFAULT_PHY => fields.only(preferred).map(|_| Vec::new()),
            _ => return None,
        })
    }

    fn set_random(&mut self, fields: &mut Fields<'_>) -> Result<(), u8> {
        let address = fields.only(Fields::array)?;
        if self.advertising.on || self.scanning.on || self.initiating.is_some() {
            return Err(status::DISALLOWED);
        }
        self.random = Some(address);
        Ok(())
    }

    fn advertising_parameters(&mut self, fields: &mut Fields<'_>) -> Result<(), u8> {
        let least = fields.within(0x20, 0x4000)?;
        let most = fields.within(least, 0x4000)?;
        let kind = fields.upto(4)?;
        let own = fields.upto(1)?;
        fields.upto(1)?;
        fields.array::<6>()?;
        let channels = fields.upto(7)?;
        let policy = fields.upto(3)?;
        fields.end()?;
        if channels == 0 {
            return Err(status::INVALID);
        }
        // Nobody is advertised to by name here.
        if matches!(kind, 1 | 4) {
            return Err(status::UNSUPPORTED);
        }
        if self.advertising.on {
            return Err(status::DISALLOWED);
        }
        let shown = &mut self.advertising;
        shown.interval = steps(most);
        (shown.kind, shown.own, shown.policy) = (kind, own, policy);
        Ok(())
    }

    fn scan_parameters(&mut self, fields: &mut Fields<'_>) -> Result<(), u8> {
        let active = fields.upto(1)? == 1;
        let interval = steps(fields.within(4, 0x4000)?);
        let window = steps(fields.within(4, 0x4000)?);
        let own = fields.upto(1)?;
        let filtered = fields.upto(1)? == 1;
        fields.end()?;
        if window > interval {
            return Err(status::INVALID);
        }
        let scan = &mut self.scanning;
        if scan.on {
            return Err(status::DISALLOWED);
        }
        (scan.active, scan.own, scan.filtered) = (active, own, filtered);
        (scan.interval, scan.window) = (interval, window);
        Ok(())
    }

    fn scan(&mut self, fields: &mut Fields<'_>) -> Result<(), u8> {
        let (on, once) = (fields.upto(1)? == 1, fields.upto(1)? == 1);
        fields.end()?;
        if on && self.address(self.scanning.own).is_none() {
            return Err(status::INVALID);
        }
        (self.scanning.on, self.scanning.once) = (on, once);
        self.scanning.told.clear();
        Ok(())
    }

    fn accept(&mut self, code: u16, fields: &mut Fields<'_>) -> Result<(), u8> {
        if code == op::LE_CLEAR_ACCEPT_LIST {
            fields.end()?;
            self.accept_list.clear();
            return Ok(());
        }
        let who = (fields.upto(1)?, fields.array()?);
        fields.end()?;
        if code == op::LE_REMOVE_FROM_ACCEPT_LIST {
            self.accept_list.remove(&who);
        } else if self.accept_list.len() >= ACCEPT_LIST && !self.accept_list.contains(&who) {
            return Err(status::MEMORY);
        } else {
            self.accept_list.insert(who);
        }
        Ok(())
    }

    fn default_length(&mut self, fields: &mut Fields<'_>) -> Result<(), u8> {
        let octets = fields.within(SHORT, LONG)?;
        fields.within(0x0148, 0x4290)?;
        fields.end()?;
        self.octets = possible(octets);
        Ok(())
    }
}

/// The data of an advertisement: a length, and 31 octets of which so many count.
fn shown(fields: &mut Fields<'_>) -> Result<Vec<u8>, u8> {
    let length = usize::from(fields.upto(31)?);
    let octets = fields.only(Fields::array::<31>)?;
    Ok(octets.get(..length).unwrap_or_default().to_vec())
}
