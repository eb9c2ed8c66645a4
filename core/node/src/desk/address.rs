//! Whose a message is: ours, somebody else's, or impossible to say.
//!
//! Who calls it: taking messages in, before any is stored; opening; `unpack`. What can go wrong:
//! nothing here fails. Nothing of it is proven either: it decides what we touch, not what we
//! believe.

use packmule_agent::did::{did_of, same_did, short_form};
use packmule_agent::pack::{Limits, peek};
use packmule_bus::label::DidTag;
use serde_json::Value;

use crate::Home;

/// Whose a packed message is, as far as its outside tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// It names a key or DID of ours, or is open and names nobody.
    Ours,
    /// It names others only.
    Others,
    /// It does not say in a way that we understand; why.
    Unknown(String),
}

/// Our DIDs in all their forms.
pub fn own_dids(home: &Home) -> Vec<String> {
    let (did, doc) = home.identity();
    let mut dids = vec![did.to_owned(), doc.id.clone()];
    dids.extend(doc.also_known_as.iter().cloned());
    dids
}

/// Does one of these DIDs, or DID URLs, belong to one of ours?
pub fn names_us<S: AsRef<str>>(named: &[S], own: &[String]) -> bool {
    named
        .iter()
        .any(|one| own.iter().any(|did| same_did(did, one.as_ref())))
}

/// The tag of a DID, or of the DID of a DID URL.
pub(crate) fn tag_of(did: &str) -> DidTag {
    let did = did_of(did);
    DidTag::of(short_form(did).unwrap_or(did))
}

/// Whose a packed message is.
pub fn whose(packed: &[u8], own: &[String]) -> Whose {
    match peek(packed, &Limits::default()) {
        Ok(peek) => match peek.to {
            Some(to) => by_names(&to, own),
            None if peek.recipient_kids.is_empty() => Whose::Ours,
            None => by_names(&peek.recipient_kids, own),
        },
        // A message that we cannot read any further may still say for whom it is.
        Err(why) => match recipient_kids(packed).as_slice() {
            [] => Whose::Unknown(why.to_string()),
            kids => by_names(kids, own),
        },
    }
}

fn by_names(named: &[String], own: &[String]) -> Whose {
    // An empty `to` names nobody, like none at all.
    if named.is_empty() || names_us(named, own) {
        Whose::Ours
    } else {
        Whose::Others
    }
}

/// The recipients of anything shaped like a JWE, whatever its algorithms are.
fn recipient_kids(packed: &[u8]) -> Vec<String> {
    let Ok(jwe) = serde_json::from_slice::<Value>(packed) else {
        return Vec::new();
    };
    let recipients = jwe.get("recipients").and_then(Value::as_array);
    recipients
        .into_iter()
        .flatten()
        .filter_map(|one| one.pointer("/header/kid")?.as_str())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const BOB: &str = "did:example:bob";

    fn of(message: &Value) -> Whose {
        whose(message.to_string().as_bytes(), &[BOB.to_owned()])
    }

    #[test]
    fn a_plain_message_is_for_whom_it_names() {
        let to = |to: Value| of(&json!({ "id": "1", "type": "https://x.org/a/1.0/b", "to": to }));
        assert_eq!(to(json!([BOB])), Whose::Ours);
        assert_eq!(to(json!(["did:example:carol", BOB])), Whose::Ours);
        assert_eq!(to(json!(["did:example:carol"])), Whose::Others);
        assert_eq!(to(json!([])), Whose::Ours);
        assert_eq!(to(Value::Null), Whose::Ours);
    }

    #[test]
    fn a_jwe_of_unknown_algorithms_is_for_whose_keys_it_names() {
        let jwe = |kids: &[&str]| {
            let recipients: Vec<Value> = kids
                .iter()
                .map(|kid| json!({ "header": { "kid": kid }, "encrypted_key": "AAAA" }))
                .collect();
            // {"enc":"ROT13"}
            of(
                &json!({ "protected": "eyJlbmMiOiJST1QxMyJ9", "recipients": recipients,
                "iv": "AAAA", "ciphertext": "AAAA", "tag": "AAAA" }),
            )
        };
        assert_eq!(jwe(&["did:example:bob#key-1"]), Whose::Ours);
        assert_eq!(jwe(&["did:example:carol#key-1"]), Whose::Others);
        assert!(matches!(jwe(&[]), Whose::Unknown(_)));
    }

    #[test]
    fn what_is_no_message_of_version_2_is_nobodys() {
        assert!(matches!(
            of(&json!({ "@type": "x", "id": "1" })),
            Whose::Unknown(_)
        ));
    }
}
