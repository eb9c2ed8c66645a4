//! What every store of mailboxes must do (`suite`, `model`), and the one in `SQLite` in particular.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a step that fails fails its test"
)]

mod backup;
mod crash;
mod disk;
mod fixture;
mod full;
mod model;
mod suite;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use packmule_gateway::store::{
    Enqueued, Letter, Limits, MailboxStore, Moment, SqliteStore, StoreError,
};
use tempfile::TempDir;

const ALICE: &str = "did:example:alice";
const BOB: &str = "did:example:bob";
const CAROL: &str = "did:example:carol";

/// When the tests take place.
fn noon() -> Moment {
    Moment::from_secs(1_800_000_000)
}

fn later(seconds: u64) -> Moment {
    noon() + Duration::from_secs(seconds)
}

/// A store that may be opened again, with other limits.
struct Stage {
    dir: TempDir,
}

impl Stage {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    fn open(&self, limits: Limits) -> Arc<dyn MailboxStore> {
        Arc::new(sqlite(&self.dir.path().join("mailboxes"), limits).unwrap())
    }
}

fn sqlite(path: &Path, limits: Limits) -> Result<SqliteStore, StoreError> {
    // A test does not ask the machine's disk for 50 MB that nobody needs.
    let reserve = limits.reserve.or(Some(1 << 20));
    SqliteStore::open(path, Limits { reserve, ..limits })
}

fn small() -> Limits {
    Limits::default()
}

/// A JWE as agents pack them, of about so many bytes; no two numbers give the same.
fn packed(number: usize, bytes: usize) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = |length: usize| -> String {
        let mut letter = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(LETTERS[(state >> 33) as usize % 64])
        };
        (0..length).map(|_| letter()).collect()
    };
    // Lengths that are multiples of four are canonical base64url whatever their letters.
    let ciphertext = text(bytes.saturating_sub(420).max(16) / 4 * 4);
    let key = text(72);
    format!(
        r##"{{"protected":"eyJ0eXAiOiJhcHBsaWNhdGlvbi9kaWRjb21tLWVuY3J5cHRlZCtqc29uIiwiYWxnIjoiRUNESC1FUytBMjU2S1ciLCJlbmMiOiJBMjU2Q0JDLUhTNTEyIn0","recipients":[{{"header":{{"kid":"did:example:alice#key-2"}},"encrypted_key":"{key}"}}],"iv":"AAAAAAAAAAAAAAAA","ciphertext":"{ciphertext}","tag":"AAAAAAAAAAAAAAAA"}}"##
    )
    .into()
}

fn letter(account: &str, number: usize) -> Letter {
    Letter::new(account, account, &packed(number, 700), later(3600)).unwrap()
}

async fn take(store: &dyn MailboxStore, letter: Letter, now: Moment) -> Enqueued {
    store.enqueue(vec![letter], now).await.unwrap()[0]
}

fn is_stored(outcome: &Enqueued) -> bool {
    matches!(outcome, Enqueued::Stored(_))
}
