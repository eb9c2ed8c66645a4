//! Foreign Rust implementations of DIDComm v2, made to look alike.
//!
//! **What it is.** One [`Peer`] trait over `didcomm` 0.4.1 ([`sicpa::Sicpa`]) and
//! `affinidi-messaging-didcomm` 0.15.11 ([`affinidi::Affinidi`]), and the [`Parties`] whose keys
//! every message of the cross-tests uses. It depends on nothing of packmule.
//!
//! **Who calls it.** The cross-tests, the side-by-side bench, and the `peer-rust` binary, which
//! offers the same two through the contract that the Python and Node peers follow
//! (`../README.md`).
//!
//! **What can go wrong.** A peer's refusal is data here ([`Refusal`]: its own words), never a
//! panic: the table of known incompatibilities compares it.

pub mod affinidi;
pub mod job;
pub mod kinds;
mod parties;
pub mod sicpa;

pub use parties::Parties;

use serde_json::Value;

/// What a peer said when it would not do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

impl Refusal {
    /// Wraps any library's error with its whole text.
    pub fn from_error(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

/// How one message is to be packed.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Recipient: a DID (all its keys of the sender's kind) or one key's DID URL. `None`: sign only.
    pub to: Option<String>,
    /// Key (DID URL) that authenticates the sender; `None` means anoncrypt.
    pub from: Option<String>,
    /// Key (DID URL) that signs.
    pub sign: Option<String>,
    /// Content encryption of anoncrypt layers, by its JOSE name.
    pub enc: Option<String>,
    /// Wrap the authcrypt in an anoncrypt, so that relays do not see the sender.
    pub hide_sender: bool,
}

/// What a peer made of a packed message.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The innermost plaintext message.
    pub message: Value,
    /// Key that authenticated the sender, if the peer reports one.
    pub sender_kid: Option<String>,
    /// Key that signed, if the peer reports one.
    pub signer_kid: Option<String>,
}

/// A foreign implementation.
pub trait Peer {
    /// Packs `message` as `plan` says.
    ///
    /// # Errors
    /// The library's own words when it refuses or lacks what is asked for.
    fn pack(&self, message: &Value, plan: &Plan) -> Result<String, Refusal>;

    /// Unpacks all layers of `packed`.
    ///
    /// # Errors
    /// The library's own words.
    fn unpack(&self, packed: &str) -> Result<Read, Refusal>;
}
