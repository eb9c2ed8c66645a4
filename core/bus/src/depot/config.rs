//! What a depot may hold, for whom, and how patient it is.
//!
//! What is it: plain numbers. Who calls it: whoever configures a node or a simulated one. What
//! can go wrong: quotas of zero carry nothing; that is a choice, not a fault.

use std::time::Duration;

use crate::bus::sabotage::Sabotage;

/// All that is set once.
#[derive(Clone, PartialEq, Debug)]
pub struct DepotConfig {
    /// How much is held.
    pub quotas: Quotas,
    /// What is carried for others.
    pub policy: Policy,
    /// How long to wait before trying again.
    pub retry: Backoff,
    /// Transports whose ways are mailboxes: handed to, never dialled.
    pub mailboxes: Vec<String>,
    /// Most receipts kept to be passed on; the oldest go first.
    pub receipts_kept: usize,
    /// Seconds for which a receipt is passed on.
    pub receipts_s: u64,
    /// Most ids remembered, those of what is held included. Unexpired ones are never forgotten:
    /// when all are, nothing new is carried.
    pub seen_kept: usize,
    /// Most rows of delivered messages of our own kept for whoever asks; the oldest go first.
    pub delivered_kept: usize,
    /// For the simulator's own tests.
    pub sabotage: Sabotage,
}

impl Default for DepotConfig {
    fn default() -> Self {
        Self {
            quotas: Quotas::default(),
            policy: Policy::default(),
            retry: Backoff::default(),
            mailboxes: ["drive", "mail", "http", "mq", "push"]
                .map(str::to_owned)
                .to_vec(),
            receipts_kept: 10_000,
            receipts_s: 30 * 86_400,
            seen_kept: 200_000,
            delivered_kept: 1_000,
            sabotage: Sabotage::default(),
        }
    }
}

/// Limits in bytes of wire forms and in messages. What is being received counts as held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quotas {
    /// Everything: our own, for us, carried.
    pub total_bytes: u64,
    /// Everything.
    pub total_count: usize,
    /// All that is carried as strangers gave it.
    pub strangers_bytes: u64,
    /// What one stranger may have carried here; all mailboxes together are one.
    pub per_stranger_bytes: u64,
    /// What one stranger may have carried here.
    pub per_stranger_count: usize,
    /// The longest message of anybody.
    pub max_message: u64,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            total_bytes: 1 << 30,
            total_count: 100_000,
            strangers_bytes: 256 << 20,
            per_stranger_bytes: 64 << 20,
            per_stranger_count: 10_000,
            max_message: 64 << 20,
        }
    }
}

/// What is done for others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Carry what is neither from nor to a peer of ours.
    pub carry_for_strangers: bool,
    /// Copies that a message of our own starts with, and the most that are taken on.
    pub copies: u16,
    /// Hops that a message of our own starts with, and the most that are taken on.
    pub hops: u8,
    /// Seconds for which a message is carried: if its label has no expiry, and at most.
    pub lifetime_s: u64,
    /// What happens to a newcomer when there is no room.
    pub full: WhenFull,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            carry_for_strangers: true,
            copies: 6,
            hops: 8,
            lifetime_s: 14 * 86_400,
            full: WhenFull::Refuse,
        }
    }
}

/// What happens when a carried bundle comes and there is no room. What is our own or for us
/// takes the room of carried bundles in any case.
///
/// `Refuse` is the default because it delivers more: on The ONE's Helsinki trace (126 nodes, 12
/// hours, 5 MB each, 6 copies) about .63 of the messages, at an overhead of 5.8; evicting whatever
/// expires first .48, at 9.1: a copy that is thrown away was carried for nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhenFull {
    /// It is refused.
    Refuse,
    /// Carried bundles that expire sooner make room, if that is enough. Our own never do.
    Evict,
}

/// Waits that grow by a factor from `first` to `max`, each shortened or lengthened by up to
/// `jitter` of itself, so that nodes that failed together do not try again together.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// Times this after each further one.
    pub factor: f64,
    /// Never longer than this.
    pub max: Duration,
    /// 0 to 1.
    pub jitter: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(2),
            factor: 2.0,
            max: Duration::from_secs(30 * 60),
            jitter: 0.2,
        }
    }
}

impl Backoff {
    /// The wait after the `tries`-th failure (1 is the first); `dice` decides the jitter.
    #[must_use]
    pub fn wait(&self, tries: u32, dice: u64) -> Duration {
        let steps = i32::try_from(tries.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = self.first.as_secs_f64() * self.factor.max(1.0).powi(steps.min(64));
        let base = grown.min(self.max.as_secs_f64());
        // 53 bits: as many as an f64 holds, so that every machine gets the same fraction.
        #[expect(clippy::cast_precision_loss, reason = "53 bits are exact in an f64")]
        let fraction = (dice >> 11) as f64 / (1_u64 << 53) as f64;
        let swing = 1.0 + self.jitter.clamp(0.0, 1.0) * (2.0 * fraction - 1.0);
        Duration::try_from_secs_f64(base * swing).unwrap_or(self.max)
    }
}
