//! Hello: who is there, in which life, and what it takes.
//!
//! What is it: [`Hello`], which rides in the handshake: sealed where the handshake seals, so that
//! it costs no round trip of its own. Who calls it: `session`. What can go wrong: see `pdu`; what
//! follows the known fields belongs to later versions and is not read.
//!
//! ```text
//! hello  = features varint, epoch 8, instance 16, max_bytes varint, offers varint,
//!          parallel varint, [node 32 if features & 1]
//! ```

use super::{Octets, PduError, put_varint};
use crate::bus::io::NodeKey;
use crate::session::Limits;

/// The node's key follows.
const NODE: u64 = 1;

/// What either side says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hello {
    /// What it can beyond this version: bits, of which none but the lowest is known yet.
    pub features: u64,
    /// Random for each life of its process.
    pub epoch: u64,
    /// Random for each session: another one knows nothing of what the former was told.
    pub instance: [u8; 16],
    /// What it takes.
    pub limits: Limits,
    /// Its key, on links that prove none.
    pub node: Option<NodeKey>,
}

impl Hello {
    /// Writes it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(80);
        let node = if self.node.is_some() { NODE } else { 0 };
        put_varint(&mut out, self.features & !NODE | node);
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(&self.instance);
        put_varint(&mut out, self.limits.max_bytes);
        put_varint(&mut out, u64::from(self.limits.offers));
        put_varint(&mut out, u64::from(self.limits.parallel));
        if let Some(NodeKey(key)) = self.node {
            out.extend_from_slice(&key);
        }
        out
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`PduError`] if it is cut short or a number is none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PduError> {
        let mut octets = Octets::new(bytes);
        let features = octets.varint()?;
        let epoch = u64::from_be_bytes(octets.fixed()?);
        let instance = octets.fixed()?;
        let limits = Limits {
            max_bytes: octets.varint()?,
            offers: small(octets.varint()?),
            parallel: small(octets.varint()?),
        };
        let node = (features & NODE != 0)
            .then(|| octets.fixed().map(NodeKey))
            .transpose()?;
        Ok(Self {
            features: features & !NODE,
            epoch,
            instance,
            limits,
            node,
        })
    }
}

/// Whoever takes more than four billion of anything takes that many.
fn small(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
