//! Five classic bugs behind switches, so that the simulator can prove that it finds them.
//!
//! What is it: [`Sabotage`], all false by default. Who calls it: only the simulator's own tests
//! set a switch; no option, file or message can. What can go wrong: with any of them set,
//! messages are lost or doubled: that is what they are for.

/// Which of the five bugs to have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[doc(hidden)]
pub struct Sabotage {
    /// Say custody, settle and tell the application before the batch is committed.
    pub ack_before_commit: bool,
    /// Believe what a peer had before it restarted: its epoch is not looked at.
    pub no_epoch: bool,
    /// Forget at a restart which messages were seen.
    pub forget_dedup: bool,
    /// Take one message more than the quota allows.
    pub quota_off_by_one: bool,
    /// Do not pass refusals on.
    pub lose_refusals: bool,
}
