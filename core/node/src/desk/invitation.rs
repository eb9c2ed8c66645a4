//! How far an invitation of ours goes, and what of it is remembered.
//!
//! Who calls it: `invite`, and judging, which makes a peer of whoever answers one. What can go
//! wrong: nothing here fails.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Change, Home, HomeError};

/// The topic of notes under which the invitations we issued are remembered: whoever answers one
/// (`pthid`) becomes a peer.
pub const ISSUED: &str = "invitation";

/// How long an invitation holds when nobody says otherwise, in seconds: 30 days.
pub const HOLDS: u64 = 30 * 86_400;

/// Most peers that may come by invitations: an open one must not fill the disk.
pub const MAX_PEERS: usize = 10_000;

/// How far an invitation of ours goes. Kept as the note under [`ISSUED`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Posix seconds after which it makes nobody a peer.
    pub until: u64,
    /// How many may still answer; none: any number.
    pub uses: Option<u32>,
}

impl Terms {
    /// From a note. One that cannot be read holds for nobody.
    pub fn read(note: &str) -> Option<Self> {
        serde_json::from_str(note).ok()
    }

    /// Does it hold for an answer that came at this time?
    pub const fn hold_at(self, received: u64) -> bool {
        received < self.until && !matches!(self.uses, Some(0))
    }

    /// After one more answer.
    #[must_use]
    pub fn used(self) -> Self {
        Self {
            uses: self.uses.map(|uses| uses.saturating_sub(1)),
            ..self
        }
    }

    /// As a note; none when it has been used up.
    pub fn note(self) -> Option<String> {
        (self.uses != Some(0)).then(|| json!(self).to_string())
    }
}

/// Remembers an invitation that is about to be shown, durably, before anybody can answer it; and
/// forgets those that hold no more.
pub fn remember(home: &Home, id: &str, terms: Terms, now: u64) -> Result<(), HomeError> {
    let note = |key: String, value| Change::Note {
        topic: ISSUED.to_owned(),
        key,
        value,
    };
    let mut changes = vec![note(id.to_owned(), terms.note())];
    // An answer that came in time and is still sealed needs its terms: while one may be, none
    // is forgotten.
    if home.unopened(0, 1)?.is_empty() {
        let old = |value: &str| Terms::read(value).is_none_or(|terms| terms.until <= now);
        let issued = home.notes(ISSUED)?.into_iter();
        let old = issued.filter(|(key, value)| key != id && old(value));
        changes.extend(old.map(|(key, _)| note(key, None)));
    }
    match home.apply(&changes) {
        Ok(_) => Ok(()),
        Err(crate::ApplyError::Home(home)) => Err(home),
        Err(other) => Err(crate::error::damaged(format!(
            "a note was refused: {other}"
        ))),
    }
}
