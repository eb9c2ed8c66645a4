//! One node without its body: the bus.
//!
//! What is it: joins sessions and the depot, and keeps the law of durability. Who calls it:
//! drivers. What can go wrong: see [`io`].

pub mod io;
mod sabotage;

pub use sabotage::Sabotage;
