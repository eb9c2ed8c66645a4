//! Where packed messages come in, whichever door they come by, and where answers leave.
//!
//! What is it: [`Office`]. A message is opened with the node's keys, the mediator hears it, what
//! follows is stored, and only then is it answered for; one that is for an account of ours goes
//! into its mailbox unopened. Who calls it: the web server (`door`), a WebSocket (`talk`), the
//! node's links (`links`), the uplink (`upstream`). What can go wrong: strangers write the bytes;
//! each [`Refused`] has a status for HTTP and a counter, and costs nobody else anything. A disk
//! that is full or fails refuses what is new.

mod answer;
mod calls;
mod door;
mod letters;
mod links;
mod near;
mod news;
mod operators;
mod others;
pub(crate) mod pages;
mod talk;
#[cfg(test)]
mod tests;
mod to_its_end;
mod upstream;
mod visitors;

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use packmule_agent::protocol::out_of_band;
use packmule_bus::label::DidTag;
use packmule_node::Node;
use packmule_uplink::UplinkStatus;
use tokio::sync::{Mutex, watch};

use crate::config::Config;
use crate::contacts::Contacts;
use crate::counters::{Count, Counters};
use crate::live::Seats;
use crate::log::{Fact, Logger, Quiet};
use crate::mediator::{Mediator, Trouble};
use crate::page::{About, Pages};
use crate::rates::Rates;
use crate::store::{MailboxStore, Totals, canonical};
use crate::token::Token;
use crate::traces::Traces;

use calls::Calls;
pub(crate) use door::Door;
pub(crate) use near::Near;
use news::Marks;
pub(crate) use upstream::Patron;

/// Work on fewer bytes than this is done where it stands: handing it to another thread and back
/// costs as much.
const LIGHT: usize = 128 << 10;

/// Tells how upstreams stand.
pub(crate) type Uplinks = Box<dyn Fn() -> Vec<UplinkStatus> + Send + Sync>;

/// Everything that doors share.
pub(crate) struct Office {
    pub(crate) node: Node,
    pub(crate) mediator: Mediator,
    pub(crate) store: Arc<dyn MailboxStore>,
    pub(crate) seats: Seats,
    near: Near,
    calls: Calls,
    marks: Marks,
    pub(crate) counters: Counters,
    pub(crate) log: Logger,
    pub(crate) traces: Traces,
    addresses: Rates<IpAddr>,
    senders: Rates<DidTag>,
    lookups: Rates<IpAddr>,
    /// Held by who looks a message up.
    looking: Mutex<()>,
    /// What the store held when it was last counted.
    counted: Mutex<Option<(Instant, Totals)>>,
    pages: Pages,
    token: Token,
    guesses: Rates<IpAddr>,
    pub(crate) contacts: Contacts,
    quiet: Quiet,
    deny: RwLock<HashSet<String>>,
    /// Serve `/metrics`.
    metrics: AtomicBool,
    pub(crate) settings: Settings,
    connections: AtomicU64,
    /// How the mediators stand that we are a client of.
    uplinks: OnceLock<Uplinks>,
    /// True once the gateway ends.
    pub(crate) closing: watch::Receiver<bool>,
}

/// What of the configuration decides here.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How long a message waits at most.
    keep: Duration,
    /// Carry what is for nobody here.
    carry: bool,
    /// Send answers to endpoints of strangers.
    answer: bool,
    /// Pushes that may wait for one connection.
    pushes: usize,
    /// A proxy of this machine is in front, and stands for many.
    proxied: bool,
    /// The longest message that is taken.
    most: u64,
    /// The most that mailboxes hold.
    quota_bytes: u64,
    quota_messages: u64,
    /// Where others reach it, as pages tell.
    url: String,
}

/// What the home keeps for the office.
pub(crate) struct Kept {
    /// Accounts that were met nearby.
    pub(crate) near: Near,
    /// What opens the operators' pages.
    pub(crate) token: Token,
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It cannot be opened, or not be believed.
    Unopened,
    /// Its sender is turned away here.
    Denied,
    /// The visitor sends more than it may.
    TooMany(Duration),
    /// It is for nobody here.
    NoRecipient,
    /// It is longer than is taken.
    TooLarge,
    /// There is no room for it now.
    Full,
    /// A fault of ours; later is better.
    Fault,
}

impl Refused {
    /// As an HTTP status, and after how many seconds it is worth another try. 4xx means never,
    /// 5xx and 429 perhaps later.
    pub(crate) fn status(self) -> (u16, Option<u64>) {
        match self {
            Self::Unopened => (400, None),
            Self::Denied => (403, None),
            Self::NoRecipient => (404, None),
            Self::TooMany(wait) => (429, Some(wait.as_secs().saturating_add(1))),
            Self::TooLarge => (413, None),
            // 507 says what it is, and nobody takes it for a reason to try at once.
            Self::Full => (507, Some(60)),
            Self::Fault => (503, Some(5)),
        }
    }

