//! Two nodes on one machine find each other with no address typed: multicast DNS, in a network
//! that holds only this story. Needs root, as the full disks do.

use std::process::Command;

use super::stage::{PASSPHRASE, Stage, text};

#[test]
fn two_nodes_meet_without_any_address() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let script = r#"
        ip link set lo up && ip route add 224.0.0.0/4 dev lo || { echo 'no network of its own: run the tests as root' >&2; exit 99; }
        "$BIN" --home "$ALICE" run --json >"$ALICE.out" & a=$!
        "$BIN" --home "$BOB" run --json >"$BOB.out" & b=$!
        trap 'kill $a $b; wait' EXIT
        "$BIN" --home "$ALICE" send bob "Found you." >/dev/null
        tries=0
        until "$BIN" --home "$ALICE" status --json | grep -q '"acknowledged":1'; do
            tries=$((tries + 1)); [ $tries -lt 600 ] || { "$BIN" --home "$ALICE" status >&2; exit 98; }
            sleep 0.2
        done
    "#;
    let output = Command::new("unshare")
        .args(["--net", "sh", "-eu", "-c", script])
        .env("BIN", env!("CARGO_BIN_EXE_packmule"))
        .env("ALICE", text(&alice.home))
        .env("BOB", text(&bob.home))
        .env("PACKMULE_PASSPHRASE", PASSPHRASE)
        .output()
        .expect("`unshare` (util-linux) is needed for a network of one's own");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{err}", output.status);
    assert_eq!(bob.texts(), ["Found you."]);
}
