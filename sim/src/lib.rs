//! Simulated links, contacts, disks and faults: the bus driven by a seed.

pub mod contacts;
pub mod dice;
pub mod disk;
pub mod keys;
pub mod marks;
pub mod medium;
pub mod plan;
pub mod presets;
pub mod proxy;
pub mod scenario;
pub mod timeline;
pub mod trace;
pub mod world;

pub use plan::{Plan, PlanError};
pub use scenario::{Bug, Scenario};
