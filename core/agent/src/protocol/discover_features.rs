//! Discover-features 2.0 (§9.6, and §8.4.1 for `max_receive_bytes`).
//!
//! What is it: asking what the other side can do, and telling it what one chooses to tell
//! (the caller's list; that is the selective disclosure). Feature types: `protocol` (PIURIs),
//! `goal-code`, `header`, `constraint`, and any that the caller lists; a query for another
//! is ignored. What can go wrong: nothing; queries that are malformed are passed over.

use serde_json::{Map, Value, json};

use super::{
    basic_message, empty, mediation, out_of_band, pickup, report_problem, routing, trust_ping,
};
use crate::message::Message;

#[cfg(test)]
mod tests;

/// Protocol identifier.
pub const PIURI: &str = "https://didcomm.org/discover-features/2.0";
/// Feature type of protocols; ids are PIURIs.
pub const PROTOCOL: &str = "protocol";
/// Feature type of goal codes.
pub const GOAL_CODE: &str = "goal-code";
/// Feature type of message headers.
pub const HEADER: &str = "header";
/// Feature type of limits.
pub const CONSTRAINT: &str = "constraint";
/// The limit of §8.4.1: longest packed message that is taken, in bytes.
pub const MAX_RECEIVE_BYTES: &str = "max_receive_bytes";

/// Bounds on what one message may ask or tell.
const MAX_QUERIES: usize = 64;
const MAX_DISCLOSURES: usize = 1024;
const MAX_MATCH: usize = 512;

/// Something an agent can do, or a limit it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// `feature-type`.
    pub feature_type: String,
    /// `id`.
    pub id: String,
    /// `roles`, of a protocol; empty says nothing about roles.
    pub roles: Vec<String>,
    /// Of a constraint: its value, under the member named like its id.
    pub limit: Option<u64>,
}

impl Feature {
    /// A feature without details.
    #[must_use]
    pub fn new(feature_type: &str, id: &str) -> Self {
        Self {
            feature_type: feature_type.to_owned(),
            id: id.to_owned(),
            roles: Vec::new(),
            limit: None,
        }
    }

    /// A protocol and the roles played in it.
    #[must_use]
    pub fn protocol(piuri: &str, roles: &[&str]) -> Self {
        Self {
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            ..Self::new(PROTOCOL, piuri)
        }
    }

    /// `max_receive_bytes`: packed messages longer than this are not taken.
    #[must_use]
    pub fn max_receive_bytes(bytes: u64) -> Self {
        Self {
            limit: Some(bytes),
            ..Self::new(CONSTRAINT, MAX_RECEIVE_BYTES)
        }
    }

    fn to_value(&self) -> Value {
        let mut out = Map::new();
        out.insert("feature-type".to_owned(), json!(self.feature_type));
        out.insert("id".to_owned(), json!(self.id));
        if !self.roles.is_empty() {
            out.insert("roles".to_owned(), json!(self.roles));
        }
        if let Some(limit) = self.limit {
            // §8.4.1 writes the number as a string.
            out.insert(self.id.clone(), json!(limit.to_string()));
        }
        Value::Object(out)
    }

    fn read(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name)?.as_str();
        let feature_type = text("feature-type")?;
        let id = text("id")?;
        let roles = value.get("roles").and_then(Value::as_array);
        let limit = (feature_type == CONSTRAINT)
            .then(|| value.get(id))
            .flatten();
        Some(Self {
            roles: roles
                .into_iter()
                .flatten()
                .filter_map(|role| role.as_str().map(str::to_owned))
                .collect(),
            limit: limit.and_then(whole),
            ..Self::new(feature_type, id)
        })
    }
}

/// What this crate itself speaks and honours, without any limit.
#[must_use]
pub fn ours() -> Vec<Feature> {
    let protocols = [
        (PIURI, &["requester", "responder"][..]),
        (trust_ping::PIURI, &["sender", "receiver"]),
        (out_of_band::PIURI, &["sender", "receiver"]),
        (report_problem::PIURI, &["notifier", "notified"]),
        (basic_message::PIURI, &["sender", "receiver"]),
        (empty::PIURI, &[]),
        (routing::PIURI, &["sender", "receiver"]),
        (mediation::PIURI, &["recipient"]),
        (mediation::PIURI_2, &["recipient"]),
        (pickup::PIURI, &["recipient"]),
        (pickup::PIURI_3, &["recipient"]),
    ];
    let headers = ["please_ack", "ack", "from_prior", "lang", "accept-lang"];
    protocols
        .into_iter()
        .map(|(piuri, roles)| Feature::protocol(piuri, roles))
        .chain(headers.map(|header| Feature::new(HEADER, header)))
        .collect()
}

