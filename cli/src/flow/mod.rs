//! What verbs share: carry, take, and how things look from the command line.
//!
//! * [`carry`]: outbox → channel → marked sent. * [`take`]: channel → accepted durably → settled.
//!
//! What lies between, packing and queueing letters and judging arrivals, is the node's desk
//! ([`packmule_node::desk`]). The order within each is what makes a kill at any moment harmless.

pub(crate) mod attachments;
pub(crate) mod carry;
pub(crate) mod copies;
pub(crate) mod embark;
pub(crate) mod files;
pub(crate) mod invitation;
pub(crate) mod letters;
pub(crate) mod node;
pub(crate) mod partials;
pub(crate) mod party;
pub(crate) mod pictures;
pub(crate) mod rest;
pub(crate) mod scanning;
pub(crate) mod service;
pub(crate) mod settings;
pub(crate) mod take;

use packmule_bus::Envelope;

use crate::fault::Fault;

/// An envelope in whatever form it lies in a file: JSON, or one of the compact forms.
pub(crate) fn read_envelope(bytes: &[u8]) -> Result<Envelope, Fault> {
    match Envelope::decode(bytes) {
        Err(packmule_bus::DecodeError::NotAnEnvelope) => Ok(Envelope::from_packed(bytes)?),
        other => Ok(other?),
    }
}
