#![doc = include_str!("../README.md")]

pub mod apdu;
pub mod applet;
pub mod chip;
pub mod field;
pub mod ndef;
pub mod pipe;
pub mod pn532;
mod seat;
mod several;
pub mod t2t;
pub mod t4t;
mod tap;
mod transport;
pub mod worker;

pub use seat::FACTS;
pub use several::{PREFIXES, Several};
pub use tap::{Jitter, Roles, Turn, Turns, jitter, jitter_by};
pub use transport::{Chips, Nfc};
