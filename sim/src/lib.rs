//! Simulated links, contacts, disks and faults: the bus driven by a seed.

pub mod presets;
