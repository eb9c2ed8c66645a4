//! The second packer, `core/backend-didcomm`, against the first: each opens what the other
//! packs, and the forgeries that the crate itself lets through are refused.

use packmule_agent::pack::{Jose, Packer};
use packmule_backend_didcomm::DidcommCrate;
use packmule_interop::Ours;
use packmule_interop_foreign::kinds::{Cell, Kind, Outcome};
use packmule_interop_foreign::{Parties, Peer, affinidi::Affinidi, sicpa::Sicpa};
use serde_json::json;

const ALICE: &str = "did:example:alice";
const BOB_KEY: &str = "did:example:bob#key-x25519-1";

#[test]
fn the_two_packers_open_each_others_messages() {
    let parties = Parties::of_fixtures();
    let first = Ours::with(Box::new(Jose), &parties);
    let second = Ours::with(Box::new(DidcommCrate), &parties);
    let (mut read, mut lacking) = (0, 0);
    for kind in Kind::all(&parties) {
        // The crate's lack of curves is known: packing says so, and so does opening.
        let lacks = Cell::judge("didcomm-rust", "(packing)", &kind.name, None).outcome
            == Outcome::Unexpected;
        let message = kind.message();
        let of_first = first
            .pack(&message, &kind.plan)
            .expect("the first packs everything");
        let opened = second.unpack(&of_first);
        let of_second = second.pack(&message, &kind.plan);
        if lacks {
            assert!(
                opened.is_err() && of_second.is_err(),
                "{} works now",
                kind.name
            );
            lacking += 1;
            continue;
        }
        assert_eq!(
            kind.differs(&opened.expect("the second opens")),
            None,
            "{}",
            kind.name
        );
        let opened = first.unpack(&of_second.expect("the second packs"));
        assert_eq!(
            kind.differs(&opened.expect("the first opens")),
            None,
            "{}",
            kind.name
        );
        read += 2;
    }
    assert_eq!((read, lacking), (40, 8));
}

#[test]
fn mallory_cannot_pass_for_alice_through_the_second_packer() {
    let parties = Parties::of_fixtures();
    let affinidi = Affinidi::new(&parties);
    let mallory = parties.by_method("did:key:");
    let agreement = parties.kids(&mallory, "keyAgreement").remove(0);
    let signing = parties.kids(&mallory, "authentication").remove(0);
    let lie = json!({
        "id": "1", "typ": "application/didcomm-plain+json", "type": "https://didcomm.org/empty/1.0/empty",
        "from": ALICE, "to": ["did:example:bob"], "body": {},
    })
    .to_string();
    let to = [BOB_KEY.to_owned()];
    let signed = affinidi.sign(lie.as_bytes(), &signing).expect("signs");
    let forgeries = [
        affinidi
            .encrypt(lie.as_bytes(), &to, Some(&agreement))
            .expect("encrypts"),
        affinidi
            .encrypt(signed.as_bytes(), &to, None)
            .expect("encrypts"),
        affinidi
            .encrypt(signed.as_bytes(), &to, Some(&agreement))
            .expect("encrypts"),
        signed,
    ];
    let bare = Sicpa::new(&parties);
    let packers: [Box<dyn Packer>; 2] = [Box::new(DidcommCrate), Box::new(Jose)];
    let [second, first] = packers.map(|packer| Ours::with(packer, &parties));
    for forgery in &forgeries {
        assert!(
            bare.unpack(forgery).is_ok(),
            "the bare crate lets it through, still"
        );
        for packer in [&second, &first] {
            let refusal = packer.unpack(forgery).expect_err("a forgery").0;
            assert!(
                refusal.contains("says it is from did:example:alice"),
                "{refusal}"
            );
        }
    }
}

#[test]
fn a_message_for_somebody_else_is_refused_by_the_second_packer() {
    let parties = Parties::of_fixtures();
    let affinidi = Affinidi::new(&parties);
    let second = Ours::with(Box::new(DidcommCrate), &parties);
    let message = |from: Option<&str>, to: &str| {
        json!({
            "id": "1", "typ": "application/didcomm-plain+json", "type": "https://didcomm.org/empty/1.0/empty",
            "from": from, "to": [to], "body": {},
        })
    };
    let pack = |message: serde_json::Value| {
        let mut message = message;
        if message["from"].is_null() {
            message.as_object_mut().expect("an object").remove("from");
        }
        let from = Some("did:example:alice#key-x25519-1");
        affinidi
            .encrypt(message.to_string().as_bytes(), &[BOB_KEY.to_owned()], from)
            .expect("encrypts")
    };
    let refusal = |packed: String| second.unpack(&packed).expect_err("refused").0;
    let for_carol = refusal(pack(message(Some(ALICE), "did:example:carol")));
    assert!(
        for_carol.contains("which its \"to\" does not name"),
        "{for_carol}"
    );
    let nobody = refusal(pack(message(None, "did:example:bob")));
    assert!(nobody.contains("has no \"from\""), "{nobody}");
    assert!(
        second
            .unpack(&pack(message(Some(ALICE), "did:example:bob")))
            .is_ok()
    );
}
