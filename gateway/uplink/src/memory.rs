//! What is remembered of a mediator over a restart.
//!
//! What is it: a note in the home for each upstream. Who calls it: the keeper, at its beginning
//! and when something was learnt. What can go wrong: the disk; then it is learnt anew. A note
//! that cannot be read counts as none.

use packmule_agent::protocol::{mediation, pickup};
use packmule_node::{Change, Node};
use serde::{Deserialize, Serialize};

/// The topic of notes on upstreams, by their DIDs as configured.
const TOPIC: &str = "upstream";

/// What was learnt of a mediator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Memory {
    /// The DID that it goes by now; it proved that (`from_prior`).
    pub(crate) moved: Option<String>,
    /// It speaks coordinate-mediation 2.0 and not 3.0.
    pub(crate) mediation_2: bool,
    /// It speaks message pickup 4.0.
    pub(crate) pickup_4: bool,
    /// It refuses messages with a `return_route`, and answers on the same connection anyway.
    pub(crate) quiet: bool,
    /// It was asked what it speaks.
    pub(crate) asked: bool,
    /// It was told to hold messages for us, beside granting it.
    pub(crate) told: bool,
    /// It was told to hold messages for others than us.
    pub(crate) registered: bool,
    /// What to publish as a service endpoint, as it granted.
    pub(crate) routing: Vec<String>,
}

impl Memory {
    pub(crate) fn mediation(&self) -> mediation::Version {
        if self.mediation_2 {
            mediation::Version::V2
        } else {
            mediation::Version::V3
        }
    }

    pub(crate) fn pickup(&self) -> pickup::Version {
        if self.pickup_4 {
            pickup::Version::V4
        } else {
            pickup::Version::V3
        }
    }

    /// What is known of the mediator that was configured with this DID.
    pub(crate) async fn recall(node: &Node, did: &str) -> Self {
        let (node, did) = (node.clone(), did.to_owned());
        let note = tokio::task::spawn_blocking(move || node.desk().home().note(TOPIC, &did));
        let note = note.await.ok().and_then(Result::ok).flatten();
        let read = note.and_then(|note| serde_json::from_str(&note).ok());
        read.unwrap_or_default()
    }

    /// Keeps it. What is not kept is learnt again.
    pub(crate) async fn keep(&self, node: &Node, did: &str) {
        let Ok(note) = serde_json::to_string(self) else {
            return;
        };
        let (node, key) = (node.clone(), did.to_owned());
        let change = Change::Note {
            topic: TOPIC.to_owned(),
            key,
            value: Some(note),
        };
        let _ = tokio::task::spawn_blocking(move || node.desk().home().apply(&[change])).await;
    }
}
