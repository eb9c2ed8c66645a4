//! The façade over all transport crates.
//!
//! What is it: one name under which the command line, and later the node and the gateway, find
//! every adapter; the only place where cargo features may choose among them. Who calls it: those
//! who carry. What can go wrong: nothing here; each adapter's front page tells of its own.

pub use packmule_drive as drive;
pub use packmule_qr as qr;
