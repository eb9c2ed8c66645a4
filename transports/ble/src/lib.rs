#![doc = include_str!("../README.md")]

pub mod advert;
pub mod air;
pub mod airtime;
mod around;
mod letters;
pub mod link;
pub mod pipe;
pub mod plan;
pub mod profile;
pub mod radio;
mod scout;
mod transport;
pub mod value;

pub use letters::IDLE;
pub use scout::{LOOK, REST};
pub use transport::{Ble, tags};
