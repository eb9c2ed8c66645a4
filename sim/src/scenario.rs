//! One run, with everything that was drawn written out: who, when, what, which faults.
//!
//! What is it: [`Scenario`], what a plan and a seed become, what the engine runs, what a failing
//! run shrinks to and `sim replay` reads. Who calls it: plans, engine, shrinker. What can go
//! wrong: a file that somebody edited; [`Scenario::parse`] says what is wrong. Names of nodes
//! that do not exist are no error: what speaks of them does not happen, so that the shrinker may
//! drop any part.

use std::collections::BTreeMap;

use packmule_bus::bus::Sabotage;
use serde::{Deserialize, Serialize};

use crate::medium::LinkSpec;
use crate::plan::PlanError;

/// Everything about one run but the noise of its links, which the seed decides by names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// The plan it came from.
    pub name: String,
    /// For the noise of links and the delays of disks and agents.
    pub seed: u64,
    /// When the run ends.
    pub ends_ms: u64,
    /// From when on nothing fails any more, links lose nothing, and what can be delivered must.
    pub calm_ms: u64,
    /// A bug put back into the bus, to see that it is found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sabotage: Option<Bug>,
    /// Links by name.
    pub links: BTreeMap<String, LinkSpec>,
    /// Who takes part.
    pub nodes: Vec<NodeSpec>,
    /// When who can talk to whom.
    pub contacts: Vec<Contact>,
    /// What is sent.
    pub messages: Vec<Message>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

/// The five classic bugs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bug {
    /// Custody is said before the batch is durable.
    AckBeforeCommit,
    /// A restarted node does not say that it forgot.
    NoEpoch,
    /// What was taken before a restart is taken again.
    ForgetDedup,
    /// One more than the quota allows is taken.
    QuotaOffByOne,
    /// A refusal never reaches the sender.
    LoseRefusals,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::AckBeforeCommit,
        Self::NoEpoch,
        Self::ForgetDedup,
        Self::QuotaOffByOne,
        Self::LoseRefusals,
    ];

    /// As the bus is told.
    #[must_use]
    pub fn flags(bug: Option<Self>) -> Sabotage {
        let mut flags = Sabotage::default();
        match bug {
            Some(Self::AckBeforeCommit) => flags.ack_before_commit = true,
            Some(Self::NoEpoch) => flags.no_epoch = true,
            Some(Self::ForgetDedup) => flags.forget_dedup = true,
            Some(Self::QuotaOffByOne) => flags.quota_off_by_one = true,
            Some(Self::LoseRefusals) => flags.lose_refusals = true,
            None => {}
        }
        flags
    }
}

/// A node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeSpec {
    /// Its name; its DID is `did:sim:` and the name.
    pub name: String,
    /// It keeps no law.
    pub mallory: bool,
    /// It carries for strangers.
    pub carries: bool,
    /// Copies of each of its messages: spray-and-wait.
    pub copies: u16,
    /// Quotas in bytes and counts.
    pub quota: Quota,
    /// Receipts that it keeps to pass on. Few: dedup has to do without them.
    pub receipts: u64,
    /// Room on its disk in bytes.
    pub disk_bytes: u64,
    /// How long a sync takes.
    pub sync_ms: f64,
    /// How much too fast its clock runs, in millionths.
    pub skew_ppm: i32,
    /// How much its wall clock is ahead, in seconds.
    pub ahead_s: i64,
    /// A mailbox that others may drop messages for it in, and when it can be reached and
    /// emptied (milliseconds).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mailbox: Vec<(u64, u64)>,
    /// It is busy: what comes within so many milliseconds, at most, its bus is given together, as
    /// the driver of a node in life does.
    #[serde(skip_serializing_if = "is_zero")]
    pub crowded_ms: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What a node takes at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quota {
    /// Bytes of all bundles held.
    pub total_bytes: u64,
    /// Count of all bundles held.
    pub total_count: u64,
    /// Bytes of strangers' bundles.
    pub strangers_bytes: u64,
    /// Bytes from one stranger.
    pub per_stranger_bytes: u64,
    /// Count from one stranger.
    pub per_stranger_count: u64,
    /// Bytes of one message.
    pub max_message: u64,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            total_bytes: 64 << 20,
            total_count: 10_000,
            strangers_bytes: 16 << 20,
            per_stranger_bytes: 8 << 20,
            per_stranger_count: 1_000,
            max_message: 8 << 20,
        }
    }
}

impl Default for NodeSpec {
    fn default() -> Self {
        Self {
            name: String::new(),
            mallory: false,
            carries: true,
            copies: 6,
            quota: Quota::default(),
            receipts: 10_000,
            disk_bytes: 256 << 20,
            sync_ms: 2.0,
            skew_ppm: 0,
            ahead_s: 0,
            mailbox: Vec::new(),
            crowded_ms: 0,
        }
    }
}

/// A window in which two nodes can talk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Contact {
    /// Who opens the link.
    pub a: String,
    /// The other end.
    pub b: String,
    /// The link's name in [`Scenario::links`].
    pub link: String,
    /// When it begins.
    pub from_ms: u64,
    /// When it ends.
    pub to_ms: u64,
    /// A link comes up only when somebody dials.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dial: bool,
}

