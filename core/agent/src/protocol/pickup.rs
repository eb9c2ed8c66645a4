//! Message pickup 3.0 and 4.0: fetching what a mediator holds.
//!
//! What is it: both sides as pure functions. The mediator reads an [`Ask`] and writes status and
//! delivery in the version that was asked; the recipient writes asks and reads an [`Answer`] of
//! either version. What was delivered stays at the mediator until [`received`] names it. Who
//! calls it: the gateway's mediator; whoever picks up at one. What can go wrong: [`AskError`].
//!
//! 4.0 differs: its name has a hyphen, `limit` is `message_count_limit`, times are milliseconds,
//! an empty queue is an empty `delivery`, and live messages come as `delivery` and are
//! acknowledged like others.

mod answers;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::reading::{flag, member, text, texts, whole};
use crate::message::{Message, TypeUri};

pub use answers::{Answer, Item, Status, delivery, read_answer, status};

/// Protocol identifier of 3.0.
pub const PIURI_3: &str = "https://didcomm.org/messagepickup/3.0";
/// Protocol identifier of 4.0.
pub const PIURI: &str = "https://didcomm.org/message-pickup/4.0";
/// The name under which old texts have it.
const OLD_NAMES: [&str; 2] = [
    "https://didcomm.org/pickup/3.0",
    "https://didcomm.org/pickup/4.0",
];

/// The problem code for live delivery where there is no lasting connection.
pub const LIVE_NOT_SUPPORTED: &str = "e.m.live-mode-not-supported";

/// Most ids of one `messages-received` that are read.
pub const MAX_IDS: usize = 10_000;
/// Most messages asked for when the ask does not say how many.
pub const DEFAULT_LIMIT: u32 = 10;

/// A major version; what the other side spoke is what it is answered in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// 3.0.
    V3,
    /// 4.0.
    V4,
}

impl Version {
    /// The protocol identifier.
    #[must_use]
    pub const fn piuri(self) -> &'static str {
        match self {
            Self::V3 => PIURI_3,
            Self::V4 => PIURI,
        }
    }

    fn type_uri(self, name: &str) -> String {
        format!("{}/{name}", self.piuri())
    }

    /// The version of a message of this protocol; names match without regard to hyphens.
    fn of(message: &Message) -> Option<Self> {
        let uri = TypeUri::parse(&message.type_uri)?;
        let ours = |piuri: &str| uri.is(piuri, uri.message);
        if ours(PIURI_3) || ours(OLD_NAMES[0]) {
            Some(Self::V3)
        } else if ours(PIURI) || ours(OLD_NAMES[1]) {
            Some(Self::V4)
        } else {
            None
        }
    }
}

/// Its version if it is this message.
fn version_if(message: &Message, name: &str) -> Option<Version> {
    let version = Version::of(message)?;
    message.type_uri.rsplit_once('/').filter(|(_, last)| {
        // As in `TypeUri::is`: without case and punctuation.
        crate::message::same_name(last, name)
    })?;
    Some(version)
}

const STATUS_REQUEST: &str = "status-request";
const DELIVERY_REQUEST: &str = "delivery-request";
const RECEIVED: &str = "messages-received";
const LIVE: &str = "live-delivery-change";

/// What a recipient asks of its mediator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// How much is there.
    Status {
        /// Only for this DID.
        recipient: Option<String>,
    },
    /// To get some of it.
    Delivery {
        /// At most so many.
        limit: u32,
        /// Only for this DID.
        recipient: Option<String>,
    },
    /// To delete these: they are safe now.
    Received(Vec<String>),
    /// To get new messages on this connection as they come, or no more.
    Live(bool),
}

