//! What a relay may know about a message, and change: the label.
//!
//! What is it: [`Label`], which travels beside an envelope on our own links and makes it a
//! *bundle*. Who calls it: the depot decides by it, sessions offer it, stores keep it. What can
//! go wrong: a stranger wrote it; it is never trusted for security, only for order and room.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};

/// A recipient as relays know it: the first 16 bytes of SHA-256 over `packmule did` and the DID.
/// Short, of one length whatever the DID's method, and no DID for those who do not know it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DidTag([u8; 16]);

impl DidTag {
    /// The tag of a DID. Of a DID with a long and a short form (did:peer:4), of the short form.
    #[must_use]
    pub fn of(did: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"packmule did");
        hash.update(did.as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let mut tag = [0; 16];
        tag.copy_from_slice(digest.split_at(16).0);
        Self(tag)
    }

    /// The tag with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for DidTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for DidTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DidTag({self})")
    }
}

/// What goes first when a link is short.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum Priority {
    /// When nothing else waits.
    Bulk = 0,
    /// The usual.
    #[default]
    Normal = 1,
    /// Before everything else.
    Urgent = 2,
}

/// Recipient hint, expiry, priority, hops and copies left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label {
    /// For whom.
    pub to: DidTag,
    /// Posix seconds after which nobody carries it any more.
    pub expires: Option<u64>,
    /// What goes first.
    pub priority: Priority,
    /// How many more nodes may take it on, not counting the recipient's.
    pub hops: u8,
    /// Copies that whoever holds this one may still bring into the world, its own included:
    /// binary spray-and-wait (Spyropoulos et al., 2005). 1: only to the recipient itself, or
    /// along a configured route.
    pub copies: u16,
}
