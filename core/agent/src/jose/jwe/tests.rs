//! Envelopes as other people's libraries write them, made by hand from the same primitives.

use serde_json::{Value, json};

use crate::crypto::agree::AgreeSecret;
use crate::crypto::content;
use crate::jose::kdf::key_encryption_key;
use crate::jose::{ContentEncryption, JoseError, Jwe, KeyAlgorithm, Members, base64};
use crate::keys::{Curve, PublicKey, SecretKey};

const KID: &str = "did:example:bob#1";
const SKID: &str = "did:example:alice#1";
const TEXT: &[u8] = b"{\"id\":\"1\"}";

/// What a foreign library does otherwise than ours.
#[derive(Default)]
struct Habits {
    no_apv: bool,
    no_skid: bool,
    epk_per_recipient: bool,
    authcrypt: bool,
    /// ECDH-1PU of draft 3: the tag is not in the key derivation.
    draft_3: bool,
    aad: Option<&'static str>,
}

fn craft(habits: &Habits, bob: &PublicKey, alice: &SecretKey) -> Vec<u8> {
    let ephemeral = AgreeSecret::generate(Curve::X25519).unwrap();
    let epk = PublicKey::from_raw(Curve::X25519, &ephemeral.public().unwrap()).unwrap();
    let alg = if habits.authcrypt {
        KeyAlgorithm::Ecdh1Pu
    } else {
        KeyAlgorithm::EcdhEs
    };
    let enc = ContentEncryption::A256CbcHs512;
    let mut header = json!({ "alg": alg.name(), "enc": enc.name() });
    let mut apv = Vec::new();
    if !habits.no_apv {
        apv = super::apv([KID]).to_vec();
        header["apv"] = json!(base64(&apv));
    }
    let apu: &[u8] = if habits.authcrypt {
        SKID.as_bytes()
    } else {
        b""
    };
    if habits.authcrypt {
        header["apu"] = json!(base64(apu));
        if !habits.no_skid {
            header["skid"] = json!(SKID);
        }
    }
    let mut recipient = json!({ "kid": KID });
    let place = if habits.epk_per_recipient {
        &mut recipient
    } else {
        &mut header
    };
    place["epk"] = epk.to_jwk();
    let protected = base64(header.to_string().as_bytes());
    let aad: Vec<&[u8]> = match habits.aad {
        Some(aad) => vec![protected.as_bytes(), b".", aad.as_bytes()],
        None => vec![protected.as_bytes()],
    };
    let cek = content::generate(enc).unwrap();
    let mut text = TEXT.to_vec();
    let sealed = content::seal(enc, &cek, &aad, &mut text).unwrap();
    let ze = ephemeral.agree(bob.agreement().unwrap()).unwrap();
    let zs = alice
        .agreement()
        .unwrap()
        .agree(bob.agreement().unwrap())
        .unwrap();
    let kek = if habits.authcrypt {
        let tag = (!habits.draft_3).then_some(sealed.tag());
        key_encryption_key(alg, &[&ze, &zs], apu, &apv, tag)
    } else {
        key_encryption_key(alg, &[&ze], apu, &apv, None)
    };
    let mut out = json!({
        "protected": protected, "iv": base64(sealed.iv()), "tag": base64(sealed.tag()),
        "ciphertext": base64(&text), "recipients": [
            { "header": recipient, "encrypted_key": base64(&content::wrap(&kek, &cek).unwrap()) },
        ],
    });
    if let Some(aad) = habits.aad {
        out["aad"] = Value::from(aad);
    }
    out.to_string().into_bytes()
}

struct Read {
    text: Vec<u8>,
    missing_apv: bool,
    epk_per_recipient: bool,
    sender_kid: Option<String>,
}

fn read(habits: &Habits) -> Result<Read, JoseError> {
    let bob = SecretKey::generate(Curve::X25519).unwrap();
    let alice = SecretKey::generate(Curve::X25519).unwrap();
    let packed = craft(habits, bob.public(), &alice);
    let members = Members::parse(&packed)?;
    let jwe = Jwe::parse(&members, None)?;
    let sender = habits.authcrypt.then_some(alice.public());
    let text = jwe.decrypt(&jwe.recipients[0], &bob, sender)?;
    Ok(Read {
        text,
        missing_apv: jwe.lenient.missing_apv,
        epk_per_recipient: jwe.lenient.epk_per_recipient,
        sender_kid: jwe.sender_kid,
    })
}

#[test]
fn veramos_anoncrypt_without_apv_is_read_and_marked() {
    let read = read(&Habits {
        no_apv: true,
        ..Habits::default()
    })
    .unwrap();
    assert_eq!((read.text.as_slice(), read.missing_apv), (TEXT, true));
}

#[test]
fn indicios_anoncrypt_with_an_epk_per_recipient_is_read_and_marked() {
    let read = read(&Habits {
        epk_per_recipient: true,
        ..Habits::default()
    })
    .unwrap();
    assert_eq!((read.text.as_slice(), read.epk_per_recipient), (TEXT, true));
}

#[test]
fn a_sender_without_skid_is_found_in_apu() {
    let read = read(&Habits {
        authcrypt: true,
        no_skid: true,
        ..Habits::default()
    })
    .unwrap();
    assert_eq!(
        (read.text.as_slice(), read.sender_kid.as_deref()),
        (TEXT, Some(SKID))
    );
}

#[test]
fn the_aad_of_rfc_7516_is_authenticated() {
    let read = read(&Habits {
        aad: Some("bXVsZQ"),
        ..Habits::default()
    })
    .unwrap();
    assert_eq!(read.text, TEXT);
}

/// The 1PU draft's third version does not bind the key to the content.
#[test]
fn authcrypt_is_never_lenient() {
    let base = || Habits {
        authcrypt: true,
        ..Habits::default()
    };
    assert_eq!(read(&base()).unwrap().text, TEXT);
    let told = read(&Habits {
        draft_3: true,
        ..base()
    })
    .err();
    assert_eq!(told, Some(JoseError::Crypto));
    let told = read(&Habits {
        no_apv: true,
        ..base()
    })
    .err();
    assert_eq!(told, Some(JoseError::Malformed("apv")));
    let told = read(&Habits {
        epk_per_recipient: true,
        ..base()
    })
    .err();
    assert_eq!(told, Some(JoseError::Malformed("epk")));
}
