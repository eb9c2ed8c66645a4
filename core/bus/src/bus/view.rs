//! Looking at a bus from outside.
//!
//! What is it: [`Status`] and the methods that only look. Who calls it: drivers, for people and
//! for the simulator's checkers. What can go wrong: nothing.

use super::Bus;
use super::io::{LinkId, NodeKey};
use crate::EnvelopeId;
use crate::bus::io::Held;
use crate::depot::{Totals, Why};
use crate::label::DidTag;
use crate::link::Way;
use crate::receipt::Reason;
use crate::time::Now;

/// How a node stands.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Status {
    /// What is held.
    pub totals: Totals,
    /// Every link.
    pub links: Vec<LinkStatus>,
    /// Wire forms that are on their way here, whether anybody brings them now or not.
    pub arriving: usize,
    /// Bytes held of them.
    pub arriving_bytes: usize,
    /// Bytes of bodies on their way to the disk.
    pub writing_bytes: usize,
    /// Why nothing is taken on now, if the disk refuses.
    pub disk: Option<Reason>,
}

/// How a link stands.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LinkStatus {
    /// Its number.
    pub link: LinkId,
    /// The transport's name.
    pub transport: String,
    /// The way that was dialled, if we did.
    pub way: Option<Way>,
    /// The node at the other end, once it is known.
    pub peer: Option<NodeKey>,
    /// DIDs it has proven.
    pub proven: Vec<DidTag>,
    /// What we offer there and they have not settled.
    pub outgoing: usize,
    /// What they offer and we have not settled.
    pub incoming: usize,
}

impl Bus {
    /// Has somebody at the other end of a link proven this DID?
    #[must_use]
    pub fn has_proven(&self, tag: &DidTag) -> bool {
        let mut lines = self.lines.iter();
        lines.any(|(_, line)| line.proven.contains(tag))
    }

    /// How this node stands.
    #[must_use]
    pub fn status(&self) -> Status {
        let links = self.lines.iter().map(|(link, line)| LinkStatus {
            link,
            transport: line.transport.clone(),
            way: line.way.clone(),
            peer: line.peer,
            proven: line.proven.clone(),
            outgoing: line.outgoing.len(),
            incoming: line.incoming.len(),
        });
        Status {
            totals: self.depot.totals(),
            links: links.collect(),
            arriving: self.arriving.count(),
            arriving_bytes: self.arriving.cost(),
            writing_bytes: self.gate.bytes(),
            disk: self.disk.refuses(),
        }
    }

    /// Who holds a message of ours or one that we carry, and what happens next and when.
    #[must_use]
    pub fn why(&self, now: Now, id: &EnvelopeId) -> Option<Why> {
        self.depot.why(now, id)
    }

    /// All that is held: our own and carried.
    pub fn held(&self) -> impl Iterator<Item = &Held> {
        self.depot.held()
    }

    /// About how many bytes of memory this takes for bodies, transfers, links and questions;
    /// for checkers. What the depot knows of each message is not in it; see
    /// [`Status::totals`] for how many those are.
    #[must_use]
    pub fn memory(&self) -> usize {
        const ENTRY: usize = 256;
        let lines = self.lines.iter().map(|(_, line)| {
            let entries = line.incoming.len() + line.outgoing.len() + line.parked.len();
            line.session.memory() + entries * ENTRY
        });
        let entries = self.arriving.count() + self.asks.count() + self.outputs.len();
        self.shelf.bytes() + self.arriving.cost() + entries * ENTRY + lines.sum::<usize>()
    }
}
