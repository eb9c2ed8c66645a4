//! Whether the disk takes anything, and when to try it again.
//!
//! What is it: [`Disk`]. Who calls it: the bus, when batches land or fail. What can go wrong:
//! nothing; a disk that stays full is tried about once a minute.

use std::time::Duration;

use crate::bus::io::{BatchId, DiskFault};
use crate::receipt::Reason;
use crate::time::Time;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// How the disk stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::bus) enum Disk {
    /// It takes what it is given.
    #[default]
    Good,
    /// It refused the last batch.
    Bad {
        /// What to tell those who want something stored.
        reason: Reason,
        /// When to try again.
        until: Time,
        /// How long was waited this time.
        wait: Duration,
        /// The trial that is in flight.
        trial: Option<BatchId>,
    },
}

impl Disk {
    /// Why nothing is taken on now.
    pub(in crate::bus) const fn refuses(&self) -> Option<Reason> {
        match self {
            Self::Good => None,
            Self::Bad { reason, .. } => Some(*reason),
        }
    }

    /// A batch failed. True if that is news.
    pub(in crate::bus) fn failed(&mut self, now: Time, batch: BatchId, fault: DiskFault) -> bool {
        let reason = Reason::from(fault);
        match self {
            Self::Good => {
                *self = Self::Bad {
                    reason,
                    until: now + FIRST,
                    wait: FIRST,
                    trial: None,
                };
                true
            }
            Self::Bad {
                reason: known,
                until,
                wait,
                trial,
            } => {
                *known = reason;
                if *trial == Some(batch) {
                    *trial = None;
                    *wait = (*wait * 2).min(LONGEST);
                    *until = now + *wait;
                }
                false
            }
        }
    }

    /// A batch landed. True if the disk was bad and this was the trial.
    pub(in crate::bus) fn committed(&mut self, batch: BatchId) -> bool {
        let mended = matches!(self, Self::Bad { trial, .. } if *trial == Some(batch));
        if mended {
            *self = Self::Good;
        }
        mended
    }

    /// When to try again.
    pub(in crate::bus) const fn deadline(&self) -> Option<Time> {
        match self {
            Self::Bad {
                until, trial: None, ..
            } => Some(*until),
            _ => None,
        }
    }

    /// The trial is on its way.
    pub(in crate::bus) const fn tries(&mut self, batch: BatchId) {
        if let Self::Bad { trial, .. } = self {
            *trial = Some(batch);
        }
    }
}
