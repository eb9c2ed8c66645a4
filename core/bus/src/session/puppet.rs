//! A peer without manners, for tests, fuzzing and the simulator's byzantine nodes.
//!
//! What is it: [`Puppet`] opens a session as an honest dialer would, with whatever Hello it is
//! given, and then says whatever it is told, properly sealed and numbered. Who calls it: tests.
//! What can go wrong: nothing that it says has to make sense; that is its purpose.

use crate::link::{LinkFacts, Role};
use crate::pdu::hello::Hello;
use crate::pdu::packet::{self, Handshake, Packet, VERSION};
use crate::seal::{Dice, Maker, Seal, Terms};
use crate::session::{Bodies, Session};
use crate::time::Time;

/// The dialling end of a link to a session that listens.
#[doc(hidden)]
pub struct Puppet {
    lossy: bool,
    seal: Seal,
    sent: u64,
}

struct Nothing;

impl Bodies for Nothing {
    fn body(&mut self, _: &crate::EnvelopeId) -> Option<&[u8]> {
        None
    }
}

impl Puppet {
    /// Opens a session with `victim`, a listener with the same facts whose MTU takes a handshake
    /// in one PDU. `None` if it would not have it.
    #[must_use]
    pub fn open(
        now: Time,
        victim: &mut Session,
        facts: LinkFacts,
        seed: [u8; 32],
        hello: &Hello,
    ) -> Option<Self> {
        let lossy = !(facts.reliable && facts.ordered);
        let attempt = 7;
        let mut prologue = b"packmule session".to_vec();
        prologue.extend_from_slice(&[VERSION, u8::from(lossy)]);
        prologue.extend_from_slice(&u32::to_be_bytes(attempt));
        let mut dice = Dice::new(seed);
        let terms = Terms {
            role: Role::Dialer,
            cipher: !facts.sealed,
            secret: &seed,
            prologue: &prologue,
        };
        let mut maker = Maker::new(&terms, &mut dice)?;
        let hello = hello.to_bytes();
        let send = |victim: &mut Session, step, message: &[u8]| {
            let message = Handshake {
                step,
                version: VERSION,
                attempt,
                message,
            }
            .to_bytes();
            victim.receive(now, &whole(lossy, message));
        };
        let first = maker.write(if facts.sealed { &hello } else { &[] })?;
        send(victim, 1, &first);
        let answer = victim.transmit(now, &mut Nothing)?;
        let answer = if lossy {
            match Packet::read(&answer) {
                Ok(Packet::Handshake(heard)) => maker.read(heard.message),
                _ => None,
            }
        } else {
            let heard = Handshake::read(answer.get(2..)?).ok()?;
            maker.read(heard.message)
        };
        answer?;
        if !facts.sealed {
            let third = maker.write(&hello)?;
            send(victim, 3, &third);
        }
        Some(Self {
            lossy,
            seal: maker.finish()?.seal,
            sent: 0,
        })
    }

    /// One PDU with these frames, however long it gets.
    pub fn say(&mut self, frames: &[u8]) -> Vec<u8> {
        let number = self.sent;
        self.sent += 1;
        let mut pdu = Vec::new();
        if self.lossy {
            packet::put_number(&mut pdu, number, number.saturating_sub(1));
        }
        self.seal.seal(number, frames, &mut pdu);
        if self.lossy { pdu } else { whole(false, pdu) }
    }

    /// The frames of a packet of the victim's, on a link that may lose.
    #[must_use]
    pub fn hear(&self, pdu: &[u8]) -> Option<Vec<u8>> {
        let Ok(Packet::Data { number, sealed, .. }) = Packet::read(pdu) else {
            return None;
        };
        let mut room = Vec::new();
        let plain = self.seal.open(u64::from(number), sealed, &mut room)?;
        Some(plain.to_vec())
    }
}

fn whole(lossy: bool, message: Vec<u8>) -> Vec<u8> {
    if lossy {
        return packet::with_checksum(message);
    }
    let mut record = (message.len() as u16).to_be_bytes().to_vec();
    record.extend_from_slice(&message);
    record
}
