//! The plaintext message (DIDComm v2.1 §3): every header, attachments, rotation, problems.
//!
//! What is it: [`Message`] and what hangs on it. Reading keeps every header it does not know
//! and forgives what §3 and its known writers leave open; writing is plain. Who calls it:
//! `protocol`, the node, the command line. What can go wrong: [`MessageError`]. There is no
//! clock here: times are given by the caller, in POSIX seconds.

mod ack;
mod attachment;
mod headers;
mod json;
mod problem;
mod rotation;
#[cfg(test)]
mod tests;
mod time;
mod type_uri;

pub use attachment::{Attachment, AttachmentData, AttachmentError, safe_filename};
pub use headers::{ReceivedOrder, Translation};
pub use problem::{CodeError, ProblemCode, Scope, Sorter};
pub use rotation::{Heard, Relationship, Rotation, RotationError};
pub use time::posix_of;
pub use type_uri::{ProtocolUri, TypeUri, Version, same_name};

use serde_json::{Map, Value};

/// `typ` of a plaintext message (§2.1).
pub const PLAIN: &str = "application/didcomm-plain+json";

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Not JSON, or nested deeper than 128 levels.
    #[error("the message is not JSON")]
    NotJson,
    /// JSON, but no object.
    #[error("the message is not a JSON object")]
    NotAnObject,
    /// It has `@id` or `@type`: DIDComm v1.
    #[error("this is a DIDComm v1 message (it has \"@type\"); only DIDComm v2 is understood")]
    Version1,
    /// A header that must be there is not.
    #[error("the message has no \"{0}\"")]
    Missing(&'static str),
    /// A header that we know is of a type it cannot be.
    #[error("the header \"{header}\" must be {must}")]
    Header {
        /// Which.
        header: &'static str,
        /// What it must be.
        must: &'static str,
    },
    /// More entries in a list than we read.
    #[error("too many entries in \"{0}\"")]
    TooMany(&'static str),
}

/// What is odd about a message, yet no reason to refuse it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageWarning {
    /// §3.3: `links` without `hash`; the content cannot be proven.
    #[error("attachment {0} has links but no hash: its content cannot be checked")]
    LinksWithoutHash(usize),
    /// §3.3: an attachment without any data.
    #[error("attachment {0} holds no data")]
    EmptyAttachment(usize),
    /// §3.3: `byte_count` is not the size of the content.
    #[error("attachment {0} holds another number of bytes than it says")]
    ByteCount(usize),
    /// §3.1: the id has other than unreserved URI characters.
    #[error("the message id has unusual characters")]
    UnusualId,
    /// The type is no message type URI (§9.2).
    #[error("the message type is not a message type URI")]
    UnusualType,
}

/// A plaintext message.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Message {
    /// `id`: unique for its sender.
    pub id: String,
    /// `type`: a message type URI (see [`TypeUri`]).
    pub type_uri: String,
    /// `typ`: media type, as it came.
    pub typ: Option<String>,
    /// `to`: recipients' DIDs.
    pub to: Vec<String>,
    /// `from`: the sender's DID, as claimed; `open` proves it.
    pub from: Option<String>,
    /// `thid`: the thread, when it is not this message's own id.
    pub thid: Option<String>,
    /// `pthid`: the parent thread.
    pub pthid: Option<String>,
    /// `created_time`, POSIX seconds.
    pub created_time: Option<u64>,
    /// `expires_time`, POSIX seconds.
    pub expires_time: Option<u64>,
    /// `body`: an object. 2.1 lets it be absent; [`Message::new`] writes an empty one, since
    /// readers of 2.0 demand it.
    pub body: Option<Value>,
    /// `attachments`.
    pub attachments: Vec<Attachment>,
    /// `from_prior`: a JWT, of DID rotation (§5.3).
    pub from_prior: Option<String>,
    /// `please_ack` (§6.1.2): ids to acknowledge; the empty string is this message.
    pub please_ack: Vec<String>,
    /// `ack`: ids acknowledged, in the order they came.
    pub ack: Vec<String>,
    /// `lang` (§10): the language of the content.
    pub lang: Option<String>,
    /// `accept-lang`: languages wanted in answers, best first.
    pub accept_lang: Vec<String>,
    /// `return_route` (extension): `none`, `all` or `thread`.
    pub return_route: Option<String>,
    /// `return_route_thread`, with `thread`.
    pub return_route_thread: Option<String>,
    /// `sender_order` (advanced sequencing).
    pub sender_order: Option<u64>,
    /// `sent_count`: of a message sent again.
    pub sent_count: Option<u64>,
    /// Every other header, unchanged: `received_orders`, `l10n`, `trace`, strangers'.
    pub extra: Map<String, Value>,
}

