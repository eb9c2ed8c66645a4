//! Who a sender is to us: the same peer under a new DID, one that knows us, one that leaves.
//!
//! Who calls it: `batch`. What can go wrong: the keys of a DID that was given up may be anyone's,
//! so only a peer's present DID is believed.

use packmule_agent::did::{same_did, short_form};
use packmule_agent::resolve::Resolver;
use packmule_bus::EnvelopeId;
use serde_json::Value;

use super::{ENDED, JudgeError, Letter};
use crate::desk::Desk;
use crate::{Change, PeerRecord};

/// Does this message show that its sender has our document? It was encrypted for our key, and
/// who encrypted it proved to be its sender.
pub(super) fn knows_us(desk: &Desk, letter: &Letter) -> bool {
    let ours = |did: &str| same_did(did, desk.did());
    letter.opened.recipient_kid.as_deref().is_some_and(ours)
        && (letter.opened.sender.is_some() || letter.message.to.iter().any(|did| ours(did)))
}

/// Does its sender give up its DID for none?
pub(super) fn has_ended(letter: &Letter) -> bool {
    let prior = letter.opened.from_prior.as_ref();
    prior.is_some_and(|prior| prior.sub.is_none())
}

/// A peer that rotated to a new DID and proved it (spec: DID rotation) is the same peer. Only
/// its present DID can name the next one: the keys of one that it gave up may be anyone's.
pub(super) fn moved(
    desk: &Desk,
    letter: &Letter,
    sender: &str,
) -> Result<Option<(PeerRecord, Change)>, JudgeError> {
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
    let (Some(known), Ok(doc)) = (desk.known(&prior.iss)?, desk.book().docs.resolve(sender)) else {
        return Ok(None);
    };
    // One that ended the relationship gave up its DID for none.
    let ended = desk.home.note(ENDED, &known.did)?.is_some();
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
    desk.learn(sender, doc)?;
    Ok(Some((peer, change)))
}

/// A sender as it is compared: a did:peer:4 in its short form, whichever the message has.
pub(super) fn one_form(did: &str) -> String {
    short_form(did).unwrap_or(did).to_owned()
}

/// Does the message under the other envelope say the same? It is opened for that, since nothing
/// that tells of a message's words is kept beside it. Who packs a message anew may prove a
/// change of DID by it, or name itself in another form; all else must be equal. What cannot be
/// compared counts as different: then both are kept.
pub(super) fn says_the_same(
    desk: &Desk,
    letter: &Letter,
    other: &EnvelopeId,
) -> Result<bool, JudgeError> {
    let Some(other) = desk.home.envelope(other)? else {
        return Ok(false);
    };
    let words = |letter: &Letter| {
        let mut message = letter.json();
        if let Value::Object(members) = &mut message {
            members.retain(|name, _| !["from", "from_prior"].contains(&name.as_str()));
        }
        message
    };
    Ok(desk
        .open(&other.to_json())
        .is_ok_and(|other| words(&other) == words(letter)))
}