/// A message that somebody will send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Message {
    /// When.
    pub at_ms: u64,
    /// Who.
    pub from: String,
    /// To whom.
    pub to: String,
    /// How long.
    pub bytes: usize,
    /// For how long it is worth anything, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lasts_s: Option<u64>,
    /// 0 bulk, 1 normal, 2 urgent.
    pub priority: u8,
    /// The recipient's agent will refuse it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unwelcome: bool,
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// When.
    pub at_ms: u64,
    /// Where.
    pub node: String,
    /// What.
    #[serde(flatten)]
    pub kind: FaultKind,
}

/// What can go wrong at a node, or what mallory does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FaultKind {
    /// The power goes at the `output`-th output from now; back after `down_ms`. `unnoticed`: on
    /// links that are not reliable the other side sees no link go down. `silent`: nor on those
    /// that are; they stay up there, and nothing comes by them any more.
    Crash {
        /// Which output is the first that is not carried out.
        output: u32,
        /// How long it is dark.
        down_ms: u64,
        /// See above.
        #[serde(default)]
        unnoticed: bool,
        /// See above.
        #[serde(default)]
        silent: bool,
    },
    /// The disk has no room.
    DiskFull {
        /// For how long.
        for_ms: u64,
    },
    /// Writes fail.
    DiskError {
        /// For how long.
        for_ms: u64,
    },
    /// Syncs take long.
    SlowDisk {
        /// For how long.
        for_ms: u64,
        /// How many times as long.
        times: u32,
    },
    /// The disk is pulled out.
    Yank {
        /// For how long.
        for_ms: u64,
    },
    /// The wall clock jumps.
    ClockJump {
        /// By how much.
        by_s: i64,
    },
    /// All its links break, and come back with the next contact, or in this one after a while.
    Cut {
        /// How long until a link in the same contact comes back.
        for_ms: u64,
    },
    /// Mallory sends PDUs again that it heard before.
    Replay {
        /// How many.
        count: u32,
    },
    /// Mallory sends its first PDU again and again.
    HelloFlood {
        /// How many times.
        count: u32,
    },
    /// Mallory offers messages that do not exist.
    Offers {
        /// How many.
        count: u32,
    },
    /// Mallory sends receipts that nobody signed.
    Lies {
        /// How many.
        count: u32,
    },
    /// Mallory offers messages of absurd lengths.
    Oversized {
        /// How many.
        count: u32,
    },
    /// Mallory sends noise.
    Garbage {
        /// How many PDUs.
        count: u32,
    },
    /// Mallory offers bundles that it heard of, with labels of its own.
    Relabel {
        /// How many.
        count: u32,
    },
    /// Mallory takes bundles into custody, and drops them. Else it withholds its word.
    BlackHole {
        /// For how long.
        for_ms: u64,
    },
}

impl FaultKind {
    /// How many kinds of [`Self::mischief`] there are.
    pub const MISCHIEFS: u64 = 8;

    /// One of mallory's doings, by number: the last one, which lasts `for_ms`, for every number
    /// beyond. The others are done `count` times.
    #[must_use]
    pub const fn mischief(which: u64, count: u32, for_ms: u64) -> Self {
        match which {
            0 => Self::Replay { count },
            1 => Self::HelloFlood { count },
            2 => Self::Offers {
                count: count.saturating_mul(20),
            },
            3 => Self::Lies { count },
            4 => Self::Oversized { count },
            5 => Self::Garbage { count },
            6 => Self::Relabel { count },
            _ => Self::BlackHole { for_ms },
        }
    }

    /// Its name among the marks.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Crash { .. } => "crash",
            Self::DiskFull { .. } => "disk_full",
            Self::DiskError { .. } => "disk_error",
            Self::SlowDisk { .. } => "slow_disk",
            Self::Yank { .. } => "yank",
            Self::ClockJump { .. } => "clock_jump",
            Self::Cut { .. } => "cut",
            Self::Replay { .. } => "replay",
            Self::HelloFlood { .. } => "hello_flood",
            Self::Offers { .. } => "offer_flood",
            Self::Lies { .. } => "lying_receipt",
            Self::Oversized { .. } => "oversized_claim",
            Self::Garbage { .. } => "garbage",
            Self::Relabel { .. } => "relabel",
            Self::BlackHole { .. } => "black_hole",
        }
    }
}

impl Scenario {
    /// Reads what [`Scenario::to_toml`] wrote.
    ///
    /// # Errors
    /// [`PlanError::Syntax`] when it is no scenario.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        toml::from_str(text).map_err(|error| PlanError::Syntax(error.to_string()))
    }

    /// As a file for `sim replay`.
    ///
    /// # Errors
    /// [`PlanError::Syntax`] when a value has no form in TOML (a number above 2^63).
    pub fn to_toml(&self) -> Result<String, PlanError> {
        toml::to_string(self).map_err(|error| PlanError::Syntax(error.to_string()))
    }

    /// How many parts it has: what a shrinker wants fewer of.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.nodes.len() + self.contacts.len() + self.messages.len() + self.faults.len()
    }
}
