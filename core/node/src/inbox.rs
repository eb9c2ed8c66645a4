//! Messages that came: accepted once each, kept packed, read with the keys, refused with a reason.
//!
//! Called by `import`, `qr read`, `inbox`. Only packed bytes are stored: what they say stays
//! behind the passphrase, and reading opens them each time. What can go wrong is told per verb;
//! the one promise is that `accept_all` has committed when it returns, so that a channel may delete
//! its copy.

use packmule_bus::{Envelope, EnvelopeId, Kind};
use rusqlite::{Connection, Row, ToSql, params};

use crate::{
    bodies::{self, Staged},
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

/// One line of the inbox. The bytes are read apart, by [`Home::envelope`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InRow {
    /// Grows with each message accepted; names a page's end.
    pub seq: i64,
    /// The envelope.
    pub id: EnvelopeId,
    /// Bytes of the form it is kept in.
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
const COLUMNS: &str = "seq, envelope, bytes, channel, state, received, problem, detail";

impl Home {
    /// Stores many in one transaction: all of them are committed on return, or none.
    pub fn accept_all<'a>(
        &self,
        envelopes: impl IntoIterator<Item = &'a Envelope>,
        arrival: &Arrival,
    ) -> Result<Vec<Accepted>, HomeError> {
        let mut folder = false;
        let accepted = self.change(|tx| {
            let mut accepted = Vec::new();
            for envelope in envelopes {
                let (id, bytes) = (envelope.id(), envelope.identity().len() as u64);
                if !take(tx, &id, bytes, &arrival.channel, arrival.received)? {
                    accepted.push(Accepted::Duplicate);
                    continue;
                }
                let staged = self.shelf().stage(&id, envelope.identity())?;
                folder |= matches!(staged, Staged::File(_));
                // A body that the bus has already is of more use; a file of ours is swept.
                bodies::put(tx, &id, staged, false)?;
                accepted.push(Accepted::New);
            }
            if folder {
                self.shelf().sync()?;
            }
            Ok::<_, HomeError>(accepted)
        })?;
        Ok(accepted)
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
            let rows = query.query_map(values, row_of)?;
            rows.map(|row| row?).collect()
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

    /// A page of the dead letters.
    pub fn refused(&self, after: i64, limit: usize) -> Result<Vec<InRow>, HomeError> {
        self.page("state = 2", after, limit)
    }

    /// The envelope itself, of any state, checked against its id.
    pub fn envelope(&self, id: &EnvelopeId) -> Result<Option<Envelope>, HomeError> {
        bodies::envelope(&self.db(), self.shelf(), id)
    }

    /// The same for whoever is about to open it, and checks it when that fails: an encrypted one
    /// is not hashed.
    pub(crate) fn envelope_to_open(&self, id: &EnvelopeId) -> Result<Option<Envelope>, HomeError> {
        let db = self.db();
        if let Some((form, true)) = bodies::get(&db, self.shelf(), id)?
            && let Ok(envelope) = Envelope::decode_trusted(&form, *id)
            && envelope.kind() == Kind::Encrypted
        {
            return Ok(Some(envelope));
        }
        bodies::envelope(&db, self.shelf(), id)
    }

    /// Marks a message read.
    pub fn mark_read(&self, id: &EnvelopeId) -> Result<(), HomeError> {
        self.change(|tx| Ok(mark_read(tx, id)?))
    }

    /// Makes a dead letter a new message again.
    pub fn retry(&self, id: &EnvelopeId) -> Result<(), HomeError> {
        let sql = "UPDATE inbox SET state = 0, problem = NULL, detail = NULL
                   WHERE envelope = ?1 AND state = 2";
        self.change(|tx| {
            tx.execute(sql, [id.as_bytes()])?;
            Ok(())
        })
    }

    /// Removes a message's bytes. It stays seen for ever: it will not come back.
    pub fn discard(&self, id: &EnvelopeId) -> Result<(), HomeError> {
        let file = self.change(|tx| {
            tx.execute("DELETE FROM inbox WHERE envelope = ?1", [id.as_bytes()])?;
            Ok::<_, HomeError>(bodies::release(tx, id)?)
        })?;
        self.shelf().remove_all(file);
        Ok(())
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
        let rows = query.query_map(params![after, limit], row_of)?;
        rows.map(|row| row?).collect()
    }
}

/// Marks a new message read.
pub(crate) fn mark_read(tx: &Connection, id: &EnvelopeId) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE inbox SET state = 1 WHERE envelope = ?1 AND state = 0")?
        .execute([id.as_bytes()])?;
    Ok(())
}

/// Makes the row of an envelope that was never accepted before. Answers whether it was new.
pub(crate) fn take(
    tx: &Connection,
    id: &EnvelopeId,
    bytes: u64,
    channel: &str,
    received: u64,
) -> rusqlite::Result<bool> {
    // What was only carried so far may be for us after all: we may have a new DID.
    let sql = "INSERT INTO seen (envelope, first) VALUES (?1, ?2)
               ON CONFLICT (envelope) DO UPDATE SET carried = 0, until = NULL WHERE carried = 1";
    let fresh = tx
        .prepare_cached(sql)?
        .execute(params![id.as_bytes(), to_sql(received)])?;
    if fresh == 0 {
        return Ok(false);
    }
    let sql = "INSERT INTO inbox (envelope, bytes, channel, received) VALUES (?1, ?2, ?3, ?4)";
    tx.prepare_cached(sql)?.execute(params![
        id.as_bytes(),
        to_sql(bytes),
        channel,
        to_sql(received)
    ])?;
    Ok(true)
}

/// The columns of [`COLUMNS`]. A state that never was is damage.
fn row_of(row: &Row<'_>) -> rusqlite::Result<Result<InRow, HomeError>> {
    let state = match row.get(4)? {
        0 => InState::New,
        1 => InState::Read,
        2 => InState::Refused,
        other => return Ok(Err(damaged(format!("inbox state {other}")))),
    };
    Ok(Ok(InRow {
        seq: row.get(0)?,
        id: EnvelopeId::from_bytes(row.get(1)?),
        bytes: from_sql(row.get(2)?),
        channel: row.get(3)?,
        received: from_sql(row.get(5)?),
        state,
        problem: row.get(6)?,
        detail: row.get(7)?,
    }))
}
