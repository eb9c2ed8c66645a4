//! Whom a mediator serves, and how far.
//!
//! Called by the gateway's configuration. What can go wrong: nothing here.

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use packmule_agent::protocol::discover_features::{self, Feature};

use super::Via;
use crate::store::canonical;

/// Who may have an account.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Admits {
    /// Whoever asks.
    #[default]
    Everyone,
    /// These DIDs, each in its [`canonical`] spelling.
    Only(BTreeSet<String>),
}

/// Whom a mediator serves, and how far.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Policy {
    /// Who may have an account.
    pub admits: Admits,
    /// Who may not, in any case; [`canonical`].
    pub denied: BTreeSet<String>,
    /// How many accounts may be opened in an hour by who has one name for the quota of those who do
    /// not say who they are ([`Visit::from`](super::Visit::from)). 0: any number.
    pub new_accounts: u32,
    /// Whether messages for others are handed on to be carried.
    pub carries_strays: bool,
    /// How long a message is held that does not say when it ends. 7 days, as elsewhere.
    pub keep_for: Duration,
    /// How old a message may be that asks for a change, as long as others are known to the guard
    /// against replays. A day. What was carried here may be as old as what is held.
    pub fresh_for: Duration,
    /// The longest pause that a forward may ask for. A day.
    pub max_delay: Duration,
    /// Most messages of one delivery. 100, as elsewhere.
    pub page_messages: u32,
    /// Most bytes of one delivery's plaintext: 190,000. Python's JOSE libraries refuse a JWE of
    /// more than 256,000 characters. A single message may be longer.
    pub page_bytes: u64,
    /// Problem reports to one sender in ten minutes. 20.
    pub max_errors: u32,
    /// What is told to whoever asks.
    pub features: Vec<Feature>,
}

impl Default for Policy {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            admits: Admits::Everyone,
            denied: BTreeSet::new(),
            new_accounts: 0,
            carries_strays: false,
            keep_for: DAY * 7,
            fresh_for: DAY,
            max_delay: DAY,
            page_messages: 100,
            page_bytes: 190_000,
            max_errors: 20,
            features: discover_features::ours_as_mediator(),
        }
    }
}

impl Policy {
    /// The same, telling how long a message may be that is sent here.
    #[must_use]
    pub fn with_max_receive_bytes(mut self, bytes: u64) -> Self {
        self.features.push(Feature::max_receive_bytes(bytes));
        self
    }

    /// How old a message may be that asks for a change and came by this door.
    pub(super) fn fresh_for(&self, via: Via) -> Duration {
        match via {
            Via::Bus | Via::Uplink => self.fresh_for.max(self.keep_for),
            _ => self.fresh_for,
        }
    }

    /// Whether this DID may have an account.
    #[must_use]
    pub fn admits(&self, did: &str) -> bool {
        let did = canonical(did);
        let invited = match &self.admits {
            Admits::Everyone => true,
            Admits::Only(list) => list.contains(did),
        };
        invited && !self.denied.contains(did)
    }
}

/// A number that nobody can foresee, for pauses and for the order of what is told. The standard
/// library seeds every hasher from the system.
pub(super) fn draw() -> u64 {
    RandomState::new().build_hasher().finish()
}
