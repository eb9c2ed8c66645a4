//! Bent messages: whatever is done to a valid one, opening yields an error or the original,
//! and never panics.

#[expect(
    dead_code,
    reason = "shared by several test programs; each uses its part"
)]
mod support;

use std::sync::OnceLock;

use packmule_agent::keys::Curve;
use packmule_agent::pack::{Limits, peek};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::*;

/// One world and its valid messages, made once.
fn corpus() -> &'static (World, Vec<Vec<u8>>) {
    static CORPUS: OnceLock<(World, Vec<Vec<u8>>)> = OnceLock::new();
    CORPUS.get_or_init(|| {
        let world = World::new(&[Curve::X25519, Curve::P256]);
        let letter = bytes(&letter(ALICE, BOB));
        let signed = world.sign(ALICE, &letter);
        let packed = vec![
            world.auth(ALICE, BOB, &letter),
            world.anon(BOB, &letter),
            world.anon(BOB, &signed),
            world.anon(BOB, &world.auth(ALICE, BOB, &letter)),
            signed,
        ];
        (world, packed)
    })
}

/// Opening may succeed only with what Alice wrote.
fn check(bent: &[u8]) {
    let (world, _) = corpus();
    let _ = peek(bent, &Limits::default());
    if let Ok(opened) = world.open(BOB, bent) {
        assert_eq!(opened.message, letter(ALICE, BOB));
    }
}

fn odd_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{}])),
        Just(json!("")),
        Just(json!("e30")),
        any::<i64>().prop_map(Value::from),
        "[A-Za-z0-9_-]{0,90}".prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        Just(json!([{ "header": { "kid": "did:example:bob#x" }, "encrypted_key": "AAAA" }])),
    ]
}

/// Replaces the `at`-th value of a JSON tree, counted depth first.
fn replace(tree: &mut Value, at: &mut usize, new: &Value) {
    if *at == 0 {
        *tree = new.clone();
    }
    *at = at.wrapping_sub(1);
    match tree {
        Value::Object(map) => map.values_mut().for_each(|value| replace(value, at, new)),
        Value::Array(list) => list.iter_mut().for_each(|value| replace(value, at, new)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn bytes_bent(which in 0..5_usize, edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut bent = corpus().1[which].clone();
        for (index, byte) in edits {
            let at = index.index(bent.len());
            bent[at] = byte;
        }
        check(&bent);
    }

    #[test]
    fn cut_short_or_doubled(which in 0..5_usize, cut in any::<prop::sample::Index>()) {
        let whole = &corpus().1[which];
        let bent = &whole[..cut.index(whole.len())];
        check(bent);
        check(&[whole.as_slice(), bent].concat());
    }

    #[test]
    fn members_replaced(which in 0..5_usize, at in 0..16_usize, new in odd_value()) {
        let mut tree = value(&corpus().1[which]);
        let mut at = at;
        replace(&mut tree, &mut at, &new);
        check(&bytes(&tree));
    }

    #[test]
    fn header_members_replaced(which in 0..4_usize, name in prop::sample::select(vec!["alg", "enc", "typ", "kid", "skid", "apu", "apv", "epk", "zip", "crit"]), new in odd_value()) {
        check(&with_header(&corpus().1[which], name, new));
    }

    #[test]
    fn anything_inside_encryption(inside in prop::collection::vec(any::<u8>(), 0..200)) {
        let (world, _) = corpus();
        prop_assert!(world.open(BOB, &world.anon(BOB, &inside)).is_err());
        prop_assert!(world.open(BOB, &inside).is_err());
    }
}
