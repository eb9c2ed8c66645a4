//! What a visitor may cost.
//!
//! What is it: numbers with their reasons. Who calls it: whoever configures a server. What can go
//! wrong: too narrow a number turns honest visitors away, too wide a one lets one visitor take
//! what belongs to all.

use std::time::Duration;

use packmule_bus::MAX_ENVELOPE;

/// What a visitor may cost; the defaults suit a node or a field kiosk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Request line and headers, in bytes.
    pub head: usize,
    /// How long a request's head may take, and how long a connection may be idle before one.
    pub head_time: Duration,
    /// A message, in bytes; a message on a WebSocket too.
    pub message: usize,
    /// The body of any other request, in bytes.
    pub page: usize,
    /// A body may take so long …
    pub body_time: Duration,
    /// … and a second more for each so many bytes that came.
    pub body_rate: usize,
    /// Bytes of bodies that are here and not answered, of all visitors together.
    pub held: usize,
    /// Connections at once; further ones are turned away with 503.
    pub connections: usize,
    /// Connections at once from one address (of IPv6, from one /64); further ones are turned away
    /// with 429.
    pub per_address: usize,
    /// This machine's own addresses have no limit of their own: a reverse proxy stands for many.
    pub local_free: bool,
    /// How long a visitor may take none of what it is sent.
    pub write_stall: Duration,
    /// Before a connection is closed, so many bytes that the visitor still sends are read and
    /// thrown away, so that it hears the answer and not a reset …
    pub linger: u64,
    /// … for so long.
    pub linger_time: Duration,
    /// How long visitors who are being answered have when the server stops.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: 16 << 10,
            head_time: Duration::from_secs(20),
            message: MAX_ENVELOPE,
            page: 64 << 10,
            body_time: Duration::from_secs(20),
            body_rate: 1 << 10,
            held: 256 << 20,
            connections: 1024,
            per_address: 128,
            local_free: true,
            write_stall: Duration::from_secs(30),
            linger: 64 << 20,
            linger_time: Duration::from_secs(5),
            farewell: Duration::from_secs(10),
        }
    }
}
