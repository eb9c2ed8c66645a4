//! Mallory at one link: values from the fuzzer, written as the session's specification wants them.

use std::collections::BTreeMap;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::{LinkId, NodeKey};
use packmule_bus::label::{DidTag, Label, Priority};
use packmule_bus::link::LinkFacts;
use packmule_bus::pdu::control::Control;
use packmule_bus::pdu::frame::{Frame, Frames, put_ack, put_control, put_segment};
use packmule_bus::pdu::hello::Hello;
use packmule_bus::pdu::packet::Packet;
use packmule_bus::ranges::Ranges;
use packmule_bus::receipt::Reason;
use packmule_bus::session::{Limits, Offer, Puppet};
use packmule_sim::keys::Signer;

use super::victim::{MALLORY, Said, Victim, claim, letter, name, tag};

pub struct Mallory {
    link: LinkId,
    puppet: Option<Puppet>,
    lossy: bool,
    /// Where its control stream stands; whether it has ever been anything but one whole stream.
    at: u64,
    muddled: bool,
    /// Its offers in their order: what a handle of the kiosk's answers means.
    offered: Vec<Offered>,
    heard: Ranges,
    /// The kiosk's control stream: pieces, and how much of it was read.
    pieces: BTreeMap<u64, Vec<u8>>,
    stream: Vec<u8>,
}

/// A letter that was offered: by this name and number, for this one.
struct Offered {
    id: EnvelopeId,
    n: u8,
    to: DidTag,
}

impl Mallory {
    /// A link, and a handshake on it.
    pub fn meet(u: &mut Unstructured<'_>, kiosk: &mut Victim) -> Result<Self> {
        let kind: u8 = u.arbitrary()?;
        let lossy = kind & 1 == 0;
        let facts = LinkFacts {
            mtu: if kind & 2 == 0 { 300 } else { 1_200 },
            ordered: !lossy,
            reliable: !lossy,
            half_duplex: kind & 4 != 0,
            sealed: kind & 8 != 0,
            rate: (kind & 16 != 0).then_some(20_000),
        };
        let limits = Limits {
            max_bytes: 1 << u.int_in_range(6..=30)?,
            offers: u.int_in_range(1..=64)?,
            parallel: u.int_in_range(1..=8)?,
        };
        let hello = Hello {
            features: 0,
            epoch: u.int_in_range(1..=2)?,
            instance: [u.int_in_range(1..=2)?; 16],
            limits,
            // Where no cipher proves a key, none is met without its word.
            node: (facts.sealed || kind & 32 != 0).then_some(NodeKey([4; 32])),
        };
        let link = kiosk.link_up(facts);
        let mut mallory = Self {
            link,
            puppet: None,
            lossy,
            at: 0,
            muddled: false,
            offered: Vec::new(),
            heard: Ranges::default(),
            pieces: BTreeMap::new(),
            stream: Vec::new(),
        };
        let Some((knock, first)) = Puppet::knock(facts, [5; 32], &hello) else {
            return Ok(mallory);
        };
        kiosk.said.retain(|said| said.link != link);
        kiosk.pdu(link, first);
        let answer = kiosk.said.iter().position(|said| said.link == link);
        let answer = answer.and_then(|at| kiosk.said.remove(at));
        let met = answer.and_then(|said| knock.answered(&said.pdu));
        let (puppet, third) = met.unwrap_or_else(|| panic!("no handshake on {facts:?}, {hello:?}"));
        if let Some(third) = third {
            kiosk.pdu(link, third);
        }
        mallory.puppet = Some(puppet);
        Ok(mallory)
    }

    pub fn leave(&mut self, kiosk: &mut Victim) {
        kiosk.link_down(self.link);
    }

