//! Chips of all kinds by libnfc: the inside of a worker process.
//!
//! What is it: a door: with the feature `system` it leads to `LibNfc` and `work`; without, to
//! nothing, so that a machine without libnfc builds the whole workspace. Who calls it: the façade.
//! What can go wrong: the feature without the library: the build says so.

#[cfg(feature = "system")]
mod libnfc;

#[cfg(feature = "system")]
pub use libnfc::{LibNfc, work};
