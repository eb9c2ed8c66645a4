//! Stories about envelopes: what alice packs is what bob gets, and what mallory sends hurts no one.

use super::*;

const AUTHCRYPT: &[u8] =
    include_bytes!("../../../../fixtures/didcomm/appendix-c/auth-x25519-cbc.json");

#[test]
fn alices_authcrypt_message_keeps_every_member() {
    let envelope = Envelope::from_packed(AUTHCRYPT).unwrap();
    assert_eq!(envelope.kind(), Kind::Encrypted);
    assert!(envelope.identity().len() < AUTHCRYPT.len() * 4 / 5);
    let before: serde_json::Value = serde_json::from_slice(AUTHCRYPT).unwrap();
    let after: serde_json::Value = serde_json::from_slice(&envelope.to_json()).unwrap();
    assert_eq!(before, after);
    assert_eq!(Envelope::decode(envelope.identity()).unwrap(), envelope);
    assert_eq!(Envelope::decode(&envelope.to_wire()).unwrap(), envelope);
}

#[test]
fn what_is_not_canonical_is_kept_as_it_is() {
    for (packed, kind) in [
        (
            &b"{\"ciphertext\":\"AB\",\"protected\":\"e30\",\"recipients\":[]}"[..],
            Kind::Encrypted,
        ),
        (
            b"{\"ciphertext\":\"AA==\",\"protected\":\"e30\",\"recipients\":[]}",
            Kind::Encrypted,
        ),
        (
            b"{\"ciphertext\":\"AA\",\"protected\":\"e30\",\"recipients\":[],\"x\":1}",
            Kind::Encrypted,
        ),
        (
            b"{\"ciphertext\":\"AA\",\"iv\":\"\",\"iv\":\"\",\"protected\":\"\"}",
            Kind::Encrypted,
        ),
        (b"{\"payload\":\"\",\"signature\":5}", Kind::Signed),
        (
            b"{\"id\":\"1\",\"type\":\"https://example.org/1.0/x\"}",
            Kind::Plaintext,
        ),
        (b"{\"id\":\"1\",\"@type\":\"v1\"}", Kind::Other),
        (b"\xff\x00", Kind::Other),
        (b"eyJ0.eyJ1.c2ln", Kind::Other),
    ] {
        let envelope = Envelope::from_packed(packed).unwrap();
        assert_eq!(envelope.kind(), kind, "{}", String::from_utf8_lossy(packed));
        assert_eq!(envelope.to_json(), packed);
        assert_eq!(Envelope::decode(envelope.identity()).unwrap(), envelope);
        assert_eq!(Envelope::decode(&envelope.to_wire()).unwrap(), envelope);
    }
}

#[test]
fn apart_or_trusted_it_is_the_same_envelope() {
    let envelope = Envelope::from_packed(AUTHCRYPT).unwrap();
    for form in [envelope.identity().to_vec(), envelope.to_wire()] {
        let trusted = Envelope::decode_trusted(&form, envelope.id()).unwrap();
        assert_eq!(trusted, envelope);
    }
    let (json, ciphertext) = envelope.to_json_apart().unwrap();
    let mut whole: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(whole["ciphertext"], "");
    whole["ciphertext"] = data_encoding::BASE64URL_NOPAD.encode(ciphertext).into();
    let before: serde_json::Value = serde_json::from_slice(AUTHCRYPT).unwrap();
    assert_eq!(whole, before);
    let plain = Envelope::from_packed(b"{\"id\":\"1\",\"type\":\"x\"}").unwrap();
    assert_eq!(plain.to_json_apart(), None);
}
