//! What a mediator answers: written in the version that was asked, read in either.
//!
//! Who calls it: `mediation`. What can go wrong: nothing; entries that cannot be read are left
//! out.

use serde_json::{Map, Value, json};

use super::{Action, Change, MAX_ENTRIES, Outcome, Page, RECIPIENT, Version, page_of, version_if};
use crate::message::Message;
use crate::protocol::reading::{member, of, text, texts, whole};

const GRANT: (&str, &str) = ("mediate-grant", "mediate-grant");
const DENY: (&str, &str) = ("mediate-deny", "mediate-deny");
const UPDATED: (&str, &str) = ("keylist-update-response", "recipient-update-response");
const LIST: (&str, &str) = ("keylist", "recipient");

/// What became of one wish, as the mediator tells it.
pub type Updated = (Change, Outcome);

/// DIDs that messages are held for, or a page of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// The DIDs.
    pub dids: Vec<String>,
    /// How many come before them.
    pub offset: u32,
    /// How many come after.
    pub remaining: u32,
}

/// What a mediator answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// It mediates; these are to be the service endpoint of DIDs given out. Empty when it did
    /// not say: then its own DID is meant.
    Granted(Vec<String>),
    /// It does not.
    Denied,
    /// What became of each wish.
    Updated(Vec<Updated>),
    /// For which DIDs it holds messages.
    Listed(Listing),
}

/// Yes: the first of `routing` is to be the service endpoint of DIDs given out, the others their
/// routing keys. 2.0 has room for the first alone.
#[must_use]
pub fn grant(about: &Message, version: Version, routing: &[&str]) -> Message {
    let told = match version {
        Version::V2 => json!(routing.first()),
        Version::V3 => json!(routing),
    };
    answer(about, version, GRANT, json!({ "routing_did": told }))
}

/// No.
#[must_use]
pub fn deny(about: &Message, version: Version) -> Message {
    answer(about, version, DENY, json!({}))
}

/// What became of each wish of an update, in its order.
#[must_use]
pub fn updated(about: &Message, version: Version, outcomes: &[Updated]) -> Message {
    let list: Vec<Value> = outcomes
        .iter()
        .map(|(change, outcome)| {
            let (action, result) = (change.action.word(), outcome.to_string());
            json!({ "recipient_did": change.did, "action": action, "result": result })
        })
        .collect();
    answer(about, version, UPDATED, json!({ "updated": list }))
}

/// The DIDs asked for; with numbers of the page when one was asked for, or when there are more.
#[must_use]
pub fn listed(about: &Message, version: Version, listing: &Listing) -> Message {
    let dids = listing.dids.iter();
    let dids: Vec<Value> = dids.map(|did| json!({ "recipient_did": did })).collect();
    let mut body = Map::new();
    if page_of(about).is_some() || listing.remaining > 0 {
        let (count, offset, remaining) = (dids.len(), listing.offset, listing.remaining);
        let page = json!({ "count": count, "offset": offset, "remaining": remaining });
        body.insert("pagination".to_owned(), page);
    }
    let name = match version {
        Version::V2 => "keys",
        Version::V3 => "dids",
    };
    body.insert(name.to_owned(), Value::Array(dids));
    answer(about, version, LIST, Value::Object(body))
}

fn answer(about: &Message, version: Version, names: (&str, &str), body: Value) -> Message {
    about.reply(&version.type_uri(names)).with_body(body)
}

/// Reads what a mediator answers; `None` if it is no answer of this protocol.
///
/// Forgiven: `routing_did` as text or list, `updates` for `updated`, `keys` and `dids` for each
/// other, entries that are bare DIDs, `recipient_key`.
#[must_use]
pub fn read_answer(message: &Message) -> Option<Answer> {
    if version_if(message, GRANT).is_some() {
        let told = member(message, &["routing_did", "routing_dids", "routing_keys"]);
        let dids = told.into_iter().flat_map(texts).take(MAX_ENTRIES);
        return Some(Answer::Granted(dids.map(str::to_owned).collect()));
    }
    if version_if(message, DENY).is_some() {
        return Some(Answer::Denied);
    }
    if version_if(message, UPDATED).is_some() {
        let list = entries(message, &["updated", "updates"]);
        return Some(Answer::Updated(list.filter_map(outcome).collect()));
    }
    version_if(message, LIST)?;
    let names = ["dids", "keys", "recipients"];
    let did = |entry: &Value| match entry {
        Value::String(did) => Some(did.clone()),
        other => text(other, &RECIPIENT).map(str::to_owned),
    };
    let number = |name: &str| {
        let page = member(message, &["pagination", "paginate"])?;
        u32::try_from(whole(of(page, &[name])?)?).ok()
    };
    Some(Answer::Listed(Listing {
        dids: entries(message, &names).filter_map(did).collect(),
        offset: number("offset").unwrap_or(0),
        remaining: number("remaining").unwrap_or(0),
    }))
}

fn entries<'a>(message: &'a Message, names: &[&str]) -> impl Iterator<Item = &'a Value> {
    let list = member(message, names).and_then(Value::as_array);
    list.into_iter().flatten().take(MAX_ENTRIES)
}

fn outcome(entry: &Value) -> Option<Updated> {
    let did = text(entry, &RECIPIENT)?.to_owned();
    let action = Action::read(text(entry, &["action"]).unwrap_or_default());
    let outcome = Outcome::read(text(entry, &["result"]).unwrap_or_default());
    Some((Change { did, action }, outcome))
}

impl From<&Listing> for Page {
    /// The page after this one, as large.
    fn from(listing: &Listing) -> Self {
        let here = u32::try_from(listing.dids.len()).unwrap_or(u32::MAX);
        Self {
            limit: here.max(1),
            offset: listing.offset.saturating_add(here),
        }
    }
}
