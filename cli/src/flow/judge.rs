//! Opening what was accepted: kept, refused with a reason, or answered.
//!
//! Who calls it: `import`, `qr read`, `inbox`, the demo. Each batch of messages is opened, and
//! all that follows from them (new peers, acknowledgements, automatic answers, refusals) lands in
//! one transaction with the fact that they were opened: a kill leads to no second answer and to
//! no missing one. Automatic answers go to peers only, so that strangers cannot fill the outbox.

use std::collections::BTreeMap;

use packmule_agent::did::{same_did, short_form};
use packmule_agent::message::Message;
use packmule_agent::pack::{Jose, Limits, Opened, Packer};
use packmule_agent::protocol::{self, Context};
use packmule_agent::resolve::Resolver;
use packmule_bus::EnvelopeId;
use packmule_node::{Change, InRow, PeerRecord};
use serde_json::{Map, Value, json};

use crate::fault::Fault;
use crate::flow::address;
use crate::flow::invitation::{self, Terms};
use crate::flow::party::Party;
use crate::flow::submit::{self, Protection};
use crate::ui::progress::Progress;
use crate::ui::time::now;

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

/// Does this message show that its sender has our document? It was encrypted for our key, and
/// who encrypted it proved to be its sender.
fn knows_us(party: &Party, letter: &Letter) -> bool {
    let ours = |did: &str| same_did(did, party.did());
    letter.opened.recipient_kid.as_deref().is_some_and(ours)
        && (letter.opened.sender.is_some() || letter.message.to.iter().any(|did| ours(did)))
}

