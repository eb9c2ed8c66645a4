//! B: honest messages that other readers choke on must be read; dishonest ones not.

use packmule_agent::keys::Curve;
use packmule_agent::pack::OpenError;
use serde_json::{Value, json};

use crate::support::*;

fn opened(change: impl Fn(&mut Value)) -> Result<Value, OpenError> {
    let world = World::new(&[Curve::X25519]);
    let mut message = letter(ALICE, BOB);
    change(&mut message);
    let opened = world.open(BOB, &world.auth(ALICE, BOB, &bytes(&message)))?;
    assert_eq!(opened.message, message, "nothing is lost or added");
    Ok(opened.message)
}

#[test]
fn b1_a_message_without_body_is_read() {
    opened(|message| {
        message.as_object_mut().unwrap().remove("body");
    })
    .unwrap();
}

#[test]
fn b2_the_short_typ_is_read() {
    opened(|message| message["typ"] = json!("didcomm-plain+json")).unwrap();
}

#[test]
fn b3_a_message_without_typ_is_read() {
    opened(|message| {
        message.as_object_mut().unwrap().remove("typ");
    })
    .unwrap();
}

#[test]
fn b4_a_message_without_id_or_type_is_refused() {
    for name in ["id", "type"] {
        let told = opened(|message| {
            message.as_object_mut().unwrap().remove(name);
        });
        assert!(matches!(told, Err(OpenError::Malformed(_))), "{name}");
    }
}

/// The envelope carries any number; it is the message model that says which are times.
#[test]
fn b5_a_negative_time_passes_the_envelope_and_not_the_message() {
    let message = opened(|message| message["created_time"] = json!(-5)).unwrap();
    assert_eq!(message["created_time"], json!(-5));
}

#[test]
fn b6_unknown_headers_are_kept() {
    opened(|message| {
        message["please_ack"] = json!([""]);
        message["accept-lang"] = json!(["fr"]);
        message["return_route"] = json!("all");
        message["x-mule"] = json!({ "deep": [1, 2.5, null] });
        // Names that a JWE or JWS has are no less allowed.
        message["tag"] = json!("blue");
        message["recipients"] = json!({ "of": "honour" });
        message["payload"] = json!([1]);
    })
    .unwrap();
}

#[test]
fn b7_from_and_to_of_another_type_are_refused() {
    assert!(matches!(
        opened(|message| message["from"] = json!(1)),
        Err(OpenError::Malformed(_))
    ));
    assert!(matches!(
        opened(|message| message["to"] = json!(BOB)),
        Err(OpenError::Malformed(_))
    ));
    assert!(matches!(
        opened(|message| message["to"] = json!([1])),
        Err(OpenError::Malformed(_))
    ));
}

#[test]
fn b8_an_attachment_with_a_detached_signature_is_read() {
    opened(|message| {
        message["attachments"] = json!([{ "id": "1", "data": {
            "base64": "aGk", "jws": { "header": { "kid": "x" }, "protected": "e30", "signature": "AA" },
        }}]);
    })
    .unwrap();
}

#[test]
fn b9_an_attachment_with_links_but_no_hash_does_not_cost_the_whole_message() {
    opened(|message| {
        message["attachments"] = json!([{ "data": { "links": ["https://example.com/a"] } }]);
    })
    .unwrap();
}

#[test]
fn a_version_1_message_is_named_as_such() {
    let world = World::new(&[Curve::X25519]);
    let header = json!({ "enc": "xchacha20poly1305_ietf", "typ": "JWM/1.0", "alg": "Authcrypt", "recipients": [] });
    let protected = base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes(&header));
    let envelope = json!({ "protected": protected, "iv": "AA", "ciphertext": "AA", "tag": "AA" });
    assert_eq!(
        world.open(BOB, &bytes(&envelope)).unwrap_err(),
        OpenError::Version1
    );
    let bare = json!({ "@type": "https://didcomm.org/basicmessage/1.0/message", "@id": "1" });
    assert_eq!(
        world.open(BOB, &bytes(&bare)).unwrap_err(),
        OpenError::Version1
    );
}
