//! One node of a replay: its depot, its keys, and what it has of messages that were cut.

use std::collections::BTreeMap;

use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::{LinkId, NodeKey};
use packmule_bus::depot::{Depot, DepotConfig, Policy, Quotas};
use packmule_bus::label::DidTag;
use packmule_bus::time::Time;

use super::TraceConfig;

/// A node.
pub(super) struct Person {
    pub(super) depot: Depot,
    pub(super) key: NodeKey,
    pub(super) tag: DidTag,
    pub(super) did: String,
    /// It sends or receives.
    pub(super) busy: bool,
    /// Whom it can talk to, and over which link.
    pub(super) near: BTreeMap<u32, LinkId>,
    /// What came of messages before a contact ended, in bytes.
    pub(super) partials: BTreeMap<u32, u64>,
    /// When its depot is woken next.
    pub(super) wakes: Option<Time>,
}

impl Person {
    pub(super) fn new(n: u32, seed: u64, config: &TraceConfig) -> Self {
        let did = format!("did:example:{n}");
        let tag = DidTag::of(&did);
        let mut key = [0; 32];
        key[..4].copy_from_slice(&n.to_be_bytes());
        let mut dice = key;
        dice[8..16].copy_from_slice(&seed.to_be_bytes());
        let defaults = DepotConfig::default();
        let mut depot = Depot::new(
            DepotConfig {
                quotas: Quotas {
                    total_bytes: config.buffer,
                    strangers_bytes: config.buffer,
                    per_stranger_bytes: config.buffer,
                    max_message: config.buffer,
                    ..Quotas::default()
                },
                policy: Policy {
                    copies: config.copies,
                    hops: config.hops,
                    lifetime_s: config.lasts_s,
                    full: config.full,
                    ..Policy::default()
                },
                // Nobody holds a copy for longer than this after the receipt was signed.
                receipts_s: config.lasts_s.min(defaults.receipts_s),
                ..defaults
            },
            dice,
        );
        depot.identity(vec![tag]);
        Self {
            depot,
            key: NodeKey(key),
            tag,
            did,
            busy: false,
            near: BTreeMap::new(),
            partials: BTreeMap::new(),
            wakes: None,
        }
    }
}

/// The id of the message with this number.
pub(super) fn id_of(number: u32) -> EnvelopeId {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    EnvelopeId::from_bytes(bytes)
}