    /// One PDU of one to four frames, or of something that happened on the way.
    pub fn speak(&mut self, u: &mut Unstructured<'_>, kiosk: &mut Victim) -> Result<()> {
        let mut frames = Vec::new();
        for _ in 0..u.int_in_range(1..=4)? {
            self.frame(u, kiosk, &mut frames)?;
        }
        let Some(puppet) = &mut self.puppet else {
            return Ok(());
        };
        let mut pdu = puppet.say(&frames);
        match u.int_in_range(0..=15)? {
            // Lost, twice, flipped, cut: on a link that may do so, else mallory did it.
            0 => {
                self.muddled = true;
                return Ok(());
            }
            1 => kiosk.pdu(self.link, pdu.clone()),
            2 => {
                self.muddled = true;
                let at = u.choose_index(pdu.len())?;
                pdu[at] ^= 1 << u.int_in_range(0..=7)?;
            }
            3 => {
                self.muddled = true;
                pdu.truncate(u.choose_index(pdu.len())?);
            }
            _ => {}
        }
        kiosk.pdu(self.link, pdu);
        kiosk.room(self.link, 8);
        Ok(())
    }

    fn frame(&mut self, u: &mut Unstructured<'_>, kiosk: &Victim, out: &mut Vec<u8>) -> Result<()> {
        match u.int_in_range(0..=7)? {
            0 => out.push(1),
            1 => {
                let mut packets = self.heard.clone();
                if u.ratio(1, 4)? {
                    let from: u64 = u.int_in_range(0..=200)?;
                    packets = Ranges::of(from..from + u.int_in_range(1..=50)?);
                }
                if !packets.is_empty() && self.lossy {
                    put_ack(out, &packets, u.int_in_range(0..=100_000)?, 200);
                }
            }
            2 | 3 => {
                let handle = u.int_in_range(0..=8)?;
                let n = usize::try_from(handle)
                    .ok()
                    .and_then(|at| self.offered.get(at));
                let (_, wire) = letter(n.map_or(0, |offered| offered.n));
                let from = u.choose_index(wire.len())?;
                let to = (from + u.int_in_range(1..=1_000)?).min(wire.len());
                let (from, to) = if u.ratio(1, 2)? {
                    (0, wire.len().min(900))
                } else {
                    (from, to)
                };
                let mut bytes = wire[from..to].to_vec();
                if u.ratio(1, 16)? {
                    bytes[0] ^= 1;
                }
                let offset = if u.ratio(1, 32)? {
                    u.arbitrary()?
                } else {
                    from as u64
                };
                put_segment(out, handle, offset, &bytes, true);
            }
            _ => {
                let control = self.control(u, kiosk)?;
                if let Control::Offers(offers) = &control {
                    let numbered = offers.iter().map(|offer| {
                        let n = (0..8).find(|n| letter(*n).0 == offer.id);
                        Offered {
                            id: offer.id,
                            n: n.unwrap_or(0),
                            to: offer.label.to,
                        }
                    });
                    self.offered.extend(numbered);
                }
                let mut bytes = Vec::new();
                control.write(&mut bytes);
                if u.ratio(1, 32)? {
                    self.muddled = true;
                    self.at += u.int_in_range(1..=10)?;
                }
                put_control(out, self.at, &bytes, true);
                self.at += bytes.len() as u64;
            }
        }
        Ok(())
    }

    fn control(&self, u: &mut Unstructured<'_>, kiosk: &Victim) -> Result<Control> {
        let handle = u.int_in_range(0..=8)?;
        Ok(match u.int_in_range(0..=11)? {
            0..=3 => {
                let count = u.int_in_range(1..=3)?;
                Control::Offers((0..count).map(|_| offer(u, kiosk)).collect::<Result<_>>()?)
            }
            4 => Control::Want {
                handle,
                missing: if u.arbitrary()? {
                    Ranges::default()
                } else {
                    ranges(u)?
                },
                again: if u.arbitrary()? {
                    Ranges::default()
                } else {
                    ranges(u)?
                },
            },
            5 => Control::Have(handles(u)?),
            6 => Control::Refuse(vec![(
                handle,
                Reason::from_byte(u.int_in_range(1..=11)?).unwrap_or(Reason::Policy),
            )]),
            7 => Control::Custody(handles(u)?),
            8 => Control::Withdraw(handles(u)?),
            9 => {
                let ids = (0..u.int_in_range(1..=3)?).map(|_| Ok(letter(u.arbitrary()?).0));
                let mut ids: Vec<EnvelopeId> = ids.collect::<Result<_>>()?;
                ids.sort_unstable();
                ids.dedup();
                let refused = Reason::from_byte(u.arbitrary()?);
                let mut receipt = Signer::of("mallory", 1).receipt(ids, refused, kiosk.wall());
                if u.arbitrary()? {
                    receipt.did = "did:sim:alice".to_owned();
                }
                Control::Receipts(vec![receipt])
            }
            10 => {
                let hash = kiosk.hashes.last().copied().unwrap_or([0; 32]);
                let did = *u.choose(&["did:sim:mallory", "did:sim:alice", "did:sim:kiosk", ""])?;
                Control::Claims(vec![claim(&hash, did)])
            }
            _ if u.ratio(1, 8)? => Control::Bye,
            _ => Control::Have(Vec::new()),
        })
    }

