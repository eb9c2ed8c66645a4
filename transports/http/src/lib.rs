#![doc = include_str!("../README.md")]

pub mod client;
mod listener;
mod media;
pub mod server;
mod transport;

pub use hyper;
pub use media::COMPACT;
pub use transport::{Http, Https};
