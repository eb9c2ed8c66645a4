//! C: the forms that recipients MUST take, and the ones they must not.

use packmule_agent::keys::Curve;
use packmule_agent::pack::{Limits, OpenError, peek};
use serde_json::{Value, json};

use crate::support::*;

fn world() -> World {
    World::new(&[Curve::X25519])
}

fn signed(world: &World) -> Value {
    value(&world.sign(ALICE, &bytes(&letter(ALICE, BOB))))
}

#[test]
fn c1_a_flattened_jws_is_read() {
    let world = world();
    let general = signed(&world);
    let one = &general["signatures"][0];
    let flat = json!({
        "payload": general["payload"], "protected": one["protected"],
        "signature": one["signature"], "header": one["header"],
    });
    assert_eq!(layers(&world.open(BOB, &bytes(&flat)).unwrap()), ["signed"]);
    // Both forms at once are neither.
    let mut both = general.clone();
    both["signature"] = one["signature"].clone();
    assert!(matches!(
        world.open(BOB, &bytes(&both)),
        Err(OpenError::Malformed(_))
    ));
}

#[test]
fn c2_a_jws_with_kid_only_in_the_protected_header_is_read() {
    let world = world();
    let mut general = signed(&world);
    general["signatures"][0]
        .as_object_mut()
        .unwrap()
        .remove("header");
    assert!(
        world
            .open(BOB, &bytes(&general))
            .unwrap()
            .signed_by
            .is_some()
    );
    // A kid outside that is another than the one inside is a lie.
    let mut lie = signed(&world);
    lie["signatures"][0]["header"]["kid"] = json!("did:example:alice#other");
    assert_eq!(
        world.open(BOB, &bytes(&lie)).unwrap_err(),
        OpenError::Inconsistent("kid")
    );
}

/// RFC 7515 §2: "all trailing '=' characters omitted and without … additional characters".
#[test]
fn c3_padding_and_other_stray_characters_are_refused() {
    let world = world();
    let packed = value(&world.auth(ALICE, BOB, &bytes(&letter(ALICE, BOB))));
    for stray in ["=", "==", "\n", " ", "+"] {
        for member in ["tag", "iv", "ciphertext"] {
            let mut bent = packed.clone();
            bent[member] = json!(format!("{}{stray}", packed[member].as_str().unwrap()));
            let told = world.open(BOB, &bytes(&bent)).unwrap_err();
            assert!(
                matches!(told, OpenError::Malformed(_)),
                "{member} {stray:?}: {told}"
            );
        }
    }
}

#[test]
fn c4_a_flattened_jwe_is_read() {
    let world = world();
    let mut packed = value(&world.auth(ALICE, BOB, &bytes(&letter(ALICE, BOB))));
    let one = packed["recipients"][0].clone();
    packed.as_object_mut().unwrap().remove("recipients");
    packed["header"] = one["header"].clone();
    packed["encrypted_key"] = one["encrypted_key"].clone();
    assert_eq!(
        layers(&world.open(BOB, &bytes(&packed)).unwrap()),
        ["authcrypt"]
    );
}

#[test]
fn c5_a_missing_skid_is_taken_from_apu_and_a_wrong_one_refused() {
    let world = world();
    let packed = world.auth(ALICE, BOB, &bytes(&letter(ALICE, BOB)));
    // Without skid, the sender still shows; (the header is authenticated, so that opening a
    // message whose header was changed afterwards fails at the tag.)
    let mut header = header_of(&packed);
    header.as_object_mut().unwrap().remove("skid");
    let mut outer = value(&packed);
    outer["protected"] = base64_simd::URL_SAFE_NO_PAD
        .encode_to_string(bytes(&header))
        .into();
    let seen = peek(&bytes(&outer), &Limits::default()).unwrap();
    assert_eq!(seen.needs, [ALICE]);
    assert_eq!(
        world.open(BOB, &bytes(&outer)).unwrap_err(),
        OpenError::Crypto
    );

    let lie = with_header(&packed, "skid", json!(world.key(MALLORY, "agree").0));
    assert_eq!(
        world.open(BOB, &lie).unwrap_err(),
        OpenError::Inconsistent("apu")
    );
}

