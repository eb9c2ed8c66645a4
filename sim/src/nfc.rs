//! A field with PN532 chips in it that are not there.
//!
//! What is it: [`Field`], any number of chips in one place, and tags; [`air`], what an exchange
//! costs in time; [`pty`], serial lines by which programs that know nothing of this use the chips.
//! Who calls it: `packmule sim nfc`, tests of NFC, ours and other projects'. What can go wrong: it
//! is written by NXP's manual and by what libnfc and nfcpy say; a real chip has quirks of its own.

pub mod air;
mod chip;
mod field;
pub mod frame;
mod host;
pub mod isodep;
pub mod pty;
pub mod tag;

pub use field::{Field, Rogue, Setup};
