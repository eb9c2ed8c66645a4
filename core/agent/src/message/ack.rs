//! Acknowledgements (DIDComm v2.1 §6.1.2).

use super::{Message, TypeUri};

/// The empty protocol, whose message carries nothing but headers.
const EMPTY: &str = "https://didcomm.org/empty/1.0";
const ROUTING: &str = "https://didcomm.org/routing/2.0";

impl Message {
    /// Whether it only acknowledges: an empty message with `ack`.
    #[must_use]
    pub fn is_pure_ack(&self) -> bool {
        !self.ack.is_empty() && self.is(EMPTY, "empty")
    }

    /// Whether it is this message of this protocol; see [`TypeUri::is`].
    #[must_use]
    pub fn is(&self, piuri: &str, message: &str) -> bool {
        TypeUri::parse(&self.type_uri).is_some_and(|uri| uri.is(piuri, message))
    }

    /// The ids its sender wants acknowledged, in order, this message's own in place of the
    /// empty string. None for a pure ACK (two agents would never stop) and for a `forward`
    /// (mediators must not acknowledge). Asking proves nothing: acknowledge only those that are
    /// here, as [`crate::protocol::respond`] does.
    #[must_use]
    pub fn wants_ack(&self) -> Vec<&str> {
        if self.is_pure_ack() || self.is(ROUTING, "forward") {
            return Vec::new();
        }
        let mut ids: Vec<&str> = Vec::new();
        for id in &self.please_ack {
            let id = if id.is_empty() {
                self.id.as_str()
            } else {
                id.as_str()
            };
            if !ids.contains(&id) {
                ids.push(id);
            }
            // Answers must not be many times larger than questions.
            if ids.len() >= 256 {
                break;
            }
        }
        ids
    }
}
