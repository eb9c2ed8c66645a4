//! Empty 1.0 (§9.7): headers only; with `ack`, a pure ACK.

use crate::message::Message;

/// Protocol identifier.
pub const PIURI: &str = "https://didcomm.org/empty/1.0";

/// An empty message.
#[must_use]
pub fn message() -> Message {
    Message::new("https://didcomm.org/empty/1.0/empty")
}

/// A pure ACK of these ids, in the thread of `of`.
#[must_use]
pub fn acknowledge(of: &Message, ids: Vec<String>) -> Message {
    Message {
        ack: ids,
        ..of.reply("https://didcomm.org/empty/1.0/empty")
    }
}
