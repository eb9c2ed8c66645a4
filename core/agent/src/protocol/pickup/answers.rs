//! What a mediator answers: how much is there, and the messages themselves.
//!
//! Who calls it: `pickup`. What can go wrong: nothing; what cannot be read is told as missing, so
//! that it can be acknowledged and does not block the queue for ever.

use serde_json::{Map, Value, json};

use super::{RECIPIENT, Version, version_if};
use crate::message::{Attachment, Message};
use crate::protocol::reading::{flag, member, millis, packed, text, whole};

const STATUS: &str = "status";
const DELIVERY: &str = "delivery";

/// How much a mediator holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// Messages.
    pub count: u64,
    /// Only for this DID, when it was asked for.
    pub recipient: Option<String>,
    /// Their bytes.
    pub bytes: Option<u64>,
    /// When the oldest came, milliseconds since 1970.
    pub oldest: Option<u64>,
    /// When the newest came, milliseconds since 1970.
    pub newest: Option<u64>,
    /// How long the oldest has waited, in seconds; 4.0 does not tell.
    pub waited: Option<u64>,
    /// Whether new messages come on this connection as they arrive.
    pub live: Option<bool>,
}

/// One message of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Item {
    /// What to name it by in [`super::received`]; without one it cannot be acknowledged.
    pub id: Option<String>,
    /// The packed message; `None` if the attachment is damaged.
    pub packed: Option<Vec<u8>>,
}

/// What a mediator answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// How much it holds; of 3.0 also the answer to a wish when it holds nothing.
    Status(Status),
    /// Messages; none when it holds none.
    Delivery {
        /// Only for this DID, when it was asked for.
        recipient: Option<String>,
        /// The messages.
        items: Vec<Item>,
    },
}

/// How much is there, in answer to an ask.
#[must_use]
pub fn status(about: &Message, version: Version, status: &Status) -> Message {
    let mut body = Map::new();
    let time = |millis: u64| match version {
        Version::V3 => json!(millis / 1000),
        Version::V4 => json!(millis),
    };
    let waited = status.waited.filter(|_| version == Version::V3);
    let members = [
        (
            "recipient_did",
            status.recipient.as_ref().map(|did| json!(did)),
        ),
        ("message_count", Some(json!(status.count))),
        (
            "longest_waited_seconds",
            waited.map(|seconds| json!(seconds)),
        ),
        ("newest_received_time", status.newest.map(time)),
        ("oldest_received_time", status.oldest.map(time)),
        ("total_bytes", status.bytes.map(|bytes| json!(bytes))),
        ("live_delivery", status.live.map(|live| json!(live))),
    ];
    for (name, value) in members {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    }
    about
        .reply(&version.type_uri(STATUS))
        .with_body(Value::Object(body))
}

/// Messages with the ids to acknowledge them by. Without an ask, as new ones come on a live
/// connection, `about` is the message that switched it on.
#[must_use]
pub fn delivery(
    about: &Message,
    version: Version,
    recipient: Option<&str>,
    messages: &[(String, Vec<u8>)],
) -> Message {
    let body = recipient.map_or_else(|| json!({}), |did| json!({ "recipient_did": did }));
    let mut message = about.reply(&version.type_uri(DELIVERY)).with_body(body);
    message.attachments = messages
        .iter()
        .map(|(id, packed)| Attachment {
            id: Some(id.clone()),
            // Every byte of a large page counts: some readers take no more than 256,000.
            byte_count: None,
            ..Attachment::base64(packed)
        })
        .collect();
    message
}

/// Reads what a mediator answers; `None` if it is no answer of this protocol.
///
/// Forgiven: `recipient_key`, times as seconds, milliseconds or text, numbers as text; messages
/// as `base64` in any alphabet, as `json`, or as JSON text in a string.
#[must_use]
pub fn read_answer(message: &Message) -> Option<Answer> {
    let recipient = || {
        let body = message.body.as_ref()?;
        text(body, &RECIPIENT).map(str::to_owned)
    };
    if version_if(message, DELIVERY).is_some() {
        let item = |one: &Attachment| Item {
            id: one.id.clone().filter(|id| !id.is_empty()),
            packed: packed(one),
        };
        return Some(Answer::Delivery {
            recipient: recipient(),
            items: message.attachments.iter().map(item).collect(),
        });
    }
    version_if(message, STATUS)?;
    let number = |name: &str| whole(member(message, &[name])?);
    let time = |name: &str| millis(member(message, &[name])?);
    Some(Answer::Status(Status {
        count: number("message_count").unwrap_or(0),
        recipient: recipient(),
        bytes: number("total_bytes"),
        oldest: time("oldest_received_time"),
        newest: time("newest_received_time"),
        waited: number("longest_waited_seconds"),
        live: member(message, &["live_delivery"]).and_then(flag),
    }))
}
