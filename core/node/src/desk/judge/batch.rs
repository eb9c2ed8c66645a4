//! What follows from a batch of opened messages, gathered until it lands in one transaction.
//!
//! Who calls it: `judge`, which holds the home's lock. What can go wrong: the store; and whatever
//! a stranger wrote, which ends as a refusal with a reason.

use std::collections::{BTreeMap, BTreeSet};

use packmule_agent::did::{same_did, short_form};
use packmule_agent::protocol::discover_features::{self, Feature};
use packmule_agent::protocol::{self, Context};
use packmule_agent::resolve::Resolver;
use packmule_bus::{EnvelopeId, MAX_ENVELOPE};

use super::bonds::{has_ended, knows_us, moved, one_form, says_the_same};
use super::{
    ENDED, EXPIRED, ID_USED_TWICE, JudgeError, Judged, Letter, NOT_ADDRESSED, Refusal, answers_to,
};
use crate::desk::Desk;
use crate::desk::address;
use crate::desk::date::rfc3339;
use crate::desk::invitation::{self, Terms};
use crate::desk::submit::{KNOWS_US, Protection};
use crate::desk::verdict;
use crate::desk::word;
use crate::home::now;
use crate::{Change, InRow, PeerRecord, REMOVED_PEERS};

/// The consequences of a batch, not yet applied.
#[derive(Default)]
pub(super) struct Batch {
    changes: Vec<Change>,
    /// Messages opened in this batch, by sender and id: the store does not know them yet.
    fresh: BTreeMap<(String, String), EnvelopeId>,
    /// Peers met in this batch, by DID.
    met: Vec<PeerRecord>,
    /// Peers that were looked up in this batch, by the DID that was asked for.
    known: BTreeMap<String, PeerRecord>,
    /// Peers of which it is known that they know us.
    know_us: BTreeSet<String>,
    /// Something waits for the last round.
    pub(super) left: bool,
    /// A peer moved to a new DID: what comes next must find it there.
    pub(super) moved: bool,
}

impl Batch {
    /// Applies it all, and tells what the store decided.
    pub(super) fn land(self, desk: &Desk, judged: &mut Judged) -> Result<(), JudgeError> {
        let applied = desk.home.apply(&self.changes)?;
        judged.met.extend(applied.added);
        judged.moved.extend(applied.moved);
        judged.acknowledged += applied.acknowledged;
        Ok(())
    }

