//! Protocols of DIDComm v2.1 §9 as pure functions: messages built, messages answered.
//!
//! Who calls it: the node, the gateway and the command line. What can go wrong: reading what
//! must make sense to be followed: an invitation ([`out_of_band::InvitationError`]), a forward
//! ([`routing::ForwardError`]), what is asked of a mediator ([`mediation::AskError`],
//! [`pickup::AskError`]).

pub mod basic_message;
pub mod discover_features;
pub mod empty;
pub mod mediation;
pub mod out_of_band;
pub mod pickup;
mod reading;
pub mod report_problem;
pub mod routing;
pub mod trust_ping;

use crate::message::Message;
use discover_features::Feature;

#[cfg(test)]
mod tests;

/// What answers may depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context {
    /// What is disclosed to whoever asks (see [`discover_features`]).
    pub features: Vec<Feature>,
    /// Shuffles disclosures; fresh randomness, or a simulation's own seed.
    pub seed: u64,
    /// Ids of earlier messages by the same sender that are here. Only these, and the message
    /// that is answered, are acknowledged: an acknowledgement of what never came is a lie.
    pub held: Vec<String>,
}

impl Default for Context {
    /// Discloses what this crate speaks, in an order that never changes: give a seed.
    fn default() -> Self {
        Self {
            features: discover_features::ours(),
            seed: 0,
            held: Vec::new(),
        }
    }
}

impl Context {
    /// The same with other features to disclose.
    #[must_use]
    pub fn with_features(mut self, features: Vec<Feature>) -> Self {
        self.features = features;
        self
    }

    /// The same with a seed for the order of disclosures.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The same, knowing these earlier messages of the sender; see [`Message::wants_ack`] for
    /// those to look up.
    #[must_use]
    pub fn with_held(mut self, held: Vec<String>) -> Self {
        self.held = held;
        self
    }
}

/// The answers that need no person: a ping's response, the features asked for, and the
/// acknowledgement asked for (§6.1.2) of what is here ([`Context::held`]), on the answer when
/// there is one. A message without `from` gets none: there is nobody to answer.
#[must_use]
pub fn respond(message: &Message, context: &Context) -> Vec<Message> {
    if message.from.is_none() {
        return Vec::new();
    }
    let told = || discover_features::answer(message, &context.features, context.seed);
    let mut answers: Vec<Message> = trust_ping::answer(message)
        .or_else(told)
        .into_iter()
        .collect();
    let here = |id: &&str| *id == message.id || context.held.iter().any(|held| held == id);
    let wanted: Vec<String> = message
        .wants_ack()
        .into_iter()
        .filter(here)
        .map(str::to_owned)
        .collect();
    match answers.first_mut() {
        _ if wanted.is_empty() => {}
        Some(answer) => answer.ack = wanted,
        None => answers.push(empty::acknowledge(message, wanted)),
    }
    answers
}
