//! D: layers that §2.1 does not allow.

use packmule_agent::keys::Curve;
use packmule_agent::pack::{OpenError, Warning};

use crate::support::*;

fn world() -> World {
    World::new(&[Curve::X25519])
}

#[track_caller]
fn refused(world: &World, packed: &[u8], name: &str) {
    let told = world.open(BOB, packed);
    assert_eq!(told.err(), Some(OpenError::Combination(name.to_owned())));
}

/// C.3 of the specification has one, although its text forbids it: read, never written.
#[test]
fn d1_anon_auth_sign_is_read() {
    let world = world();
    let signed = world.sign(ALICE, &bytes(&letter(ALICE, BOB)));
    let packed = world.anon(BOB, &world.auth(ALICE, BOB, &signed));
    let opened = world.open(BOB, &packed).unwrap();
    assert_eq!(layers(&opened), ["anoncrypt", "authcrypt", "signed"]);
    assert_eq!(opened.warnings, [Warning::SignedInsideAuthcrypt]);
}

#[test]
fn d2_anon_in_anon_is_refused() {
    let world = world();
    let packed = world.anon(BOB, &world.anon(BOB, &bytes(&letter(ALICE, BOB))));
    refused(&world, &packed, "anoncrypt(anoncrypt)");
}

#[test]
fn d3_anon_in_auth_and_auth_in_auth_are_refused() {
    let world = world();
    let letter = bytes(&letter(ALICE, BOB));
    let packed = world.auth(ALICE, BOB, &world.anon(BOB, &letter));
    refused(&world, &packed, "authcrypt(anoncrypt)");
    let packed = world.auth(ALICE, BOB, &world.auth(ALICE, BOB, &letter));
    refused(&world, &packed, "authcrypt(authcrypt)");
}

#[test]
fn a_signature_around_anything_but_a_plaintext_is_refused() {
    let world = world();
    let letter = bytes(&letter(ALICE, BOB));
    refused(
        &world,
        &world.sign(ALICE, &world.anon(BOB, &letter)),
        "signed(encrypted)",
    );
    refused(
        &world,
        &world.sign(ALICE, &world.sign(ALICE, &letter)),
        "signed(signed)",
    );
}
