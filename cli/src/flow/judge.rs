//! Opening what was accepted: kept, refused with a reason, or answered.
//!
//! Who calls it: `import`, `qr read`, `inbox`, the demo. Each batch of messages is opened, and
//! all that follows from them (new peers, acknowledgements, automatic answers, refusals) lands in
//! one transaction with the fact that they were opened: a kill leads to no second answer and to
//! no missing one. Automatic answers go to peers only, so that strangers cannot fill the outbox.

mod batch;
mod bonds;

use packmule_agent::message::Message;
use packmule_agent::pack::{Jose, Limits, Opened, Packer};
use packmule_bus::EnvelopeId;
use serde_json::{Map, Value, json};

use crate::fault::Fault;
use crate::flow::party::Party;
use crate::ui::progress::Progress;

use batch::Batch;

/// The problem code for a message that came after its `expires_time` (spec: `req.time`).
pub(crate) const EXPIRED: &str = "e.m.req.time";
/// The problem code for bytes that hold no DIDComm v2 message.
pub(crate) const NOT_A_MESSAGE: &str = "e.p.msg";
/// The problem code for a message under an id that its sender has used for another one.
pub(crate) const ID_USED_TWICE: &str = "e.p.msg.id";

/// The problem code for a message that names recipients, none of them us. Encryption would have
/// proved it; a signature alone can be forwarded to anybody.
pub(crate) const NOT_ADDRESSED: &str = "e.p.trust.not-addressed";

/// The topic of notes on peers (by their DIDs) that ended the relationship.
pub(crate) const ENDED: &str = "ended";

/// Messages opened before a transaction ends.
const BATCH: usize = 200;

/// A message that was refused.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// The envelope.
    pub(crate) id: EnvelopeId,
    /// The problem code.
    pub(crate) problem: String,
    /// The reason, for people.
    pub(crate) reason: String,
}

/// What came of opening.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Messages opened and kept.
    pub(crate) opened: usize,
    /// Messages that were here already, under another envelope.
    pub(crate) repeated: usize,
    /// Messages refused.
    pub(crate) refused: Vec<Refusal>,
    /// Peers that answered an invitation of ours.
    pub(crate) met: Vec<String>,
    /// Peers that proved a new DID of theirs.
    pub(crate) moved: Vec<String>,
    /// Peers that ended the relationship.
    pub(crate) ended: Vec<String>,
    /// Messages of ours that were acknowledged.
    pub(crate) acknowledged: usize,
    /// Automatic answers queued.
    pub(crate) answers: usize,
}

impl Judged {
    /// The members of a report.
    pub(crate) fn json(&self) -> Map<String, Value> {
        let refused: Vec<Value> = self
            .refused
            .iter()
            .map(|r| json!({ "envelope": r.id.to_string(), "problem": r.problem, "reason": r.reason }))
            .collect();
        let mut map = Map::new();
        map.insert("opened".into(), json!(self.opened));
        map.insert("repeated".into(), json!(self.repeated));
        map.insert("refused".into(), Value::Array(refused));
        map.insert("met".into(), json!(self.met));
        map.insert("moved".into(), json!(self.moved));
        map.insert("ended".into(), json!(self.ended));
        map.insert("acknowledged".into(), json!(self.acknowledged));
        map.insert("answers".into(), json!(self.answers));
        map
    }
}

/// Opens every accepted message that was not opened yet.
pub(crate) fn judge(party: &mut Party, quiet: bool) -> Result<Judged, Fault> {
    let mut judged = Judged::default();
    // Two at once would each take what the other has opened for an earlier arrival.
    let _alone = party.home.judging()?;
    party.refresh()?;
    // Twice, because order on a stick is by the second: a stranger's message may lie before the
    // one that makes it a peer. In the second round strangers are strangers.
    for last in [false, true] {
        let mut progress = Progress::new("opening", 0, quiet);
        let mut after = 0;
        loop {
            let page = party.home.unopened(after, BATCH)?;
            let Some(row) = page.last() else { break };
            after = row.seq;
            let mut batch = Batch::default();
            for row in &page {
                batch.one(party, row, last, &mut judged)?;
                progress.add(1);
                if batch.moved {
                    std::mem::take(&mut batch).land(party, &mut judged)?;
                }
            }
            batch.land(party, &mut judged)?;
        }
    }
    if judged.acknowledged > 0 {
        party.home.shrink()?;
    }
    Ok(judged)
}

/// A message that opened, parsed and not expired.
pub(crate) struct Letter {
    pub(crate) opened: Opened,
    pub(crate) message: Message,
    /// Who authenticated it: the DID of the key that encrypted or signed it.
    pub(crate) sender: Option<String>,
}

/// Opens packed bytes with a party's keys. The error is the problem code and the reason.
pub(crate) fn open(party: &Party, packed: &[u8]) -> Result<Letter, (String, String)> {
    let opened = Jose
        .open(packed, &party.keys, &party.docs, &Limits::default())
        .map_err(|err| (err.problem().to_owned(), err.to_string()))?;
    let message = Message::parse(&opened.plaintext)
        .map_err(|err| (NOT_A_MESSAGE.to_owned(), err.to_string()))?;
    let sender = sender_of(&opened);
    Ok(Letter {
        opened,
        message,
        sender,
    })
}

/// How the ids of our automatic answers to a message begin.
pub(crate) fn answers_to(question: &EnvelopeId) -> String {
    format!("re-{}-", question.short())
}

/// The DID that authenticated a message, by encryption or by signature.
pub(crate) fn sender_of(opened: &Opened) -> Option<String> {
    opened.sender.clone().or_else(|| {
        opened
            .signed_by
            .as_deref()
            .map(|kid| packmule_agent::did::did_of(kid).to_owned())
    })
}
