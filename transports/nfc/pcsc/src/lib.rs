//! Readers of smart cards by PC/SC: the reader's role of NFC.
//!
//! What is it: a door: with the feature `system` it leads to `Readers` and `Reader`; without, to
//! nothing, so that a machine without libpcsclite builds the whole workspace. Who calls it: the
//! façade. What can go wrong: the feature without the library: the build says so.

#[cfg(feature = "system")]
mod pcsc;

#[cfg(feature = "system")]
pub use pcsc::{Reader, Readers};
