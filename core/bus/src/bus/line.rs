//! What the bus knows of one link: its session, what goes out on it, what comes in.
//!
//! What is it: [`Line`] and [`Lines`]. Who calls it: the bus. What can go wrong: nothing here;
//! what a peer may announce is bounded by its session.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::arriving::Name;
use super::io::{LinkId, NodeKey, WireHash};
use crate::EnvelopeId;
use crate::label::{DidTag, Label};
use crate::link::{Role, Way};
use crate::session::Session;
use crate::time::Time;

/// One link.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) session: Session,
    pub(super) transport: String,
    pub(super) way: Option<Way>,
    pub(super) role: Role,
    /// PDUs it takes now.
    pub(super) room: usize,
    pub(super) peer: Option<NodeKey>,
    pub(super) hash: [u8; 32],
    pub(super) proven: Vec<DidTag>,
    /// Claims of the other end that are being verified.
    pub(super) claims: usize,
    /// What the other end offers and we have not settled.
    pub(super) incoming: BTreeMap<EnvelopeId, Incoming>,
    /// Of these, what we do not ask for yet.
    pub(super) parked: VecDeque<EnvelopeId>,
    /// Bytes asked for and not durable yet.
    pub(super) promised: u64,
    /// What we offer and they have not settled.
    pub(super) outgoing: BTreeSet<EnvelopeId>,
    /// Most offers the other end takes.
    pub(super) window: usize,
    /// The depot may have more to offer.
    pub(super) more: bool,
    /// The depot may have more receipts to pass on.
    pub(super) telling: bool,
    deadline: Option<Time>,
}

/// What the other end offers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incoming {
    pub(super) wire: WireHash,
    pub(super) bytes: u64,
    pub(super) label: Label,
    pub(super) stage: Stage,
}

/// How far an offer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Not asked for: another link brings it, or there is too much.
    Waits,
    /// Its bytes were asked for.
    Asked,
    /// It is here and on its way to the disk.
    Landed,
}

impl Incoming {
    pub(super) const fn name(&self, id: EnvelopeId) -> Name {
        (id, self.wire)
    }
}

impl Line {
    pub(super) fn new(session: Session, role: Role, transport: String, way: Option<Way>) -> Self {
        Self {
            session,
            transport,
            way,
            role,
            room: 0,
            peer: None,
            hash: [0; 32],
            proven: Vec::new(),
            claims: 0,
            incoming: BTreeMap::new(),
            parked: VecDeque::new(),
            promised: 0,
            outgoing: BTreeSet::new(),
            window: 0,
            more: false,
            telling: false,
            deadline: None,
        }
    }

    /// An offer of the other end is settled, one way or another.
    pub(super) fn settled(&mut self, id: &EnvelopeId) -> Option<Incoming> {
        let incoming = self.incoming.remove(id)?;
        if incoming.stage != Stage::Waits {
            self.promised = self.promised.saturating_sub(incoming.bytes);
        }
        Some(incoming)
    }

    /// The role of the other end.
    pub(super) const fn other(&self) -> Role {
        match self.role {
            Role::Dialer => Role::Listener,
            Role::Listener => Role::Dialer,
        }
    }
}

/// All links.
#[derive(Debug, Default)]
pub(super) struct Lines {
    lines: BTreeMap<LinkId, Line>,
    deadlines: BTreeSet<(Time, LinkId)>,
    /// Links whose sessions may have something to say.
    stirred: BTreeSet<LinkId>,
}

impl Lines {
    pub(super) fn insert(&mut self, link: LinkId, line: Line) {
        self.lines.insert(link, line);
        self.stirred.insert(link);
    }

    pub(super) fn remove(&mut self, link: LinkId) -> Option<Line> {
        let line = self.lines.remove(&link)?;
        self.stirred.remove(&link);
        if let Some(at) = line.deadline {
            self.deadlines.remove(&(at, link));
        }
        Some(line)
    }

    /// A link, to do something with its session: it will be served.
    pub(super) fn stir(&mut self, link: LinkId) -> Option<&mut Line> {
        let line = self.lines.get_mut(&link)?;
        self.stirred.insert(link);
        Some(line)
    }

    /// A link, to look at or to note something.
    pub(super) fn note(&mut self, link: LinkId) -> Option<&mut Line> {
        self.lines.get_mut(&link)
    }

    /// A link, to look at.
    pub(super) fn look(&self, link: LinkId) -> Option<&Line> {
        self.lines.get(&link)
    }

    pub(super) fn contains(&self, link: LinkId) -> bool {
        self.lines.contains_key(&link)
    }

    /// The next link to serve.
    pub(super) fn next_stirred(&mut self) -> Option<LinkId> {
        self.stirred.pop_first()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (LinkId, &Line)> {
        self.lines.iter().map(|(link, line)| (*link, line))
    }

    /// Links, up or not.
    pub(super) fn all(&self) -> Vec<LinkId> {
        self.lines.keys().copied().collect()
    }

    /// Links that are up.
    pub(super) fn up(&self) -> Vec<LinkId> {
        let up = self.lines.iter().filter(|(_, line)| line.peer.is_some());
        up.map(|(link, _)| *link).collect()
    }

    /// The depot may have more to offer on every link.
    pub(super) fn more(&mut self) {
        for (link, line) in &mut self.lines {
            if line.peer.is_some() {
                line.more = true;
                self.stirred.insert(*link);
            }
        }
    }

    /// Notes when a session wants to be woken.
    pub(super) fn schedule(&mut self, link: LinkId) {
        let Some(line) = self.lines.get_mut(&link) else {
            return;
        };
        let due = line.session.deadline();
        if due == line.deadline {
            return;
        }
        if let Some(at) = line.deadline.take() {
            self.deadlines.remove(&(at, link));
        }
        if let Some(at) = due {
            self.deadlines.insert((at, link));
        }
        line.deadline = due;
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Wakes the sessions whose time has come.
    pub(super) fn timeout(&mut self, now: Time) {
        let due: Vec<LinkId> = self
            .deadlines
            .iter()
            .take_while(|(at, _)| *at <= now)
            .map(|(_, link)| *link)
            .collect();
        for link in due {
            if let Some(line) = self.stir(link) {
                line.session.timeout(now);
            }
        }
    }
}
