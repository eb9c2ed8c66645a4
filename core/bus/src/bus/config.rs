//! How a bus is set up.
//!
//! What is it: [`Config`], plain values with usual ones for all but the secret and the seed. Who
//! calls it: drivers. What can go wrong: a seed that is used in two lives; then what should look
//! random to others does not.

use super::sabotage::Sabotage;
use crate::depot::DepotConfig;
use crate::session::Limits;

/// How a bus is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Quotas, policy, retries.
    pub depot: DepotConfig,
    /// What is taken from one link.
    pub session: Limits,
    /// The node's X25519 secret: who it is on links.
    pub secret: [u8; 32],
    /// Random, and another one in every life of the process: all that looks random here comes
    /// from it.
    pub seed: [u8; 32],
    /// Bytes of bodies kept at hand for sending; one longer body is kept all the same.
    pub body_cache: usize,
    /// Bytes of wire forms held while they are on their way here, of all links together.
    pub arriving: usize,
    /// Bytes asked for and not yet durable, of one link; one longer message is asked for all
    /// the same. What bounds how far a link runs ahead of the disk.
    pub ahead: u64,
    /// A large transfer is written down when so many bytes more have come (and at least two
    /// seconds have passed), so that a restart loses no more. On slow links that end at any moment
    /// (NFC) each PDU is written down.
    pub partial_checkpoint: u64,
    /// The simulator's bugs.
    #[doc(hidden)]
    pub sabotage: Sabotage,
}

impl Config {
    /// The usual, for this secret and this seed.
    #[must_use]
    pub fn new(secret: [u8; 32], seed: [u8; 32]) -> Self {
        Self {
            depot: DepotConfig::default(),
            session: Limits::default(),
            secret,
            seed,
            body_cache: 8 << 20,
            arriving: 80 << 20,
            ahead: 8 << 20,
            partial_checkpoint: 256 << 10,
            sabotage: Sabotage::default(),
        }
    }
}
