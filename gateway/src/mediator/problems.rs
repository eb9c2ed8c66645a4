//! Telling who asked what went wrong, but not for ever.
//!
//! Called by the mediator. What can go wrong: somebody makes mistakes in a loop, or makes us
//! write many reports for little: after some within a while it gets a last one, then silence.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use packmule_agent::message::{Message, ProblemCode};
use packmule_agent::protocol::report_problem::{self, MAX_ERRORS_EXCEEDED, Report};

use super::{Asker, Trouble};
use crate::store::{Moment, StoreError};

/// Makers of mistakes that are remembered at a time.
const MAX_SENDERS: usize = 4096;
/// How long mistakes count.
const WINDOW: Duration = Duration::from_secs(600);

/// Something to report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) code: &'static str,
    pub(super) comment: String,
    pub(super) args: Vec<String>,
    pub(super) trouble: Option<Trouble>,
}

impl Problem {
    pub(super) fn new(code: &'static str, comment: &str) -> Self {
        Self {
            code,
            comment: comment.to_owned(),
            args: Vec::new(),
            trouble: None,
        }
    }

    /// In the words of an error.
    pub(super) fn of(code: &'static str, why: &dyn Display) -> Self {
        Self::new(code, &why.to_string())
    }

    /// No room for it.
    pub(super) fn full() -> Self {
        Self {
            trouble: Some(Trouble::Full),
            ..Self::new("e.p.me.res.storage", "There is no room for it now.")
        }
    }
}

/// What is wrong with our disk is nobody else's business beyond that.
impl From<StoreError> for Problem {
    fn from(err: StoreError) -> Self {
        match err {
            StoreError::DiskFull => Self::full(),
            _ => Self {
                trouble: Some(Trouble::Failed),
                ..Self::new("e.p.me", "The mailboxes cannot be reached now.")
            },
        }
    }
}

/// Who made mistakes, and how many.
pub(super) struct Complaints {
    most: u32,
    made: Mutex<BTreeMap<String, Made>>,
}

#[derive(Clone, Copy)]
struct Made {
    since: Moment,
    count: u32,
}

impl Complaints {
    pub(super) fn new(most: u32) -> Self {
        Self {
            most,
            made: Mutex::default(),
        }
    }

    /// The report, or the last one, or none any more.
    pub(super) fn report(&self, asker: &Asker<'_>, problem: &Problem) -> Option<Message> {
        let made = self.count(asker.name(), asker.now);
        let (code, comment) = if made <= self.most {
            (problem.code, problem.comment.as_str())
        } else if made == self.most.saturating_add(1) {
            (
                MAX_ERRORS_EXCEEDED,
                "Too many errors; for a while none is reported.",
            )
        } else {
            return None;
        };
        let args: Vec<&str> = problem.args.iter().map(String::as_str).collect();
        // All our codes are codes: a test reads each.
        let code = ProblemCode::parse(code).ok()?;
        let report = Report::new(&code).with_comment(comment, &args);
        Some(report_problem::message(asker.message, &report))
    }

    fn count(&self, sender: &str, now: Moment) -> u32 {
        // Whoever panicked here left whole numbers.
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if !made.contains_key(sender) && made.len() >= MAX_SENDERS {
            let oldest = made.iter().min_by_key(|(_, one)| one.since);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                made.remove(&oldest);
            }
        }
        let first = Made {
            since: now,
            count: 0,
        };
        let one = made.entry(sender.to_owned()).or_insert(first);
        if now.since(one.since) > WINDOW {
            *one = first;
        }
        one.count = one.count.saturating_add(1);
        one.count
    }
}
