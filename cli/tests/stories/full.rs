//! Full disks, for real: small tmpfs mounts in a mount namespace of their own.
//!
//! Needs root (CI and containers have it); where nothing can be mounted the tests fail and say
//! so, because a disk that was never full proves nothing.

use std::process::Command;

use super::stage::{PASSPHRASE, Party, Stage, text};

/// Runs a script where `$SMALL` is a file system of so many kilobytes, `$BIN` is packmule.
fn with_small_disk(
    stage: &Stage,
    kilobytes: u32,
    variables: &[(&str, &str)],
    script: &str,
) -> String {
    let small = stage.folder("small");
    let script = format!(
        "set -eu\nmount -t tmpfs -o size={kilobytes}k tmpfs \"$SMALL\" || {{ echo 'cannot mount a tmpfs: run the tests as root' >&2; exit 99; }}\n\
         wants() {{ code=$1; shift; set +e; \"$@\"; got=$?; set -e; [ $got = $code ] || {{ echo \"wanted exit $code, got $got: $*\" >&2; exit 98; }}; }}\n{script}"
    );
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .env("SMALL", &small)
        .env("BIN", env!("CARGO_BIN_EXE_packmule"))
        .env("PACKMULE_PASSPHRASE", PASSPHRASE)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    format!("{out}{err}")
}

/// A letter with some bytes attached that cannot be compressed.
fn send_large(alice: &Party, stage: &Stage, bytes: usize) {
    let mut state = 3_u64;
    let noise: Vec<u8> = (0..bytes)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    let file = stage.file("noise.bin", &noise);
    alice.ok(["send", "bob", "Large.", "--attach", text(&file)]);
}

#[test]
fn a_full_stick_takes_what_fits_and_the_rest_waits() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    alice.ok(["send", "bob", "Small."]);
    send_large(&alice, &stage, 600_000);
    let told = with_small_disk(
        &stage,
        400,
        &[("ALICE", text(&alice.home)), ("BOB", text(&bob.home))],
        r#"
        wants 7 "$BIN" --home "$ALICE" export "$SMALL"
        ls "$SMALL/DIDCOMM" | grep -c '\.tmp$' && exit 97
        "$BIN" --home "$BOB" import "$SMALL"
        "#,
    );
    assert!(told.contains("full"), "{told}");
    assert!(told.contains("hint:"), "{told}");
    assert_eq!(bob.texts(), ["Small."]);
    // The large one waited, and goes by a larger stick.
    let stick = stage.folder("stick");
    assert_eq!(alice.json(["export", text(&stick)])["written"], 1);
    bob.ok(["import", text(&stick)]);
    assert_eq!(bob.texts(), ["Small.", "Large."]);
}

#[test]
fn a_full_disk_under_the_home_leaves_messages_on_the_stick() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    send_large(&alice, &stage, 600_000);
    let stick = stage.folder("stick");
    alice.ok(["export", text(&stick)]);
    with_small_disk(
        &stage,
        2_000,
        &[("BOB", text(&bob.home)), ("STICK", text(&stick))],
        r#"
        cp -a "$BOB" "$SMALL/bob"
        dd if=/dev/zero of="$SMALL/ballast" bs=1k count=1500 2>/dev/null
        wants 7 "$BIN" --home "$SMALL/bob" import "$STICK"
        [ "$(ls "$STICK/DIDCOMM" | grep -c dcem)" = 1 ]
        dd if=/dev/zero of="$SMALL/ballast-2" bs=1k 2>/dev/null || true
        wants 7 "$BIN" --home "$SMALL/bob2" init
        [ ! -e "$SMALL/bob2" ]
        rm "$SMALL/ballast" "$SMALL/ballast-2"
        "$BIN" --home "$SMALL/bob" import "$STICK"
        "$BIN" --home "$SMALL/bob" inbox | grep -q Large.
        [ "$(ls "$STICK/DIDCOMM" | grep -c dcem)" = 0 ]
        "#,
    );
}

#[test]
fn a_read_only_stick_is_read_and_not_written() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    alice.ok(["send", "bob", "Read me."]);
    let stick = stage.folder("stick");
    alice.ok(["export", text(&stick)]);
    alice.ok(["send", "bob", "Later."]);
    with_small_disk(
        &stage,
        400,
        &[
            ("ALICE", text(&alice.home)),
            ("BOB", text(&bob.home)),
            ("STICK", text(&stick)),
        ],
        r#"
        cp -a "$STICK/." "$SMALL"
        mount -o remount,ro "$SMALL"
        "$BIN" --home "$BOB" import "$SMALL" | grep -q read-only
        "$BIN" --home "$BOB" import "$SMALL" | grep -q 'seen before'
        wants 7 "$BIN" --home "$ALICE" export "$SMALL"
        "#,
    );
    assert_eq!(bob.texts(), ["Read me."]);
    assert_eq!(alice.json(["outbox"])["messages"][1]["state"], "queued");
}

#[test]
fn a_node_whose_disk_is_full_refuses_and_goes_on_when_there_is_room() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    for _ in 0..4 {
        send_large(&alice, &stage, 300_000);
    }
    with_small_disk(
        &stage,
        4_000,
        &[("ALICE", text(&alice.home)), ("BOB", text(&bob.home))],
        r#"
        await() { tries=0; until sh -c "$1"; do tries=$((tries + 1)); [ $tries -lt 600 ] || { echo "in vain: $1" >&2; exit 96; }; sleep 0.2; done; }
        cp -a "$BOB" "$SMALL/bob"
        free=$(df --output=avail -k "$SMALL" | tail -1)
        dd if=/dev/zero of="$SMALL/ballast" bs=1k count=$((free - 900)) 2>/dev/null
        node="run --json --no-discover --listen tcp://127.0.0.1:0"
        "$BIN" --home "$SMALL/bob" $node >"$BOB.out" & b=$!
        trap 'kill $b $a 2>/dev/null || true; wait' EXIT; a=
        await "grep -q ready '$BOB.out'"
        way=$(sed 's/.*"listen":\["\([^"]*\)".*/\1/' "$BOB.out")
        "$BIN" --home "$ALICE" peers ways bob "$way" >/dev/null
        "$BIN" --home "$ALICE" $node >"$ALICE.out" & a=$!
        await "'$BIN' --home '$SMALL/bob' status --json | grep -q '\"disk\":\"'"
        "$BIN" --home "$ALICE" status --json | grep -q '"refused":0'
        rm "$SMALL/ballast"
        await "'$BIN' --home '$ALICE' status --json | grep -q '\"acknowledged\":4'"
        kill $a $b; wait $a $b
        [ "$("$BIN" --home "$SMALL/bob" inbox | grep -c Large.)" = 4 ]
        "#,
    );
}
