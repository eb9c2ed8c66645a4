//! G: keys that are no keys. An invalid-curve point would leak Bob's secret bit by bit.

use packmule_agent::keys::{Curve, PublicKey};
use packmule_agent::pack::{Limits, OpenError, peek};
use serde_json::{Value, json};

use crate::support::*;

fn with_epk(world: &World, epk: Value) -> Vec<u8> {
    let packed = world.anon(BOB, &bytes(&letter(ALICE, BOB)));
    with_header(&packed, "epk", epk)
}

#[test]
fn g1_an_x25519_point_of_low_order_is_refused() {
    let world = World::new(&[Curve::X25519]);
    // RFC 7748 §6.1: zero, one, and a point of order eight.
    let order_eight = "4Ot6fDtBuK4WVuP68Z_EatoJjeucMrH9hmIFFl9JuAA";
    let zero = base64_simd::URL_SAFE_NO_PAD.encode_to_string([0; 32]);
    let mut one = [0; 32];
    one[0] = 1;
    let one = base64_simd::URL_SAFE_NO_PAD.encode_to_string(one);
    for x in [zero.as_str(), one.as_str(), order_eight] {
        let packed = with_epk(&world, json!({ "kty": "OKP", "crv": "X25519", "x": x }));
        assert_eq!(world.open(BOB, &packed).unwrap_err(), OpenError::Crypto);
        // Nor will Alice encrypt to such a key.
        let raw = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(x).unwrap();
        let key = PublicKey::from_raw(Curve::X25519, &raw).unwrap();
        let plan = packmule_agent::jose::Encryption {
            enc: Default::default(),
            sender: None,
            recipients: vec![("did:example:mallory#1", &key)],
        };
        let told = packmule_agent::jose::encrypt(b"{}", plan).unwrap_err();
        assert_eq!(told, packmule_agent::jose::JoseError::Key);
    }
}

#[test]
fn g2_an_epk_off_its_curve_is_refused_before_any_secret_is_used() {
    for curve in [Curve::P256, Curve::P384, Curve::P521] {
        let world = World::new(&[curve]);
        let packed = world.anon(BOB, &bytes(&letter(ALICE, BOB)));
        let epk = header_of(&packed)["epk"].clone();
        let mut y = base64_simd::URL_SAFE_NO_PAD
            .decode_to_vec(epk["y"].as_str().unwrap())
            .unwrap();
        *y.last_mut().unwrap() ^= 1;
        let mut off = epk.clone();
        off["y"] = json!(base64_simd::URL_SAFE_NO_PAD.encode_to_string(&y));
        let mut zero = epk.clone();
        for name in ["x", "y"] {
            zero[name] = json!(base64_simd::URL_SAFE_NO_PAD.encode_to_string(vec![0; y.len()]));
        }
        for epk in [off, zero] {
            let bent = with_header(&packed, "epk", epk);
            // peek has no secrets, and refuses: it is the point that is wrong, not the tag.
            assert_eq!(
                peek(&bent, &Limits::default()).unwrap_err(),
                OpenError::Crypto
            );
            assert_eq!(world.open(BOB, &bent).unwrap_err(), OpenError::Crypto);
        }
    }
}

#[test]
fn g3_an_epk_of_another_curve_than_the_recipients_key_is_refused() {
    let world = World::new(&[Curve::X25519]);
    let other = packmule_agent::keys::SecretKey::generate(Curve::P256).unwrap();
    let packed = with_epk(&world, other.public().to_jwk());
    assert_eq!(world.open(BOB, &packed).unwrap_err(), OpenError::Crypto);
    for crv in ["secp256k1", "Ed25519", "P-192"] {
        let packed = with_epk(
            &world,
            json!({ "kty": "EC", "crv": crv, "x": "AA", "y": "AA" }),
        );
        assert!(
            matches!(world.open(BOB, &packed), Err(OpenError::Unsupported { .. })),
            "{crv}"
        );
    }
}
