//! Helpers of the house rules: where the repository is and what it holds.
//!
//! Called by the tests in `tests/house`. Every helper reads the work tree as it is on disk, so
//! that a rule also sees what is not committed yet. Paths that cannot be read end the test:
//! a rule that looked at nothing must not pass.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The root of the repository.
///
/// # Panics
/// When this crate does not lie one folder below the root.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "a misplaced test crate cannot test anything"
)]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies below the root")
        .to_owned()
}

/// Every file that git tracks or would track, relative to the root, in a stable order.
///
/// # Panics
/// When git does not answer.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "without git's answer no rule can be judged"
)]
pub fn files() -> Vec<String> {
    let out = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(
        out.status.success(),
        "git ls-files: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    let mut files: Vec<String> = String::from_utf8_lossy(&out.stdout)
        .lines()
        .map(str::to_owned)
        .collect();
    files.retain(|f| root().join(f).is_file());
    files.sort();
    assert!(files.len() > 20, "git lists only {} files", files.len());
    files
}

/// The text of a file, relative to the root.
///
/// # Panics
/// When it cannot be read as UTF-8 text.
#[must_use]
pub fn text(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|e| {
        #[expect(
            clippy::panic,
            reason = "a rule that cannot read its subject must not pass"
        )]
        {
            panic!("{file}: {e}")
        }
    })
}

/// What `cargo metadata` says of the product's workspace, as resolved for Linux on x86-64: the
/// same picture on whatever machine the rules run.
///
/// # Panics
/// When cargo does not answer with JSON.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "without cargo's answer no rule can be judged"
)]
pub fn metadata() -> Value {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        out.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    serde_json::from_slice(&out.stdout).expect("cargo metadata speaks JSON")
}

/// Rust sources that make up the product: no tests, benches, fuzz targets or test modules.
#[must_use]
pub fn product_sources() -> Vec<String> {
    let mut all = files();
    all.retain(|f| {
        f.ends_with(".rs")
            && !f.starts_with("tests/")
            && !f
                .split('/')
                .any(|part| matches!(part, "tests" | "benches" | "fuzz" | "examples"))
            && !f.ends_with("/tests.rs")
            && !f.ends_with("_tests.rs")
    });
    all
}
