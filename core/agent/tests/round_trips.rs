//! Alice writes to Bob in every allowed way, on every curve, with every cipher.

#[expect(
    dead_code,
    reason = "shared by several test programs; each uses its part"
)]
mod support;

use data_encoding::BASE64URL_NOPAD;
use packmule_agent::jose::ContentEncryption;
use packmule_agent::keys::{Curve, Keyring};
use packmule_agent::pack::{
    Jose, Limits, OpenError, Opened, PackError, PackPlan, PackedKind, Packer, Warning, peek,
};
use serde_json::{Value, json};
use support::*;

const AGREE: [Curve; 4] = [Curve::X25519, Curve::P256, Curve::P384, Curve::P521];

fn plan(from: bool, sign: bool, hide: bool, enc: ContentEncryption) -> PackPlan {
    PackPlan {
        to: vec![BOB.into()],
        from: from.then(|| ALICE.into()),
        sign: sign.then(|| ALICE.into()),
        hide_sender: hide,
        enc_anon: enc,
    }
}

#[test]
fn every_combination_on_every_curve_with_every_cipher() {
    let combinations: [(bool, bool, bool, &[&str]); 5] = [
        (false, false, false, &["anoncrypt"]),
        (false, true, false, &["anoncrypt", "signed"]),
        (true, false, false, &["authcrypt"]),
        (true, false, true, &["anoncrypt", "authcrypt"]),
        (true, true, false, &["authcrypt", "signed"]),
    ];
    for curve in AGREE {
        // Two keys of the curve each: the message is for both.
        let world = World::new(&[curve, curve]);
        for enc in ContentEncryption::ALL {
            for (from, sign, hide, expected) in combinations {
                let message = letter(ALICE, BOB);
                let packed = world.pack(ALICE, &message, &plan(from, sign, hide, enc));
                assert_eq!(value(&packed)["recipients"].as_array().unwrap().len(), 2);
                let opened = world.open(BOB, &packed).unwrap();
                assert_eq!(layers(&opened), expected, "{curve} {enc}");
                assert_eq!(opened.message, message);
                assert_eq!(opened.plaintext, bytes(&message));
                assert_eq!(opened.sender.is_some(), from);
                assert_eq!(open_apart(&world, &packed).unwrap().layers, opened.layers);
                assert_eq!(opened.signed_by.is_some(), sign);
                let told = world.open(CAROL, &packed).unwrap_err();
                assert!(matches!(told, OpenError::NotForUs { .. }), "{told}");
            }
        }
    }
}

/// With the ciphertext as bytes, beside JSON in which it is empty.
#[expect(clippy::unwrap_used, reason = "what alice packed has a ciphertext")]
fn open_apart(world: &World, packed: &[u8]) -> Result<Opened, OpenError> {
    let mut json = value(packed);
    let text = json["ciphertext"].take();
    json["ciphertext"] = "".into();
    let ciphertext = BASE64URL_NOPAD.decode(text.as_str().unwrap().as_bytes());
    let (keys, limits) = (world.ring(BOB), Limits::default());
    Jose.open_apart(
        &bytes(&json),
        &ciphertext.unwrap(),
        keys,
        &world.book,
        &limits,
    )
}

#[test]
fn a_ciphertext_apart_is_checked_like_one_inside() {
    let world = World::new(&[Curve::X25519]);
    let plan = plan(true, false, false, Default::default());
    let packed = world.pack(ALICE, &letter(ALICE, BOB), &plan);
    assert!(open_apart(&world, &packed).is_ok());
    let (keys, limits) = (world.ring(BOB), Limits::default());
    let mut empty = value(&packed);
    empty["ciphertext"] = "".into();
    let forged = Jose.open_apart(&bytes(&empty), b"forged", keys, &world.book, &limits);
    assert!(forged.is_err(), "mallory's bytes are no message");
    // What stands in the message counts.
    let opened = Jose.open_apart(&packed, b"forged", keys, &world.book, &limits);
    assert_eq!(opened.unwrap().message, letter(ALICE, BOB));
}

