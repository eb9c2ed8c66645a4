//! Stories about whole nodes: buses joined in memory, with disks that can be cut off.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "the world is a part of the tests: what surprises it fails them"
)]

mod full;
mod mule;
mod party;
mod power_cut;
mod receipts;
mod resume;
mod there_and_back;
mod together;
mod world;
