//! Full and read-only disks, for real: each test runs again in a mount namespace of its own, on
//! a small file system in memory.

use std::{env, fs, path::Path, process::Command};

use packmule_agent::did::{Method, create};
use packmule_bus::Envelope;
use packmule_node::{Accepted, CreateError, Home, HomeError, QueueError};
use tempfile::tempdir;

use crate::{PASSPHRASE, accept, by_drive, envelope, home_in, packed, to_bob};

/// Tells the re-run where the file system is mounted.
const MOUNTED: &str = "PACKMULE_TEST_MOUNT";

/// Runs `story` on a fresh tmpfs with these options. Needs root, or a kernel that lets users
/// have namespaces; where neither is given the test fails and says so.
fn on_a_disk(test: &str, options: &str, story: impl FnOnce(&Path)) {
    if let Some(mounted) = env::var_os(MOUNTED) {
        return story(Path::new(&mounted));
    }
    let point = tempdir().unwrap();
    let script = "mount -t tmpfs -o \"$1\" tmpfs \"$2\" || exit 77
        exec \"$3\" --exact \"$4\" --nocapture --test-threads 1";
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.arg("--map-root-user");
    }
    let run = unshare
        .args([
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            script,
            "sh",
        ])
        .arg(options)
        .arg(point.path())
        .arg(env::current_exe().unwrap())
        .arg(test)
        .env(MOUNTED, point.path())
        .output()
        .expect("`unshare` (util-linux) is needed to mount a small disk");
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr)
    );
    assert_ne!(
        run.status.code(),
        Some(77),
        "mounting a tmpfs is not permitted here: run as root or allow user namespaces\n{told}"
    );
    assert!(run.status.success(), "{told}");
    assert!(told.contains("1 passed"), "the story did not run:\n{told}");
}

#[test]
fn a_full_disk_refuses_the_next_message_and_keeps_the_others() {
    let test = "disk::a_full_disk_refuses_the_next_message_and_keeps_the_others";
    on_a_disk(test, "size=2m", |disk| {
        let dir = disk.join("bob");
        let home = home_in(&dir);
        let big = |number| Envelope::from_packed(&packed(number, 20_000)).unwrap();
        let mut accepted = 0;
        let error = loop {
            match home.accept_all([&big(accepted)], &by_drive()) {
                Ok(how) => assert_eq!(how, [Accepted::New]),
                Err(error) => break error,
            }
            accepted += 1;
            assert!(accepted < 1000, "the disk never fills");
        };
        assert!(matches!(error, HomeError::DiskFull), "{error:?}");
        assert!(error.to_string().contains("free some space"));
        assert!(accepted > 20, "only {accepted} fitted");
        let mut large = to_bob(1);
        large.packed = packed(1, 400_000);
        let error = home.queue_all(&[large]).unwrap_err();
        assert!(
            matches!(error, QueueError::Home(HomeError::DiskFull)),
            "{error:?}"
        );

        let rows = home.inbox(0, 9999).unwrap();
        assert_eq!(rows.len(), accepted);
        drop(home);

        // The person makes room; then it goes on where it stood.
        let remounted = Command::new("mount")
            .args(["-o", "remount,size=8m"])
            .arg(disk)
            .status()
            .unwrap();
        assert!(remounted.success());
        let home = Home::open(&dir).unwrap();
        home.check().unwrap();
        for row in rows {
            assert!(home.envelope(&row.id).unwrap().is_some());
        }
        let again = accept(&home, &big(accepted), &by_drive());
        assert_eq!(again, Accepted::New);
    });
}

#[test]
fn no_home_is_made_on_a_full_disk() {
    let test = "disk::no_home_is_made_on_a_full_disk";
    on_a_disk(test, "size=32k", |disk| {
        let new = create(Method::Key, &[]).unwrap();
        let error = Home::create(&disk.join("alice"), &new, PASSPHRASE).unwrap_err();
        assert!(
            matches!(error, CreateError::Home(HomeError::DiskFull)),
            "{error:?}"
        );
        assert_eq!(
            fs::read_dir(disk).unwrap().count(),
            0,
            "nothing is left of it"
        );
    });
}

#[test]
fn a_read_only_disk_is_told_as_such() {
    let test = "disk::a_read_only_disk_is_told_as_such";
    on_a_disk(test, "size=4m", |disk| {
        let dir = disk.join("alice");
        let home = home_in(&dir);
        accept(&home, &envelope(1), &by_drive());
        drop(home);
        let remounted = Command::new("mount")
            .args(["-o", "remount,ro"])
            .arg(disk)
            .status()
            .unwrap();
        assert!(remounted.success());
        let outcome =
            Home::open(&dir).and_then(|home| home.accept_all([&envelope(2)], &by_drive()));
        assert!(matches!(outcome, Err(HomeError::ReadOnly)), "{outcome:?}");
    });
}