/// Does its sender give up its DID for none?
fn has_ended(letter: &Letter) -> bool {
    let prior = letter.opened.from_prior.as_ref();
    prior.is_some_and(|prior| prior.sub.is_none())
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

/// A peer that rotated to a new DID and proved it (spec: DID rotation) is the same peer. Only
/// its present DID can name the next one: the keys of one that it gave up may be anyone's.
fn moved(
    party: &mut Party,
    letter: &Letter,
    sender: &str,
) -> Result<Option<(PeerRecord, Change)>, Fault> {
    let Some(prior) = &letter.opened.from_prior else {
        return Ok(None);
    };
    if !prior
        .sub
        .as_deref()
        .is_some_and(|new| same_did(new, sender))
    {
        return Ok(None);
    }
    let (Some(known), Ok(doc)) = (party.known(&prior.iss)?, party.docs.resolve(sender)) else {
        return Ok(None);
    };
    // One that ended the relationship gave up its DID for none.
    let ended = party.home.note(ENDED, &known.did)?.is_some();
    if ended || !same_did(&known.did, &prior.iss) {
        return Ok(None);
    }
    let change = Change::MovePeer {
        from: known.did.clone(),
        did: sender.to_owned(),
        doc: doc.to_json(),
    };
    let peer = PeerRecord {
        did: sender.to_owned(),
        doc: doc.to_json(),
        ..known
    };
    party.learn(sender, doc)?;
    Ok(Some((peer, change)))
}

/// A sender as it is compared: a did:peer:4 in its short form, whichever the message has.
fn one_form(did: &str) -> String {
    short_form(did).unwrap_or(did).to_owned()
}

/// Does the message under the other envelope say the same? It is opened for that, since nothing
/// that tells of a message's words is kept beside it. Who packs a message anew may prove a
/// change of DID by it, or name itself in another form; all else must be equal. What cannot be
/// compared counts as different: then both are kept.
fn says_the_same(party: &Party, letter: &Letter, other: &EnvelopeId) -> Result<bool, Fault> {
    let Some(other) = party.home.envelope(other)? else {
        return Ok(false);
    };
    let words = |letter: &Letter| {
        let mut message = letter.opened.message.clone();
        if let Value::Object(members) = &mut message {
            members.retain(|name, _| !["from", "from_prior"].contains(&name.as_str()));
        }
        message
    };
    Ok(open(party, &other.to_json()).is_ok_and(|other| words(&other) == words(letter)))
}

/// The consequences of a batch, not yet applied.
#[derive(Default)]
struct Batch {
    changes: Vec<Change>,
    /// Messages opened in this batch, by sender and id: the store does not know them yet.
    fresh: BTreeMap<(String, String), EnvelopeId>,
    /// Peers met in this batch, by DID.
    met: Vec<PeerRecord>,
    /// A peer moved to a new DID: what comes next must find it there.
    moved: bool,
}

impl Batch {
    /// Applies it all, and tells what the store decided.
    fn land(self, party: &Party, judged: &mut Judged) -> Result<(), Fault> {
        let applied = party.home.apply(&self.changes)?;
        judged.met.extend(applied.added);
        judged.moved.extend(applied.moved);
        judged.acknowledged += applied.acknowledged;
        Ok(())
    }

    fn one(
        &mut self,
        party: &mut Party,
        row: &InRow,
        last: bool,
        judged: &mut Judged,
    ) -> Result<(), Fault> {
        let Some(envelope) = party.home.envelope(&row.id)? else {
            return Ok(());
        };
        let letter = match open(party, &envelope.to_json()) {
            Ok(letter) => letter,
            Err((problem, reason)) => {
                self.refuse(row.id, problem, reason, judged);
                return Ok(());
            }
        };
        if let Some(when) = letter
            .message
            .expires_time
            .filter(|when| *when <= row.received)
        {
            let reason = format!(
                "it had expired at {} before it came",
                crate::ui::time::rfc3339(when)
            );
            self.refuse(row.id, EXPIRED.into(), reason, judged);
            return Ok(());
        }
        let to = &letter.message.to;
        if !to.is_empty() && !address::names_us(to, &address::own_dids(&party.home)) {
            let reason = format!("it is addressed to somebody else: {}", to.join(", "));
            self.refuse(row.id, NOT_ADDRESSED.into(), reason, judged);
            return Ok(());
        }
        if let Some(held) = self.held(party, &letter, &row.id)? {
            if says_the_same(party, &letter, &held)? {
                // Whoever packs it anew has not heard our answers.
                party.home.requeue_beginning(&[answers_to(&held)])?;
                self.changes.push(Change::Discard(row.id));
                judged.repeated += 1;
            } else {
                let reason = format!(
                    "its sender used the id {:?} before, in {}, for something else",
                    letter.message.id,
                    held.short()
                );
                self.refuse(row.id, ID_USED_TWICE.into(), reason, judged);
            }
            return Ok(());
        }
        let peer = self.peer_of(party, row, &letter)?;
        if peer.is_none() && letter.sender.is_some() && !last {
            return Ok(());
        }
        self.keep(party, row, &letter, peer, judged)
    }

    /// The envelope under which a message with this id, from this sender, was opened before.
    fn held(
        &self,
        party: &Party,
        letter: &Letter,
        id: &EnvelopeId,
    ) -> Result<Option<EnvelopeId>, Fault> {
        let Some(sender) = &letter.sender else {
            return Ok(None);
        };
        let key = (one_form(sender), letter.message.id.clone());
        Ok(match self.fresh.get(&key) {
            Some(held) => Some(*held),
            None => party.home.held(&key.1, &key.0, id)?,
        })
    }

    /// Is an earlier message with this id, by the sender of this one, here?
    fn holds(&self, party: &Party, id: &str, letter: &Letter, row: &InRow) -> Result<bool, Fault> {
        let Some(sender) = &letter.sender else {
            return Ok(false);
        };
        let key = (one_form(sender), id.to_owned());
        Ok(self.fresh.contains_key(&key) || party.home.held(&key.1, &key.0, &row.id)?.is_some())
    }

    /// The peer that a message is from; one that answers an invitation of ours becomes a peer.
    fn peer_of(
        &mut self,
        party: &mut Party,
        row: &InRow,
        letter: &Letter,
    ) -> Result<Option<PeerRecord>, Fault> {
        let Some(sender) = &letter.sender else {
            return Ok(None);
        };
        if let Some(known) = party.known(sender)? {
            return Ok(Some(known));
        }
        if let Some((peer, change)) = moved(party, letter, sender)? {
            self.changes.push(change);
            self.moved = true;
            return Ok(Some(peer));
        }
        if let Some(met) = self.met.iter().find(|peer| same_did(&peer.did, sender)) {
            return Ok(Some(met.clone()));
        }
        let Some(invitation) = letter.message.pthid.as_deref() else {
            return Ok(None);
        };
        let Some(terms) = self.admits(party, invitation, sender, row.received)? else {
            return Ok(None);
        };
        let Ok(doc) = party.docs.resolve(sender) else {
            return Ok(None);
        };
        let peer = PeerRecord {
            // The store chooses: only it knows which are free when it writes.
            name: String::new(),
            did: sender.clone(),
            doc: doc.to_json(),
            added: now(),
        };
        party.learn(sender, doc)?;
        self.changes.push(Change::AddPeer(peer.clone()));
        self.note(invitation::ISSUED, invitation, terms.used().note());
        self.met.push(peer.clone());
        Ok(Some(peer))
    }

    /// The terms of an invitation of ours, if they still make this sender a peer. A peer that
    /// was removed does not come back by an old invitation.
    fn admits(
        &self,
        party: &Party,
        invitation: &str,
        sender: &str,
        received: u64,
    ) -> Result<Option<Terms>, Fault> {
        // What this batch has used up already is not in the store yet.
        let used = self.changes.iter().rev().find_map(|change| match change {
            Change::Note { topic, key, value }
                if topic == invitation::ISSUED && key == invitation =>
            {
                Some(value.clone())
            }
            _ => None,
        });
        let note = match used {
            Some(value) => value,
            None => party.home.note(invitation::ISSUED, invitation)?,
        };
        let Some(terms) = note.as_deref().and_then(Terms::read) else {
            return Ok(None);
        };
        let key = short_form(sender).unwrap_or(sender);
        let removed = party.home.note(invitation::REMOVED, key)?.is_some();
        let full = party.home.peer_count()? + self.met.len() >= invitation::MAX_PEERS;
        Ok((terms.hold_at(received) && !removed && !full).then_some(terms))
    }

    /// Keeps a message, notes what it acknowledges, and queues the automatic answers.
    fn keep(
        &mut self,
        party: &Party,
        row: &InRow,
        letter: &Letter,
        peer: Option<PeerRecord>,
        judged: &mut Judged,
    ) -> Result<(), Fault> {
        if let (Some(sender), Some(peer)) = (&letter.sender, peer) {
            for id in &letter.message.ack {
                self.changes.push(Change::Acknowledge {
                    message_id: id.clone(),
                    peers: vec![sender.clone(), peer.did.clone()],
                });
            }
            if knows_us(party, letter) && party.home.note(submit::KNOWS_US, &peer.did)?.is_none() {
                self.note(submit::KNOWS_US, &peer.did, Some(row.received.to_string()));
            }
            if !has_ended(letter) {
                self.answer(party, row, letter, &peer, judged)?;
            }
        }
        self.hear_the_end(party, row, letter, judged)?;
        self.changes.push(Change::Opened {
            id: row.id,
            message_id: letter.message.id.clone(),
            sender: letter.sender.as_deref().map(one_form),
        });
        if let Some(sender) = &letter.sender {
            self.fresh
                .insert((one_form(sender), letter.message.id.clone()), row.id);
        }
        judged.opened += 1;
        Ok(())
    }

    fn answer(
        &mut self,
        party: &Party,
        row: &InRow,
        letter: &Letter,
        peer: &PeerRecord,
        judged: &mut Judged,
    ) -> Result<(), Fault> {
        let mut held = Vec::new();
        for id in letter.message.wants_ack() {
            if id != letter.message.id && self.holds(party, id, letter, row)? {
                held.push(id.to_owned());
            }
        }
        let context = Context::default().with_held(held);
        let answers = protocol::respond(&letter.message, &context);
        for (number, mut answer) in answers.into_iter().enumerate() {
            // Named after the question, so that asking again cannot lead to a second answer.
            answer.id = format!("{}{number}", answers_to(&row.id));
            // A peer whose keys do not fit ours gets no answer; its message is good all the same.
            if let Ok(records) = submit::records(party, &peer.did, answer, Protection::Auth) {
                judged.answers += records.len().min(1);
                self.changes.extend(records.into_iter().map(Change::Queue));
            }
        }
        Ok(())
    }

    /// A peer that gives up its DID for none ends the relationship (spec: ending a relationship).
    /// Only its present DID can say so, in a message from that DID or from nobody.
    fn hear_the_end(
        &mut self,
        party: &Party,
        row: &InRow,
        letter: &Letter,
        judged: &mut Judged,
    ) -> Result<(), Fault> {
        let Some(prior) = letter
            .opened
            .from_prior
            .as_ref()
            .filter(|_| has_ended(letter))
        else {
            return Ok(());
        };
        let Some(peer) = party.known(&prior.iss)? else {
            return Ok(());
        };
        let its_own = |did: &str| same_did(&peer.did, did);
        if its_own(&prior.iss) && letter.sender.as_deref().is_none_or(its_own) {
            self.note(ENDED, &peer.did, Some(row.received.to_string()));
            judged.ended.push(peer.name);
        }
        Ok(())
    }

    fn note(&mut self, topic: &str, key: &str, value: Option<String>) {
        self.changes.push(Change::Note {
            topic: topic.to_owned(),
            key: key.to_owned(),
            value,
        });
    }

    fn refuse(&mut self, id: EnvelopeId, problem: String, reason: String, judged: &mut Judged) {
        self.changes.push(Change::Refuse {
            id,
            problem: problem.clone(),
            detail: reason.clone(),
        });
        judged.refused.push(Refusal {
            id,
            problem,
            reason,
        });
    }
}
