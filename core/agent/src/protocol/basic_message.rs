//! Basicmessage 2.0 (didcomm.org): words for a person. The sender sets `created_time`.

use serde_json::json;

use crate::message::Message;

/// Protocol identifier.
pub const PIURI: &str = "https://didcomm.org/basicmessage/2.0";

/// A message that says `content`.
#[must_use]
pub fn message(content: &str) -> Message {
    Message::new("https://didcomm.org/basicmessage/2.0/message")
        .with_body(json!({ "content": content }))
}

/// The words, if it is a basicmessage.
#[must_use]
pub fn content(message: &Message) -> Option<&str> {
    message
        .is(PIURI, "message")
        .then(|| message.body_text("content"))?
}
