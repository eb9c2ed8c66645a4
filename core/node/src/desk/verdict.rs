//! What the agent has decided about one message, whoever asks and whenever.
//!
//! Who calls it: the node's driver, for a message that was judged by another process, or by this
//! one before a crash: [`Judged::verdicts`](super::Judged::verdicts) tells of each message once
//! only. What can go wrong: the disk.

use packmule_bus::EnvelopeId;
use packmule_bus::receipt::Reason;
use rusqlite::OptionalExtension;

use super::judge::EXPIRED;
use crate::{Home, HomeError};

/// What became of a message for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Nobody has opened it yet.
    Open,
    /// It was opened, or was here already under another envelope.
    Kept,
    /// It could not be opened, or not be believed.
    Refused(Reason),
}

impl Judgement {
    /// Kept, or refused with this reason; nothing while it is open.
    #[must_use]
    pub const fn verdict(self) -> Option<Option<Reason>> {
        match self {
            Self::Open => None,
            Self::Kept => Some(None),
            Self::Refused(reason) => Some(Some(reason)),
        }
    }
}

/// What was decided about a message that was accepted once.
pub fn of(home: &Home, id: &EnvelopeId) -> Result<Judgement, HomeError> {
    let sql = "SELECT state, opened, problem FROM inbox WHERE envelope = ?1";
    let db = home.db();
    let found: Option<(i64, bool, Option<String>)> = db
        .prepare_cached(sql)?
        .query_row([id.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    Ok(match found {
        Some((2, _, problem)) => Judgement::Refused(reason(problem.as_deref().unwrap_or(""))),
        Some((_, false, _)) => Judgement::Open,
        // A row that is gone: a person discarded it, or it said what an earlier one had said.
        Some((_, true, _)) | None => Judgement::Kept,
    })
}

/// A problem code as a reason of one byte.
pub(super) fn reason(problem: &str) -> Reason {
    if problem == EXPIRED {
        Reason::Expired
    } else {
        Reason::Rejected
    }
}
