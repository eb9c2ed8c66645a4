//! Stories about whole nodes: buses joined in memory, with disks that can be cut off.

mod power_cut;
mod world;
