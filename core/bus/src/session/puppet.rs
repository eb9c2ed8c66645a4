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

/// A dialler that has said its first word and waits for the answer.
#[doc(hidden)]
pub struct Knock {
    lossy: bool,
    maker: Maker,
    /// What it says of itself in its third message, on links that need the cipher.
    hello: Option<Vec<u8>>,
}

/// Both ends say the same number of the attempt, and whoever dials chooses it.
const ATTEMPT: u32 = 7;

impl Knock {
    /// Takes the listener's answer: the puppet, and the PDU that completes the handshake where
    /// one is needed. `None` if that was no answer.
    #[must_use]
    pub fn answered(mut self, pdu: &[u8]) -> Option<(Puppet, Option<Vec<u8>>)> {
        if self.lossy {
            match Packet::read(pdu) {
                Ok(Packet::Handshake(heard)) => self.maker.read(heard.message)?,
                _ => return None,
            }
        } else {
            let heard = Handshake::read(pdu.get(2..)?).ok()?;
            self.maker.read(heard.message)?
        };
        let third = match &self.hello {
            Some(hello) => Some(step(self.lossy, 3, &self.maker.write(hello)?)),
            None => None,
        };
        let puppet = Puppet {
            lossy: self.lossy,
            seal: self.maker.finish()?.seal,
            sent: 0,
        };
        Some((puppet, third))
    }
}

impl Puppet {
    /// The first PDU to a listener with the same facts whose MTU takes a handshake in one PDU.
    /// `None` if the hello is too long for one.
    #[must_use]
    pub fn knock(facts: LinkFacts, seed: [u8; 32], hello: &Hello) -> Option<(Knock, Vec<u8>)> {
        let lossy = !(facts.reliable && facts.ordered);
        let mut prologue = b"packmule session".to_vec();
        prologue.extend_from_slice(&[VERSION, u8::from(lossy)]);
        prologue.extend_from_slice(&u32::to_be_bytes(ATTEMPT));
        let mut dice = Dice::new(seed);
        let terms = Terms {
            role: Role::Dialer,
            cipher: !facts.sealed,
            secret: &seed,
            prologue: &prologue,
        };
        let mut maker = Maker::new(&terms, &mut dice)?;
        let hello = hello.to_bytes();
        let first = maker.write(if facts.sealed { &hello } else { &[] })?;
        let hello = (!facts.sealed).then_some(hello);
        let knock = Knock {
            lossy,
            maker,
            hello,
        };
        Some((knock, step(lossy, 1, &first)))
    }

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
        let (knock, first) = Self::knock(facts, seed, hello)?;
        victim.receive(now, &first);
        let answer = victim.transmit(now, &mut Nothing)?;
        let (puppet, third) = knock.answered(&answer)?;
        if let Some(third) = third {
            victim.receive(now, &third);
        }
        Some(puppet)
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

/// A message of the handshake as a PDU.
fn step(lossy: bool, step: u8, message: &[u8]) -> Vec<u8> {
    let message = Handshake {
        step,
        version: VERSION,
        attempt: ATTEMPT,
        message,
    };
    whole(lossy, message.to_bytes())
}

fn whole(lossy: bool, message: Vec<u8>) -> Vec<u8> {
    if lossy {
        return packet::with_checksum(message);
    }
    let mut record = (message.len() as u16).to_be_bytes().to_vec();
    record.extend_from_slice(&message);
    record
}
