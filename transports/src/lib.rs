//! The façade over all transport crates.
