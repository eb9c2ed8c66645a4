//! F: small effort for Mallory, large for Bob? Bounded time and memory instead.

use std::time::{Duration, Instant};

use packmule_agent::keys::Curve;
use packmule_agent::pack::{Jose, Limits, OpenError, Packer, peek};
use serde_json::json;

use crate::support::*;

/// Far above what a slow, busy machine needs, far below what an unbounded reader takes.
const SOON: Duration = Duration::from_secs(5);

#[test]
fn f1_twenty_five_nested_encryptions_are_refused_at_the_second() {
    let world = World::new(&[Curve::X25519]);
    let mut packed = bytes(&letter(ALICE, BOB));
    for _ in 0..25 {
        packed = world.anon(BOB, &packed);
    }
    assert!(packed.len() > 500_000, "a third more each time");
    let start = Instant::now();
    assert!(matches!(
        world.open(BOB, &packed),
        Err(OpenError::Combination(_))
    ));
    assert!(start.elapsed() < SOON);
}

#[test]
fn f1_a_forward_in_a_forward_is_one_message_not_a_recursion() {
    let world = World::new(&[Curve::X25519]);
    let mut packed = world.anon(BOB, &bytes(&letter(ALICE, BOB)));
    for _ in 0..20 {
        let forward = json!({
            "id": "1", "type": "https://didcomm.org/routing/2.0/forward", "to": [BOB],
            "body": { "next": BOB }, "attachments": [{ "data": { "json": value(&packed) } }],
        });
        packed = world.anon(BOB, &bytes(&forward));
    }
    let opened = world.open(BOB, &packed).unwrap();
    assert_eq!(
        opened.message["type"],
        "https://didcomm.org/routing/2.0/forward"
    );
    assert_eq!(opened.layers.len(), 1);
}

#[test]
fn f2_fifty_thousand_recipients_are_refused() {
    let world = World::new(&[Curve::X25519]);
    let mut packed = value(&world.anon(BOB, &bytes(&letter(ALICE, BOB))));
    let one = packed["recipients"][0].clone();
    let crowd: Vec<_> = (0..50_000)
        .map(|number| {
            let mut one = one.clone();
            one["header"]["kid"] = json!(format!("did:example:bob#agree-{number:045}"));
            one
        })
        .collect();
    packed["recipients"] = json!(crowd);
    let packed = bytes(&packed);
    assert!(packed.len() > 8_000_000);
    let start = Instant::now();
    assert!(world.open(BOB, &packed).is_err());
    assert!(peek(&packed, &Limits::default()).is_err());
    assert!(start.elapsed() < SOON);
}

#[test]
fn f2_more_recipients_than_allowed_are_refused_even_if_all_is_right() {
    let world = World::new(&[Curve::X25519; 3]);
    let plan = packmule_agent::pack::PackPlan {
        to: vec![BOB.into()],
        ..Default::default()
    };
    let packed = world.pack(ALICE, &letter(ALICE, BOB), &plan);
    let limits = Limits {
        max_recipients: 2,
        ..Limits::default()
    };
    let told = Jose
        .open(&packed, world.ring(BOB), &world.book, &limits)
        .unwrap_err();
    assert_eq!(
        told,
        OpenError::TooMany {
            what: "recipients",
            limit: 2
        }
    );
}

#[test]
fn f3_two_hundred_thousand_open_brackets_are_an_error_and_no_crash() {
    let world = World::new(&[Curve::X25519]);
    let deep = "[".repeat(200_000);
    let inputs = [
        deep.clone(),
        format!("{{\"id\":{deep}"),
        format!("{{\"recipients\":{deep}"),
        format!("{{\"header\":{deep}{}}}", "]".repeat(200_000)),
        format!("{{\"protected\":{deep}"),
        format!(
            r#"{{"ciphertext":"","protected":"e30","recipients":{deep}{}}}"#,
            "]".repeat(200_000)
        ),
        "{\"a\":".repeat(200_000),
    ];
    for input in inputs {
        assert!(matches!(
            world.open(BOB, input.as_bytes()),
            Err(OpenError::Malformed(_))
        ));
        let packed = world.anon(BOB, input.as_bytes());
        assert!(matches!(
            world.open(BOB, &packed),
            Err(OpenError::Malformed(_))
        ));
    }
}

#[test]
fn too_long_a_message_is_not_even_parsed() {
    let world = World::new(&[Curve::X25519]);
    let limits = Limits {
        max_bytes: 100,
        ..Limits::default()
    };
    let told = Jose
        .open(&[b' '; 101], world.ring(BOB), &world.book, &limits)
        .unwrap_err();
    assert_eq!(told, OpenError::TooLarge { limit: 100 });
    assert_eq!(told.problem(), "e.p.me.res.storage.message_too_big");
}

#[test]
fn too_many_signatures_are_refused() {
    let world = World::new(&[Curve::X25519]);
    let mut signed = value(&world.sign(ALICE, &bytes(&letter(ALICE, BOB))));
    let one = signed["signatures"][0].clone();
    signed["signatures"] = json!(vec![one; 17]);
    let told = world.open(BOB, &bytes(&signed)).unwrap_err();
    assert_eq!(
        told,
        OpenError::TooMany {
            what: "signatures",
            limit: 16
        }
    );
}