#[test]
fn c6_a_tampered_recipient_list_is_refused() {
    let world = world();
    let packed = value(&world.auth(ALICE, BOB, &bytes(&letter(ALICE, BOB))));
    let mut more = packed.clone();
    let mut extra = packed["recipients"][0].clone();
    extra["header"]["kid"] = json!("did:example:carol#agree-X25519-0");
    more["recipients"].as_array_mut().unwrap().push(extra);
    assert_eq!(
        world.open(BOB, &bytes(&more)).unwrap_err(),
        OpenError::Inconsistent("apv")
    );
    let mut other = packed.clone();
    other["recipients"][0]["header"]["kid"] = json!("did:example:bob#other");
    assert_eq!(
        world.open(BOB, &bytes(&other)).unwrap_err(),
        OpenError::Inconsistent("apv")
    );
    // Taking apv out of an authcrypt message does not help either.
    let mut header = header_of(&bytes(&packed));
    header.as_object_mut().unwrap().remove("apv");
    let mut bare = packed.clone();
    bare["protected"] = base64_simd::URL_SAFE_NO_PAD
        .encode_to_string(bytes(&header))
        .into();
    assert!(matches!(
        world.open(BOB, &bytes(&bare)),
        Err(OpenError::Malformed("apv"))
    ));
}

#[test]
fn authcrypt_over_another_cipher_compression_and_critical_extensions_are_refused() {
    let world = world();
    let packed = world.auth(ALICE, BOB, &bytes(&letter(ALICE, BOB)));
    for (name, new) in [
        ("enc", json!("A256GCM")),
        ("enc", json!("A128GCM")),
        ("alg", json!("dir")),
        ("alg", json!("none")),
        ("zip", json!("DEF")),
        ("crit", json!(["exp"])),
    ] {
        let told = world
            .open(BOB, &with_header(&packed, name, new.clone()))
            .unwrap_err();
        assert!(
            matches!(told, OpenError::Unsupported { .. }),
            "{name} {new}: {told}"
        );
    }
    // The envelope's typ is nobody's proof of anything: it is read, whatever it says.
    let odd = with_header(&packed, "typ", json!("application/didcomm+encrypted"));
    peek(&odd, &Limits::default()).unwrap();
}

#[test]
fn every_byte_that_is_changed_is_noticed() {
    let world = world();
    let packed = value(&world.auth(ALICE, BOB, &bytes(&letter(ALICE, BOB))));
    for member in ["iv", "ciphertext", "tag", "protected"] {
        let text = packed[member].as_str().unwrap();
        for position in [0, text.len() / 2] {
            let mut chars: Vec<u8> = text.bytes().collect();
            chars[position] = if chars[position] == b'A' { b'B' } else { b'A' };
            let mut bent = packed.clone();
            bent[member] = json!(String::from_utf8(chars).unwrap());
            assert!(
                world.open(BOB, &bytes(&bent)).is_err(),
                "{member} at {position}"
            );
        }
    }
    let mut general = signed(&world);
    let forged = bytes(&letter(ALICE, BOB))
        .iter()
        .rev()
        .copied()
        .collect::<Vec<u8>>();
    general["payload"] = json!(base64_simd::URL_SAFE_NO_PAD.encode_to_string(forged));
    assert!(world.open(BOB, &bytes(&general)).is_err());
    let mut other = letter(ALICE, BOB);
    other["body"]["content"] = json!("the kiosk is closed");
    general["payload"] = json!(base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes(&other)));
    assert_eq!(
        world.open(BOB, &bytes(&general)).unwrap_err(),
        OpenError::Crypto
    );
}
