//! Messages that came: accepted once each, kept packed, read with the keys, refused with a reason.
//!
//! Called by `import`, `qr read`, `inbox`. Only packed bytes are stored: what they say stays
//! behind the passphrase, and reading opens them each time. What can go wrong is told per verb;
//! the one promise is that `accept` has committed when it returns, so that a channel may delete
//! its copy.

use packmule_bus::{Envelope, EnvelopeId};
use rusqlite::{OptionalExtension, Row, ToSql, params};

use crate::{
    error::{HomeError, damaged},
    home::Home,
    peers::{from_sql, to_sql},
};

/// What became of an envelope that was brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Stored, for the first time ever.
    New,
    /// Seen before, on this channel or another; nothing was stored.
    Duplicate,
}

/// What is known about an envelope from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The channel that brought it: `drive`, `qr`, …
    pub channel: String,
    /// Posix seconds.
    pub received: u64,
}

/// Where an accepted message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InState {
    /// Not read yet.
    New,
    /// Read.
    Read,
    /// It could not be opened, or was not to be trusted: a dead letter with a reason.
    Refused,
}

impl InState {
    fn of(number: i64) -> Result<Self, HomeError> {
        match number {
            0 => Ok(Self::New),
            1 => Ok(Self::Read),
            2 => Ok(Self::Refused),
            other => Err(damaged(format!("inbox state {other}"))),
        }
    }
}

/// One line of the inbox. The bytes are read apart, by [`Home::envelope`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InRow {
    /// Grows with each message accepted; names a page's end.
    pub seq: i64,
    /// The envelope.
    pub id: EnvelopeId,
    /// Bytes of its identity form.
    pub bytes: u64,
    /// The channel that brought it first.
    pub channel: String,
    /// Posix seconds.
    pub received: u64,
    /// Where it stands.
    pub state: InState,
    /// For a refused one: a problem code such as `e.p.trust.crypto`.
    pub problem: Option<String>,
    /// For a refused one: the reason, for people.
    pub detail: Option<String>,
}

/// Letters of an envelope id's short form, which nobody can find another envelope for.
const SHORT: usize = 26;
const COLUMNS: &str = "seq, envelope, bytes, channel, received, state, problem, detail";

impl Home {
    /// Stores an envelope, unless it was ever seen before. Committed and synced on return.
    pub fn accept(&self, envelope: &Envelope, arrival: &Arrival) -> Result<Accepted, HomeError> {
        let accepted = self.accept_all([envelope], arrival)?;
        accepted
            .into_iter()
            .next()
            .ok_or_else(|| damaged("the inbox took nothing"))
    }

