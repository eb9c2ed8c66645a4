//! Packing and opening DIDComm messages: who, to whom, in which layers.
//!
//! What is it: the [`Packer`] trait and [`Jose`], the product's own implementation (a second
//! one, over the `didcomm` crate, is `core/backend-didcomm`); [`peek`] says what `open` will
//! need. Who calls it: the command line, the node, the gateway. What can go wrong:
//! [`PackError`], [`OpenError`].
//!
//! Opening is where the spec's addressing rules (§3.2) are kept, and both published Rust
//! crates do not keep them: `from` must be the DID whose key encrypted or signed, `to` must
//! hold the DID for whose key it was encrypted, and only the combinations of layers that §2.1
//! allows are followed.

mod checks;
mod error;
mod lookup;
mod opened;
mod opening;
mod packing;
mod peek;
mod rotation;

pub use error::{OpenError, PackError};
pub use opened::{FromPrior, Layer, Limits, Opened, Warning};
pub use peek::{PackedKind, Peek, peek};

use crate::jose::ContentEncryption;
use crate::keys::Keyring;
use crate::resolve::Resolver;

/// What to make of a plaintext message.
///
/// | `from` | `sign` | `hide_sender` | `to` | result |
/// |---|---|---|---|---|
/// | – | – | no | some | anoncrypt |
/// | – | yes | no | some | anoncrypt(signed) |
/// | yes | – | no | some | authcrypt |
/// | yes | – | yes | some | anoncrypt(authcrypt) |
/// | yes | yes | no | some | authcrypt(signed): allowed, but §2.1 advises against it |
/// | – | yes | no | none | signed |
/// | – | – | no | none | the plaintext itself |
///
/// Everything else is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackPlan {
    /// Recipients' DIDs; each gets a packed message of its own (§5.1).
    pub to: Vec<String>,
    /// The sender's DID, for authcrypt.
    pub from: Option<String>,
    /// Sign with this key id, or with the first key of this DID that we hold.
    pub sign: Option<String>,
    /// Wrap authcrypt in anoncrypt, so that relays do not see the sender (§5.1.8).
    pub hide_sender: bool,
    /// Content encryption of anoncrypt; authcrypt always uses A256CBC-HS512.
    pub enc_anon: ContentEncryption,
}

/// Whoever packs and opens messages.
pub trait Packer: Send + Sync {
    /// Packs a plaintext (JSON) message.
    ///
    /// Gives one packed message for each DID in `plan.to`, in that order, encrypted to all
    /// keys of that DID on the best curve it shares with the sender (X25519, then P-256,
    /// P-384, P-521); one signed or plaintext message when `to` is empty.
    ///
    /// # Errors
    /// Any [`PackError`].
    fn pack(
        &self,
        plaintext: &[u8],
        plan: &PackPlan,
        keys: &Keyring,
        docs: &dyn Resolver,
    ) -> Result<Vec<Vec<u8>>, PackError>;

    /// Opens a packed message, layer by layer, down to the plaintext.
    ///
    /// # Errors
    /// Any [`OpenError`]; after [`OpenError::Resolve`], resolve that DID and call again.
    fn open(
        &self,
        packed: &[u8],
        keys: &Keyring,
        docs: &dyn Resolver,
        limits: &Limits,
    ) -> Result<Opened, OpenError>;
}

/// The product's own packer, on our JOSE layer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Jose;

impl Packer for Jose {
    fn pack(
        &self,
        plaintext: &[u8],
        plan: &PackPlan,
        keys: &Keyring,
        docs: &dyn Resolver,
    ) -> Result<Vec<Vec<u8>>, PackError> {
        packing::pack(plaintext, plan, keys, docs)
    }

    fn open(
        &self,
        packed: &[u8],
        keys: &Keyring,
        docs: &dyn Resolver,
        limits: &Limits,
    ) -> Result<Opened, OpenError> {
        opening::open(packed, None, keys, docs, limits)
    }
}

impl Jose {
    /// Opens a packed message whose outermost `ciphertext` is given as bytes, beside JSON in
    /// which that member is empty: a large one need not become base64 and bytes again. The
    /// rules are those of [`Packer::open`], and so is what comes out.
    ///
    /// # Errors
    /// Any [`OpenError`].
    pub fn open_apart(
        &self,
        packed: &[u8],
        ciphertext: &[u8],
        keys: &Keyring,
        docs: &dyn Resolver,
        limits: &Limits,
    ) -> Result<Opened, OpenError> {
        opening::open(packed, Some(ciphertext), keys, docs, limits)
    }
}
