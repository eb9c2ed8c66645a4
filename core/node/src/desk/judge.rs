//! Opening what was accepted: kept, refused with a reason, or answered.
//!
//! Who calls it: `import`, `qr read`, `inbox`, the node's clerk. Each batch of messages is opened,
//! and all that follows from them (new peers, acknowledgements, automatic answers, refusals) lands
//! in one transaction with the fact that they were opened: a kill leads to no second answer and to
//! no missing one. Automatic answers go to peers only, so that strangers cannot fill the outbox.

mod batch;
mod bonds;

use packmule_agent::message::Message;
use packmule_agent::pack::{Jose, Limits, OpenError, Opened, Packer};
use packmule_bus::receipt::Reason;
use packmule_bus::{Envelope, EnvelopeId};

use super::{BookError, Desk, dead};
use crate::{ApplyError, HomeError};

use batch::Batch;

/// The problem code for a message that came after its `expires_time` (spec: `req.time`).
pub const EXPIRED: &str = "e.m.req.time";
/// The problem code for bytes that hold no DIDComm v2 message.
pub const NOT_A_MESSAGE: &str = "e.p.msg";
/// The problem code for a message under an id that its sender has used for another one.
pub const ID_USED_TWICE: &str = "e.p.msg.id";

/// The problem code for a message that names recipients, none of them us. Encryption would have
/// proved it; a signature alone can be forwarded to anybody.
pub const NOT_ADDRESSED: &str = "e.p.trust.not-addressed";

/// The topic of notes on peers (by their DIDs) that ended the relationship.
pub const ENDED: &str = "ended";

/// Messages opened before a transaction ends.
const BATCH: usize = 200;

/// A message that was refused.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Refusal {
    /// The envelope.
    pub id: EnvelopeId,
    /// The problem code.
    pub problem: String,
    /// The reason, for people.
    pub reason: String,
}

/// What came of opening.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Judged {
    /// Messages opened and kept.
    pub opened: usize,
    /// Messages that were here already, under another envelope.
    pub repeated: usize,
    /// Messages refused.
    pub refused: Vec<Refusal>,
    /// Peers that answered an invitation of ours.
    pub met: Vec<String>,
    /// Peers that proved a new DID of theirs.
    pub moved: Vec<String>,
    /// Peers that ended the relationship.
    pub ended: Vec<String>,
    /// Messages of ours that were acknowledged.
    pub acknowledged: usize,
    /// Automatic answers queued.
    pub answers: usize,
    /// Messages of ours that are not carried any further, because their recipient ended the
    /// relationship. A running bus must be told.
    pub withdrawn: Vec<EnvelopeId>,
    /// What the agent says of each envelope: kept, or refused with a reason. It is durable.
    pub verdicts: Vec<(EnvelopeId, Option<Reason>)>,
}

/// Why judging stopped. What landed before stays; the rest is judged next time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JudgeError {
    /// The store did not take what follows.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// A document.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The disk.
    #[error(transparent)]
    Home(#[from] HomeError),
}

impl Desk {
    /// Opens every accepted message that was not opened yet.
    pub fn judge(&self) -> Result<Judged, JudgeError> {
        self.judge_telling(&mut |_| {})
    }

    /// The same, telling after each message how many were looked at.
    pub fn judge_telling(&self, progress: &mut dyn FnMut(u64)) -> Result<Judged, JudgeError> {
        let mut judged = Judged::default();
        // Two at once would each take what the other has opened for an earlier arrival.
        let _alone = self.home.judging()?;
        self.refresh()?;
        // Twice, because order on a stick is by the second: a stranger's message may lie before
        // the one that makes it a peer. In the second round strangers are strangers.
        let mut left = false;
        for last in [false, true] {
            if last && !left {
                break;
            }
            let mut after = 0;
            loop {
                let page = self.home.unopened(after, BATCH)?;
                let Some(row) = page.last() else { break };
                after = row.seq;
                let mut batch = Batch::default();
                for row in &page {
                    batch.one(self, row, last, &mut judged)?;
                    progress(1);
                    left |= batch.left;
                    if batch.moved {
                        std::mem::take(&mut batch).land(self, &mut judged)?;
                    }
                }
                batch.land(self, &mut judged)?;
            }
        }
        judged.withdrawn = dead::withdraw_ended(&self.home)?;
        if judged.acknowledged + judged.withdrawn.len() > 0 {
            self.home.shrink()?;
        }
        Ok(judged)
    }

    /// Opens packed bytes with our keys. The error is the problem code and the reason.
    pub fn open(&self, packed: &[u8]) -> Result<Letter, (String, String)> {
        let limits = Limits::default();
        letter_of(Jose.open(packed, &self.keys, &self.book().docs, &limits))
    }

    /// The same for an envelope.
    fn open_envelope(&self, envelope: &Envelope) -> Result<Letter, (String, String)> {
        let Some((packed, ciphertext)) = envelope.to_json_apart() else {
            return self.open(&envelope.to_json());
        };
        let (limits, book) = (Limits::default(), self.book());
        letter_of(Jose.open_apart(&packed, ciphertext, &self.keys, &book.docs, &limits))
    }
}

fn letter_of(opened: Result<Opened, OpenError>) -> Result<Letter, (String, String)> {
    let mut opened = opened.map_err(|err| (err.problem().to_owned(), err.to_string()))?;
    let message = Message::from_value(std::mem::take(&mut opened.message))
        .map_err(|err| (NOT_A_MESSAGE.to_owned(), err.to_string()))?;
    let sender = sender_of(&opened);
    Ok(Letter {
        opened,
        message,
        sender,
    })
}

/// A message that opened and parsed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Letter {
    /// The layers, and who they prove; its parsed message has moved to `message`.
    pub opened: Opened,
    /// The plaintext, parsed.
    pub message: Message,
    /// Who authenticated it: the DID of the key that encrypted or signed it.
    pub sender: Option<String>,
}

impl Letter {
    /// The plaintext as its sender wrote it, parsed; `null` never comes, as it parsed before.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.opened.plaintext).unwrap_or_default()
    }
}

/// How the ids of our automatic answers to a message begin.
pub fn answers_to(question: &EnvelopeId) -> String {
    format!("re-{}-", question.short())
}

/// The DID that authenticated a message, by encryption or by signature.
pub fn sender_of(opened: &Opened) -> Option<String> {
    opened.sender.clone().or_else(|| {
        opened
            .signed_by
            .as_deref()
            .map(|kid| packmule_agent::did::did_of(kid).to_owned())
    })
}
