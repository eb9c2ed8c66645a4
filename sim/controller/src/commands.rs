//! Commands: which one it is, and those that are not of Bluetooth LE alone.
//!
//! Called by [`Air`] for each. What can go wrong: a command nobody knows, one with parameters that
//! are none, or not now: an error goes back.
//!
//! Source: Bluetooth Core 5.4, Vol 4, Part E, 7.1 to 7.5.

use crate::air::Air;
use crate::codes::{event, op, status};
use crate::device::{Address, BUFFER, BUFFERS, Device, Terms};
use crate::link::{Control, End};
use crate::packet::Fields;

/// Core 5.4, and the company identifier that belongs to nobody.
pub(crate) const VERSION: u8 = 0x0d;
pub(crate) const COMPANY: u16 = 0xffff;
/// LE only, and LE at all.
const LE_ONLY: u64 = 1 << 37 | 1 << 38;

/// Things that the link layer of one end may have to say at once.
const PROCEDURES: usize = 8;
const NOBODY: Address = (0, [0; 6]);
const NO_TERMS: Terms = Terms {
    interval: 0,
    latency: 0,
    timeout: 0,
};

/// What comes back: parameters, or an error.
pub(crate) type Reply = Result<Vec<u8>, u8>;

/// How a command is answered.
pub(crate) enum Answer {
    /// At once.
    Complete(Reply),
    /// That it has begun; an event tells when it is done.
    Status(Result<(), u8>),
    /// Not at all.
    Nothing,
}

impl Air {
    /// A command of a host.
    pub(crate) fn command(&mut self, device: usize, code: u16, parameters: &[u8]) {
        let mut fields = Fields(parameters);
        let answer = match code >> 10 {
            8 => self.le_command(device, code, &mut fields),
            _ => self.general(device, code, &mut fields),
        };
        let [low, high] = code.to_le_bytes();
        let Some(it) = self.devices.get_mut(device) else {
            return;
        };
        match answer {
            Answer::Complete(reply) => {
                let went = reply.is_ok();
                let (status, rest) = match reply {
                    Ok(rest) => (status::SUCCESS, rest),
                    Err(status) => (status, Vec::new()),
                };
                it.tell(
                    event::COMMAND_COMPLETE,
                    &[&[1, low, high, status], &rest[..]].concat(),
                );
                if went && code == op::LE_CREATE_CONNECTION_CANCEL {
                    it.tell_connected(status::UNKNOWN_CONNECTION, 0, 0, NOBODY, NO_TERMS);
                }
            }
            Answer::Status(begun) => {
                let status = begun.err().unwrap_or(status::SUCCESS);
                it.tell(event::COMMAND_STATUS, &[status, 1, low, high]);
            }
            Answer::Nothing => {}
        }
    }

    fn general(&mut self, device: usize, code: u16, fields: &mut Fields<'_>) -> Answer {
        match code {
            op::DISCONNECT => Answer::Status(self.disconnect(device, fields)),
            op::READ_REMOTE_VERSION => Answer::Status(self.ask(device, fields, Control::Version)),
            op::HOST_COMPLETED_PACKETS => Answer::Nothing,
            op::READ_RSSI => Answer::Complete(self.rssi(device, fields)),
            op::RESET => Answer::Complete(self.reset(device, fields)),
            _ => match self
                .devices
                .get_mut(device)
                .map(|it| it.setting(code, fields))
            {
                Some(Some(reply)) => Answer::Complete(reply),
                _ => Answer::Status(Err(status::UNKNOWN_COMMAND)),
            },
        }
    }

    /// The end of a connection that a host means by this handle.
    pub(crate) fn end(&mut self, device: usize, handle: u16) -> Result<&mut End, u8> {
        let links = self.devices.get(device).map(|it| &it.links);
        let (number, side) = links
            .and_then(|links| links.get(&handle))
            .ok_or(status::UNKNOWN_CONNECTION)?;
        let link = self.links.get_mut(number);
        link.and_then(|link| link.ends.get_mut(*side))
            .filter(|end| !end.parting)
            .ok_or(status::UNKNOWN_CONNECTION)
    }

