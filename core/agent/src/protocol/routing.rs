//! Routing 2.0 (§9.4): messages passed on by mediators, who learn only where to.
//!
//! What is it: reading a `forward` ([`read`]), writing one ([`forward`]), wrapping a packed
//! message for a chain of mediators ([`wrap`]), and finding that chain in a DID document
//! ([`routes`]). Who calls it: the mediator of the gateway reads; whoever sends through one
//! wraps. What can go wrong: [`ForwardError`], [`WrapError`]. There is no clock and no die here:
//! whoever waits for `delay_milli` brings both.

mod onion;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::reading::{self, member, signed, text, whole};
use crate::did::{DidUrl, did_of};
use crate::message::{Attachment, Message};

pub use onion::{MAX_ROUTING_KEYS, Route, WrapError, routes, routes_of, wrap};

/// Protocol identifier.
pub const PIURI: &str = "https://didcomm.org/routing/2.0";

/// Most messages that one forward is read with.
pub const MAX_PACKED: usize = 100;

/// A forward that passed this many mediators goes in circles.
pub const MAX_HOPS: u32 = 10;

/// The header in which mediators count: no part of the protocol, but others know it (Affinidi).
const HOP_COUNT: &str = "hop_count";
/// The header that asks for a pause.
const DELAY: &str = "delay_milli";

/// Why a message is no forward that can be followed, or cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// Another type of message.
    #[error("this is not a forward")]
    Type,
    /// `next` is missing, or no DID.
    #[error("the forward does not say whom it is for")]
    Next,
    /// Nothing is attached.
    #[error("the forward has no message in it")]
    Empty,
    /// More is attached than is read.
    #[error("the forward holds more than {MAX_PACKED} messages")]
    TooMany,
    /// An attachment is damaged, or only a link.
    #[error("the forward's attachment {0} cannot be read")]
    Attachment(usize),
    /// It passed too many mediators.
    #[error("the forward passed {MAX_HOPS} mediators: it goes in circles")]
    Hops,
}

impl ForwardError {
    /// The problem code (§6.2.1).
    #[must_use]
    pub const fn problem(self) -> &'static str {
        match self {
            Self::TooMany => "e.m.me.res",
            Self::Hops => "e.m.req.hops",
            _ => "e.m.msg",
        }
    }
}

/// What a forward asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forward {
    /// Whom the messages are for: a DID or DID URL.
    pub next: String,
    /// The packed messages, each to be delivered on its own.
    pub packed: Vec<Vec<u8>>,
    /// `expires_time`, POSIX seconds: afterwards nobody needs them.
    pub expires: Option<u64>,
    /// `delay_milli`: how long to wait; see [`Forward::wait`].
    pub delay_ms: Option<i64>,
    /// How many mediators passed it on before.
    pub hops: u32,
}

impl Forward {
    /// The milliseconds to wait: what was asked for, or with a negative wish any number up to it,
    /// as `draw` (evenly random) decides.
    #[must_use]
    pub const fn wait(&self, draw: u64) -> u64 {
        match self.delay_ms {
            None => 0,
            Some(asked) if asked >= 0 => asked.unsigned_abs(),
            Some(most) => draw % (most.unsigned_abs().saturating_add(1)),
        }
    }

    /// The forward with which a mediator passes one of the messages on to another, whom it
    /// knows to be a mediator too (the spec's rewrapping): the onion keeps its size.
    ///
    /// # Errors
    /// [`ForwardError::Hops`] when it has passed enough; those of [`forward`].
    pub fn onward(&self, next: &str, packed: &[u8]) -> Result<Message, ForwardError> {
        let hops = self.hops.saturating_add(1);
        if hops >= MAX_HOPS {
            return Err(ForwardError::Hops);
        }
        let mut message = forward(next, packed)?;
        message.expires_time = self.expires;
        message.extra.insert(HOP_COUNT.to_owned(), json!(hops));
        Ok(message)
    }
}

/// Reads a forward. `please_ack` is not honoured (§9.4), and nobody is asked who sent it.
///
/// Forgiven: messages as `json` (object or text) or `base64` in any alphabet; numbers as text;
/// `delay_milli` and `hop_count` in the body or unreadable.
///
/// # Errors
/// Any [`ForwardError`].
pub fn read(message: &Message) -> Result<Forward, ForwardError> {
    if !is_forward(message) {
        return Err(ForwardError::Type);
    }
    let body = message.body.as_ref().ok_or(ForwardError::Next)?;
    let next = text(body, &["next"]).ok_or(ForwardError::Next)?;
    DidUrl::parse(next).map_err(|_| ForwardError::Next)?;
    let header = |name: &str| message.extra.get(name).or_else(|| member(message, &[name]));
    let hops = header(HOP_COUNT).and_then(whole);
    let hops = hops.map_or(0, |hops| u32::try_from(hops).unwrap_or(u32::MAX));
    if hops >= MAX_HOPS {
        return Err(ForwardError::Hops);
    }
    if message.attachments.len() > MAX_PACKED {
        return Err(ForwardError::TooMany);
    }
    let packed: Vec<Vec<u8>> = message
        .attachments
        .iter()
        .enumerate()
        .map(|(index, one)| reading::packed(one).ok_or(ForwardError::Attachment(index)))
        .collect::<Result<_, _>>()?;
    if packed.is_empty() {
        return Err(ForwardError::Empty);
    }
    Ok(Forward {
        next: next.to_owned(),
        packed,
        expires: message.expires_time,
        delay_ms: header(DELAY).and_then(signed),
        hops,
    })
}

/// Whether it is a forward, whatever is in it.
#[must_use]
pub fn is_forward(message: &Message) -> bool {
    message.is(PIURI, "forward")
}

/// A forward of one packed message to `next`: without sender, as no mediator needs one, and with
/// the message as `json`, which is all that some read.
///
/// # Errors
/// [`ForwardError::Next`], [`ForwardError::Empty`].
pub fn forward(next: &str, packed: &[u8]) -> Result<Message, ForwardError> {
    DidUrl::parse(next).map_err(|_| ForwardError::Next)?;
    if packed.is_empty() {
        return Err(ForwardError::Empty);
    }
    let mut message = Message::new("https://didcomm.org/routing/2.0/forward")
        .with_body(json!({ "next": did_of(next) }));
    message.attachments = vec![attach(packed)];
    Ok(message)
}

/// JSON where nothing can change on the way: JWE and JWS hold texts only. Of a plaintext, or
/// anything else, every byte is kept.
fn attach(packed: &[u8]) -> Attachment {
    let sealed =
        |value: &Value| value.get("ciphertext").is_some() || value.get("payload").is_some();
    match serde_json::from_slice::<Value>(packed) {
        Ok(value) if sealed(&value) => Attachment {
            media_type: None,
            ..Attachment::json(value)
        },
        _ => Attachment::base64(packed),
    }
}
