//! Alice's and Bob's keys: in, out, and refused.

use serde_json::{Value, json};

use super::*;

#[test]
fn alice_makes_a_key_of_every_curve_and_reads_it_back_from_every_form() {
    for curve in Curve::ALL {
        let key = SecretKey::generate(curve).unwrap();
        let jwk: Value = serde_json::from_str(&key.to_jwk()).unwrap();
        assert_eq!(jwk["crv"], curve.name());
        let again = SecretKey::from_jwk(&jwk).unwrap();
        assert_eq!(again.raw(), key.raw(), "{curve}");
        let public = key.public();
        assert_eq!(*public, PublicKey::from_jwk(&public.to_jwk()).unwrap());
        assert_eq!(
            *public,
            PublicKey::from_multikey(&public.to_multikey()).unwrap()
        );
        assert_eq!(
            *public,
            PublicKey::from_raw(curve, &public.compressed()).unwrap()
        );
        assert_eq!(*public, PublicKey::from_raw(curve, public.raw()).unwrap());
    }
}

#[test]
fn multikey_prefixes_are_those_that_the_world_knows() {
    let starts = [
        (Curve::X25519, "z6LS"),
        (Curve::Ed25519, "z6Mk"),
        (Curve::P256, "zDn"),
        (Curve::P384, "z82"),
        (Curve::P521, "z2J9"),
        (Curve::Secp256k1, "zQ3s"),
    ];
    for (curve, start) in starts {
        let text = SecretKey::generate(curve).unwrap().public().to_multikey();
        assert!(text.starts_with(start), "{curve}: {text}");
    }
}

/// Pairs that the did:key specification and its test suite give as examples.
#[test]
fn the_agreement_key_of_a_did_key_is_the_one_in_the_specification() {
    for (edwards, montgomery) in [
        (
            "z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp",
            "z6LShs9GGnqk85isEBzzshkuVWrVKsRp24GnDuHk8QWkARMW",
        ),
        (
            "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
            "z6LSj72tK8brWgZja8NLRwPigth2T9QRiG1uH9oKZuKjdh9p",
        ),
    ] {
        let key = PublicKey::from_multikey(edwards).unwrap();
        assert_eq!(key.to_x25519().unwrap().to_multikey(), montgomery);
    }
}

#[test]
fn secret_and_public_half_walk_to_x25519_together() {
    let ed = SecretKey::generate(Curve::Ed25519).unwrap();
    let x = ed.to_x25519().unwrap();
    assert_eq!(*x.public(), ed.public().to_x25519().unwrap());
    assert!(
        SecretKey::generate(Curve::P256)
            .unwrap()
            .to_x25519()
            .is_err()
    );
}

#[test]
fn points_off_the_curve_are_refused() {
    for curve in [Curve::P256, Curve::P384, Curve::P521, Curve::Secp256k1] {
        let mut raw = SecretKey::generate(curve).unwrap().public().raw().to_vec();
        *raw.last_mut().unwrap() ^= 1;
        assert_eq!(
            PublicKey::from_raw(curve, &raw),
            Err(KeyError::Invalid(curve))
        );
        // Compressed: half of all x have no point; look for one of them.
        let refused = (0..=255_u8).any(|salt| {
            let mut short = vec![2];
            short.extend(std::iter::repeat_n(salt, curve.size()));
            PublicKey::from_raw(curve, &short).is_err()
        });
        assert!(refused);
        assert!(
            PublicKey::from_raw(curve, &[0]).is_err(),
            "the point at infinity"
        );
        // Hybrid form (SEC1 06/07) is no form of a JWK or Multikey.
        raw[0] = 6;
        assert!(PublicKey::from_raw(curve, &raw).is_err());
    }
    let mut no_point = [0; 32];
    no_point[0] = 2;
    assert!(PublicKey::from_raw(Curve::Ed25519, &no_point).is_err());
}

#[test]
fn bob_reads_a_p521_key_whose_leading_zeros_python_dropped() {
    let key = std::iter::repeat_with(|| SecretKey::generate(Curve::P521).unwrap())
        .find(|key| key.public().raw()[1] == 0)
        .unwrap();
    let mut jwk = key.public().to_jwk();
    let x = base64_simd::URL_SAFE_NO_PAD
        .decode_to_vec(jwk["x"].as_str().unwrap())
        .unwrap();
    let short = base64_simd::URL_SAFE_NO_PAD.encode_to_string(&x[1..]);
    jwk["x"] = json!(short);
    assert_eq!(PublicKey::from_jwk(&jwk).unwrap(), *key.public());
    jwk["x"] = json!(format!(
        "{}==",
        base64_simd::URL_SAFE_NO_PAD.encode_to_string(&x)
    ));
    assert_eq!(
        PublicKey::from_jwk(&jwk).unwrap(),
        *key.public(),
        "padding is harmless here"
    );
}

#[test]
fn halves_that_do_not_match_are_refused() {
    for curve in Curve::ALL {
        let mine = SecretKey::generate(curve).unwrap();
        let other = SecretKey::generate(curve).unwrap();
        let mut jwk: Value = serde_json::from_str(&mine.to_jwk()).unwrap();
        for (name, value) in other.public().to_jwk().as_object().unwrap() {
            jwk[name] = value.clone();
        }
        assert_eq!(
            SecretKey::from_jwk(&jwk).unwrap_err(),
            KeyError::Mismatch(curve)
        );
    }
}

#[test]
fn scalars_outside_the_group_are_refused() {
    for curve in [Curve::P256, Curve::P384, Curve::P521, Curve::Secp256k1] {
        for byte in [0, 0xff] {
            let raw = vec![byte; curve.size()];
            assert_eq!(
                SecretKey::from_raw(curve, &raw).unwrap_err(),
                KeyError::Invalid(curve)
            );
        }
    }
}

#[test]
fn nothing_secret_is_ever_printed() {
    for curve in Curve::ALL {
        let key = SecretKey::generate(curve).unwrap();
        let jwk: Value = serde_json::from_str(&key.to_jwk()).unwrap();
        let d = jwk["d"].as_str().unwrap();
        let mut ring = Keyring::new();
        ring.insert("did:example:alice#1", key.clone());
        let printed = format!("{key:?} {key:#?} {ring:?} {ring:#?}");
        assert!(!printed.contains(d));
        let numbers = format!("{:?}", key.raw());
        assert!(!printed.contains(&numbers[1..numbers.len() - 1]));
    }
}

#[test]
fn secrets_come_as_array_map_or_set() {
    let key = SecretKey::generate(Curve::X25519).unwrap();
    let mut jwk: Value = serde_json::from_str(&key.to_jwk()).unwrap();
    let map = json!({ "did:example:bob#1": jwk });
    let record = json!([{ "id": "did:example:bob#1", "privateKeyJwk": jwk }]);
    jwk["kid"] = json!("did:example:bob#1");
    for secrets in [json!([jwk]), map, json!({ "keys": [jwk] }), record] {
        let ring = Keyring::from_secrets_json(&secrets).unwrap();
        assert_eq!(ring.get("did:example:bob#1").unwrap().raw(), key.raw());
    }
    for wrong in [
        json!("x"),
        json!([1]),
        json!({ "a": 1 }),
        json!([{ "kty": "OKP" }]),
    ] {
        assert!(Keyring::from_secrets_json(&wrong).is_err());
    }
}
