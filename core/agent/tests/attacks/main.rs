//! The attacks on which both published Rust DIDComm crates were measured, one test each, with
//! the outcome that the specification demands.

#[path = "../support/mod.rs"]
mod support;

mod addressing;
mod bombs;
mod forms;
mod layers;
mod points;
mod readers;
