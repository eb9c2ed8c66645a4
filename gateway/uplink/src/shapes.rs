//! The packed message in an answer, however it is wrapped.
//!
//! What is it: one function over the shapes that mediators were seen to answer with: the message
//! bare, as a JSON string, or within an object of the mediator's own. Who calls it: `line`. What
//! can go wrong: bodies are of strangers; what holds no message is no answer.

use serde_json::Value;

/// Wrappers within wrappers that are looked into.
const DEPTH: u8 = 4;

/// The packed message of an answer's body.
pub(crate) fn packed_in(body: &[u8]) -> Option<Vec<u8>> {
    let value: Value = serde_json::from_slice(body).ok()?;
    if is_packed(&value) {
        return Some(body.trim_ascii().to_vec());
    }
    within(&value, DEPTH)
}

fn within(value: &Value, depth: u8) -> Option<Vec<u8>> {
    if is_packed(value) {
        return Some(value.to_string().into_bytes());
    }
    let depth = depth.checked_sub(1)?;
    match value {
        Value::String(text) => {
            let inner: Value = serde_json::from_str(text).ok()?;
            if is_packed(&inner) {
                // As it was written: its protected header is signed over as text.
                return Some(text.trim().as_bytes().to_vec());
            }
            None
        }
        // Affinidi: {"sessionId":…,"data":{"Ephemeral":"<packed>"}}. What is "Stored" waits in
        // the mailbox and is no answer.
        Value::Object(_) => {
            let names = ["data", "Ephemeral", "Message"];
            within(names.iter().find_map(|name| value.get(*name))?, depth)
        }
        Value::Array(list) => match list.as_slice() {
            [one] => within(one, depth),
            _ => None,
        },
        _ => None,
    }
}

/// A JWE; a JWS proves a sender too, and is read by the same rules.
fn is_packed(value: &Value) -> bool {
    value.get("ciphertext").is_some() || value.get("payload").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_found_in_every_shape_that_was_seen() {
        let jwe = r#"{"protected":"e30","recipients":[],"ciphertext":"AA","tag":"A","iv":"A"}"#;
        let text = serde_json::to_string(jwe).unwrap();
        for body in [
            jwe.to_owned(),
            format!(" {jwe}\n"),
            text.clone(),
            format!(r#"{{"sessionId":"1","data":{{"Ephemeral":{text}}}}}"#),
            format!(r#"{{"sessionId":"1","data":{{"Ephemeral":{jwe}}}}}"#),
            format!(r#"{{"data":[{text}]}}"#),
        ] {
            let found = packed_in(body.as_bytes()).unwrap_or_else(|| panic!("{body}"));
            let found: Value = serde_json::from_slice(&found).unwrap();
            assert_eq!(found["ciphertext"], "AA");
        }
        let deep = format!("{}1{}", r#"{"data":"#.repeat(60), "}".repeat(60));
        for body in [
            "",
            "OK",
            "\"OK\"",
            "{}",
            "[]",
            "null",
            "[[[[[[[[[[1]]]]]]]]]]",
            "{\"data\":\"Forwarded\"}",
            r#"{"data":{"Stored":{"messages":[]}}}"#,
            "\"{\\\"a\\\":1}\"",
            &deep,
        ] {
            assert_eq!(packed_in(body.as_bytes()), None, "{body}");
        }
    }
}
