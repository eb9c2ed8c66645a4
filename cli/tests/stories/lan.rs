//! Two nodes on one machine find each other with no address typed: multicast DNS, in a network
//! that holds only this story.

use std::process::Stdio;

use packmule_places::on_a_lan;

use super::crew::{Running, pause_until};
use super::stage::{Party, Stage};

/// A node as `packmule run` starts it, with nothing said about listening and discovery.
fn run(party: &Party) -> Running {
    let mut node = party.command(["run", "--json"]);
    Running::of(node.stderr(Stdio::inherit()).spawn().unwrap())
}

#[test]
fn two_nodes_meet_without_any_address() {
    on_a_lan("lan::two_nodes_meet_without_any_address", || {
        let stage = Stage::new();
        let (alice, bob) = stage.pair();
        let (_alices, _bobs) = (run(&alice), run(&bob));
        alice.ok(["send", "bob", "Found you."]);
        pause_until("alice has his receipt", || {
            alice.json(["status"])["outbox"]["acknowledged"] == 1
        });
        assert_eq!(bob.texts(), ["Found you."]);
    });
}