#[test]
fn each_of_bobs_keys_alone_is_enough() {
    let world = World::new(&[Curve::X25519, Curve::X25519, Curve::X25519]);
    let packed = world.pack(
        ALICE,
        &letter(ALICE, BOB),
        &plan(true, false, false, Default::default()),
    );
    for (kid, key) in world
        .ring(BOB)
        .iter()
        .filter(|(kid, _)| kid.contains("#agree"))
    {
        let one: Keyring = [(kid.to_owned(), key.clone())].into_iter().collect();
        let opened = Jose
            .open(&packed, &one, &world.book, &Limits::default())
            .unwrap();
        assert_eq!(opened.recipient_kid.as_deref(), Some(kid));
    }
}

#[test]
fn every_signature_algorithm_and_both_forms_of_a_jws() {
    let world = World::new(&[Curve::X25519]);
    let message = letter(ALICE, BOB);
    for (kid, _) in world
        .ring(ALICE)
        .iter()
        .filter(|(kid, _)| kid.contains("#sign"))
    {
        let plan = PackPlan {
            sign: Some(kid.to_owned()),
            ..PackPlan::default()
        };
        let packed = world.pack(ALICE, &message, &plan);
        let opened = world.open(BOB, &packed).unwrap();
        assert_eq!(opened.signed_by.as_deref(), Some(kid));
        assert_eq!(layers(&opened), ["signed"]);
        let general = value(&packed);
        let one = &general["signatures"][0];
        assert_eq!(one["header"]["kid"], kid, "kid outside");
        assert_eq!(header_of(&bytes(one))["kid"], kid, "and inside");
    }
}

#[test]
fn one_message_for_each_recipient_and_the_best_common_curve() {
    let mut world = World::new(&[Curve::P256, Curve::X25519]);
    world.settle(CAROL, &[Curve::P384, Curve::P256]);
    let mut message = letter(ALICE, BOB);
    message["to"] = json!([BOB, CAROL]);
    let mut plan = plan(true, false, false, Default::default());
    plan.to.push(CAROL.into());
    let packed = Jose
        .pack(&bytes(&message), &plan, world.ring(ALICE), &world.book)
        .unwrap();
    let curves: Vec<Value> = packed
        .iter()
        .map(|one| header_of(one)["epk"]["crv"].clone())
        .collect();
    assert_eq!(curves, [json!("X25519"), json!("P-256")]);
    world.open(BOB, &packed[0]).unwrap();
    world.open(CAROL, &packed[1]).unwrap();

    world.settle(CAROL, &[Curve::P521]);
    let refused = Jose.pack(&bytes(&message), &plan, world.ring(ALICE), &world.book);
    assert_eq!(refused.unwrap_err(), PackError::NoSenderKey(ALICE.into()));
}

