//! HTTP on this machine: the suite that every transport passes, visitors and servers by bytes,
//! foreign programs. One binary, so that the stage is shared.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a story that goes wrong must fail the test"
)]

mod conformance;
mod foreign;
mod hostile;
mod stage;
mod stale;
