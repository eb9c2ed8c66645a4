//! What is said to the driver's task, and the ways by which it is said.
//!
//! Values alone: what links and mailboxes bring ([`Heard`]), what whoever holds the node asks
//! ([`Command`]). Nothing can go wrong here.

use std::sync::Arc;

use packmule_bus::bus::io::{DiskFault, Input, LinkId, Submission};
use packmule_bus::label::DidTag;
use packmule_bus::link::{Mailbox, Port, Way};
use packmule_bus::receipt::Reason;
use packmule_bus::{Envelope, EnvelopeId};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::links::Visit;
use super::mailboxes::Seated;
use crate::control::{DeadLetter, StatusReport, WhyReport};
use crate::outbox::OwnRow;

/// What the driver's task hears besides inputs for the bus.
pub(crate) enum Heard {
    /// An answer to the bus, or news for it.
    Input(Input),
    /// A PDU, and its place in its link's allowance.
    Pdu(LinkId, Vec<u8>, OwnedSemaphorePermit),
    /// Somebody opened a way, or we did.
    Port {
        port: Port,
        transport: &'static str,
        /// The way that was dialled, if we did.
        way: Option<Way>,
        visit: Option<Visit>,
    },
    /// A mailbox was opened again, to hand something over: its connection had ended.
    Reached(Way, Arc<dyn Mailbox>),
    /// A mailbox holds a message for us.
    Collected {
        envelope: Envelope,
        to: Vec<DidTag>,
        transport: &'static str,
        settle: Seated,
    },
    /// Whom a message is for that is carried here.
    Recipient(String),
    /// The store was changed by others.
    Poke,
    /// Something does not work now, for people; it is tried again.
    Trouble(String),
}

/// What whoever holds the node asks of its driver.
pub(crate) enum Command {
    /// Answered after the commit.
    Submit {
        submission: Box<Submission>,
        row: OwnRow,
        /// Ask the endpoints of a stranger, or not; none: as the node does by itself.
        seek: Option<bool>,
        answer: oneshot::Sender<Result<EnvelopeId, Reason>>,
    },
    Status(oneshot::Sender<StatusReport>),
    /// Has somebody at the other end of a link proven this DID?
    Here(DidTag, oneshot::Sender<bool>),
    Why(EnvelopeId, oneshot::Sender<Option<WhyReport>>),
    DeadLetters(oneshot::Sender<Vec<DeadLetter>>),
    /// Answered after the commit: was there anything to take back?
    Forget(EnvelopeId, Changed),
    /// Answered after the commit: is it a dead letter?
    Retry(EnvelopeId, Changed),
    /// The application has this message; answered after the commit.
    Read(EnvelopeId, oneshot::Sender<Result<(), DiskFault>>),
    Poke(oneshot::Sender<()>),
    /// Ends the task; the answer comes when everything is committed and links are closed.
    Stop(oneshot::Sender<()>),
}

/// Tells whether a message was changed, once the change is durable.
pub(crate) type Changed = oneshot::Sender<Result<bool, DiskFault>>;

/// The ways into the driver's task.
pub(crate) struct Ears {
    /// Answers to what the bus asked: as many as it asked for.
    pub(crate) answers: mpsc::UnboundedReceiver<Heard>,
    /// What links and mailboxes bring; waits while the disk is behind.
    pub(crate) brought: mpsc::Receiver<Heard>,
    /// What applications submit; waits while the disk is behind.
    pub(crate) submits: mpsc::Receiver<Command>,
    /// Everything else that is asked.
    pub(crate) commands: mpsc::Receiver<Command>,
}

/// The ways to the driver's task, for its helpers.
#[derive(Clone)]
pub(crate) struct Mouth {
    pub(crate) answers: mpsc::UnboundedSender<Heard>,
    pub(crate) brought: mpsc::Sender<Heard>,
}

impl Mouth {
    /// Answers the bus. After the end of the driver nobody hears.
    pub(crate) fn tell(&self, input: Input) {
        let _ = self.answers.send(Heard::Input(input));
    }
}
