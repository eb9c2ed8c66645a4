//! The sans-IO heart of packmule: compact envelopes and fountain frames.
//!
//! What is it: pure functions and state, with no clock, disk, network or cryptography beyond
//! hashing. [`Envelope`] is one packed DIDComm message in the form the bus carries and names it
//! by; [`inspect()`] explains one byte for byte; [`fountain`] cuts an object into frames of
//! which any sufficient set gives it back. Who calls it: agent-side code that has packed a
//! message, every transport, the node and the CLI. What can go wrong: bytes from strangers;
//! every decoder here is bounded, yields errors and never panics.

pub mod bus;
mod cbor;
pub mod depot;
mod envelope;
pub mod fountain;
mod headers;
mod id;
mod identity;
mod inspect;
pub mod label;
pub mod link;
mod packed;
mod parts;
pub mod pdu;
pub mod ranges;
pub mod receipt;
mod seal;
pub mod session;
pub mod time;
mod wire;

pub use envelope::{DecodeError, Envelope, EnvelopeError, Kind, MAX_ENVELOPE};
pub use id::{EnvelopeId, ParseIdError};
pub use inspect::{InspectError, Inspection, Part, inspect};
