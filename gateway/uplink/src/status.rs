//! How each upstream stands, for people, metrics and logs.
//!
//! Called by the keepers, who write, and by whoever shows it. What can go wrong: nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{Owner, Upstream};

/// What is being done about a mediator.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum State {
    /// Nothing yet, or nothing is to be collected there.
    #[default]
    Offline,
    /// It is looked for.
    Connecting,
    /// It wants to know who we are before anything else.
    LoggingIn,
    /// It is told which DIDs to hold messages for.
    Registering,
    /// What waits there is fetched.
    Collecting,
    /// Everything was fetched, and the next look comes in time.
    Idle,
    /// Everything was fetched, and new messages come at once.
    Live,
    /// It is left alone until then.
    Waiting {
        /// Posix seconds.
        until: u64,
        /// For people.
        why: String,
    },
}

impl State {
    /// Its name in metrics and JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Connecting => "connecting",
            Self::LoggingIn => "logging-in",
            Self::Registering => "registering",
            Self::Collecting => "collecting",
            Self::Idle => "idle",
            Self::Live => "live",
            Self::Waiting { .. } => "waiting",
        }
    }

    /// Its mediator answers.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        matches!(self, Self::Collecting | Self::Idle | Self::Live)
    }
}

/// How one upstream stands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct UplinkStatus {
    /// The mediator's DID, as configured.
    pub did: String,
    /// What is being done.
    pub state: State,
    /// When it last answered, Posix seconds.
    pub last_seen: Option<u64>,
    /// Messages taken over, since the start.
    pub collected: u64,
    /// Messages that could not be read, since the start.
    pub unread: u64,
    /// Tries that failed, since the start.
    pub failures: u64,
    /// DIDs that it holds messages for, besides ours.
    pub registered: u64,
    /// DIDs that it will not hold messages for.
    pub refused: u64,
    /// Bytes both ways, since the start, without what is below HTTP.
    pub bytes: u64,
}

/// Something that happened with an upstream.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Event {
    /// Which, counted from 1 as they were named: whom it concerns is nobody's business in a log.
    pub upstream: usize,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum What {
    /// It answers, and knows us.
    Up,
    /// New messages come at once from now on.
    Live,
    /// So many were taken over.
    Collected(u64),
    /// DIDs were registered, removed, or refused.
    Registered {
        /// So many were.
        added: u64,
        /// So many are not held for any more.
        removed: u64,
        /// So many it did not want.
        refused: u64,
    },
    /// It is left alone for this time.
    Waiting {
        /// How long.
        wait: Duration,
        /// For people; names nobody.
        why: String,
    },
    /// It goes by another DID now, and proved it.
    Moved,
}

/// All of them.
pub(crate) struct Board {
    rows: Mutex<Vec<UplinkStatus>>,
    owner: Arc<dyn Owner>,
}

impl Board {
    pub(crate) fn new(upstreams: &[Upstream], owner: Arc<dyn Owner>) -> Self {
        let row = |one: &Upstream| UplinkStatus {
            did: one.did.clone(),
            ..UplinkStatus::default()
        };
        let rows = Mutex::new(upstreams.iter().map(row).collect());
        Self { rows, owner }
    }

    pub(crate) fn all(&self) -> Vec<UplinkStatus> {
        self.rows().clone()
    }

    /// Whoever panicked here left whole rows.
    fn rows(&self) -> MutexGuard<'_, Vec<UplinkStatus>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One upstream's row.
#[derive(Clone)]
pub(crate) struct Row {
    board: Arc<Board>,
    number: usize,
}

impl Row {
    pub(crate) const fn new(board: Arc<Board>, number: usize) -> Self {
        Self { board, number }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut UplinkStatus)) {
        if let Some(row) = self.board.rows().get_mut(self.number) {
            change(row);
        }
    }

    pub(crate) fn state(&self, state: State) {
        self.change(|row| row.state = state);
    }

    /// It answered.
    pub(crate) fn seen(&self) {
        let now = posix();
        self.change(|row| row.last_seen = Some(now));
    }

    pub(crate) fn tell(&self, what: What) {
        self.board.owner.tell(&Event {
            upstream: self.number + 1,
            what,
        });
    }

    /// It is left alone for a time.
    pub(crate) fn waits(&self, wait: Duration, why: &str) {
        let until = posix().saturating_add(wait.as_secs());
        let why = why.to_owned();
        self.state(State::Waiting {
            until,
            why: why.clone(),
        });
        self.tell(What::Waiting { wait, why });
    }
}

/// What the system's clock says.
pub(crate) fn posix() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
