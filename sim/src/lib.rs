//! Simulated links, contacts, disks and faults: the bus driven by a seed.
//!
//! What is it: a deterministic simulator. A [`Plan`] (TOML) says who meets whom, over what, what
//! is sent and what goes wrong; a seed makes one [`Scenario`] of it, with every random draw
//! written out; [`replay`] runs that scenario on real buses with virtual time and says which
//! promises were broken; [`run`] does so for many seeds on all cores, and [`shrink`] makes a
//! failing one small. Who calls it: `packmule sim`, our tests, and the test suites of other
//! projects, which may take the parts alone: [`world`] (event queue), [`dice`] (a random stream
//! for each entity and purpose), [`medium`] (links), [`disk`], [`contacts`], [`presets`]. What
//! can go wrong: that is what it is for; a run depends on its scenario alone, so whatever goes
//! wrong does so again.
//!
//! ```
//! use packmule_sim::{Options, Plan, run};
//!
//! let plan = Plan::parse(r#"
//!     name = "two at a table"
//!     duration_s = 120
//!     calm_s = 30
//!
//!     [links.radio]
//!     channel = { like = "ble", reorder = 0.05 }
//!
//!     [[nodes]]
//!     name = "alice"
//!     [[nodes]]
//!     name = "bob"
//!
//!     [[contacts]]
//!     a = "alice"
//!     b = "bob"
//!     link = "radio"
//!     windows = [[5, 110]]
//!
//!     [[traffic]]
//!     from = ["alice", "bob"]
//!     to = ["alice", "bob"]
//!     count = 5
//!
//!     [[faults]]
//!     kind = "crash"
//!     output = 3
//!     down_ms = 400
//!     nodes = ["bob"]
//!     repeat = 2
//! "#)?;
//! let summary = run(&plan, 0..4, &Options::default());
//! assert_eq!(summary.violations, 0, "{:?}", summary.failures);
//! assert_eq!(summary.delivered, summary.submitted);
//! # Ok::<(), packmule_sim::PlanError>(())
//! ```

mod book;
pub mod contacts;
pub mod dice;
pub mod disk;
mod engine;
pub mod keys;
pub mod marks;
pub mod medium;
pub mod nfc;
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
