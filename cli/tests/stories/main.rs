//! Stories of alice, bob and others, played by the real binary.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a story that does not go as told fails, loudly"
)]

mod appendix;
mod bonds;
mod bulk;
mod crew;
mod custody;
mod demo;
mod drive;
mod folder;
mod full;
mod gateway;
mod help;
mod journey;
mod kill;
mod lan;
mod mail;
mod manual;
mod media;
mod node;
mod pipes;
mod qr;
mod refusals;
mod rotation;
mod scan;
mod sim;
mod stage;
mod storm;
mod swap;
mod together;
mod twice;