    fn disconnect(&mut self, device: usize, fields: &mut Fields<'_>) -> Result<(), u8> {
        let (handle, reason) = (fields.short()?, fields.byte()?);
        fields.end()?;
        // Those that a host may give (7.1.6).
        if !matches!(reason, 0x05 | 0x13..=0x15 | 0x1a | 0x29 | 0x3b) {
            return Err(status::INVALID);
        }
        let end = self.end(device, handle)?;
        end.parting = true;
        end.control.push_back(Control::Terminate(reason));
        Ok(())
    }

    /// Lets the link layer of a connection ask or say something.
    pub(crate) fn ask(
        &mut self,
        device: usize,
        fields: &mut Fields<'_>,
        control: Control,
    ) -> Result<(), u8> {
        let handle = fields.short()?;
        fields.end()?;
        let end = self.end(device, handle)?;
        end.say(control)
    }

    fn rssi(&mut self, device: usize, fields: &mut Fields<'_>) -> Reply {
        let handle = fields.short()?;
        fields.end()?;
        self.end(device, handle)?;
        let [low, high] = handle.to_le_bytes();
        Ok(vec![low, high, 0xce])
    }

    fn reset(&mut self, device: usize, fields: &mut Fields<'_>) -> Reply {
        fields.end()?;
        self.forget(device);
        if let Some(it) = self.devices.get_mut(device) {
            it.reset();
        }
        Ok(Vec::new())
    }
}

impl End {
    /// Queues what the link layer is to say.
    pub(crate) fn say(&mut self, control: Control) -> Result<(), u8> {
        if self.control.len() >= PROCEDURES {
            return Err(status::DISALLOWED);
        }
        self.control.push_back(control);
        Ok(())
    }
}

impl Device {
    /// What the controller is told about itself, and asked; nothing, if it does not know the
    /// command.
    fn setting(&mut self, code: u16, fields: &mut Fields<'_>) -> Option<Reply> {
        Some(match code {
            op::SET_EVENT_MASK => fields.only(Fields::long).map(|mask| {
                *self.masks().0 = mask;
                Vec::new()
            }),
            op::SET_EVENT_MASK_2 => fields.only(Fields::long).map(|_| Vec::new()),
            // The host's buffers are taken to be without end.
            op::HOST_BUFFER_SIZE => fields.only(Fields::array::<7>).map(|_| Vec::new()),
            op::SET_FLOW_CONTROL => fields.only(Fields::byte).and_then(|how| match how {
                0 => Ok(Vec::new()),
                _ => Err(status::UNSUPPORTED),
            }),
            op::WRITE_LE_HOST_SUPPORT => fields.only(Fields::short).map(|_| Vec::new()),
            op::READ_VERSION => fields.end().map(|()| {
                let [low, high] = COMPANY.to_le_bytes();
                vec![VERSION, 0, 0, VERSION, low, high, 0, 0]
            }),
            op::READ_COMMANDS => fields.end().map(|()| {
                let mut known = vec![0; 64];
                for (_, octet, bit) in op::ALL {
                    if let Some(octet) = known.get_mut(*octet) {
                        *octet |= 1 << bit;
                    }
                }
                known
            }),
            op::READ_FEATURES => fields.end().map(|()| LE_ONLY.to_le_bytes().to_vec()),
            // None for anything but LE, which then has buffers of its own.
            op::READ_BUFFER_SIZE => fields.end().map(|()| vec![0; 7]),
            op::READ_ADDRESS => fields.end().map(|()| self.public.to_vec()),
            _ => return None,
        })
    }

    /// The buffers for data: how long, how many.
    pub(crate) fn buffers() -> Vec<u8> {
        let [low, high] = u16::try_from(BUFFER).unwrap_or(u16::MAX).to_le_bytes();
        vec![low, high, u8::try_from(BUFFERS).unwrap_or(u8::MAX)]
    }
}