    /// What the kiosk answered: custody only of what was durable when it said so.
    pub fn listen(&mut self, kiosk: &mut Victim) {
        while let Some(said) = kiosk.said.pop_front() {
            let Said { link, pdu, .. } = &said;
            if *link != self.link || !self.lossy {
                continue;
            }
            if let Ok(Packet::Data { number, .. }) = Packet::read(pdu) {
                let number = u64::from(number);
                self.heard.insert(number..number + 1);
            }
            let Some(frames) = self.puppet.as_ref().and_then(|puppet| puppet.hear(pdu)) else {
                continue;
            };
            for frame in Frames::new(&frames) {
                if let Frame::Control { offset, bytes } = frame.expect("what it says can be read") {
                    self.pieces.insert(offset, bytes.to_vec());
                }
            }
            self.read(&said);
        }
    }

    fn read(&mut self, said: &Said) {
        while let Some((at, piece)) = self.pieces.pop_first() {
            let held = self.stream.len() as u64;
            if at > held {
                self.pieces.insert(at, piece);
                break;
            }
            let known = usize::try_from(held - at).unwrap_or(usize::MAX);
            self.stream.extend(piece.get(known..).unwrap_or_default());
        }
        let mut rest = self.stream.as_slice();
        while let Some((control, length)) = Control::read(rest).expect("its stream can be read") {
            rest = &rest[length..];
            let (Control::Custody(handles) | Control::Have(handles)) = control else {
                continue;
            };
            for handle in handles {
                let offer = usize::try_from(handle)
                    .ok()
                    .and_then(|at| self.offered.get(at));
                let Offered { id, to, .. } = offer.expect("it answers what was offered");
                // What its recipient has signed for is on the disk there, or refused.
                let signed = *to == tag(MALLORY) && said.signed.contains(id);
                assert!(
                    self.muddled || signed || said.durable.contains(id),
                    "{id} was not durable yet"
                );
            }
        }
    }
}

fn offer(u: &mut Unstructured<'_>, kiosk: &Victim) -> Result<Offer> {
    let &(id, ref wire) = letter(u.arbitrary()?);
    let honest = u.ratio(7, 8)?;
    Ok(Offer {
        id,
        wire: name(wire, honest),
        bytes: if u.ratio(1, 16)? {
            u.arbitrary()?
        } else {
            wire.len() as u64
        },
        label: Label {
            to: tag(u.arbitrary()?),
            expires: if u.ratio(1, 4)? {
                Some(kiosk.wall() + u.int_in_range(0..=20)?)
            } else {
                None
            },
            priority: *u.choose(&[Priority::Bulk, Priority::Normal, Priority::Urgent])?,
            hops: u.int_in_range(0..=8)?,
            copies: u.int_in_range(0..=8)?,
        },
        age: 0,
    })
}

fn handles(u: &mut Unstructured<'_>) -> Result<Vec<u64>> {
    let bits: u8 = u.arbitrary()?;
    Ok((0..8).filter(|bit| bits >> bit & 1 == 1).collect())
}

fn ranges(u: &mut Unstructured<'_>) -> Result<Ranges> {
    let mut all = Ranges::default();
    for _ in 0..u.int_in_range(0..=4)? {
        let from: u64 = u.int_in_range(0..=2_000)?;
        all.insert(from..from + u.int_in_range(1..=500)?);
    }
    Ok(all)
}
