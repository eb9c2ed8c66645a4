#![doc = include_str!("../README.md")]

pub mod advert;
pub mod air;
pub mod airtime;
pub mod link;
pub mod pipe;
pub mod plan;
pub mod profile;
pub mod radio;
mod transport;
pub mod value;

pub use transport::Ble;
