//! What can go wrong with a mediator, and what that says about the next try.
//!
//! Called by every question to one. The words are for people and name nobody: they stand in logs.

use std::time::Duration;

use packmule_agent::Message;
use packmule_agent::protocol::report_problem::{self, Report};

use crate::pace::Verdict;

/// Why a visit to a mediator ended.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Its DID leads nowhere.
    #[error("{0}")]
    Nowhere(String),
    /// Nobody answered.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// The answer did not come in time.
    #[error("no answer in time")]
    Slow,
    /// It cannot now.
    #[error("it cannot now: HTTP {status}")]
    Busy {
        /// The status.
        status: u16,
        /// When it can, if it said so.
        after: Option<Duration>,
    },
    /// It does not want what we sent.
    #[error("it refused: HTTP {0}")]
    Refused(u16),
    /// It answered with something that is no answer.
    #[error("its answer makes no sense: {0}")]
    Nonsense(String),
    /// It reported a problem.
    #[error("it reports a problem: {0}")]
    Problem(String),
    /// It does not mediate for us.
    #[error("it does not mediate for us")]
    Denied,
    /// It took our token for some time, and does not any more.
    #[error("it wants us to log in again")]
    LoggedOut,
    /// Our own side could not write the question.
    #[error("nothing can be packed for it: {0}")]
    Unpacked(String),
}

impl Fault {
    /// When to try again.
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::NoAnswer(_) | Self::Slow | Self::Nonsense(_) | Self::LoggedOut => Verdict::Soon,
            Self::Busy { after, .. } => after.map_or(Verdict::Soon, Verdict::After),
            Self::Problem(code) if is_passing(code) => Verdict::Soon,
            Self::Nowhere(_)
            | Self::Refused(_)
            | Self::Problem(_)
            | Self::Denied
            | Self::Unpacked(_) => Verdict::Refused,
        }
    }

    /// A status that is no success.
    pub(crate) const fn of_status(status: u16, after: Option<Duration>) -> Self {
        match status {
            408 | 425 | 429 | 500.. => Self::Busy { status, after },
            _ => Self::Refused(status),
        }
    }

    /// The problem that a message reports, if it is such a report.
    pub(crate) fn of_message(message: &Message) -> Option<Self> {
        if !message.is(report_problem::PIURI, "problem-report") {
            return None;
        }
        // One without a thread is a report all the same: it came as the answer.
        let code = report_problem::parse(message).map(|report: Report| report.code);
        let code = code
            .ok()
            .or_else(|| message.body_text("code").map(str::to_owned));
        let code = code.unwrap_or_default();
        Some(Self::Problem(code.chars().take(100).collect()))
    }
}

/// A warning, or something that the mediator lacks for the moment (`me`, `me.res.…`).
fn is_passing(code: &str) -> bool {
    code.starts_with("w.") || code.split('.').any(|part| part == "me")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_problems_say_when_to_come_again() {
        let after = Some(Duration::from_secs(9));
        for (fault, verdict) in [
            (Fault::of_status(408, None), Verdict::Soon),
            (Fault::of_status(425, None), Verdict::Soon),
            (
                Fault::of_status(429, after),
                Verdict::After(Duration::from_secs(9)),
            ),
            (
                Fault::of_status(503, after),
                Verdict::After(Duration::from_secs(9)),
            ),
            (Fault::of_status(500, None), Verdict::Soon),
            (Fault::of_status(400, None), Verdict::Refused),
            (Fault::of_status(404, after), Verdict::Refused),
            (Fault::of_status(301, None), Verdict::Refused),
            (Fault::Slow, Verdict::Soon),
            (Fault::Denied, Verdict::Refused),
            (Fault::Problem("w.m.me".into()), Verdict::Soon),
            (Fault::Problem("e.p.me.res.storage".into()), Verdict::Soon),
            (Fault::Problem("e.p.trust".into()), Verdict::Refused),
        ] {
            assert_eq!(fault.verdict(), verdict, "{fault}");
        }
    }
}