/// The same of a mediator: what the others do here as its recipients, it does for them.
#[must_use]
pub fn ours_as_mediator() -> Vec<Feature> {
    let mediated = [
        routing::PIURI,
        mediation::PIURI,
        mediation::PIURI_2,
        pickup::PIURI,
        pickup::PIURI_3,
    ];
    let mut features = ours();
    for feature in &mut features {
        if mediated.contains(&feature.id.as_str()) {
            feature.roles = vec!["mediator".to_owned()];
        }
    }
    features.push(Feature::new(GOAL_CODE, mediation::GOAL));
    features.push(Feature::new(HEADER, "return_route"));
    features
}

/// A question: pairs of feature type and what its id must match, `*` standing for any text.
#[must_use]
pub fn queries(asked: &[(&str, &str)]) -> Message {
    let queries: Vec<Value> = asked
        .iter()
        .map(|(kind, pattern)| json!({ "feature-type": kind, "match": pattern }))
        .collect();
    Message::new("https://didcomm.org/discover-features/2.0/queries")
        .with_body(json!({ "queries": queries }))
}

/// Features told, in answer or unasked.
#[must_use]
pub fn disclose(features: &[Feature]) -> Message {
    let list: Vec<Value> = features.iter().map(Feature::to_value).collect();
    Message::new("https://didcomm.org/discover-features/2.0/disclose")
        .with_body(json!({ "disclosures": list }))
}

/// The answer to queries: those of `features` that match, each once, shuffled by `seed`
/// (§9.6: their order must not tell one implementation from another). An empty answer only
/// says that nothing is disclosed. `None` if the message asks nothing.
#[must_use]
pub fn answer(message: &Message, features: &[Feature], seed: u64) -> Option<Message> {
    if !message.is(PIURI, "queries") {
        return None;
    }
    let queries = list(message, "queries").take(MAX_QUERIES);
    let asked: Vec<(&str, &str)> = queries
        .filter_map(|query| {
            let text = |name: &str| query.get(name)?.as_str();
            text("feature-type").zip(text("match"))
        })
        .filter(|(_, pattern)| pattern.len() <= MAX_MATCH)
        .collect();
    let mut found: Vec<Value> = features
        .iter()
        .filter(|feature| {
            asked.iter().any(|(kind, pattern)| {
                *kind == feature.feature_type && matches(pattern, &feature.id)
            })
        })
        .map(Feature::to_value)
        .collect();
    shuffle(&mut found, seed);
    let reply = message.reply("https://didcomm.org/discover-features/2.0/disclose");
    Some(reply.with_body(json!({ "disclosures": found })))
}

/// The features a `disclose` tells; `None` for another message. Malformed ones are left out.
#[must_use]
pub fn disclosed(message: &Message) -> Option<Vec<Feature>> {
    message.is(PIURI, "disclose").then(|| {
        list(message, "disclosures")
            .take(MAX_DISCLOSURES)
            .filter_map(Feature::read)
            .collect()
    })
}

/// The longest packed message its sender takes, if this `disclose` says so (§8.4.1).
#[must_use]
pub fn max_receive_bytes(message: &Message) -> Option<u64> {
    disclosed(message)?
        .into_iter()
        .filter(|one| one.feature_type == CONSTRAINT && one.id == MAX_RECEIVE_BYTES)
        .find_map(|one| one.limit)
}

fn list<'a>(message: &'a Message, name: &str) -> impl Iterator<Item = &'a Value> {
    let list = message.body.as_ref().and_then(|body| body.get(name));
    list.and_then(Value::as_array).into_iter().flatten()
}

/// A number, or a string of digits.
fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    }
}

/// Whether `*` in the pattern can be filled so that it is `text`; case does not count. Takes
/// at most pattern × text steps, whatever the pattern: it only ever goes back to the last `*`.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(wanted) if wanted.eq_ignore_ascii_case(byte) => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after, at)) = star else {
                    return false;
                };
                star = Some((after, at + 1));
                p = after;
                t = at + 1;
            }
        }
    }
    pattern
        .get(p..)
        .is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

/// Fisher and Yates, with SplitMix64.
fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for last in (1..items.len()).rev() {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let other = usize::try_from(mixed % (last as u64 + 1)).unwrap_or(0);
        items.swap(last, other);
    }
}
