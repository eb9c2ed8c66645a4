//! Coordinate-mediation 2.0 and 3.0: asking a mediator to hold messages, and for which DIDs.
//!
//! What is it: both sides as pure functions. The mediator reads an [`Ask`] and writes the answer
//! in the version that was asked; the recipient writes requests and reads an [`Answer`] of either
//! version. Who calls it: the gateway's mediator; whoever registers at one. What can go wrong:
//! [`AskError`]. Bodies are bounded, and of strangers.

mod answers;
#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::{Value, json};

use super::reading::{member, of, text, whole};
use crate::message::{Message, TypeUri, same_name};

pub use answers::{Answer, Listing, Updated, deny, grant, listed, read_answer, updated};

/// Protocol identifier of the newer version.
pub const PIURI: &str = "https://didcomm.org/coordinate-mediation/3.0";
/// Protocol identifier of the older one.
pub const PIURI_2: &str = "https://didcomm.org/coordinate-mediation/2.0";
/// The name under which old texts have it.
const OLD_NAMES: [&str; 2] = [
    "https://didcomm.org/mediator-coordination/2.0",
    "https://didcomm.org/mediator-coordination/3.0",
];

/// The goal code of an invitation to ask for mediation.
pub const GOAL: &str = "request-mediate";

/// Most entries of one update or list that are read.
pub const MAX_ENTRIES: usize = 1000;

/// A major version; what the other side spoke is what it is answered in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// 2.0: `keylist-update` and so on.
    V2,
    /// 3.0: `recipient-update` and so on.
    V3,
}

impl Version {
    /// The protocol identifier.
    #[must_use]
    pub const fn piuri(self) -> &'static str {
        match self {
            Self::V2 => PIURI_2,
            Self::V3 => PIURI,
        }
    }

    /// The type of a message, by its names in both versions.
    fn type_uri(self, names: (&str, &str)) -> String {
        let (old, new) = names;
        match self {
            Self::V2 => format!("{PIURI_2}/{old}"),
            Self::V3 => format!("{PIURI}/{new}"),
        }
    }

    /// The version of a message of this protocol.
    fn of(message: &Message) -> Option<Self> {
        let uri = TypeUri::parse(&message.type_uri)?;
        let ours = |piuri: &str| uri.is(piuri, uri.message);
        if ours(PIURI_2) || ours(OLD_NAMES[0]) {
            Some(Self::V2)
        } else if ours(PIURI) || ours(OLD_NAMES[1]) {
            Some(Self::V3)
        } else {
            None
        }
    }
}

/// Names of messages, in 2.0 and in 3.0.
const REQUEST: (&str, &str) = ("mediate-request", "mediate-request");
const UPDATE: (&str, &str) = ("keylist-update", "recipient-update");
const QUERY: (&str, &str) = ("keylist-query", "recipient-query");

/// Its version if it is this message, under the name of either version.
fn version_if(message: &Message, names: (&str, &str)) -> Option<Version> {
    let version = Version::of(message)?;
    let uri = TypeUri::parse(&message.type_uri)?;
    (same_name(uri.message, names.0) || same_name(uri.message, names.1)).then_some(version)
}

/// What to do with a DID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Hold messages for it.
    Add,
    /// No more.
    Remove,
    /// A word that we do not know; the answer to it is [`Outcome::ClientError`].
    Unknown(String),
}

impl Action {
    fn read(word: &str) -> Self {
        match word {
            "add" => Self::Add,
            "remove" => Self::Remove,
            other => Self::Unknown(other.to_owned()),
        }
    }

    /// As it is written.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Unknown(word) => word,
        }
    }
}

/// One wish of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `recipient_did`, as it was written.
    pub did: String,
    /// `action`.
    pub action: Action,
}

impl Change {
    /// To hold messages for this DID.
    #[must_use]
    pub fn add(did: &str) -> Self {
        let (did, action) = (did.to_owned(), Action::Add);
        Self { did, action }
    }

    /// To hold messages for this DID no more.
    #[must_use]
    pub fn remove(did: &str) -> Self {
        let (did, action) = (did.to_owned(), Action::Remove);
        Self { did, action }
    }
}

/// What became of a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Done.
    Success,
    /// It was so already.
    NoChange,
    /// The wish is not one that can be fulfilled.
    ClientError,
    /// The mediator could not, or said a word that we do not know.
    ServerError,
}