    pub(super) fn one(
        &mut self,
        desk: &Desk,
        row: &InRow,
        last: bool,
        judged: &mut Judged,
    ) -> Result<(), JudgeError> {
        let Some(envelope) = desk.accepted(&row.id)? else {
            return Ok(());
        };
        let letter = match desk.open_envelope(&envelope) {
            Ok(letter) => letter,
            Err((problem, reason)) => {
                // Damage on our own disk is told as such; it is no fault of the message.
                desk.home.envelope(&row.id)?;
                self.refuse(row.id, problem, reason, judged);
                return Ok(());
            }
        };
        if let Some(when) = letter
            .message
            .expires_time
            .filter(|when| *when <= row.received)
        {
            let reason = format!("it had expired at {} before it came", rfc3339(when));
            self.refuse(row.id, EXPIRED.into(), reason, judged);
            return Ok(());
        }
        let to = &letter.message.to;
        if !to.is_empty() && !address::names_us(to, &address::own_dids(&desk.home)) {
            let reason = format!("it is addressed to somebody else: {}", to.join(", "));
            self.refuse(row.id, NOT_ADDRESSED.into(), reason, judged);
            return Ok(());
        }
        if let Some(held) = self.held(desk, &letter, &letter.message.id, row)? {
            if says_the_same(desk, &letter, &held)? {
                // Whoever packs it anew has not heard our answers.
                desk.home.requeue_beginning(&[answers_to(&held)])?;
                self.changes.push(Change::Discard(row.id));
                judged.repeated += 1;
                judged.verdicts.push((row.id, None));
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
        let peer = self.peer_of(desk, row, &letter)?;
        if peer.is_none() && letter.sender.is_some() && !last {
            self.left = true;
            return Ok(());
        }
        self.keep(desk, row, &letter, peer, judged)
    }

    /// The envelope, other than this row's, under which a message with this id, by the sender of
    /// this letter, was opened before.
    fn held(
        &self,
        desk: &Desk,
        letter: &Letter,
        id: &str,
        row: &InRow,
    ) -> Result<Option<EnvelopeId>, JudgeError> {
        let Some(sender) = &letter.sender else {
            return Ok(None);
        };
        let key = (one_form(sender), id.to_owned());
        Ok(match self.fresh.get(&key) {
            Some(held) => Some(*held),
            None => desk.home.held(&key.1, &key.0, &row.id)?,
        })
    }

    /// The peer that a message is from; one that answers an invitation of ours becomes a peer.
    fn peer_of(
        &mut self,
        desk: &Desk,
        row: &InRow,
        letter: &Letter,
    ) -> Result<Option<PeerRecord>, JudgeError> {
        let Some(sender) = &letter.sender else {
            return Ok(None);
        };
        if let Some(known) = self.known.get(sender) {
            return Ok(Some(known.clone()));
        }
        if let Some(known) = desk.known(sender)? {
            self.known.insert(sender.clone(), known.clone());
            return Ok(Some(known));
        }
        if let Some((peer, change)) = moved(desk, letter, sender)? {
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
        let Some(terms) = self.admits(desk, invitation, sender, row.received)? else {
            return Ok(None);
        };
        let Ok(doc) = desk.book().docs.resolve(sender) else {
            return Ok(None);
        };
        let peer = PeerRecord {
            // The store chooses: only it knows which are free when it writes.
            name: String::new(),
            did: sender.clone(),
            doc: doc.to_json(),
            added: now(),
        };
        desk.learn(sender, doc)?;
        self.changes.push(Change::AddPeer(peer.clone()));
        self.note(invitation::ISSUED, invitation, terms.used().note());
        self.met.push(peer.clone());
        Ok(Some(peer))
    }

    /// The terms of an invitation of ours, if they still make this sender a peer. A peer that
    /// was removed does not come back by an old invitation.
    fn admits(
        &self,
        desk: &Desk,
        invitation: &str,
        sender: &str,
        received: u64,
    ) -> Result<Option<Terms>, JudgeError> {
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
            None => desk.home.note(invitation::ISSUED, invitation)?,
        };
        let Some(terms) = note.as_deref().and_then(Terms::read) else {
            return Ok(None);
        };
        let key = short_form(sender).unwrap_or(sender);
        let removed = desk.home.note(REMOVED_PEERS, key)?.is_some();
        let full = desk.home.peer_count()? + self.met.len() >= invitation::MAX_PEERS;
        Ok((terms.hold_at(received) && !removed && !full).then_some(terms))
    }

    /// Keeps a message, notes what it acknowledges, and queues the automatic answers.
    fn keep(
        &mut self,
        desk: &Desk,
        row: &InRow,
        letter: &Letter,
        peer: Option<PeerRecord>,
        judged: &mut Judged,
    ) -> Result<(), JudgeError> {
        if let (Some(sender), Some(peer)) = (&letter.sender, peer) {
            for id in &letter.message.ack {
                self.changes.push(Change::Acknowledge {
                    message_id: id.clone(),
                    peers: vec![sender.clone(), peer.did.clone()],
                });
            }
            let peers = [sender.clone(), peer.did.clone()];
            let word = word::notes(&desk.home, letter, sender, &peers)?;
            self.changes.extend(word);
            if knows_us(desk, letter)
                && self.know_us.insert(peer.did.clone())
                && desk.home.note(KNOWS_US, &peer.did)?.is_none()
            {
                self.note(KNOWS_US, &peer.did, Some(row.received.to_string()));
            }
            if !has_ended(letter) {
                self.answer(desk, row, letter, &peer, judged)?;
            }
        }
        self.hear_the_end(desk, row, letter, judged)?;
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
        judged.verdicts.push((row.id, None));
        Ok(())
    }

    fn answer(
        &mut self,
        desk: &Desk,
        row: &InRow,
        letter: &Letter,
        peer: &PeerRecord,
        judged: &mut Judged,
    ) -> Result<(), JudgeError> {
        let mut held = Vec::new();
        for id in letter.message.wants_ack() {
            if id != letter.message.id && self.held(desk, letter, id, row)?.is_some() {
                held.push(id.to_owned());
            }
        }
        let mut features = discover_features::ours();
        features.push(Feature::max_receive_bytes(MAX_ENVELOPE as u64));
        // The order of a disclosure shall not tell which program wrote it; and asking the same
        // question again, after a kill, shall give the same answer: the question's id decides.
        let seed = row.id.as_bytes().first_chunk().copied();
        let context = Context::default()
            .with_held(held)
            .with_features(features)
            .with_seed(seed.map_or(0, u64::from_be_bytes));
        let answers = protocol::respond(&letter.message, &context);
        for (number, mut answer) in answers.into_iter().enumerate() {
            // Named after the question, so that asking again cannot lead to a second answer.
            answer.id = format!("{}{number}", answers_to(&row.id));
            word::put(desk, row.id, letter, &mut answer, row.received);
            // A peer whose keys do not fit ours gets no answer; its message is good all the same.
            if let Ok(records) = desk.records(&peer.did, answer, Protection::Auth) {
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
        desk: &Desk,
        row: &InRow,
        letter: &Letter,
        judged: &mut Judged,
    ) -> Result<(), JudgeError> {
        let Some(prior) = letter
            .opened
            .from_prior
            .as_ref()
            .filter(|_| has_ended(letter))
        else {
            return Ok(());
        };
        let Some(peer) = desk.known(&prior.iss)? else {
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
        judged.verdicts.push((id, Some(verdict::reason(&problem))));
        judged.refused.push(Refusal {
            id,
            problem,
            reason,
        });
    }
}
