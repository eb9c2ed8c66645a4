//! Trust-ping 2.0 (§9.8).

use serde_json::{Value, json};

use crate::message::Message;

/// Protocol identifier.
pub const PIURI: &str = "https://didcomm.org/trust-ping/2.0";

/// A ping.
#[must_use]
pub fn ping(response_requested: bool) -> Message {
    Message::new("https://didcomm.org/trust-ping/2.0/ping")
        .with_body(json!({ "response_requested": response_requested }))
}

/// The response to a ping, unless none was wanted (the default is that one is).
#[must_use]
pub fn answer(message: &Message) -> Option<Message> {
    let wanted = message
        .body
        .as_ref()
        .and_then(|body| body.get("response_requested"));
    (message.is(PIURI, "ping") && wanted != Some(&Value::Bool(false)))
        .then(|| message.reply("https://didcomm.org/trust-ping/2.0/ping-response"))
}
