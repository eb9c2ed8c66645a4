//! Our signed word that a message is here: for links, and within an acknowledgement.
//!
//! What is it: the key that signs for us, and the header [`HEADER`] of an acknowledgement, which
//! holds what the bus's [`Receipt`] lacks when its sender and the message are known: time, key and
//! signature, some 130 bytes. An acknowledgement comes by mail or on a stick to its recipient alone;
//! with this in it, the recipient can show it to those who carry copies. Who calls it: `judge`, which
//! writes and reads it; the driver, which signs for links and tells the bus of what was read. What
//! can go wrong: anybody may write anything there; the bus has each signature verified.

use std::collections::BTreeSet;

use data_encoding::BASE64URL_NOPAD;
use packmule_agent::did::{did_of, same_did, short_form};
use packmule_agent::keys::SecretKey;
use packmule_agent::message::Message;
use packmule_bus::EnvelopeId;
use packmule_bus::receipt::{Reason, Receipt};
use serde::{Deserialize, Serialize};

use super::{Desk, Letter};
use crate::{Change, Home, HomeError};

/// The header. Readers that do not know it ignore it (DIDComm Messaging v2.1, §3.1).
const HEADER: &str = "packmule-receipt";

/// The topic of notes on receipts that came, by the envelope; for a bus that runs, or will.
const CAME: &str = "receipt-came";

/// The longest signature in base64url, and the longest name of a key.
const LONGEST: usize = 256;

/// What the header holds.
#[derive(Serialize, Deserialize)]
struct SignedWord {
    /// Posix seconds.
    at: u64,
    /// Which key of its sender, after the `#`.
    key: String,
    /// Base64url, without padding.
    sig: String,
}

/// A receipt as a note.
#[derive(Serialize, Deserialize)]
struct Noted {
    did: String,
    #[serde(flatten)]
    word: SignedWord,
}

impl Desk {
    /// The first key that may authenticate us, is in our ring and signs; and its id.
    pub(crate) fn own_key(&self) -> Option<&(String, SecretKey)> {
        self.own.get_or_init(|| self.find_key()).as_ref()
    }

    fn find_key(&self) -> Option<(String, SecretKey)> {
        let (did, doc) = self.home.identity();
        let keys = doc.authentication_keys().filter_map(|(id, public)| {
            let mut ring = self.keys.iter();
            let (_, secret) = ring.find(|(kid, secret)| {
                same_did(did_of(kid), did)
                    && fragment(kid) == fragment(id)
                    && secret.public() == public
            })?;
            let kid = format!("{}#{}", short_form(did).unwrap_or(did), fragment(id)?);
            Some((kid, secret.clone()))
        });
        // Some keys only agree.
        keys.into_iter()
            .find(|(_, key)| key.sign(b"packmule").is_some())
    }
}

/// A receipt by our DID. `None`: no key signs for us.
pub(crate) fn receipt(
    desk: &Desk,
    ids: Vec<EnvelopeId>,
    refused: Option<Reason>,
    at: u64,
) -> Option<Receipt> {
    let (kid, key) = desk.own_key()?;
    let did = desk.did();
    let mut receipt = Receipt {
        ids,
        refused,
        at,
        did: short_form(did).unwrap_or(did).to_owned(),
        kid: kid.clone(),
        signature: Vec::new(),
    };
    receipt.signature = key.sign(&receipt.statement())?;
    Some(receipt)
}

/// What is after the `#`.
pub(crate) fn fragment(url: &str) -> Option<&str> {
    url.split_once('#').map(|(_, fragment)| fragment)
}

/// Puts our word that this letter is here into its acknowledgement. Left out, if it was for a DID of
/// ours whose copies nobody else carries under it.
pub(super) fn put(desk: &Desk, id: EnvelopeId, letter: &Letter, ack: &mut Message, at: u64) {
    let for_us = |kid: &String| same_did(did_of(kid), desk.did());
    if !ack.ack.contains(&letter.message.id)
        || !letter.opened.recipient_kid.as_ref().is_some_and(for_us)
    {
        return;
    }
    let word = receipt(desk, vec![id], None, at).and_then(|receipt| {
        Some(SignedWord {
            at,
            key: fragment(&receipt.kid)?.to_owned(),
            sig: BASE64URL_NOPAD.encode(&receipt.signature),
        })
    });
    if let Some(Ok(word)) = word.map(serde_json::to_value) {
        ack.extra.insert(HEADER.to_owned(), word);
    }
}

/// The word in an acknowledgement by this sender (under these DIDs), as notes on what it is about: what
/// we sent to it, and a node of ours has had.
pub(super) fn notes(
    home: &Home,
    letter: &Letter,
    sender: &str,
    peers: &[String],
) -> Result<Vec<Change>, HomeError> {
    let value = letter.message.extra.get(HEADER);
    let word = value.and_then(|value| SignedWord::deserialize(value).ok());
    let Some(word) = word.filter(|word| word.key.len().max(word.sig.len()) <= LONGEST) else {
        return Ok(Vec::new());
    };
    let did = short_form(sender).unwrap_or(sender).to_owned();
    let Ok(noted) = serde_json::to_string(&Noted { did, word }) else {
        return Ok(Vec::new());
    };
    let sql = "SELECT outbox.envelope FROM outbox JOIN held ON held.envelope = outbox.envelope
               WHERE outbox.message = ?1 AND outbox.peer = ?2";
    let db = home.db();
    let mut query = db.prepare_cached(sql)?;
    let ids: BTreeSet<&String> = letter.message.ack.iter().collect();
    let mut about = BTreeSet::new();
    for id in ids {
        for peer in peers {
            let rows =
                query.query_map([id, peer], |row| Ok(EnvelopeId::from_bytes(row.get(0)?)))?;
            for row in rows {
                about.insert(row?);
            }
        }
    }
    let note = |id: EnvelopeId| Change::Note {
        topic: CAME.to_owned(),
        key: id.to_string(),
        value: Some(noted.clone()),
    };
    Ok(about.into_iter().map(note).collect())
}

/// What has come, for the bus. What was told at an earlier look is forgotten now, since by then the bus
/// has it; until then it is there for the next life.
pub(crate) fn come(home: &Home, told: &mut BTreeSet<String>) -> Result<Vec<Receipt>, HomeError> {
    let notes = home.notes(CAME)?;
    let read = |(id, value): &(String, String)| {
        let Noted { did, word } = serde_json::from_str(value).ok()?;
        Some(Receipt {
            ids: vec![id.parse().ok()?],
            refused: None,
            at: word.at,
            kid: format!("{did}#{}", word.key),
            did,
            signature: BASE64URL_NOPAD.decode(word.sig.as_bytes()).ok()?,
        })
    };
    let (old, new): (Vec<_>, Vec<_>) = notes.into_iter().partition(|(id, _)| told.contains(id));
    if !old.is_empty() {
        let sql = "DELETE FROM notes WHERE topic = ?1 AND key = ?2";
        home.change(|tx| -> Result<(), HomeError> {
            for (id, _) in &old {
                tx.prepare_cached(sql)?.execute([CAME, id])?;
            }
            Ok(())
        })?;
    }
    *told = new.iter().map(|(id, _)| id.clone()).collect();
    Ok(new.iter().filter_map(read).collect())
}
