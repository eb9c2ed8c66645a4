//! Every kind of packed message that the cross-tests know, from `../../kinds.json`, and what is
//! known not to work, from `../../known.json`. The Python scripts read the same two files.

use serde_json::{Value, json};

use crate::{Parties, Plan, Read};

/// One kind: what to pack and how.
#[derive(Debug, Clone)]
pub struct Kind {
    /// Its name in the table, such as `anon-x25519-gcm`.
    pub name: String,
    /// DID of the sender: the plaintext's `from`.
    pub sender: String,
    /// DID of the recipient: the plaintext's only `to`.
    pub recipient: String,
    /// How it is packed.
    pub plan: Plan,
}

impl Kind {
    /// All kinds, in the table's order.
    ///
    /// # Panics
    /// If `kinds.json` is damaged.
    #[must_use]
    pub fn all(parties: &Parties) -> Vec<Self> {
        let rows: Vec<Value> =
            serde_json::from_str(include_str!("../../kinds.json")).expect("kinds.json is an array");
        rows.iter().map(|row| Self::of(row, parties)).collect()
    }

    fn of(row: &Value, parties: &Parties) -> Self {
        let key = |member: &str| row[member].as_str().map(|name| named(name, parties));
        Self {
            name: row["name"].as_str().unwrap_or_default().to_owned(),
            sender: key("sender").unwrap_or_default(),
            recipient: key("recipient").unwrap_or_default(),
            plan: Plan {
                to: key("to"),
                from: key("from"),
                sign: key("sign"),
                enc: row["enc"].as_str().map(str::to_owned),
                hide_sender: row["hide_sender"] == true,
            },
        }
    }

    /// The plaintext message of this kind.
    #[must_use]
    pub fn message(&self) -> Value {
        json!({
            "id": format!("foreign-{}", self.name),
            "typ": "application/didcomm-plain+json",
            "type": "https://didcomm.org/basicmessage/2.0/message",
            "from": self.sender,
            "to": [self.recipient],
            "created_time": 1_516_269_022,
            "body": {"content": format!("Packed as {}.", self.name)},
        })
    }

    /// In words, how what was read differs from what was packed; `None` if it does not.
    #[must_use]
    pub fn differs(&self, read: &Read) -> Option<String> {
        let packed = self.message();
        for member in ["id", "type", "from", "to", "created_time", "body"] {
            if read.message[member] != packed[member] {
                return Some(format!("`{member}` became {}", read.message[member]));
            }
        }
        if read.sender_kid != self.plan.from {
            return Some(format!("sender became {:?}", read.sender_kid));
        }
        if read.signer_kid != self.plan.sign {
            return Some(format!("signer became {:?}", read.signer_kid));
        }
        None
    }
}

/// `alice` is her DID, `alice#key-1` that key, `kiosk#keyAgreement` its first such key.
fn named(name: &str, parties: &Parties) -> String {
    let (who, fragment) = name
        .split_once('#')
        .map_or((name, None), |(who, key)| (who, Some(key)));
    let did = match who {
        "kiosk" => parties.by_method("did:key:"),
        "mule" => parties.by_method("did:peer:2"),
        who => format!("did:example:{who}"),
    };
    match fragment {
        Some(relation @ ("keyAgreement" | "authentication")) => parties
            .kids(&did, relation)
            .into_iter()
            .next()
            .unwrap_or_default(),
        Some(fragment) => format!("{did}#{fragment}"),
        None => did,
    }
}

/// How one cell of the table came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It works.
    Ok,
    /// It fails as `known.json` says.
    Known,
    /// It fails otherwise, or works although `known.json` says that it does not.
    Unexpected,
}

/// One cell of the table.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Who packed.
    pub producer: String,
    /// Who unpacked, or `(packing)` if it did not come to that.
    pub consumer: String,
    /// Name of the kind.
    pub kind: String,
    /// How it came out.
    pub outcome: Outcome,
    /// The cause of a known incompatibility, or what was unexpected.
    pub detail: String,
}

impl Cell {
    /// Judges `error` (`None`: it worked) by `known.json`.
    ///
    /// # Panics
    /// If `known.json` is damaged.
    #[must_use]
    pub fn judge(producer: &str, consumer: &str, kind: &str, error: Option<String>) -> Self {
        let table: Vec<Value> =
            serde_json::from_str(include_str!("../../known.json")).expect("known.json is an array");
        let entry = table.iter().find(|entry| {
            [
                ("producer", producer),
                ("consumer", consumer),
                ("kind", kind),
            ]
            .iter()
            .all(|(member, value)| matches_any(entry[*member].as_str().unwrap_or(""), value))
        });
        let cause = |entry: &Value| entry["cause"].as_str().unwrap_or_default().to_owned();
        let (outcome, detail) = match (error, entry) {
            (None, None) => (Outcome::Ok, String::new()),
            (None, Some(entry)) => (
                Outcome::Unexpected,
                format!("works now; known.json says: {}", cause(entry)),
            ),
            (Some(error), Some(entry))
                if error.contains(entry["says"].as_str().unwrap_or("\0")) =>
            {
                (Outcome::Known, cause(entry))
            }
            (Some(error), _) => (Outcome::Unexpected, error),
        };
        Self {
            producer: producer.to_owned(),
            consumer: consumer.to_owned(),
            kind: kind.to_owned(),
            outcome,
            detail,
        }
    }

    /// One line of the results file that `peers/table.py` reads.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let outcome = match self.outcome {
            Outcome::Ok => "ok",
            Outcome::Known => "known",
            Outcome::Unexpected => "unexpected",
        };
        json!({
            "producer": self.producer, "consumer": self.consumer, "kind": self.kind,
            "outcome": outcome, "detail": self.detail,
        })
    }
}

/// `patterns` are shell patterns with `*` only, separated by `|`.
fn matches_any(patterns: &str, value: &str) -> bool {
    patterns.split('|').any(|pattern| matches(pattern, value))
}

fn matches(pattern: &str, value: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == value;
    };
    let Some(rest) = value.strip_prefix(head) else {
        return false;
    };
    (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|rest| matches(tail, rest)))
}
