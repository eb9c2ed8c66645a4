//! `packmule send --by`: the message goes now, and you see how far it comes.
//!
//! A node that runs on the home does it; otherwise one runs as long as this takes. What can go
//! wrong: nobody takes the message in time; then it waits in the outbox like any other.

use std::time::{Duration, Instant};

use packmule_bus::EnvelopeId;
use packmule_bus::link::Way;
use packmule_node::control::{Client, EventLine};
use packmule_node::{Home, OutRow, OutState, PeerRecord};

use crate::args::By;
use crate::cmd::outbox::word;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::carry;
use crate::flow::embark::Aboard;
use crate::flow::node::{self, Events};
use crate::flow::party::Party;
use crate::flow::settings::Settings;

/// How long somebody may take to take the message.
const PATIENCE: u64 = 60;
/// The store knows too what events tell, should one be missed.
const LOOK: Duration = Duration::from_secs(1);

/// The names of the transports, as a message is dispatched by them.
pub(super) fn transports(by: &[By]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for one in by {
        let name = match one {
            By::Transport(name) => name.as_str(),
            By::Way(way) => way.transport(),
        };
        if !names.iter().any(|there| there == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Ways that were named become the peer's first: it was reached there once.
pub(super) fn remember_ways(home: &Home, peer: &PeerRecord, by: &[By]) -> Result<(), Fault> {
    let mut ways: Vec<Way> = by
        .iter()
        .filter_map(|one| match one {
            By::Way(way) => Some(way.clone()),
            By::Transport(_) => None,
        })
        .collect();
    if ways.is_empty() {
        return Ok(());
    }
    for known in home.ways(&peer.did)? {
        if !ways.contains(&known) {
            ways.push(known);
        }
    }
    Ok(home.set_ways(&peer.did, &ways)?)
}

/// A node at work, and its events from before the message was queued.
pub(super) struct Under {
    events: Events,
    aboard: Option<Aboard>,
    until: Instant,
}

impl Under {
    /// The node that runs, or one of our own that listens nowhere.
    pub(super) fn way(party: &Party, wait: Option<u64>) -> Result<Self, Fault> {
        let home = party.home().dir();
        let (client, aboard) = match node::running(home)? {
            Some(client) => (client, None),
            None => {
                let mut settings = Settings::of_home(home)?;
                settings.listen.clear();
                let own = Home::open(home)?;
                let aboard = Aboard::start(own, party.keys().clone(), &settings)?;
                (Client::connect(home)?, Some(aboard))
            }
        };
        let wait = Duration::from_secs(wait.unwrap_or(PATIENCE));
        let until = Instant::now();
        Ok(Self {
            events: Events::of(client)?,
            aboard,
            until: until.checked_add(wait).unwrap_or(until),
        })
    }

    /// Waits until every one of these envelopes has left our hands, and tells how far they came.
    pub(super) fn follow(
        self,
        home: &Home,
        ids: &[EnvelopeId],
        told: &mut dyn FnMut(&EventLine),
    ) -> Result<Outcome, Fault> {
        node::poke(home.dir());
        let mut outcome = Outcome::of(home, ids)?;
        let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
        while !outcome.is_over() && Instant::now() < self.until {
            let look = (Instant::now() + LOOK).min(self.until);
            let event = self.events.next(Some(look))?;
            match &event {
                Some(EventLine::Progress { id, .. } | EventLine::Dead { id, .. })
                    if names.contains(id) =>
                {
                    if let Some(event) = &event {
                        told(event);
                    }
                }
                Some(EventLine::Met { .. } | EventLine::Parted { .. }) => {
                    if let Some(event) = &event {
                        told(event);
                    }
                    continue;
                }
                Some(_) => continue,
                None => {}
            }
            outcome = Outcome::of(home, ids)?;
        }
        if let Some(aboard) = self.aboard {
            aboard.leave();
            // A receipt may have come while the links closed.
            outcome = Outcome::of(home, ids)?;
        }
        Ok(outcome)
    }
}

/// How far the envelopes of one message have come: the one that is furthest behind.
pub(super) struct Outcome {
    pub(super) state: OutState,
    pub(super) sent_by: Option<String>,
    pub(super) reason: Option<String>,
}

impl Outcome {
    fn of(home: &Home, ids: &[EnvelopeId]) -> Result<Self, Fault> {
        let rows = carry::rows(home, None)?;
        let behind = rows
            .iter()
            .filter(|row| ids.contains(&row.id))
            .min_by_key(|row| rank(row));
        let behind = behind.ok_or_else(|| Fault::not_found("the message left the outbox"))?;
        Ok(Self {
            state: behind.state,
            sent_by: behind.sent_by.clone(),
            reason: behind.reason.map(|reason| reason.to_string()),
        })
    }

    fn is_over(&self) -> bool {
        self.state != OutState::Queued
    }

    /// The exit code, and the last line for people.
    pub(super) fn told(&self) -> (Exit, String) {
        let by = self
            .sent_by
            .as_deref()
            .map_or_else(String::new, |by| format!(" by {by}"));
        match self.state {
            OutState::Acknowledged => (Exit::Ok, format!("delivered{by}")),
            OutState::Sent => (
                Exit::Ok,
                format!("sent{by}: somebody has it and must pass it on"),
            ),
            OutState::Queued => (
                Exit::Incomplete,
                "nobody has taken it yet; it waits in the outbox".into(),
            ),
            other => (
                Exit::Refused,
                format!(
                    "{}: {}",
                    word(other),
                    self.reason.as_deref().unwrap_or("no reason was given")
                ),
            ),
        }
    }
}

const fn rank(row: &OutRow) -> u8 {
    match row.state {
        OutState::Refused | OutState::Expired => 0,
        OutState::Queued => 1,
        OutState::Sent => 2,
        _ => 3,
    }
}