#[test]
fn recipients_are_sorted_and_the_header_is_exact() {
    let world = World::new(&[Curve::X25519; 5]);
    let packed = world.pack(
        ALICE,
        &letter(ALICE, BOB),
        &plan(true, false, false, Default::default()),
    );
    let outer = value(&packed);
    let kids: Vec<&str> = outer["recipients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["header"]["kid"].as_str().unwrap())
        .collect();
    assert!(kids.is_sorted());
    let header = header_of(&packed);
    let names: Vec<&String> = header.as_object().unwrap().keys().collect();
    assert_eq!(names, ["typ", "alg", "enc", "skid", "apu", "apv", "epk"]);
    assert_eq!(header["enc"], "A256CBC-HS512");
    let apu = base64_simd::URL_SAFE_NO_PAD.encode_to_string(header["skid"].as_str().unwrap());
    assert_eq!(header["apu"], apu);
}

#[test]
fn what_must_not_be_emitted_is_refused() {
    let world = World::new(&[Curve::X25519]);
    let pack = |message: &Value, plan: &PackPlan| {
        Jose.pack(&bytes(message), plan, world.ring(ALICE), &world.book)
            .unwrap_err()
    };
    let message = letter(ALICE, BOB);
    let all = plan(true, true, true, Default::default());
    assert!(matches!(pack(&message, &all), PackError::Combination(_)));
    let hidden = plan(false, false, true, Default::default());
    assert!(matches!(pack(&message, &hidden), PackError::Combination(_)));
    let auth = plan(true, false, false, Default::default());
    assert!(matches!(
        pack(&letter(MALLORY, BOB), &auth),
        PackError::From(_)
    ));
    assert!(matches!(
        pack(&letter(ALICE, CAROL), &auth),
        PackError::To(_)
    ));
    let mut open_letter = message.clone();
    open_letter.as_object_mut().unwrap().remove("to");
    let signed = plan(false, true, false, Default::default());
    assert!(matches!(pack(&open_letter, &signed), PackError::To(_)));
    assert!(matches!(
        pack(&json!({ "id": "1" }), &auth),
        PackError::Plaintext(_)
    ));
    assert!(matches!(pack(&json!([]), &auth), PackError::Plaintext(_)));
}

#[test]
fn peek_says_what_open_will_need() {
    let world = World::new(&[Curve::X25519]);
    let limits = Limits::default();
    let message = letter(ALICE, BOB);
    let auth = world.pack(
        ALICE,
        &message,
        &plan(true, false, false, Default::default()),
    );
    let seen = peek(&auth, &limits).unwrap();
    assert_eq!(
        (seen.kind, seen.needs),
        (PackedKind::Encrypted, vec![ALICE.to_owned()])
    );
    assert_eq!(seen.recipient_kids, [world.key(BOB, "agree").0]);
    let anon = world.pack(
        ALICE,
        &message,
        &plan(false, false, false, Default::default()),
    );
    let seen = peek(&anon, &limits).unwrap();
    assert_eq!((seen.sender_kid, seen.needs), (None, vec![]));
    let signed = world.sign(ALICE, &bytes(&message));
    let seen = peek(&signed, &limits).unwrap();
    assert_eq!(
        (seen.kind, seen.needs),
        (PackedKind::Signed, vec![ALICE.to_owned()])
    );
    assert_eq!(
        peek(&bytes(&message), &limits).unwrap().kind,
        PackedKind::Plaintext
    );
}

#[test]
fn an_unknown_sender_is_asked_for_and_then_the_message_opens() {
    let world = World::new(&[Curve::X25519]);
    let packed = world.pack(
        ALICE,
        &letter(ALICE, BOB),
        &plan(true, false, true, Default::default()),
    );
    let empty = packmule_agent::resolve::DocBook::new();
    let told = Jose
        .open(&packed, world.ring(BOB), &empty, &Limits::default())
        .unwrap_err();
    assert!(
        matches!(&told, OpenError::Resolve { did, .. } if did == ALICE),
        "{told}"
    );
    world.open(BOB, &packed).unwrap();
}

#[test]
fn a_signed_message_without_to_is_read_with_a_warning() {
    let world = World::new(&[Curve::X25519]);
    let mut message = letter(ALICE, BOB);
    message.as_object_mut().unwrap().remove("to");
    let opened = world
        .open(BOB, &world.sign(ALICE, &bytes(&message)))
        .unwrap();
    assert_eq!(opened.warnings, [Warning::SignedWithoutTo]);
}

#[test]
fn the_packer_can_be_shared_between_threads() {
    fn sendable<T: Send + Sync + 'static>() {}
    sendable::<Jose>();
    sendable::<Keyring>();
    sendable::<Box<dyn Packer>>();
    sendable::<Opened>();
    sendable::<OpenError>();
    sendable::<PackError>();
}
