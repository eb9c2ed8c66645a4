//! Submitting a message: build → pack → queue.
//!
//! Who calls it: `send`, `accept`, automatic answers, the node's `send`. What can go wrong: no
//! key of the peer fits ours, a full disk. "Queued" means that it is on the disk.

use packmule_agent::did::short_form;
use packmule_agent::message::Message;
use packmule_agent::pack::{Jose, PackError, PackPlan, Packer};
use packmule_bus::EnvelopeId;
use packmule_bus::label::Priority;

use super::Desk;
use crate::home::now;
use crate::{HomeError, OutRecord, PeerRecord, QueueError};

/// How a message is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Encrypted, and the recipient knows from whom.
    Auth,
    /// Encrypted, from nobody.
    Anon,
    /// Signed, then encrypted: the recipient can prove to others who wrote it. The signature
    /// authenticates; the spec (message layer) advises against authcrypt around it.
    Signed,
}

/// By which channels a message goes, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dispatch {
    /// Only by these transports; empty: whatever works.
    pub by: Vec<String>,
    /// What goes first when a link is short.
    pub priority: Priority,
}

/// What was queued.
#[derive(Debug)]
#[non_exhaustive]
pub struct Queued {
    /// The message's id.
    pub message_id: String,
    /// Its envelopes: one for each DID it is for.
    pub envelopes: Vec<EnvelopeId>,
    /// Bytes of the packed messages.
    pub bytes: usize,
}

/// Why nothing was queued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// It could not be packed for that peer.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The outbox did not take it.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The disk.
    #[error(transparent)]
    Home(#[from] HomeError),
}

/// The topic of notes on which peers (by their DIDs) have written to us under our DID, and proved
/// that it was them: they know our document.
pub(super) const KNOWS_US: &str = "knows-us";

impl Desk {
    /// Packs a message for a peer and queues it.
    pub fn submit(
        &self,
        peer: &PeerRecord,
        message: Message,
        how: Protection,
    ) -> Result<Queued, SubmitError> {
        self.submit_by(peer, message, how, &Dispatch::default())
    }

    /// The same, to go by some channels only, or before others.
    pub fn submit_by(
        &self,
        peer: &PeerRecord,
        message: Message,
        how: Protection,
        dispatch: &Dispatch,
    ) -> Result<Queued, SubmitError> {
        let mut records = self.records(&peer.did, message, how)?;
        for record in &mut records {
            record.by.clone_from(&dispatch.by);
            record.priority = dispatch.priority;
        }
        let envelopes = self.home.queue_all(&records)?;
        Ok(Queued {
            message_id: records
                .first()
                .map(|r| r.message_id.clone())
                .unwrap_or_default(),
            envelopes,
            bytes: records.iter().map(|record| record.packed.len()).sum(),
        })
    }

    /// Packs a message for a DID into records for the outbox, which are not queued yet.
    pub fn records(
        &self,
        to: &str,
        mut message: Message,
        how: Protection,
    ) -> Result<Vec<OutRecord>, SubmitError> {
        let now = now();
        let (own, addressed) = self.forms(to)?;
        message.to = vec![addressed.clone()];
        message.from = (how != Protection::Anon).then(|| own.clone());
        message.created_time.get_or_insert(now);
        let plan = PackPlan {
            to: vec![addressed],
            from: (how == Protection::Auth).then(|| own.clone()),
            sign: (how == Protection::Signed).then(|| own.clone()),
            ..PackPlan::default()
        };
        let packed = Jose.pack(&message.to_json(), &plan, &self.keys, &self.book().docs)?;
        Ok(packed
            .into_iter()
            .map(|packed| OutRecord {
                packed,
                peer: to.to_owned(),
                message_id: message.id.clone(),
                created: now,
                expires: message.expires_time,
                ..OutRecord::default()
            })
            .collect())
    }

    /// Our DID and the peer's, as they go into a message. The did:peer:4 specification wants long
    /// forms until the other side has shown that it knows them, and short ones afterwards.
    fn forms(&self, to: &str) -> Result<(String, String), HomeError> {
        let own = self.did();
        let (short_own, short_to) = (short_form(own), short_form(to));
        // Other DIDs have one form: nothing to look up.
        let known =
            (short_own.is_some() || short_to.is_some()) && self.home.note(KNOWS_US, to)?.is_some();
        let form =
            |did: &str, short: Option<&str>| short.filter(|_| known).unwrap_or(did).to_owned();
        Ok((form(own, short_own), form(to, short_to)))
    }
}