/// Why an ask was not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// A member of the body is missing or of another type.
    #[error("the body's \"{0}\" is missing or cannot be read")]
    Body(&'static str),
    /// More ids than are read.
    #[error("more than {MAX_IDS} ids")]
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

/// A DID in a body, under its present and former name.
const RECIPIENT: [&str; 2] = ["recipient_did", "recipient_key"];

/// Reads what a recipient asks; `None` if it is no ask of this protocol.
///
/// Forgiven: `recipient_key`, the limit under either version's name, as text or missing, one id
/// where a list belongs, `"true"`.
#[must_use]
pub fn read_ask(message: &Message) -> Option<Result<(Version, Ask), AskError>> {
    if let Some(version) = version_if(message, STATUS_REQUEST) {
        let ask = recipient(message).map(|recipient| Ask::Status { recipient });
        return Some(ask.map(|ask| (version, ask)));
    }
    if let Some(version) = version_if(message, DELIVERY_REQUEST) {
        let ask = recipient(message).and_then(|recipient| {
            let limit = limit(message)?;
            Ok(Ask::Delivery { limit, recipient })
        });
        return Some(ask.map(|ask| (version, ask)));
    }
    if let Some(version) = version_if(message, RECEIVED) {
        return Some(ids(message).map(|ids| (version, Ask::Received(ids))));
    }
    let version = version_if(message, LIVE)?;
    let live = member(message, &["live_delivery"]).and_then(flag);
    let live = live.ok_or(AskError::Body("live_delivery"));
    Some(live.map(|live| (version, Ask::Live(live))))
}

/// One that is there and cannot be read must not become a wish for everything.
fn recipient(message: &Message) -> Result<Option<String>, AskError> {
    if member(message, &RECIPIENT).is_none() {
        return Ok(None);
    }
    let told = message
        .body
        .as_ref()
        .and_then(|body| text(body, &RECIPIENT));
    let told = told.ok_or(AskError::Body("recipient_did"))?;
    Ok(Some(told.to_owned()))
}

fn limit(message: &Message) -> Result<u32, AskError> {
    let Some(told) = member(message, &["message_count_limit", "limit"]) else {
        return Ok(DEFAULT_LIMIT);
    };
    let limit = whole(told).ok_or(AskError::Body("limit"))?;
    Ok(u32::try_from(limit).unwrap_or(u32::MAX))
}

fn ids(message: &Message) -> Result<Vec<String>, AskError> {
    let wrong = AskError::Body("message_id_list");
    let list = member(message, &["message_id_list", "message_ids"]).ok_or(wrong)?;
    match list {
        Value::Array(list) if list.len() > MAX_IDS => Err(AskError::TooMany),
        Value::Array(_) | Value::String(_) => Ok(texts(list).map(str::to_owned).collect()),
        _ => Err(wrong),
    }
}

/// A question how much is held: all, or for one DID.
#[must_use]
pub fn status_request(version: Version, recipient: Option<&str>) -> Message {
    let body = recipient.map_or_else(|| json!({}), |did| json!({ "recipient_did": did }));
    ask(version, STATUS_REQUEST, body)
}

/// A wish for at most `limit` messages: of all, or for one DID.
#[must_use]
pub fn delivery_request(version: Version, limit: u32, recipient: Option<&str>) -> Message {
    let mut body = match version {
        Version::V3 => json!({ "limit": limit }),
        Version::V4 => json!({ "message_count_limit": limit }),
    };
    if let (Some(did), Some(body)) = (recipient, body.as_object_mut()) {
        body.insert("recipient_did".to_owned(), json!(did));
    }
    ask(version, DELIVERY_REQUEST, body)
}

/// These are safe here, and may be deleted there: ids of [`Item`]s.
#[must_use]
pub fn received(version: Version, ids: &[String]) -> Message {
    ask(version, RECEIVED, json!({ "message_id_list": ids }))
}

/// New messages are wanted on this connection as they come, or no more.
#[must_use]
pub fn live(version: Version, wanted: bool) -> Message {
    ask(version, LIVE, json!({ "live_delivery": wanted }))
}

fn ask(version: Version, name: &str, body: Value) -> Message {
    let mut message = Message::new(&version.type_uri(name)).with_body(body);
    message.return_route = Some("all".to_owned());
    message
}
