//! Who lives in the world: a bus, a disk, an agent; and what they write and sign.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use packmule_bus::bus::io::{BatchId, Event, HeldState, Key, Op, Record, Submission};
use packmule_bus::bus::{Bus, Config};
use packmule_bus::label::{DidTag, Label, Priority};
use packmule_bus::link::Way;
use packmule_bus::receipt::{Reason, Receipt};
use packmule_bus::{Envelope, EnvelopeId};
use sha2::{Digest, Sha256};

use crate::world::DAWN;

/// What is on a disk.
#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) records: BTreeMap<Key, Record>,
    pub(crate) bodies: BTreeMap<EnvelopeId, Vec<u8>>,
    /// It refuses whatever needs room.
    pub(crate) full: bool,
    /// It answers, but only when asked to.
    pub(crate) slow: bool,
    pub(crate) pending: VecDeque<(BatchId, Vec<Op>)>,
}

impl Disk {
    pub(crate) fn apply(&mut self, ops: Vec<Op>) {
        for op in ops {
            match op {
                Op::Put(record) => {
                    self.records.insert(record.key(), record);
                }
                Op::Drop(key) => {
                    if let Key::Held(id) | Key::Inbox(id) = &key {
                        self.bodies.remove(id);
                    }
                    self.records.remove(&key);
                }
                Op::Body(id, wire) => {
                    self.bodies.insert(id, wire);
                }
                other => panic!("an operation that this disk does not know: {other:?}"),
            }
        }
    }

    /// Every message that is held or for the agent has its body, and no body is left over.
    pub(crate) fn check(&self) {
        let with_body = self.records.values().filter_map(|record| match record {
            Record::Held(held) if held.state != HeldState::Delivered => Some(held.id),
            Record::Inbox(arrived) => Some(arrived.id),
            _ => None,
        });
        let with_body: BTreeSet<EnvelopeId> = with_body.collect();
        let bodies: BTreeSet<EnvelopeId> = self.bodies.keys().copied().collect();
        assert_eq!(with_body, bodies, "records and bodies differ");
    }
}

/// One party: a bus, a disk, an agent that keeps what it opens.
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) bus: Option<Bus>,
    pub(crate) disk: Disk,
    /// What the agent has opened, durably, and how often it was told of it in this life.
    pub(crate) kept: BTreeSet<EnvelopeId>,
    pub(crate) told: BTreeMap<EnvelopeId, usize>,
    /// All events of all lives.
    pub(crate) events: Vec<Event>,
    /// Everything that came out, if it is recorded.
    pub(crate) log: Vec<String>,
    pub(crate) settled: Vec<u64>,
    pub(crate) unsettled: Vec<u64>,
    pub(crate) dialled: Vec<Way>,
    pub(crate) delivered: Vec<(EnvelopeId, Way)>,
    /// Verdict of the agent on everything that comes.
    pub(crate) rejects: bool,
    /// It does not acknowledge at all.
    pub(crate) silent_agent: bool,
    /// The DID it claims, with its own signature.
    pub(crate) claims_to_be: Option<String>,
    pub(crate) life: u8,
    pub(crate) outputs: usize,
    pub(crate) setup: fn(&mut Config),
}

impl Node {
    pub(crate) fn new(name: &'static str, setup: fn(&mut Config)) -> Self {
        Self {
            name,
            bus: None,
            disk: Disk::default(),
            kept: BTreeSet::new(),
            told: BTreeMap::new(),
            events: Vec::new(),
            log: Vec::new(),
            settled: Vec::new(),
            unsettled: Vec::new(),
            dialled: Vec::new(),
            delivered: Vec::new(),
            rejects: false,
            silent_agent: false,
            claims_to_be: None,
            life: 0,
            outputs: 0,
            setup,
        }
    }

    pub(crate) fn did(&self) -> String {
        format!("did:example:{}", self.name)
    }

    pub(crate) fn tag(&self) -> DidTag {
        DidTag::of(&self.did())
    }
}

/// A message: bytes that do not shrink, from its number.
pub(crate) fn message(number: u32, bytes: usize, to: DidTag) -> (EnvelopeId, Submission) {
    let mut text = Vec::with_capacity(bytes + 32);
    let mut block = 0_u32;
    while text.len() < bytes {
        let mut hash = Sha256::new();
        hash.update(number.to_be_bytes());
        hash.update(block.to_be_bytes());
        text.extend_from_slice(&hash.finalize());
        block += 1;
    }
    text.truncate(bytes.max(1));
    let envelope = Envelope::from_packed(&text).expect("a message");
    let label = Label {
        to,
        expires: Some(DAWN + 86_400),
        priority: Priority::Normal,
        hops: 8,
        copies: 6,
    };
    let id = envelope.id();
    (id, Submission::of(&envelope, label, Vec::new()))
}

/// A signature that only this world believes.
pub(crate) fn sign(did: &str, statement: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(b"key of ");
    hash.update(did.as_bytes());
    hash.update(statement);
    hash.finalize().to_vec()
}

/// A receipt as this DID signs it.
pub(crate) fn receipt(
    did: &str,
    ids: Vec<EnvelopeId>,
    refused: Option<Reason>,
    at: u64,
) -> Receipt {
    let mut receipt = Receipt {
        ids,
        refused,
        at,
        did: did.to_owned(),
        kid: format!("{did}#1"),
        signature: Vec::new(),
    };
    receipt.signature = sign(did, &receipt.statement());
    receipt
}
