//! Every call to a cryptographic library, and nothing else.
//!
//! What is it: thin wrappers with our own types over aws-lc-rs (agreement, signatures, AES,
//! HMAC, SHA-2), RustCrypto's `chacha20poly1305` (XChaCha20-Poly1305, which aws-lc lacks) and
//! `curve25519-dalek` (the map from Ed25519 to X25519 points). Who calls it: `keys` and
//! `jose`, no one else, so that a library can be exchanged here alone. What can go wrong:
//! every failure is the one opaque [`Refused`]; *why* a key or a tag was refused is nobody's
//! business but a debugger's, and must never reach a peer.

pub(crate) mod agree;
pub(crate) mod content;
pub(crate) mod sign;

use aws_lc_rs::digest;

/// A primitive said no: bad key, bad point, bad tag, bad signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

impl From<aws_lc_rs::error::Unspecified> for Refused {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}

impl From<aws_lc_rs::error::KeyRejected> for Refused {
    fn from(_: aws_lc_rs::error::KeyRejected) -> Self {
        Self
    }
}

/// Fills `out` from the operating system's generator.
pub(crate) fn random(out: &mut [u8]) -> Result<(), Refused> {
    aws_lc_rs::rand::fill(out).map_err(Refused::from)
}

/// SHA-256 of the parts, one after the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    // SHA-256 always yields 32 bytes; zip keeps that free of a panic path.
    for (to, from) in out.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    out
}

#[cfg(test)]
mod tests {
    use zeroize::{ZeroizeOnDrop, Zeroizing};

    use super::agree::{AgreePublic, AgreeSecret, Shared};
    use super::content::{self, Cek};
    use super::*;
    use crate::jose::ContentEncryption;
    use crate::keys::Curve;

    /// What a type says it does when dropped; a secret of another type would not compile.
    #[test]
    fn content_keys_and_shared_secrets_are_wiped() {
        fn wiped<T: ZeroizeOnDrop>(_: &T) {}
        let mine = AgreeSecret::generate(Curve::X25519).unwrap();
        let peer = AgreePublic::parse(Curve::X25519, &mine.public().unwrap()).unwrap();
        let shared: Shared = mine.agree(&peer).unwrap();
        wiped(&shared);
        let cek: Cek = content::generate(ContentEncryption::Xc20p).unwrap();
        wiped(&cek);
        let kek: Zeroizing<[u8; 32]> = Zeroizing::new([7; 32]);
        wiped(&content::unwrap(&kek, &content::wrap(&kek, &cek).unwrap()).unwrap());
        wiped(&mine.to_raw().unwrap());
    }

    #[test]
    fn an_all_zero_shared_secret_is_refused() {
        let mine = AgreeSecret::generate(Curve::X25519).unwrap();
        let zero = AgreePublic::parse(Curve::X25519, &[0; 32]).unwrap();
        assert_eq!(mine.agree(&zero).unwrap_err(), Refused);
    }

    #[test]
    fn every_cipher_notices_every_kind_of_damage() {
        for enc in ContentEncryption::ALL {
            for length in [0, 1, 15, 16, 17, 1000] {
                let cek = content::generate(enc).unwrap();
                let plain = vec![b'm'; length];
                let mut text = plain.clone();
                let aad: &[&[u8]] = &[b"head", b"er"];
                let sealed = content::seal(enc, &cek, aad, &mut text).unwrap();
                let open = |text: &[u8], iv: &[u8], tag: &[u8], aad: &[&[u8]]| {
                    let mut text = text.to_vec();
                    content::open(enc, &cek, aad, iv, &mut text, tag).map(|()| text)
                };
                let (iv, tag) = (sealed.iv(), sealed.tag());
                assert_eq!(open(&text, iv, tag, aad).unwrap(), plain);
                assert_eq!(open(&text, iv, tag, &[b"headeR"]), Err(Refused));
                assert_eq!(open(&text, iv, &tag[1..], aad), Err(Refused));
                assert_eq!(open(&text, &iv[1..], tag, aad), Err(Refused));
                assert_eq!(open(&text, iv, &vec![0; tag.len()], aad), Err(Refused));
                assert_eq!(
                    open(&[&text[..], b"x"].concat(), iv, tag, aad),
                    Err(Refused)
                );
            }
        }
    }
}
