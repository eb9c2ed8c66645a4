//! The façade over all transport crates.
//!
//! What is it: one name under which the command line, and later the node and the gateway, find
//! every adapter; the only place where cargo features may choose among them. Features are
//! additive and named as the adapters are; by default all are on. Who calls it: those who carry.
//! What can go wrong: nothing here; each adapter's front page tells of its own.

#[cfg(feature = "drive")]
pub use packmule_drive as drive;
#[cfg(feature = "mem")]
pub use packmule_mem as mem;
#[cfg(feature = "qr")]
pub use packmule_qr as qr;
#[cfg(feature = "tcp")]
pub use packmule_tcp as tcp;
#[cfg(feature = "ws")]
pub use packmule_ws as ws;

/// The names of the transports in this build, sorted: as features, in records of how a message
/// came (`qr`, `drive:/media/stick`), and in what `packmule doctor` prints.
pub const NAMES: &[&str] = &[
    #[cfg(feature = "drive")]
    "drive",
    #[cfg(feature = "mem")]
    "mem",
    #[cfg(feature = "qr")]
    "qr",
    #[cfg(feature = "tcp")]
    "tcp",
    #[cfg(feature = "ws")]
    "ws",
];

#[cfg(test)]
mod tests {
    use super::NAMES;

    #[test]
    fn names_are_sorted_and_none_comes_twice() {
        assert!(NAMES.is_sorted_by(|a, b| a < b), "{NAMES:?}");
        assert_eq!(NAMES.contains(&"drive"), cfg!(feature = "drive"));
        assert_eq!(NAMES.contains(&"qr"), cfg!(feature = "qr"));
    }
}
