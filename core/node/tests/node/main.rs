//! Nodes in one process, as alice, bob and the mule run them. One binary, so that the stage is
//! shared.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's helpers fail the test by panicking"
)]

mod amends;
mod control;
mod exchange;
mod faults;
mod mailboxes;
mod mediators;
mod receipts;
mod stage;
mod strangers;
