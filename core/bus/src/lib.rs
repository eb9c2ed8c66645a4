//! The sans-IO heart of packmule: what carries packed messages, as state machines and functions.
//!
//! What is it: no clock, disk, network or randomness of its own, and no cryptography beyond
//! hashing and the cipher of links; a seed decides everything. [`Envelope`] is one packed DIDComm
//! message in the form that is carried and named; [`inspect()`] explains one byte for byte;
//! [`fountain`] cuts an object into frames of which any sufficient set gives it back. [`session`]
//! is what two nodes speak over a link, [`depot`] what is held and where it goes next, and
//! [`bus::Bus`] joins them under the law of durability. [`link`] is what transports implement.
//! Who calls it: the node's driver, the simulator, agent-side code that has packed a message,
//! every transport, the CLI. What can go wrong: bytes from strangers; every decoder here is
//! bounded, yields errors and never panics.

pub mod bus;
mod cbor;
pub mod depot;
mod envelope;
pub mod fountain;
mod fragment;
mod hash;
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
pub use fragment::Fragment;
pub use id::{EnvelopeId, ParseIdError};
pub use inspect::{InspectError, Inspection, Part, inspect};
