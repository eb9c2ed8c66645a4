//! Traces of The ONE: `t CONN a b up|down`, one change a line, in the order of time.

use std::collections::BTreeMap;
use std::io::BufRead;

use packmule_bus::time::Time;

use super::names::Names;
use super::read::{Lines, seconds};
use super::{Contact, Contacts, ContactsError, Limits};

/// A link comes up or goes down. Sorted by time, downs first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Change {
    /// When.
    pub at: Time,
    /// Up, or down.
    pub up: bool,
    /// One node.
    pub a: u32,
    /// The other.
    pub b: u32,
}

/// The changes of a trace as they are read: for traces that are too large to hold. Nodes are
/// numbered as they appear.
pub struct Changes<R> {
    lines: Lines<R>,
    names: Names,
    last: Time,
    limits: Limits,
}

impl<R: BufRead> Changes<R> {
    /// Reads changes from text.
    pub fn new(reader: R, limits: &Limits) -> Self {
        Self {
            lines: Lines::new(reader, limits),
            names: Names::new(limits),
            last: Time::default(),
            limits: *limits,
        }
    }

    fn change(&mut self, line: &str) -> Result<Option<Change>, ContactsError> {
        let mut words = line.split_ascii_whitespace();
        let Some(time) = words.next() else {
            return Ok(None);
        };
        if time.starts_with('#') {
            return Ok(None);
        }
        // Event files of The ONE also tell of messages (C, S, DE, …): not what we read here.
        let (Some("CONN"), Some(a), Some(b), Some(state), None) = (
            words.next(),
            words.next(),
            words.next(),
            words.next(),
            words.next(),
        ) else {
            return Err(self.lines.fault("not `time CONN node node up|down`"));
        };
        let at = seconds(time, &self.limits).ok_or_else(|| self.lines.fault("no such time"))?;
        if at < self.last {
            return Err(self.lines.fault("earlier than the line before"));
        }
        self.last = at;
        let up = match state {
            "up" => true,
            "down" => false,
            _ => return Err(self.lines.fault("neither up nor down")),
        };
        if a == b || !Names::fits(a) || !Names::fits(b) {
            return Err(self.lines.fault("not two nodes"));
        }
        Ok(Some(Change {
            at,
            up,
            a: self.names.number(a)?,
            b: self.names.number(b)?,
        }))
    }
}

impl<R: BufRead> Iterator for Changes<R> {
    type Item = Result<Change, ContactsError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = match self.lines.next()? {
                Ok(line) => line,
                Err(err) => return Some(Err(err)),
            };
            if let Some(change) = self.change(&line).transpose() {
                return Some(change);
            }
        }
    }
}

/// Reads a whole trace. What is up at its end goes down with its last line.
pub(super) fn read(reader: impl BufRead, limits: &Limits) -> Result<Contacts, ContactsError> {
    let mut changes = Changes::new(reader, limits);
    let mut open: BTreeMap<(u32, u32), Time> = BTreeMap::new();
    let mut contacts = Vec::new();
    let mut last = Time::default();
    while let Some(change) = changes.next() {
        let Change { at, up, a, b } = change?;
        last = at;
        let pair = (a.min(b), a.max(b));
        if up {
            if open.len() + contacts.len() >= limits.contacts {
                return Err(too_many(limits));
            }
            // Twice up is once up: some tools write the state again.
            open.entry(pair).or_insert(at);
        } else if let Some(from) = open.remove(&pair) {
            contacts.push(Contact::new(pair.0, pair.1, from, at));
        } else {
            return Err(changes.lines.fault("goes down without having been up"));
        }
    }
    contacts.extend(
        open.into_iter()
            .map(|((a, b), from)| Contact::new(a, b, from, last)),
    );
    Ok(changes.names.settle(contacts))
}

pub(super) const fn too_many(limits: &Limits) -> ContactsError {
    ContactsError::TooMuch {
        what: "contacts",
        limit: limits.contacts as u64,
    }
}
