#![doc = include_str!("../README.md")]

mod acl;
mod air;
mod codes;
mod commands;
mod device;
mod le;
mod link;
mod packet;
mod room;

pub use air::{Air, Id};
pub use packet::{ACL, COMMAND, EVENT, Framer, NoPacket};
pub use room::{Port, Room, serve};
