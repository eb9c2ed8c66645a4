//! Letters that could not be delivered, those that are taken back, and those for peers that left.
//!
//! Who calls it: `dead-letters`, `forget`, and judging. What can go wrong: the disk; a node that
//! runs on the home, which must be asked instead: what it holds in memory wins over what is
//! changed here, so the two verbs that change anything hold the node's place while they do.

use packmule_bus::EnvelopeId;
use packmule_bus::receipt::Reason;
use rusqlite::{Row, Transaction, params};

use super::judge::ENDED;
use crate::control::place::{NodeLock, Taken};
use crate::home::now;
use crate::peers::{from_sql, to_sql};
use crate::{Home, HomeError, bodies};

/// A letter that was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dead {
    /// The envelope.
    pub id: EnvelopeId,
    /// The message's own id, if it is ours.
    pub message_id: Option<String>,
    /// The recipient's DID, if it is ours.
    pub peer: Option<String>,
    /// Is it ours? Otherwise it was carried for somebody.
    pub own: bool,
    /// Why it is dead.
    pub reason: Reason,
    /// The length of its wire form.
    pub bytes: u64,
    /// When it came, in posix seconds.
    pub since: u64,
}

/// Every dead letter, oldest first.
pub fn list(home: &Home) -> Result<Vec<Dead>, HomeError> {
    let sql = "SELECT held.envelope, message, peer, origin, held.reason, held.bytes, since
               FROM held LEFT JOIN outbox ON outbox.envelope = held.envelope
               WHERE held.state = 2 ORDER BY since, held.envelope";
    let db = home.db();
    let mut query = db.prepare_cached(sql)?;
    let rows = query.query_map([], dead_of)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn dead_of(row: &Row<'_>) -> rusqlite::Result<Dead> {
    let reason: Option<u8> = row.get(4)?;
    Ok(Dead {
        id: EnvelopeId::from_bytes(row.get(0)?),
        message_id: row.get(1)?,
        peer: row.get(2)?,
        own: row.get::<_, i64>(3)? == 0,
        reason: reason
            .and_then(Reason::from_byte)
            .unwrap_or(Reason::Forgotten),
        bytes: from_sql(row.get(5)?),
        since: from_sql(row.get(6)?),
    })
}

/// Takes a message of ours back while no node runs. Answers whether there was anything to take.
pub fn forget(home: &Home, id: &EnvelopeId) -> Result<bool, HomeError> {
    let _place = place(home)?;
    let (changed, file) = home.change(|tx| {
        let taken = take_back(tx, id)?;
        // What was delivered is nobody's any more to take back.
        let sql = "DELETE FROM held WHERE envelope = ?1 AND state <> 1";
        let held = tx.execute(sql, [id.as_bytes()])?;
        let file = bodies::release(tx, id)?;
        Ok::<_, HomeError>((taken || held > 0, file))
    })?;
    home.shelf().remove_all(file);
    Ok(changed)
}

/// Lets a dead letter try again while no node runs. Answers whether it is one.
pub fn retry(home: &Home, id: &EnvelopeId) -> Result<bool, HomeError> {
    let _place = place(home)?;
    home.change(|tx| {
        let alive = tx.execute(
            "UPDATE held SET state = 0, reason = NULL, expires = NULL, copies = max(copies, 1)
             WHERE envelope = ?1 AND state = 2",
            [id.as_bytes()],
        )?;
        tx.execute(
            "UPDATE outbox SET state = 0, reason = NULL, expires = NULL, changed = ?2
             WHERE envelope = ?1 AND state IN (3, 4) AND ?3",
            params![id.as_bytes(), to_sql(now()), alive > 0],
        )?;
        Ok(alive > 0)
    })
}

/// Takes back what still waits for peers that ended the relationship: nobody reads it. Answers
/// the envelopes, of which a running bus has to hear.
pub(super) fn withdraw_ended(home: &Home) -> Result<Vec<EnvelopeId>, HomeError> {
    if home.notes(ENDED)?.is_empty() {
        return Ok(Vec::new());
    }
    // Without a node its record goes with the row; a node lets go of both when it hears.
    let place = NodeLock::take(home.dir()).ok();
    let (ids, files) = home.change(|tx| {
        let ids: Vec<EnvelopeId> = tx
            .prepare_cached(
                "SELECT envelope FROM outbox WHERE (state IN (0, 1) OR EXISTS (
                   SELECT 1 FROM held WHERE held.envelope = outbox.envelope AND held.state = 0))
                 AND peer IN (SELECT did FROM aliases WHERE peer IN (
                   SELECT aliases.peer FROM aliases JOIN notes ON key = did WHERE topic = ?1))",
            )?
            .query_map([ENDED], |row| Ok(EnvelopeId::from_bytes(row.get(0)?)))?
            .collect::<Result<_, _>>()?;
        let mut files = Vec::new();
        for id in &ids {
            take_back(tx, id)?;
            if place.is_some() {
                tx.execute("DELETE FROM held WHERE envelope = ?1", [id.as_bytes()])?;
            }
            files.extend(bodies::release(tx, id)?);
        }
        Ok::<_, HomeError>((ids, files))
    })?;
    home.shelf().remove_all(files);
    Ok(ids)
}

fn take_back(tx: &Transaction<'_>, id: &EnvelopeId) -> rusqlite::Result<bool> {
    let sql = "UPDATE outbox SET state = 4, reason = ?2, changed = ?3
               WHERE envelope = ?1 AND state IN (0, 1, 3)";
    let mut update = tx.prepare_cached(sql)?;
    let values = params![id.as_bytes(), Reason::Forgotten as u8, to_sql(now())];
    Ok(update.execute(values)? > 0)
}

fn place(home: &Home) -> Result<NodeLock, HomeError> {
    NodeLock::take(home.dir()).map_err(|taken| match taken {
        // It began in this moment.
        Taken::Running(_) => HomeError::Busy,
        Taken::Io(err) => err.into(),
    })
}
