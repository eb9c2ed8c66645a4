//! Small disks, a network that nobody else hears, a database server and a mail server, for tests
//! that need the real thing.
//!
//! What is it: [`on_a_disk`] and [`on_a_lan`] run the calling test again, alone, in namespaces of
//! its own, where what it mounts or announces bothers nobody. Who calls it: tests of the drive,
//! of TCP's neighbours, of the node and of the command line. What can go wrong: the machine gives
//! a process no namespaces (neither root nor a kernel that lets users have them); then the test
//! fails and says so, because a disk that was never full proves nothing.

#![expect(
    clippy::expect_used,
    reason = "where no place can be made its test must fail"
)]

mod mail;
mod postgres;

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

pub use mail::{MailServer, Ports};
pub use postgres::Postgres;

/// Tells the second run where it is: the mounted folder, or the network's loopback.
const INSIDE: &str = "PACKMULE_TEST_PLACE";

/// What a script ends with where it was not allowed to make the place.
const NOT_PERMITTED: i32 = 77;

/// Runs `story` on a fresh file system in memory with these options of tmpfs(5): `size=2m`.
/// `test` is the calling test's whole name, as `cargo test -- --list` tells it. The first run of
/// the test only waits for the second and judges it: all that matters belongs into the story.
///
/// # Panics
/// When nothing can be mounted here, when the second run fails, and when it runs no test.
pub fn on_a_disk(test: &str, options: &str, story: impl FnOnce(&Path)) {
    if let Some(disk) = env::var_os(INSIDE) {
        return story(Path::new(&disk));
    }
    let point = tempfile::tempdir().expect("a folder to mount on");
    again(
        test,
        &["--mount", "--propagation", "private"],
        "mount -t tmpfs -o \"$1\" tmpfs \"$PACKMULE_TEST_PLACE\"",
        options,
        point.path().as_os_str(),
    );
}

/// Gives a disk of [`on_a_disk`] other options: `size=8m`, `ro`.
///
/// # Panics
/// When the system will not, as it does while a file is open for writing and the disk is to be
/// `ro`.
pub fn remount(disk: &Path, options: &str) {
    let remounted = Command::new("mount")
        .args(["-o", &format!("remount,{options}")])
        .arg(disk)
        .status()
        .expect("`mount` (util-linux) runs");
    assert!(remounted.success(), "remount,{options}: {remounted}");
}

/// Runs `story` where the only network is a loopback interface that carries multicast. About
/// `test` see [`on_a_disk`].
///
/// # Panics
/// When there can be no such network here, when the second run fails, and when it runs no test.
pub fn on_a_lan(test: &str, story: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        return story();
    }
    again(
        test,
        &["--net"],
        "ip link set \"$1\" up && ip route add 224.0.0.0/4 dev \"$1\"",
        "lo",
        OsStr::new("lo"),
    );
}

/// Runs `test` again inside new namespaces, after `make` made the place there.
fn again(test: &str, namespaces: &[&str], make: &str, argument: &str, place: &OsStr) {
    let script = format!(
        "{{ {make}; }} || exit {NOT_PERMITTED}
        exec \"$2\" --exact \"$3\" --nocapture --test-threads 1"
    );
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.arg("--map-root-user");
    }
    let run = unshare
        .args(namespaces)
        .args(["sh", "-c", &script, "sh", argument])
        .arg(env::current_exe().expect("this test's own program"))
        .arg(test)
        .env(INSIDE, place)
        .output()
        .expect("`unshare` (util-linux) is needed for namespaces");
    let told = [run.stdout, run.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert_ne!(
        run.status.code(),
        Some(NOT_PERMITTED),
        "no such place can be made here (`{make}`): run as root or allow user namespaces\n{told}"
    );
    assert!(run.status.success(), "{test} failed inside:\n{told}");
    assert!(told.contains("1 passed"), "there is no {test}:\n{told}");
}
