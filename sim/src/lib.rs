//! Simulated links, contacts, disks and faults: the bus driven by a seed.

mod book;
pub mod contacts;
pub mod dice;
pub mod disk;
mod engine;
pub mod keys;
pub mod marks;
pub mod medium;
pub mod plan;
pub mod presets;
pub mod proxy;
pub mod report;
pub mod scenario;
mod shrink;
mod swarm;
pub mod timeline;
pub mod trace;
pub mod world;

pub use book::Violation;
pub use engine::{Outcome, replay};
pub use plan::{Plan, PlanError};
pub use scenario::{Bug, Scenario};
pub use shrink::shrink;
pub use swarm::{Failure, Options, Summary, run};
