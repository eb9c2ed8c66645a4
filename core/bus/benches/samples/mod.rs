//! Messages that are exact in structure and length, made from a seed: random bytes stand for
//! what encryption and signatures yield, since the bus has no such cryptography.
//!
//! Used by the benches, the size tests and the example that makes the dictionary.

use base64_simd::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// A small deterministic generator (SplitMix64).
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap_or_default()
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    pub(crate) fn uuid(&mut self) -> String {
        let hex = data_encoding::HEXLOWER.encode(&self.bytes(16));
        format!(
            "{}-{}-4{}-a{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..]
        )
    }
}

/// Base64url without padding.
pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// A multikey.
fn multikey(prefix: [u8; 2], key: &[u8]) -> String {
    let mut bytes = prefix.to_vec();
    bytes.extend_from_slice(key);
    format!("z{}", bs58::encode(bytes).into_string())
}

/// Someone who sends or receives.
#[derive(Clone)]
pub(crate) struct Party {
    pub(crate) did: String,
    pub(crate) agreement_kid: String,
    pub(crate) signing_kid: String,
    /// Bytes of the distinct keys in the DID and the key-agreement id.
    pub(crate) key_bytes: usize,
}

/// How DIDs are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Method {
    /// The DID is the Ed25519 key, the key-agreement id its X25519 twin.
    Key,
    /// The DID is the X25519 key.
    KeyX25519,
    /// did:peer:2 with two keys and one service.
    Peer2,
    /// did:peer:4, short form.
    Peer4,
}

pub(crate) const METHODS: [Method; 4] =
    [Method::Key, Method::KeyX25519, Method::Peer2, Method::Peer4];

const X25519: [u8; 2] = [0xec, 0x01];
const ED25519: [u8; 2] = [0xed, 0x01];

pub(crate) fn party(rng: &mut Rng, method: Method, uri: &str) -> Party {
    let agreement = multikey(X25519, &rng.bytes(32));
    let signing = multikey(ED25519, &rng.bytes(32));
    match method {
        Method::Key => Party {
            did: format!("did:key:{signing}"),
            agreement_kid: format!("did:key:{signing}#{agreement}"),
            signing_kid: format!("did:key:{signing}#{signing}"),
            key_bytes: 64,
        },
        Method::KeyX25519 => Party {
            did: format!("did:key:{agreement}"),
            agreement_kid: format!("did:key:{agreement}#{agreement}"),
            signing_kid: format!("did:key:{signing}#{signing}"),
            key_bytes: 32,
        },
        Method::Peer2 => {
            let service = format!(r#"{{"t":"dm","s":{{"uri":"{uri}","a":["didcomm/v2"]}}}}"#);
            let did = format!("did:peer:2.E{agreement}.V{signing}.S{}", b64(service));
            Party {
                agreement_kid: format!("{did}#key-1"),
                signing_kid: format!("{did}#key-2"),
                did,
                key_bytes: 64,
            }
        }
        Method::Peer4 => {
            let mut hash = vec![0x12, 0x20];
            hash.extend(rng.bytes(32));
            let did = format!("did:peer:4z{}", bs58::encode(hash).into_string());
            Party {
                agreement_kid: format!("{did}#key-1"),
                signing_kid: format!("{did}#key-2"),
                did,
                key_bytes: 32,
            }
        }
    }
}

const WORDS: [&str; 40] = [
    "the", "bridge", "at", "noon", "we", "meet", "bring", "water", "and", "seven", "radio",
    "north", "road", "closed", "snow", "again", "doctor", "needs", "two", "boxes", "of", "is",
    "ready", "for", "tomorrow", "please", "answer", "soon", "boat", "leaves", "from", "harbour",
    "with", "children", "school", "was", "moved", "uphill", "market", "open",
];

/// English-like text of exactly this many bytes.
pub(crate) fn prose(rng: &mut Rng, bytes: usize) -> String {
    let mut text = String::new();
    while text.len() < bytes {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(rng.pick(&WORDS));
    }
    text.truncate(bytes);
    text
}

/// A basicmessage 2.0 as plaintext JWM.
pub(crate) fn plain(rng: &mut Rng, from: &Party, to: &Party, body: usize) -> String {
    let content = prose(rng, body);
    let created = 1_795_000_000 + rng.below(9_000_000);
    format!(
        r#"{{"id":"{}","typ":"application/didcomm-plain+json","type":"https://didcomm.org/basicmessage/2.0/message","from":"{}","to":["{}"],"created_time":{created},"body":{{"content":"{content}"}}}}"#,
        rng.uuid(),
        from.did,
        to.did,
    )
}

/// A general JWS over a payload, `kid` in both headers.
pub(crate) fn signed(rng: &mut Rng, from: &Party, payload: &str) -> String {
    let protected = format!(
        r#"{{"typ":"application/didcomm-signed+json","alg":"EdDSA","kid":"{}"}}"#,
        from.signing_kid
    );
    format!(
        r#"{{"payload":"{}","signatures":[{{"protected":"{}","header":{{"kid":"{}"}},"signature":"{}"}}]}}"#,
        b64(payload),
        b64(protected),
        from.signing_kid,
        b64(rng.bytes(64)),
    )
}

/// An encrypted message and its floor in bytes.
pub(crate) struct Sealed {
    pub(crate) json: String,
    pub(crate) floor: usize,
}

/// A general JWE, A256CBC-HS512 and X25519, authcrypt when there is a sender.
pub(crate) fn sealed(rng: &mut Rng, from: Option<&Party>, to: &Party, plaintext: usize) -> Sealed {
    let ciphertext = rng.bytes((plaintext / 16 + 1) * 16);
    let apv = b64(Sha256::digest(&to.agreement_kid));
    let epk = format!(
        r#"{{"kty":"OKP","crv":"X25519","x":"{}"}}"#,
        b64(rng.bytes(32))
    );
    let typ = "application/didcomm-encrypted+json";
    let protected = match from {
        Some(from) => format!(
            r#"{{"typ":"{typ}","alg":"ECDH-1PU+A256KW","enc":"A256CBC-HS512","skid":"{}","apu":"{}","apv":"{apv}","epk":{epk}}}"#,
            from.agreement_kid,
            b64(&from.agreement_kid),
        ),
        None => format!(
            r#"{{"typ":"{typ}","alg":"ECDH-ES+A256KW","enc":"A256CBC-HS512","apv":"{apv}","epk":{epk}}}"#
        ),
    };
    let floor =
        ciphertext.len() + 32 + 16 + 72 + 32 + to.key_bytes + from.map_or(0, |from| from.key_bytes);
    let json = format!(
        r#"{{"protected":"{}","recipients":[{{"header":{{"kid":"{}"}},"encrypted_key":"{}"}}],"iv":"{}","ciphertext":"{}","tag":"{}"}}"#,
        b64(protected),
        to.agreement_kid,
        b64(rng.bytes(72)),
        b64(rng.bytes(16)),
        b64(ciphertext),
        b64(rng.bytes(32)),
    );
    Sealed { json, floor }
}
