//! Protocols of DIDComm v2.1 §9 as pure functions: messages built, messages answered.
//!
//! Who calls it: the node and the command line. What can go wrong: only reading an
//! invitation can fail ([`out_of_band::InvitationError`]).

pub mod basic_message;
pub mod empty;
pub mod out_of_band;
pub mod trust_ping;

use crate::message::Message;

/// What answers may depend on.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Context {}

/// The answers that need no person: a ping's response, and the acknowledgement asked for
/// (§6.1.2), on the response when there is one. A message without `from` gets none: there is
/// nobody to answer.
#[must_use]
pub fn respond(message: &Message, _context: &Context) -> Vec<Message> {
    if message.from.is_none() {
        return Vec::new();
    }
    let mut answers: Vec<Message> = trust_ping::answer(message).into_iter().collect();
    let wanted: Vec<String> = message.wants_ack().into_iter().map(str::to_owned).collect();
    match answers.first_mut() {
        _ if wanted.is_empty() => {}
        Some(answer) => answer.ack = wanted,
        None => answers.push(empty::acknowledge(message, wanted)),
    }
    answers
}
