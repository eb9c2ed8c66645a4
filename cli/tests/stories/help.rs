//! Help, usage and exit codes: what scripts and people rely on.

use super::stage::{Party, Stage, text};

#[test]
fn the_exit_codes_are_these() {
    let stage = Stage::new();
    let nobody = Party {
        home: stage.path("none"),
    };
    let help = nobody.ok(["--help"]);
    for (code, word) in [
        "done",
        "packmule itself",
        "command line",
        "no such",
        "refused",
        "passphrase",
        "damaged",
        "full",
        "frames",
        "exists",
    ]
    .iter()
    .enumerate()
    {
        let line = help
            .lines()
            .find(|l| l.starts_with(&format!("  {code}  ")))
            .unwrap_or_else(|| panic!("no code {code}: {help}"));
        assert!(line.contains(word), "{line}");
    }
}

#[test]
fn every_verb_helps_and_takes_json() {
    let stage = Stage::new();
    let nobody = Party {
        home: stage.path("none"),
    };
    for verb in [
        "init",
        "id",
        "invite",
        "accept",
        "peers",
        "send",
        "pack",
        "unpack",
        "inbox",
        "outbox",
        "export",
        "import",
        "qr",
        "inspect",
        "doctor",
        "run",
        "gateway",
        "status",
        "watch",
        "why",
        "forget",
        "dead-letters",
        "ble",
        "bench",
        "demo",
        "completions",
        "man",
    ] {
        let help = nobody.ok([verb, "--help"]);
        assert!(
            help.contains("--json") && help.contains("--home"),
            "{verb}: {help}"
        );
    }
    assert_eq!(nobody.run(["fly"]).code, 2);
    assert_eq!(nobody.run(["send", "bob"]).code, 2);
    assert_eq!(nobody.run(["send", "bob", "x", "--anon", "--sign"]).code, 2);
    assert!(nobody.ok(["completions", "bash"]).contains("packmule"));
}

#[test]
fn the_home_is_found_in_the_documented_order() {
    let stage = Stage::new();
    let party = Party {
        home: stage.path("by-variable"),
    };
    let made = |command: &mut std::process::Command| {
        let status = command
            .args(["init", "--kdf-memory", "8", "--did-method", "key"])
            .status()
            .unwrap();
        assert!(status.success());
    };
    made(&mut party.command([] as [&str; 0]));
    assert!(party.home.join("keys.sealed").exists());
    let xdg = stage.path("xdg");
    made(
        party
            .command([] as [&str; 0])
            .env_remove("PACKMULE_HOME")
            .env("XDG_DATA_HOME", &xdg),
    );
    assert!(xdg.join("packmule/keys.sealed").exists());
    let user = stage.path("user");
    made(
        party
            .command([] as [&str; 0])
            .env_remove("PACKMULE_HOME")
            .env_remove("XDG_DATA_HOME")
            .env("HOME", &user),
    );
    assert!(user.join(".local/share/packmule/keys.sealed").exists());
    let flag = stage.path("by-flag");
    made(&mut party.command(["--home", text(&flag)]));
    assert!(flag.join("keys.sealed").exists());
}

#[test]
fn a_reader_that_goes_away_is_no_crash_and_a_full_device_no_success() {
    let stage = Stage::new();
    let bob = stage.party("bob", "key");
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let status = bob.command(["id"]).stdout(full).status().unwrap();
    assert_eq!(status.code(), Some(7));
}