impl Outcome {
    fn read(word: &str) -> Self {
        match word {
            "success" => Self::Success,
            "no_change" => Self::NoChange,
            "client_error" => Self::ClientError,
            _ => Self::ServerError,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Success => "success",
            Self::NoChange => "no_change",
            Self::ClientError => "client_error",
            Self::ServerError => "server_error",
        })
    }
}

/// A part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Most entries.
    pub limit: u32,
    /// Entries before it.
    pub offset: u32,
}

/// What a recipient asks of its mediator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// To be one.
    Request,
    /// To hold messages for these DIDs, or no more.
    Update(Vec<Change>),
    /// For which DIDs it holds them.
    Query(Option<Page>),
}

/// Why an ask was not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// A member of the body is missing or of another type.
    #[error("the body's \"{0}\" is missing or cannot be read")]
    Body(&'static str),
    /// More entries than are read.
    #[error("more than {MAX_ENTRIES} entries")]
    TooMany,
}

impl AskError {
    /// The problem code (§6.2.1).
    #[must_use]
    pub const fn problem(self) -> &'static str {
        match self {
            Self::Body(_) => "e.m.msg",
            Self::TooMany => "e.m.me.res",
        }
    }
}

/// Reads what a recipient asks; `None` if it is no ask of this protocol.
///
/// Forgiven: the names of the other version, `recipient_key` for `recipient_did`, one update
/// where a list belongs, numbers as text.
#[must_use]
pub fn read_ask(message: &Message) -> Option<Result<(Version, Ask), AskError>> {
    if let Some(version) = version_if(message, REQUEST) {
        return Some(Ok((version, Ask::Request)));
    }
    if let Some(version) = version_if(message, QUERY) {
        return Some(Ok((version, Ask::Query(page_of(message)))));
    }
    let version = version_if(message, UPDATE)?;
    Some(changes_of(message).map(|changes| (version, Ask::Update(changes))))
}

fn changes_of(message: &Message) -> Result<Vec<Change>, AskError> {
    let wrong = AskError::Body("updates");
    let list = match member(message, &["updates", "updated"]).ok_or(wrong)? {
        Value::Array(list) => list.as_slice(),
        one @ Value::Object(_) => std::slice::from_ref(one),
        _ => return Err(wrong),
    };
    if list.len() > MAX_ENTRIES {
        return Err(AskError::TooMany);
    }
    let read = |entry: &Value| {
        let did = text(entry, &RECIPIENT).ok_or(AskError::Body("recipient_did"))?;
        let action = text(entry, &["action"]).ok_or(AskError::Body("action"))?;
        let (did, action) = (did.to_owned(), Action::read(action));
        Ok(Change { did, action })
    };
    list.iter().map(read).collect()
}

/// A DID in a body, under its present and former names.
const RECIPIENT: [&str; 3] = ["recipient_did", "recipient_key", "did"];

/// Without a limit it is no page; an unreadable number counts as none.
fn page_of(message: &Message) -> Option<Page> {
    let page = member(message, &["paginate", "pagination"])?;
    let number = |name: &str| {
        let number = whole(of(page, &[name])?)?;
        Some(u32::try_from(number).unwrap_or(u32::MAX))
    };
    Some(Page {
        limit: number("limit")?,
        offset: number("offset").unwrap_or(0),
    })
}

/// A request, to be sent to a mediator. The answer comes back on the same connection.
#[must_use]
pub fn request(version: Version) -> Message {
    ask(version.type_uri(REQUEST), json!({}))
}

/// An update of the DIDs that messages are held for.
#[must_use]
pub fn update(version: Version, changes: &[Change]) -> Message {
    let updates: Vec<Value> = changes
        .iter()
        .map(|one| json!({ "recipient_did": one.did, "action": one.action.word() }))
        .collect();
    ask(version.type_uri(UPDATE), json!({ "updates": updates }))
}

/// A question for which DIDs messages are held: all, or a page of them.
#[must_use]
pub fn query(version: Version, page: Option<Page>) -> Message {
    let body = page.map_or_else(
        || json!({}),
        |page| json!({ "paginate": { "limit": page.limit, "offset": page.offset } }),
    );
    ask(version.type_uri(QUERY), body)
}

fn ask(type_uri: String, body: Value) -> Message {
    let mut message = Message::new(&type_uri).with_body(body);
    message.return_route = Some("all".to_owned());
    message
}
