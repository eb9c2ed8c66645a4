//! When who can talk to whom: contacts, from wherever they are known.
//!
//! What is it: [`Contacts`], a sorted list of windows in which a link exists, and its sources:
//! traces of The ONE, ION contact plans, timetables in TOML, and random waypoint mobility. Who
//! calls it: plans of the simulator, the trace replay, `packmule sim`. What can go wrong: files
//! from strangers: every reader is bounded by [`Limits`] and names the line that it refuses.

pub mod arrival;
mod ion;
mod names;
mod one;
mod read;
mod rounds;
mod timetable;
mod waypoint;

#[cfg(test)]
mod tests;

use std::io;
use std::time::Duration;

use packmule_bus::time::Time;

pub use one::{Change, Changes};
pub use waypoint::{Waypoint, WaypointError};

/// A window in which a link exists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub struct Contact {
    /// When it begins, from the start of the scenario.
    pub from: Time,
    /// When it ends; after `from`.
    pub to: Time,
    /// One node, as an index of [`Contacts::nodes`].
    pub a: u32,
    /// The other one.
    pub b: u32,
    /// Bytes a second; none: whatever the link's channel says.
    pub rate: Option<u64>,
    /// How long a byte is on its way; none: whatever the link's channel says.
    pub delay: Option<Duration>,
    /// Bytes go from `a` to `b` only.
    pub one_way: bool,
}

impl Contact {
    /// A two-way window of nothing but its time. Where `to` is not after `from`: an empty one,
    /// which [`Contacts::new`] leaves out.
    #[must_use]
    pub const fn new(a: u32, b: u32, from: Time, to: Time) -> Self {
        Self {
            from,
            to,
            a,
            b,
            rate: None,
            delay: None,
            one_way: false,
        }
    }
}

/// How much a file may make us hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Most nodes.
    pub nodes: usize,
    /// Most contacts.
    pub contacts: usize,
    /// Most bytes of text, after decompression.
    pub bytes: u64,
    /// Latest time of a contact.
    pub horizon: Duration,
}

impl Default for Limits {
    /// 65,536 nodes, four million contacts, 1 GiB of text, ten years.
    fn default() -> Self {
        Self {
            nodes: 65_536,
            contacts: 4_000_000,
            bytes: 1 << 30,
            horizon: Duration::from_secs(10 * 366 * 86_400),
        }
    }
}

/// Contacts, sorted by their beginning, and who takes part.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Contacts {
    nodes: Vec<String>,
    contacts: Vec<Contact>,
}

/// Why a source of contacts was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContactsError {
    /// A line that makes no sense.
    #[error("line {line}: {why}")]
    Line {
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// A timetable that makes no sense.
    #[error("{0}")]
    Timetable(String),
    /// It is not TOML, or not of the shape of a timetable.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// More than the limits allow.
    #[error("more than {limit} {what}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: u64,
    },
    /// None of the formats we know.
    #[error(
        "neither a trace (`t CONN a b up`), nor an ION contact plan (`a contact …`), nor a timetable in TOML"
    )]
    Format,
    /// The file.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl Contacts {
    /// Sorts contacts and leaves out those that are empty or lead from a node to itself or to
    /// one that is not among `nodes`. Of a two-way contact, `a` is the smaller number.
    #[must_use]
    pub fn new(nodes: Vec<String>, mut contacts: Vec<Contact>) -> Self {
        let known = |node: u32| (node as usize) < nodes.len();
        contacts.retain(|c| c.from < c.to && c.a != c.b && known(c.a) && known(c.b));
        for contact in contacts.iter_mut().filter(|c| !c.one_way && c.a > c.b) {
            std::mem::swap(&mut contact.a, &mut contact.b);
        }
        contacts.sort_unstable();
        Self { nodes, contacts }
    }

    /// The names of the nodes; contacts name them by their index.
    #[must_use]
    pub fn nodes(&self) -> &[String] {
        &self.nodes
    }

    /// The name of the node with this index; empty if there is none.
    #[must_use]
    pub fn name(&self, node: u32) -> &str {
        self.nodes.get(node as usize).map_or("", String::as_str)
    }

    /// The contacts, sorted by their beginning.
    #[must_use]
    pub fn contacts(&self) -> &[Contact] {
        &self.contacts
    }

    /// The end of the last one.
    #[must_use]
    pub fn end(&self) -> Time {
        self.contacts
            .iter()
            .map(|contact| contact.to)
            .max()
            .unwrap_or_default()
    }

    /// Ups and downs in the order of time; downs before ups of the same moment, so that a
    /// contact that ends where the next begins is two.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        let mut changes: Vec<Change> = self
            .contacts
            .iter()
            .flat_map(|c| {
                [(c.from, true), (c.to, false)].map(|(at, up)| Change {
                    at,
                    up,
                    a: c.a,
                    b: c.b,
                })
            })
            .collect();
        changes.sort_unstable();
        changes
    }
}
