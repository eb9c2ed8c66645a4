//! Alice, Bob, Carol and Mallory, with keys on any curve, and what they need to write letters
//! to each other, honest or not.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: whoever cannot go on may stop"
)]

use packmule_agent::did::{DidDoc, VerificationMethod};
use packmule_agent::jose::{self, ContentEncryption, Encryption};
use packmule_agent::keys::{Curve, Keyring, SecretKey};
use packmule_agent::pack::{Jose, Limits, OpenError, Opened, PackPlan, Packer};
use packmule_agent::resolve::DocBook;
use serde_json::{Value, json};

pub(crate) const ALICE: &str = "did:example:alice";
pub(crate) const BOB: &str = "did:example:bob";
pub(crate) const CAROL: &str = "did:example:carol";
pub(crate) const MALLORY: &str = "did:example:mallory";

/// Everyone's documents, and everyone's secrets.
pub(crate) struct World {
    pub(crate) book: DocBook,
    pub(crate) keys: Vec<(String, Keyring)>,
}

impl World {
    /// All four, each with these agreement keys and all three signing keys.
    pub(crate) fn new(curves: &[Curve]) -> Self {
        let mut world = Self {
            book: DocBook::new(),
            keys: Vec::new(),
        };
        for did in [ALICE, BOB, CAROL, MALLORY] {
            world.settle(did, curves);
        }
        world
    }

    /// Gives a DID keys and a document, in place of what it had.
    pub(crate) fn settle(&mut self, did: &str, curves: &[Curve]) {
        let mut ring = Keyring::new();
        let mut doc = DidDoc {
            id: did.into(),
            also_known_as: vec![],
            verification: vec![],
            key_agreement: vec![],
            authentication: vec![],
            services: vec![],
            raw: Value::Null,
        };
        let signing = [Curve::Ed25519, Curve::P256, Curve::Secp256k1];
        for (number, (curve, signs)) in curves
            .iter()
            .map(|curve| (*curve, false))
            .chain(signing.map(|curve| (curve, true)))
            .enumerate()
        {
            let key = SecretKey::generate(curve).unwrap();
            let id = format!(
                "{did}#{}-{curve}-{number}",
                if signs { "sign" } else { "agree" }
            );
            doc.verification.push(VerificationMethod {
                id: id.clone(),
                key: key.public().clone(),
            });
            if signs {
                &mut doc.authentication
            } else {
                &mut doc.key_agreement
            }
            .push(id.clone());
            ring.insert(id, key);
        }
        self.book.insert(doc);
        self.keys.retain(|(known, _)| known != did);
        self.keys.push((did.into(), ring));
    }

    pub(crate) fn ring(&self, did: &str) -> &Keyring {
        &self.keys.iter().find(|(known, _)| known == did).unwrap().1
    }

    /// The first agreement key, or the first signing key.
    pub(crate) fn key(&self, did: &str, purpose: &str) -> (String, SecretKey) {
        let start = format!("{did}#{purpose}");
        let (kid, key) = self
            .ring(did)
            .iter()
            .find(|(kid, _)| kid.starts_with(&start))
            .unwrap();
        (kid.to_owned(), key.clone())
    }

    pub(crate) fn pack(&self, sender: &str, message: &Value, plan: &PackPlan) -> Vec<u8> {
        let plaintext = serde_json::to_vec(message).unwrap();
        let mut packed = Jose
            .pack(&plaintext, plan, self.ring(sender), &self.book)
            .unwrap();
        assert_eq!(packed.len(), 1);
        packed.remove(0)
    }

    pub(crate) fn open(&self, reader: &str, packed: &[u8]) -> Result<Opened, OpenError> {
        Jose.open(packed, self.ring(reader), &self.book, &Limits::default())
    }

    /// One layer of authcrypt by `sender`'s key, whatever is inside.
    pub(crate) fn auth(&self, sender: &str, reader: &str, inside: &[u8]) -> Vec<u8> {
        let (skid, secret) = self.key(sender, "agree");
        let (kid, key) = self.key(reader, "agree");
        let plan = Encryption {
            enc: ContentEncryption::A256CbcHs512,
            sender: Some((&skid, &secret)),
            recipients: vec![(&kid, key.public())],
        };
        jose::encrypt(inside, plan).unwrap()
    }

    /// One layer of anoncrypt, whatever is inside.
    pub(crate) fn anon(&self, reader: &str, inside: &[u8]) -> Vec<u8> {
        let (kid, key) = self.key(reader, "agree");
        let plan = Encryption {
            enc: ContentEncryption::A256Gcm,
            sender: None,
            recipients: vec![(&kid, key.public())],
        };
        jose::encrypt(inside, plan).unwrap()
    }

    /// One signature by `signer`'s key, whatever is inside.
    pub(crate) fn sign(&self, signer: &str, inside: &[u8]) -> Vec<u8> {
        let (kid, key) = self.key(signer, "sign");
        jose::sign(inside, &kid, &key).unwrap()
    }
}

/// An ordinary message.
pub(crate) fn letter(from: &str, to: &str) -> Value {
    json!({
        "id": "1234567890", "typ": "application/didcomm-plain+json",
        "type": "https://didcomm.org/basicmessage/2.0/message",
        "from": from, "to": [to], "body": { "content": "the kiosk opens at noon" },
    })
}

pub(crate) fn bytes(message: &Value) -> Vec<u8> {
    serde_json::to_vec(message).unwrap()
}

pub(crate) fn value(packed: &[u8]) -> Value {
    serde_json::from_slice(packed).unwrap()
}

/// The same JWE or JWS with one member of its protected header replaced (or added).
pub(crate) fn with_header(packed: &[u8], name: &str, new: Value) -> Vec<u8> {
    let mut outer = value(packed);
    let text = outer["protected"].as_str().unwrap();
    let mut header = value(&base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).unwrap());
    header[name] = new;
    outer["protected"] = base64_simd::URL_SAFE_NO_PAD
        .encode_to_string(bytes(&header))
        .into();
    bytes(&outer)
}

/// The protected header of a JWE.
pub(crate) fn header_of(packed: &[u8]) -> Value {
    let outer = value(packed);
    let text = outer["protected"].as_str().unwrap();
    value(&base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).unwrap())
}

pub(crate) fn layers(opened: &Opened) -> Vec<String> {
    opened.layers.iter().map(ToString::to_string).collect()
}