    /// A stable name for programs.
    const fn name(self) -> &'static str {
        match self {
            Self::Unopened => "unopened",
            Self::Denied => "denied",
            Self::TooMany(_) => "too-many",
            Self::NoRecipient => "no-recipient",
            Self::TooLarge => "too-large",
            Self::Full => "full",
            Self::Fault => "fault",
        }
    }

    const fn counted(self) -> Count {
        match self {
            Self::Unopened => Count::Unopened,
            Self::Denied => Count::Denied,
            Self::TooMany(_) => Count::TooMany,
            Self::NoRecipient => Count::NoRecipient,
            Self::TooLarge => Count::TooLarge,
            Self::Full => Count::Full,
            Self::Fault => Count::Fault,
        }
    }
}

impl From<Trouble> for Refused {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Malformed => Self::Unopened,
            Trouble::TooLarge => Self::TooLarge,
            Trouble::Full => Self::Full,
            Trouble::Failed => Self::Fault,
        }
    }
}

impl Office {
    pub(crate) fn new(
        node: Node,
        mediator: Mediator,
        store: Arc<dyn MailboxStore>,
        kept: Kept,
        config: &Config,
        url: String,
        closing: watch::Receiver<bool>,
    ) -> Self {
        let Kept { near, token } = kept;
        let limits = &config.limits;
        let invitation = out_of_band::to_url(&mediator.invitation(), &url);
        let pages = Pages::new(&About {
            did: mediator.did(),
            url: &url,
            invitation: &invitation.unwrap_or_default(),
            most: limits.max_message,
            scan: config.scan,
        });
        Self {
            node,
            mediator,
            store,
            seats: Seats::default(),
            near,
            calls: Calls::default(),
            marks: Marks::default(),
            counters: Counters::default(),
            log: Logger::new(config.log),
            traces: Traces::start(&config.traces),
            addresses: Rates::new(limits.rate_per_address, limits.burst_per_address),
            senders: Rates::new(limits.rate_per_sender, limits.burst_per_sender),
            lookups: Rates::new(visitors::LOOKUPS.0, visitors::LOOKUPS.1),
            looking: Mutex::default(),
            counted: Mutex::default(),
            pages,
            token,
            guesses: Rates::new(operators::GUESSES.0, operators::GUESSES.1),
            contacts: Contacts::default(),
            quiet: Quiet::default(),
            deny: RwLock::new(denied(config)),
            metrics: AtomicBool::new(config.metrics),
            settings: Settings {
                keep: config.mailboxes.keep,
                carry: config.strangers.carry,
                answer: config.strangers.answer,
                pushes: limits.unacked,
                proxied: config.public_url.is_some() && config.listen.ip().is_loopback(),
                most: limits.max_message,
                quota_bytes: config.mailboxes.total,
                quota_messages: config.mailboxes.messages,
                url,
            },
            connections: AtomicU64::new(0),
            uplinks: OnceLock::new(),
            closing,
        }
    }

    /// From now on this holds, as far as it may change while it runs.
    pub(crate) fn adopt(&self, config: &Config) {
        let limits = &config.limits;
        self.log.set(config.log.level);
        self.addresses
            .set(limits.rate_per_address, limits.burst_per_address);
        self.senders
            .set(limits.rate_per_sender, limits.burst_per_sender);
        self.metrics.store(config.metrics, Ordering::Relaxed);
        let denied = denied(config);
        for did in &denied {
            self.seats.end(did, None);
        }
        let mut deny = self.deny.write().unwrap_or_else(PoisonError::into_inner);
        *deny = denied;
    }

    /// Is nothing taken from this DID?
    fn denies(&self, did: &str) -> bool {
        let deny = self.deny.read().unwrap_or_else(PoisonError::into_inner);
        deny.contains(canonical(did))
    }

    /// A number for a connection that no other has had.
    fn connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts a refusal and tells of it, without a word about whom it concerns.
    fn refuse(&self, refused: Refused) -> Refused {
        self.counters.one(refused.counted());
        self.tell_refusal(refused.name());
        refused
    }

    /// One line for many refusals of a kind: strangers do not write our log full.
    fn tell_refusal(&self, why: &'static str) {
        let Some(times) = self.quiet.tell(why, Instant::now()) else {
            return;
        };
        let facts: [Fact<'_>; 2] = [("why", &why), ("times", &times)];
        match why {
            "fault" => self.log.warn("refused", &facts),
            _ => self.log.info("refused", &facts),
        }
    }
}

fn denied(config: &Config) -> HashSet<String> {
    let deny = config.accounts.deny.iter();
    deny.map(|did| canonical(did).to_owned()).collect()
}

/// Runs work on so many bytes without holding up others.
async fn beside<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refused> {
    if bytes <= LIGHT {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Refused::Fault)
}