impl Message {
    /// A fresh message: random UUID as id, `typ` set, an empty body.
    #[must_use]
    pub fn new(type_uri: &str) -> Self {
        Self {
            id: uuid::Uuid::new_v4().to_string(),
            type_uri: type_uri.to_owned(),
            typ: Some(PLAIN.to_owned()),
            body: Some(Value::Object(Map::new())),
            ..Self::default()
        }
    }

    /// The same with this body; anything but an object is a mistake that no reader forgives.
    #[must_use]
    pub fn with_body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// The same with sender and recipients.
    #[must_use]
    pub fn between(mut self, from: &str, to: &[&str]) -> Self {
        self.from = Some(from.to_owned());
        self.to = to.iter().map(|did| (*did).to_owned()).collect();
        self
    }

    /// A message of this type in answer to `self`: same thread, sides swapped. The answer
    /// comes from the one of `to` that is given, or from the first.
    #[must_use]
    pub fn reply(&self, type_uri: &str) -> Self {
        let mut reply = Self::new(type_uri);
        reply.thid = Some(self.thread().to_owned());
        reply.from = self.to.first().cloned();
        reply.to = self.from.iter().cloned().collect();
        reply
    }

    /// The thread it belongs to: `thid`, or its own id (§7.1).
    #[must_use]
    pub fn thread(&self) -> &str {
        self.thid.as_deref().unwrap_or(&self.id)
    }

    /// Whether it has expired at `now` (POSIX seconds).
    #[must_use]
    pub fn expired(&self, now: u64) -> bool {
        self.expires_time.is_some_and(|end| end <= now)
    }

    /// A text of the body.
    #[must_use]
    pub fn body_text(&self, name: &str) -> Option<&str> {
        self.body.as_ref()?.get(name)?.as_str()
    }

    /// The attachment that `#id` or `id` refers to (§3.3.2).
    #[must_use]
    pub fn attachment(&self, reference: &str) -> Option<&Attachment> {
        let id = reference.strip_prefix('#').unwrap_or(reference);
        self.attachments
            .iter()
            .find(|one| one.id.as_deref() == Some(id))
    }

    /// What is odd about it, for people to see.
    #[must_use]
    pub fn warnings(&self) -> Vec<MessageWarning> {
        let mut found = Vec::new();
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        if !self.id.bytes().all(unreserved) {
            found.push(MessageWarning::UnusualId);
        }
        if TypeUri::parse(&self.type_uri).is_none() {
            found.push(MessageWarning::UnusualType);
        }
        for (index, attachment) in self.attachments.iter().enumerate() {
            let data = &attachment.data;
            if !data.links.is_empty() && data.hash.is_none() {
                found.push(MessageWarning::LinksWithoutHash(index));
            } else if data.links.is_empty() && data.base64.is_none() && data.json.is_none() {
                found.push(MessageWarning::EmptyAttachment(index));
            }
            let sizes = attachment.byte_count.zip(attachment.size());
            if sizes.is_some_and(|(told, held)| told != held) {
                found.push(MessageWarning::ByteCount(index));
            }
        }
        found
    }
}

/// Whether two message or thread ids are the same: case does not count (§7.1).
#[must_use]
pub fn same_id(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}
