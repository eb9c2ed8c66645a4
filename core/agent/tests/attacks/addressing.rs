//! A: Mallory lies about who wrote, or to whom (§3.2).

use packmule_agent::keys::Curve;
use packmule_agent::pack::{Limits, OpenError, peek};
use serde_json::json;

use crate::support::*;

fn world() -> World {
    World::new(&[Curve::X25519])
}

#[test]
fn a1_authcrypt_by_mallory_that_says_from_alice_is_refused() {
    let world = world();
    let packed = world.auth(MALLORY, BOB, &bytes(&letter(ALICE, BOB)));
    let told = world.open(BOB, &packed).unwrap_err();
    assert!(matches!(told, OpenError::FromMismatch { .. }), "{told}");
    assert_eq!(told.problem(), "e.p.trust.from-mismatch");
    // The same inside anoncrypt, where a relay would not even see the skid.
    let hidden = world.anon(BOB, &packed);
    assert!(matches!(
        world.open(BOB, &hidden),
        Err(OpenError::FromMismatch { .. })
    ));
}

#[test]
fn a2_signed_by_mallory_that_says_from_alice_is_refused_before_resolving() {
    let world = world();
    let packed = world.sign(MALLORY, &bytes(&letter(ALICE, BOB)));
    assert!(matches!(
        world.open(BOB, &packed),
        Err(OpenError::FromMismatch { .. })
    ));
    // Nobody is sent to fetch the stranger's document (SSRF).
    assert!(matches!(
        peek(&packed, &Limits::default()),
        Err(OpenError::FromMismatch { .. })
    ));
    let inside = world.anon(BOB, &packed);
    assert!(matches!(
        world.open(BOB, &inside),
        Err(OpenError::FromMismatch { .. })
    ));
}

#[test]
fn a2_mallory_cannot_sign_under_alices_key_id() {
    let world = world();
    let (alices, _) = world.key(ALICE, "sign");
    let (_, mallorys) = world.key(MALLORY, "sign");
    let payload = bytes(&letter(ALICE, BOB));
    let forged = packmule_agent::jose::sign(&payload, &alices, &mallorys).unwrap();
    assert_eq!(world.open(BOB, &forged).unwrap_err(), OpenError::Crypto);
}

#[test]
fn a2_a_key_that_is_not_for_authentication_signs_nothing() {
    let mut world = World::new(&[Curve::P256]);
    // Alice's agreement key is on P-256 and could sign; her document does not say it may.
    let (kid, key) = world.key(ALICE, "agree");
    let signed = packmule_agent::jose::sign(&bytes(&letter(ALICE, BOB)), &kid, &key).unwrap();
    let told = world.open(BOB, &signed).unwrap_err();
    assert!(
        matches!(
            told,
            OpenError::KeyNotListed {
                purpose: "authentication",
                ..
            }
        ),
        "{told}"
    );
    // Nor does a signing key agree: the sender's key must be in keyAgreement.
    world.settle(ALICE, &[Curve::P256]);
    let gone = world.open(BOB, &signed).unwrap_err();
    assert!(
        matches!(gone, OpenError::KeyNotListed { .. } | OpenError::Crypto),
        "{gone}"
    );
}

#[test]
fn a3_authcrypt_around_a_signature_both_by_mallory_from_alice_is_refused() {
    let world = world();
    let signed = world.sign(MALLORY, &bytes(&letter(ALICE, BOB)));
    let packed = world.auth(MALLORY, BOB, &signed);
    assert!(matches!(
        world.open(BOB, &packed),
        Err(OpenError::FromMismatch { .. })
    ));
}

#[test]
fn a3_mallory_cannot_pass_on_alices_signature_as_her_sender() {
    let world = world();
    let signed = world.sign(ALICE, &bytes(&letter(ALICE, BOB)));
    let packed = world.auth(MALLORY, BOB, &signed);
    let told = world.open(BOB, &packed).unwrap_err();
    let told_so = matches!(
        told,
        OpenError::SignerNotSender { .. } | OpenError::FromMismatch { .. }
    );
    assert!(told_so, "{told}");
}

#[test]
fn a4_a_message_to_carol_that_is_encrypted_for_bob_is_refused() {
    let world = world();
    let stray = bytes(&letter(ALICE, CAROL));
    for packed in [world.auth(ALICE, BOB, &stray), world.anon(BOB, &stray)] {
        let told = world.open(BOB, &packed).unwrap_err();
        assert!(matches!(told, OpenError::NotInTo { .. }), "{told}");
    }
    // Surreptitious forwarding: Bob re-encrypts Alice's signed letter for Carol.
    let signed = world.sign(ALICE, &bytes(&letter(ALICE, BOB)));
    let forwarded = world.anon(CAROL, &signed);
    assert!(matches!(
        world.open(CAROL, &forwarded),
        Err(OpenError::NotInTo { .. })
    ));
}

#[test]
fn a4_signed_and_encrypted_without_to_is_refused() {
    let world = world();
    let mut message = letter(ALICE, BOB);
    message.as_object_mut().unwrap().remove("to");
    let packed = world.anon(BOB, &world.sign(ALICE, &bytes(&message)));
    assert_eq!(world.open(BOB, &packed).unwrap_err(), OpenError::NoTo);
}

#[test]
fn a5_authcrypt_without_from_is_refused() {
    let world = world();
    let mut message = letter(ALICE, BOB);
    message.as_object_mut().unwrap().remove("from");
    let packed = world.auth(ALICE, BOB, &bytes(&message));
    assert_eq!(world.open(BOB, &packed).unwrap_err(), OpenError::NoFrom);
    let signed = world.sign(ALICE, &bytes(&message));
    assert_eq!(world.open(BOB, &signed).unwrap_err(), OpenError::NoFrom);
    // Anoncrypt without from is what anoncrypt is for.
    world.open(BOB, &world.anon(BOB, &bytes(&message))).unwrap();
}

#[test]
fn two_froms_in_one_message_are_refused() {
    let world = world();
    let text = bytes(&letter(ALICE, BOB));
    let text = String::from_utf8(text).unwrap();
    let twice = text.replacen("\"from\"", "\"from\":\"did:example:mallory\",\"from\"", 1);
    let packed = world.auth(ALICE, BOB, twice.as_bytes());
    assert!(matches!(
        world.open(BOB, &packed),
        Err(OpenError::Malformed(_))
    ));
}

#[test]
fn an_address_with_query_or_path_is_the_same_did() {
    let world = world();
    let mut message = letter(ALICE, BOB);
    message["from"] = json!("did:example:alice?versionId=2");
    message["to"] = json!(["did:example:bob?service=x"]);
    let opened = world
        .open(BOB, &world.auth(ALICE, BOB, &bytes(&message)))
        .unwrap();
    assert_eq!(opened.sender.as_deref(), Some(ALICE));
}
