//! Packing and opening, 1 kB and 64 kB, X25519 and P-256. `cargo bench -p packmule-agent`.
//! Beside the other crates, in one run: `tests/interop`.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: whoever cannot go on may stop"
)]

use divan::{Bencher, black_box};
use packmule_agent::did::{DidDoc, VerificationMethod};
use packmule_agent::keys::{Curve, Keyring, SecretKey};
use packmule_agent::pack::{Jose, Limits, PackPlan, Packer};
use packmule_agent::resolve::DocBook;
use serde_json::json;

const ALICE: &str = "did:example:alice";
const BOB: &str = "did:example:bob";

/// Curve and bytes of body.
const CASES: [(Curve, usize); 4] = [
    (Curve::X25519, 1000),
    (Curve::X25519, 64_000),
    (Curve::P256, 1000),
    (Curve::P256, 64_000),
];

fn main() {
    divan::main();
}

struct Case {
    book: DocBook,
    keys: Keyring,
    plaintext: Vec<u8>,
}

impl Case {
    fn new(curve: Curve, size: usize) -> Self {
        let mut case = Self {
            book: DocBook::new(),
            keys: Keyring::new(),
            plaintext: Vec::new(),
        };
        for did in [ALICE, BOB] {
            let agree = (format!("{did}#agree"), SecretKey::generate(curve).unwrap());
            let sign = (
                format!("{did}#sign"),
                SecretKey::generate(Curve::Ed25519).unwrap(),
            );
            let method = |(id, key): &(String, SecretKey)| VerificationMethod {
                id: id.clone(),
                key: key.public().clone(),
            };
            case.book.insert(DidDoc {
                id: did.into(),
                also_known_as: vec![],
                verification: vec![method(&agree), method(&sign)],
                key_agreement: vec![agree.0.clone()],
                authentication: vec![sign.0.clone()],
                services: vec![],
                raw: serde_json::Value::Null,
            });
            case.keys.extend([agree, sign]);
        }
        let message = json!({
            "id": "1234567890", "type": "https://didcomm.org/basicmessage/2.0/message",
            "from": ALICE, "to": [BOB], "body": { "content": "packmule ".repeat(size / 9) },
        });
        case.plaintext = serde_json::to_vec(&message).unwrap();
        case
    }

    fn pack(&self, plan: &PackPlan) -> Vec<u8> {
        Jose.pack(&self.plaintext, plan, &self.keys, &self.book)
            .unwrap()
            .remove(0)
    }
}

fn auth() -> PackPlan {
    PackPlan {
        to: vec![BOB.into()],
        from: Some(ALICE.into()),
        ..PackPlan::default()
    }
}

fn anon() -> PackPlan {
    PackPlan {
        to: vec![BOB.into()],
        ..PackPlan::default()
    }
}

fn signed() -> PackPlan {
    PackPlan {
        sign: Some(ALICE.into()),
        ..PackPlan::default()
    }
}

fn pack(bencher: Bencher<'_, '_>, case: (Curve, usize), plan: &PackPlan) {
    let case = Case::new(case.0, case.1);
    bencher.bench(|| case.pack(black_box(plan)));
}

fn open(bencher: Bencher<'_, '_>, case: (Curve, usize), plan: &PackPlan) {
    let case = Case::new(case.0, case.1);
    let packed = case.pack(plan);
    let limits = Limits::default();
    bencher.bench(|| {
        Jose.open(black_box(&packed), &case.keys, &case.book, &limits)
            .unwrap()
    });
}

#[divan::bench(args = CASES)]
fn pack_authcrypt(bencher: Bencher<'_, '_>, case: (Curve, usize)) {
    pack(bencher, case, &auth());
}

#[divan::bench(args = CASES)]
fn open_authcrypt(bencher: Bencher<'_, '_>, case: (Curve, usize)) {
    open(bencher, case, &auth());
}

#[divan::bench(args = CASES)]
fn pack_anoncrypt(bencher: Bencher<'_, '_>, case: (Curve, usize)) {
    pack(bencher, case, &anon());
}

#[divan::bench(args = CASES)]
fn open_anoncrypt(bencher: Bencher<'_, '_>, case: (Curve, usize)) {
    open(bencher, case, &anon());
}

#[divan::bench(args = [1000, 64_000])]
fn sign_ed25519(bencher: Bencher<'_, '_>, size: usize) {
    pack(bencher, (Curve::X25519, size), &signed());
}

#[divan::bench(args = [1000, 64_000])]
fn verify_ed25519(bencher: Bencher<'_, '_>, size: usize) {
    open(bencher, (Curve::X25519, size), &signed());
}