    /// Stores many in one transaction: all of them are committed on return, or none.
    pub fn accept_all<'a>(
        &self,
        envelopes: impl IntoIterator<Item = &'a Envelope>,
        arrival: &Arrival,
    ) -> Result<Vec<Accepted>, HomeError> {
        self.change(|tx| {
            let mut see =
                tx.prepare_cached("INSERT OR IGNORE INTO seen (envelope, first) VALUES (?1, ?2)")?;
            let mut insert = tx.prepare_cached(
                "INSERT INTO inbox (envelope, identity, bytes, channel, received)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            let received = to_sql(arrival.received);
            let mut accepted = Vec::new();
            for envelope in envelopes {
                let id = envelope.id();
                if see.execute(params![id.as_bytes(), received])? == 0 {
                    accepted.push(Accepted::Duplicate);
                    continue;
                }
                let identity = envelope.identity();
                insert.execute(params![
                    id.as_bytes(),
                    identity,
                    i64::try_from(identity.len()).unwrap_or(i64::MAX),
                    arrival.channel,
                    received,
                ])?;
                accepted.push(Accepted::New);
            }
            Ok(accepted)
        })
    }

    /// Was this envelope ever accepted, be it read, refused or removed since?
    pub fn seen(&self, id: &EnvelopeId) -> Result<bool, HomeError> {
        let sql = "SELECT 1 FROM seen WHERE envelope = ?1";
        let db = self.db();
        let found = db.query_row(sql, [id.as_bytes()], |_| Ok(())).optional()?;
        Ok(found.is_some())
    }

    /// A page of what was accepted and not refused, in order of arrival: after `after` (a `seq`;
    /// 0 for the first page), at most `limit`.
    pub fn inbox(&self, after: i64, limit: usize) -> Result<Vec<InRow>, HomeError> {
        self.page("state < 2", after, limit)
    }

    /// What was accepted, opened, and bears this id, or has an id or envelope id that begins so:
    /// at most `limit`, in order of arrival. Those whose whole id it is come alone.
    pub fn named(&self, id: &str, limit: usize) -> Result<Vec<InRow>, HomeError> {
        if id.is_empty() {
            return Ok(Vec::new());
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let db = self.db();
        let find = |which: &str, values: &[&dyn ToSql]| -> Result<Vec<InRow>, HomeError> {
            let mut query = db.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM inbox WHERE state < 2 AND ({which}) ORDER BY seq LIMIT ?1"
            ))?;
            let rows = query.query_map(values, columns)?;
            rows.map(|row| row_of(row?)).collect()
        };
        // The first and the last envelope id that begin so. Its last letter stands for one bit.
        let bound = |fill: char, last: char| {
            let mut text: String = id.chars().chain(std::iter::repeat(fill)).take(51).collect();
            text.push(id.chars().nth(51).unwrap_or(last));
            let id = text.parse::<EnvelopeId>().ok();
            id.map_or_else(Vec::new, |id| id.as_bytes().to_vec())
        };
        let (first, last) = match id.len() {
            ..=52 => (bound('a', 'a'), bound('7', 'q')),
            _ => (Vec::new(), Vec::new()),
        };
        // A hash comes first: strangers choose their messages' ids, but not that.
        if id.len() >= SHORT {
            let named = find("envelope BETWEEN ?2 AND ?3", &[&limit, &first, &last])?;
            if !named.is_empty() {
                return Ok(named);
            }
        }
        let whole = find("message = ?2", &[&limit, &id])?;
        if !whole.is_empty() {
            return Ok(whole);
        }
        find(
            "(message >= ?2 AND message < ?2 || char(1114111)) OR envelope BETWEEN ?3 AND ?4",
            &[&limit, &id, &first, &last],
        )
    }

    /// A page of those not read yet.
    pub fn unread(&self, after: i64, limit: usize) -> Result<Vec<InRow>, HomeError> {
        self.page("state = 0", after, limit)
    }

    /// A page of the dead letters.
    pub fn refused(&self, after: i64, limit: usize) -> Result<Vec<InRow>, HomeError> {
        self.page("state = 2", after, limit)
    }

    /// The envelope itself, of any state, checked against its id.
    pub fn envelope(&self, id: &EnvelopeId) -> Result<Option<Envelope>, HomeError> {
        let sql = "SELECT identity FROM inbox WHERE envelope = ?1";
        let found: Option<Vec<u8>> = self
            .db()
            .query_row(sql, [id.as_bytes()], |row| row.get(0))
            .optional()?;
        let Some(identity) = found else {
            return Ok(None);
        };
        let envelope = Envelope::decode(&identity)
            .map_err(|error| damaged(format!("message {id}: {error}")))?;
        if envelope.id() != *id {
            return Err(damaged(format!(
                "message {id} has other bytes than it came with"
            )));
        }
        Ok(Some(envelope))
    }

    /// Marks a message read.
    pub fn mark_read(&self, id: &EnvelopeId) -> Result<(), HomeError> {
        self.set_state(id, 1, None, "state = 0")
    }

    /// Makes a message a dead letter, with a problem code and a reason for people. Its bytes are
    /// kept, so that it can be tried again, say with a key found later.
    pub fn refuse(&self, id: &EnvelopeId, problem: &str, detail: &str) -> Result<(), HomeError> {
        self.set_state(id, 2, Some((problem, detail)), "state < 2")
    }

    /// Makes a dead letter a new message again.
    pub fn retry(&self, id: &EnvelopeId) -> Result<(), HomeError> {
        self.set_state(id, 0, None, "state = 2")
    }

    /// Removes a message's bytes. It stays seen for ever: it will not come back.
    pub fn discard(&self, id: &EnvelopeId) -> Result<(), HomeError> {
        self.change(|tx| {
            tx.execute("DELETE FROM inbox WHERE envelope = ?1", [id.as_bytes()])?;
            Ok(())
        })
    }

    fn set_state(
        &self,
        id: &EnvelopeId,
        state: i64,
        reason: Option<(&str, &str)>,
        only_if: &str,
    ) -> Result<(), HomeError> {
        let (problem, detail) = reason.unzip();
        self.change(|tx| {
            tx.prepare_cached(&format!(
                "UPDATE inbox SET state = ?2, problem = ?3, detail = ?4
                 WHERE envelope = ?1 AND {only_if}"
            ))?
            .execute(params![id.as_bytes(), state, problem, detail])?;
            Ok(())
        })
    }

    pub(crate) fn page(
        &self,
        which: &str,
        after: i64,
        limit: usize,
    ) -> Result<Vec<InRow>, HomeError> {
        let db = self.db();
        let mut query = db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM inbox WHERE {which} AND seq > ?1 ORDER BY seq LIMIT ?2"
        ))?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = query.query_map(params![after, limit], columns)?;
        rows.map(|row| row_of(row?)).collect()
    }
}

type Columns = (
    i64,
    [u8; 32],
    i64,
    String,
    i64,
    i64,
    Option<String>,
    Option<String>,
);

fn columns(row: &Row<'_>) -> rusqlite::Result<Columns> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
        row.get(5)?,
        row.get(6)?,
        row.get(7)?,
    ))
}

fn row_of(columns: Columns) -> Result<InRow, HomeError> {
    let (seq, id, bytes, channel, received, state, problem, detail) = columns;
    Ok(InRow {
        seq,
        id: EnvelopeId::from_bytes(id),
        bytes: from_sql(bytes),
        channel,
        received: from_sql(received),
        state: InState::of(state)?,
        problem,
        detail,
    })
}
