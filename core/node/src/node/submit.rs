//! Messages of ours into a node: durable when the call returns.

use packmule_agent::message::Message;
use packmule_bus::bus::io::Submission;
use packmule_bus::depot::Policy;
use packmule_bus::label::{Label, Priority};
use packmule_bus::receipt::Reason;
use packmule_bus::{Envelope, EnvelopeError, EnvelopeId};
use tokio::sync::oneshot;

use super::Node;
use crate::desk::address::tag_of;
use crate::desk::{self, Protection};
use crate::driver::Command;
use crate::home::now;
use crate::outbox::OwnRow;
use crate::{HomeError, OutRecord};

/// How a message goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submit {
    /// Posix seconds after which nobody carries it any more.
    pub expires: Option<u64>,
    /// What goes first when a link is short.
    pub priority: Priority,
    /// Only by these transports, in this order; none: by whatever works.
    pub by: Vec<String>,
    /// To somebody who is no peer: whether the endpoints that the DID names are asked. None: as
    /// [`super::NodeConfig::seek`] says, which also decides after a restart.
    pub seek: Option<bool>,
    /// Under which name the outbox lists it; none: under the message's id, or the envelope's.
    pub name: Option<String>,
}

/// Why a message was not taken on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The bytes are no packed message.
    #[error("not a packed message: {0}")]
    NotAMessage(#[from] EnvelopeError),
    /// Neither a peer's name nor a DID.
    #[error("no peer {0:?}; `packmule peers` lists them")]
    UnknownPeer(String),
    /// It could not be packed for that peer.
    #[error(transparent)]
    Pack(#[from] desk::SubmitError),
    /// The bus would not.
    #[error("not taken on: {0}")]
    NotTaken(Reason),
    /// The disk.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The node has ended. Whether the message was taken on shows in the outbox.
    #[error("the node has ended")]
    Ended,
}

/// A message that the bus has heard of and the disk perhaps not yet.
struct Begun(oneshot::Receiver<Result<EnvelopeId, Reason>>);

impl Begun {
    async fn outcome(self) -> Result<EnvelopeId, SubmitError> {
        match self.0.await {
            Ok(outcome) => outcome.map_err(SubmitError::NotTaken),
            Err(_) => Err(SubmitError::Ended),
        }
    }
}

impl Node {
    /// Takes on a packed message for a peer's name or a DID. It is durable when this returns.
    ///
    /// # Errors
    /// [`SubmitError`]: nothing was taken on.
    pub async fn submit(
        &self,
        packed: Vec<u8>,
        to: &str,
        options: Submit,
    ) -> Result<EnvelopeId, SubmitError> {
        self.begin(packed, to, options).await?.outcome().await
    }

    /// Takes on many packed messages, which share what it costs to make them durable: each with
    /// its outcome, in their order.
    pub async fn submit_all(
        &self,
        letters: Vec<(Vec<u8>, String, Submit)>,
    ) -> Vec<Result<EnvelopeId, SubmitError>> {
        let mut begun = Vec::with_capacity(letters.len());
        for (packed, to, options) in letters {
            begun.push(self.begin(packed, &to, options).await);
        }
        let mut outcomes = Vec::with_capacity(begun.len());
        for one in begun {
            outcomes.push(match one {
                Ok(begun) => begun.outcome().await,
                Err(error) => Err(error),
            });
        }
        outcomes
    }

    async fn begin(
        &self,
        packed: Vec<u8>,
        to: &str,
        options: Submit,
    ) -> Result<Begun, SubmitError> {
        let record = OutRecord {
            packed,
            peer: self.did_of(to).await?,
            created: now(),
            expires: options.expires,
            by: options.by,
            priority: options.priority,
            message_id: options.name.unwrap_or_default(),
        };
        self.take_on(record, options.seek).await
    }

    /// Packs a message for a peer (its name or DID), encrypted and authenticated, and takes it
    /// on: one envelope for each of the peer's kinds of keys. Durable when this returns.
    ///
    /// # Errors
    /// [`SubmitError`]: not all of it was taken on.
    pub async fn send(
        &self,
        peer: &str,
        message: Message,
        options: Submit,
    ) -> Result<Vec<EnvelopeId>, SubmitError> {
        let did = self.did_of(peer).await?;
        let desk = std::sync::Arc::clone(&self.inner.desk);
        let packing =
            tokio::task::spawn_blocking(move || desk.records(&did, message, Protection::Auth));
        let records = packing.await.map_err(|_| SubmitError::Ended)??;
        let mut ids = Vec::new();
        for record in records {
            let record = OutRecord {
                expires: options.expires.or(record.expires),
                by: options.by.clone(),
                priority: options.priority,
                ..record
            };
            ids.push(self.take_on(record, options.seek).await?.outcome().await?);
        }
        Ok(ids)
    }

    async fn take_on(&self, record: OutRecord, seek: Option<bool>) -> Result<Begun, SubmitError> {
        let envelope = Envelope::from_packed(&record.packed)?;
        let id = envelope.id();
        let message_id = match record.message_id {
            known if !known.is_empty() => known,
            _ => id.to_string(),
        };
        let Policy { hops, copies, .. } = self.inner.depot.policy;
        let label = Label {
            to: tag_of(&record.peer),
            expires: record.expires,
            priority: record.priority,
            hops,
            copies,
        };
        let submission = Submission::of(&envelope, label, record.by);
        let row = OwnRow {
            id,
            message_id,
            bytes: record.packed.len() as u64,
            peer: record.peer,
            created: record.created,
            expires: record.expires,
        };
        let (answer, answered) = oneshot::channel();
        let command = Command::Submit {
            submission: Box::new(submission),
            row,
            seek,
            answer,
        };
        let sent = self.inner.submits.send(command).await;
        sent.map_err(|_| SubmitError::Ended)?;
        Ok(Begun(answered))
    }

    /// A DID is taken as it is; a name is looked up.
    async fn did_of(&self, to: &str) -> Result<String, SubmitError> {
        if to.starts_with("did:") {
            return Ok(to.to_owned());
        }
        let name = to.to_owned();
        let peer = self
            .with_desk(move |desk| desk.home().find_peer(&name))
            .await?;
        let unknown = || SubmitError::UnknownPeer(to.to_owned());
        Ok(peer.ok_or_else(unknown)?.did)
    }
}
