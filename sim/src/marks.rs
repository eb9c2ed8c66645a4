//! What really happened: a count for every kind of fault, so that a green run proves something.
//!
//! What is it: [`Fired`], counted where the fault takes effect, not where it was planned. Who
//! calls it: medium, disk, nodes, mallory; a swarm adds them up. What can go wrong: nothing; a
//! kind that never fired over a whole swarm fails the check that asked for it.

use std::collections::BTreeMap;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident => $name:literal,)+) => {
        /// Every kind of fault that can fire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Kind { $($(#[$doc])* $kind,)+ }

        impl Kind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$kind,)+];

            /// Its name in summaries.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }
        }

        const COUNT: usize = [$(Kind::$kind,)+].len();
    };
}

kinds! {
    /// A PDU vanished.
    Loss => "loss",
    /// A PDU vanished in bad air.
    LossBurst => "loss_burst",
    /// A PDU arrived with a flipped bit.
    Corruption => "corruption",
    /// A PDU arrived twice.
    Duplication => "duplication",
    /// A PDU was overtaken.
    Reordering => "reordering",
    /// A PDU took longer than the least latency.
    Jitter => "jitter",
    /// A PDU waited for the token bucket.
    Bandwidth => "bandwidth",
    /// A PDU waited for the medium to turn round.
    HalfDuplex => "half_duplex",
    /// A PDU went into a link that carries nothing that way.
    OneWay => "one_way",
    /// A link came up with another MTU than the one before.
    MtuChange => "mtu_change",
    /// A contact was there before its link was.
    ConnectTime => "connect_time",
    /// A link went down with PDUs under way.
    CutInFlight => "cut_in_flight",
    /// A link was cut in the middle of a contact.
    Cut => "cut",
    /// A dial led nowhere.
    DialFailed => "dial_failed",
    /// A node lost its power.
    Crash => "crash",
    /// It did so between two outputs of one input.
    CrashMidOutput => "crash_mid_output",
    /// The other side did not notice.
    CrashUnnoticed => "crash_unnoticed",
    /// The other side did not notice even though the link was reliable.
    SilentDeath => "silent_death",
    /// A batch that was not durable yet was gone after a crash.
    TornWrite => "torn_write",
    /// A batch was durable and its node died before it heard so.
    LateCommit => "late_commit",
    /// No room on a disk.
    DiskFull => "disk_full",
    /// A write failed.
    DiskError => "disk_error",
    /// A sync took long.
    SlowDisk => "slow_disk",
    /// A disk was pulled out while it was written to.
    Yank => "yank",
    /// A clock ran too fast or too slowly.
    ClockSkew => "clock_skew",
    /// A wall clock jumped.
    ClockJump => "clock_jump",
    /// A bus was given several inputs together.
    Crowd => "crowd",
    /// A mailbox said yes and its answer was lost, or it gave a message twice.
    MailboxTwice => "mailbox_twice",
    /// A mailbox could not be reached.
    MailboxLater => "mailbox_later",
    /// A bus did not take what a mailbox gave.
    MailboxRefused => "mailbox_refused",
    /// The recipient's agent refused a message.
    Unwelcome => "unwelcome",
    /// Mallory sent an old PDU again.
    Replay => "replay",
    /// Mallory sent somebody else's bundle with another label.
    Relabel => "relabel",
    /// Mallory flooded with hellos.
    HelloFlood => "hello_flood",
    /// Mallory flooded with offers.
    OfferFlood => "offer_flood",
    /// Mallory took custody, and dropped it.
    BlackHole => "black_hole",
    /// Mallory forged a receipt.
    LyingReceipt => "lying_receipt",
    /// Mallory claimed a DID that is another's.
    FalseClaim => "false_claim",
    /// Mallory took a message and said nothing.
    WithheldAck => "withheld_ack",
    /// Mallory offered a message of an absurd length.
    OversizedClaim => "oversized_claim",
    /// Mallory sent noise.
    Garbage => "garbage",
}

/// How often each kind fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired([u64; COUNT]);

impl Default for Fired {
    fn default() -> Self {
        Self([0; COUNT])
    }
}

impl Fired {
    /// It happened.
    pub fn hit(&mut self, kind: Kind) {
        if let Some(count) = self.0.get_mut(kind as usize) {
            *count += 1;
        }
    }

    /// How often it happened.
    #[must_use]
    pub fn count(&self, kind: Kind) -> u64 {
        self.0.get(kind as usize).copied().unwrap_or(0)
    }

    /// Adds what happened elsewhere.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    /// By name, those that never fired included.
    #[must_use]
    pub fn by_name(&self) -> BTreeMap<String, u64> {
        let names = Kind::ALL.iter().map(|kind| kind.name().to_owned());
        names.zip(self.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Fired, Kind};

    #[test]
    fn kinds_are_counted_under_their_own_names() {
        let mut fired = Fired::default();
        fired.hit(Kind::Crash);
        let mut all = Fired::default();
        all.hit(Kind::Garbage);
        all.add(&fired);
        all.add(&fired);
        assert_eq!(all.by_name()["crash"], 2);
        assert_eq!(all.by_name()["garbage"], 1);
        assert_eq!(all.by_name()["yank"], 0);
        assert_eq!(all.by_name().len(), Kind::ALL.len());
    }
}
