//! Stories about whole nodes: buses joined in memory, with disks that can be cut off.

mod full;
mod mule;
mod power_cut;
mod resume;
mod there_and_back;
mod world;
