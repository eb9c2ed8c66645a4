//! Alice moves to a new DID, or leaves (§5.3); Mallory tries to move for her.

#[expect(
    dead_code,
    reason = "shared by several test programs; each uses its part"
)]
mod support;

use packmule_agent::jose::sign_jwt;
use packmule_agent::keys::Curve;
use packmule_agent::pack::{FromPrior, OpenError, Warning};
use serde_json::{Value, json};
use support::*;

/// Carol's DID is Alice's new one here.
const NEW: &str = CAROL;

#[expect(clippy::unwrap_used, reason = "helper of tests")]
fn token(world: &World, signer: &str, claims: &Value) -> String {
    let (kid, key) = world.key(signer, "sign");
    sign_jwt(claims.as_object().unwrap(), &kid, &key).unwrap()
}

fn moved(token: &str) -> Value {
    let mut message = letter(NEW, BOB);
    message["from_prior"] = json!(token);
    message
}

#[test]
fn bob_learns_alices_new_did() {
    let world = World::new(&[Curve::X25519]);
    let token = token(
        &world,
        ALICE,
        &json!({ "iss": ALICE, "sub": NEW, "iat": 1_763_700_000 }),
    );
    let opened = world
        .open(BOB, &world.auth(NEW, BOB, &bytes(&moved(&token))))
        .unwrap();
    let expected = FromPrior {
        iss: ALICE.into(),
        sub: Some(NEW.into()),
        iat: Some(1_763_700_000),
    };
    assert_eq!(opened.from_prior, Some(expected));
}

#[test]
fn alice_ends_the_relationship() {
    let world = World::new(&[Curve::X25519]);
    let claims = json!({ "iss": ALICE, "iat": 1 });
    let mut message = moved(&token(&world, ALICE, &claims));
    // With a from, it is unclear what is ended.
    let told = world
        .open(BOB, &world.auth(NEW, BOB, &bytes(&message)))
        .unwrap_err();
    assert!(matches!(told, OpenError::FromPrior(_)), "{told}");
    message.as_object_mut().unwrap().remove("from");
    let opened = world.open(BOB, &world.anon(BOB, &bytes(&message))).unwrap();
    assert_eq!(opened.from_prior.unwrap().sub, None);
}

#[test]
fn mallory_cannot_move_alice() {
    let world = World::new(&[Curve::X25519]);
    let honest = json!({ "iss": ALICE, "sub": NEW, "iat": 1 });
    let (alices, _) = world.key(ALICE, "sign");
    let (_, mallorys) = world.key(MALLORY, "sign");
    let under_alices_name = sign_jwt(honest.as_object().unwrap(), &alices, &mallorys).unwrap();
    let for_another = token(
        &world,
        ALICE,
        &json!({ "iss": ALICE, "sub": MALLORY, "iat": 1 }),
    );
    let by_her_own_key = token(&world, MALLORY, &honest);
    let no_time = token(
        &world,
        ALICE,
        &json!({ "iss": ALICE, "sub": NEW, "iat": "now" }),
    );
    for forged in [
        &under_alices_name,
        &for_another,
        &by_her_own_key,
        &no_time,
        "a.b.c",
        "a.b",
        "",
    ] {
        let packed = world.auth(NEW, BOB, &bytes(&moved(forged)));
        let told = world.open(BOB, &packed).unwrap_err();
        assert!(matches!(told, OpenError::FromPrior(_)), "{forged}: {told}");
    }
}

#[test]
fn a_rotation_in_the_open_is_not_looked_at() {
    let world = World::new(&[Curve::X25519]);
    let opened = world.open(BOB, &bytes(&moved("anything"))).unwrap();
    assert_eq!(
        (opened.from_prior, opened.warnings),
        (None, vec![Warning::FromPriorIgnored])
    );
}
