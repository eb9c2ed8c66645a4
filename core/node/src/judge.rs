//! What opening messages leads to, landed in one piece.
//!
//! Called by whoever opens what was accepted: the CLI's `import` and `qr read`, and the clerk of a
//! running node, one at a time by [`Home::judging`]. A message that was opened may bring a new
//! peer, acknowledge one of ours, and call for an automatic answer; all of it goes into the store
//! in one transaction with the fact that it was opened. Killed before, the message is opened
//! again and leads to the same; killed after,
//! it is not opened again: so nothing is answered twice or not at all.

use packmule_bus::{Envelope, EnvelopeError, EnvelopeId};
use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::Value;

use crate::{
    bodies,
    error::HomeError,
    home::{Home, now},
    inbox::InRow,
    outbox::{OutRecord, Queue},
    peers::{PeerRecord, add_alias, check_name, to_sql},
};

/// One consequence of opening messages.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Change {
    /// Queue a message, unless one with its message id waits for (or went to) that peer already.
    Queue(OutRecord),
    /// Add a peer, unless its DID is known. A name that is taken gets a number; no name at all
    /// becomes `peer-N`, with a number that no peer had before. [`Applied`] tells the name.
    AddPeer(PeerRecord),
    /// A peer has a new DID, and `from` is an alias of it now. Nothing happens when `from` is
    /// no peer's present DID (any more): a DID that was given up cannot name another successor.
    MovePeer {
        /// The DID that is given up, as the peer's record has it.
        from: String,
        /// The new one.
        did: String,
        /// The new one's document.
        doc: Value,
    },
    /// A message was opened and is to be shown. Ids only: its words stay packed.
    Opened {
        /// The envelope.
        id: EnvelopeId,
        /// The `id` header of the plaintext.
        message_id: String,
        /// The DID that authenticated it, if one did.
        sender: Option<String>,
    },
    /// A message is a dead letter.
    Refuse {
        /// The envelope.
        id: EnvelopeId,
        /// A problem code such as `e.p.trust.crypto`.
        problem: String,
        /// The reason, for people.
        detail: String,
    },
    /// A message's bytes are dropped, because the same message is here under another envelope.
    /// One that was opened stays, whoever asks: the other one may be gone by now.
    Discard(EnvelopeId),
    /// The recipient has a message of ours.
    Acknowledge {
        /// The `id` header that the ack names.
        message_id: String,
        /// The DIDs of the authenticated sender of the ack: only whom a message was for may
        /// acknowledge it.
        peers: Vec<String>,
    },
    /// A note is written, or removed by `None`.
    Note {
        /// The topic.
        topic: String,
        /// The key within it.
        key: String,
        /// The text.
        value: Option<String>,
    },
}

/// What became of changes whose outcome the store decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// The names of the peers that were added, as stored.
    pub added: Vec<String>,
    /// The names of the peers that moved to a new DID.
    pub moved: Vec<String>,
    /// Messages of ours that are acknowledged now and were not before.
    pub acknowledged: usize,
}

/// Why nothing was applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The bytes to be queued are no packed message.
    #[error("not a packed message: {0}")]
    NotAMessage(#[from] EnvelopeError),
    /// A peer's name cannot be one.
    #[error(transparent)]
    Peer(#[from] crate::PeerError),
    /// The disk.
    #[error(transparent)]
    Home(#[from] HomeError),
}

impl From<rusqlite::Error> for ApplyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Home(error.into())
    }
}

impl Home {
    /// Applies all of these or none, in one transaction, on the disk when this returns.
    pub fn apply(&self, changes: &[Change]) -> Result<Applied, ApplyError> {
        let mut applied = Applied::default();
        if changes.is_empty() {
            return Ok(applied);
        }
        let mut files = Vec::new();
        self.change(|tx| {
            let outbox = Queue::open(tx, self.shelf())?;
            changes.iter().try_for_each(|change| {
                files.extend(apply(tx, &outbox, change, &mut applied)?);
                Ok::<_, ApplyError>(())
            })
        })?;
        self.shelf().remove_all(files);
        Ok(applied)
    }

    /// A page of accepted messages that were never opened, in order of arrival: after `after`
    /// (a `seq`; 0 for the first page), at most `limit`.
    pub fn unopened(&self, after: i64, limit: usize) -> Result<Vec<InRow>, HomeError> {
        self.page("state = 0 AND opened = 0", after, limit)
    }

    /// The first envelope that held a message with this id, authenticated by this sender, and
    /// was opened; not counting the envelope `other_than`.
    pub fn held(
        &self,
        message_id: &str,
        sender: &str,
        other_than: &EnvelopeId,
    ) -> Result<Option<EnvelopeId>, HomeError> {
        let sql = "SELECT envelope FROM inbox
                   WHERE message = ?1 AND sender = ?2 AND opened = 1 AND envelope <> ?3
                   ORDER BY seq LIMIT 1";
        let db = self.db();
        let found = db
            .prepare_cached(sql)?
            .query_row(params![message_id, sender, other_than.as_bytes()], |row| {
                row.get(0)
            });
        Ok(found.optional()?.map(EnvelopeId::from_bytes))
    }

    /// All notes of a topic, by key.
    pub fn notes(&self, topic: &str) -> Result<Vec<(String, String)>, HomeError> {
        let db = self.db();
        let mut query =
            db.prepare_cached("SELECT key, value FROM notes WHERE topic = ?1 ORDER BY key")?;
        let rows = query.query_map([topic], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Lets a sent message wait again, because its carrier was lost. Answers whether it was sent
    /// and not acknowledged.
    pub fn requeue(&self, id: &EnvelopeId) -> Result<bool, HomeError> {
        self.change(|tx| {
            let sql = "UPDATE outbox SET state = 0, changed = ?2 WHERE envelope = ?1 AND state = 1";
            Ok(tx.execute(sql, params![id.as_bytes(), to_sql(now())])? == 1)
        })
    }
}

/// Answers the files of bodies that nobody refers to any more.
fn apply(
    tx: &Transaction<'_>,
    outbox: &Queue<'_>,
    change: &Change,
    told: &mut Applied,
) -> Result<Vec<String>, ApplyError> {
    let mut files = Vec::new();
    match change {
        Change::Queue(record) => {
            outbox.put(record, &Envelope::from_packed(&record.packed)?)?;
        }
        Change::AddPeer(peer) => told.added.extend(add_peer(tx, peer)?),
        Change::MovePeer { from, did, doc } => told.moved.extend(move_peer(tx, from, did, doc)?),
        Change::Opened {
            id,
            message_id,
            sender,
        } => {
            tx.prepare_cached(
                "UPDATE inbox SET opened = 1, message = ?2, sender = ?3
                 WHERE envelope = ?1 AND state < 2 AND opened = 0",
            )?
            .execute(params![id.as_bytes(), message_id, sender])?;
        }
        Change::Refuse {
            id,
            problem,
            detail,
        } => {
            tx.prepare_cached(
                "UPDATE inbox SET state = 2, problem = ?2, detail = ?3
                 WHERE envelope = ?1 AND state < 2 AND opened = 0",
            )?
            .execute(params![id.as_bytes(), problem, detail])?;
        }
        Change::Discard(id) => {
            tx.prepare_cached("DELETE FROM inbox WHERE envelope = ?1 AND opened = 0")?
                .execute([id.as_bytes()])?;
            files.extend(bodies::release(tx, id)?);
        }
        Change::Acknowledge { message_id, peers } => {
            for did in peers {
                let settled = acknowledge(tx, message_id, did, now())?;
                told.acknowledged += settled.len();
                for id in &settled {
                    files.extend(bodies::release(tx, id)?);
                }
            }
        }
        Change::Note { topic, key, value } => {
            match value {
                Some(value) => tx
                    .prepare_cached(
                        "INSERT INTO notes (topic, key, value) VALUES (?1, ?2, ?3)
                         ON CONFLICT (topic, key) DO UPDATE SET value = excluded.value",
                    )?
                    .execute([topic, key, value])?,
                None => tx
                    .prepare_cached("DELETE FROM notes WHERE topic = ?1 AND key = ?2")?
                    .execute([topic, key])?,
            };
        }
    }
    Ok(files)
}

/// Settles what `did`, or the peer that it is or was a DID of, acknowledges: a message that was
/// sent to its former DID is acknowledged from the present one.
fn acknowledge(
    tx: &Transaction<'_>,
    message_id: &str,
    did: &str,
    now: u64,
) -> rusqlite::Result<Vec<EnvelopeId>> {
    tx.prepare_cached(
        "UPDATE outbox SET state = 2, changed = ?3
         WHERE message = ?1 AND state <> 2 AND (peer = ?2 OR peer IN (
           SELECT did FROM aliases WHERE peer = (SELECT peer FROM aliases WHERE did = ?2)))
         RETURNING envelope",
    )?
    .query_map(params![message_id, did, to_sql(now)], |row| {
        Ok(EnvelopeId::from_bytes(row.get(0)?))
    })?
    .collect()
}

/// Answers the name it got, or nothing when its DID is known.
fn add_peer(tx: &Transaction<'_>, peer: &PeerRecord) -> Result<Option<String>, ApplyError> {
    if !peer.name.is_empty() {
        check_name(&peer.name)?;
    }
    let known = tx
        .query_row("SELECT 1 FROM aliases WHERE did = ?1", [&peer.did], |_| {
            Ok(())
        })
        .optional()?;
    if known.is_some() {
        return Ok(None);
    }
    let name = free_name(tx, &peer.name)?;
    tx.execute(
        "INSERT INTO peers (name, did, doc, added) VALUES (?1, ?2, ?3, ?4)",
        params![name, peer.did, peer.doc.to_string(), to_sql(peer.added)],
    )?;
    add_alias(tx, tx.last_insert_rowid(), &peer.did)?;
    Ok(Some(name))
}

/// The wish itself, or with the first number that makes it free. Without a wish, `peer-N`: its
/// number is the row's, so that a removed peer's name goes to nobody else by itself.
fn free_name(tx: &Transaction<'_>, wish: &str) -> rusqlite::Result<String> {
    let taken = |name: &str| {
        tx.query_row("SELECT 1 FROM peers WHERE name = ?1", [name], |_| Ok(()))
            .optional()
    };
    let (base, mut number) = if wish.is_empty() {
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'peers'";
        let last: Option<i64> = tx.query_row(sql, [], |row| row.get(0)).optional()?;
        ("peer", last.unwrap_or(0).saturating_add(1))
    } else if taken(wish)?.is_some() {
        (wish, 2)
    } else {
        return Ok(wish.to_owned());
    };
    loop {
        let name = format!("{base}-{number}");
        if taken(&name)?.is_none() {
            return Ok(name);
        }
        number = number.saturating_add(1);
    }
}

/// Answers the peer's name, or nothing when `from` is no present DID or `did` another peer's.
fn move_peer(
    tx: &Transaction<'_>,
    from: &str,
    did: &str,
    doc: &Value,
) -> Result<Option<String>, ApplyError> {
    let sql = "SELECT peer, name FROM peers WHERE did = ?1 AND NOT EXISTS (
                 SELECT 1 FROM aliases WHERE did = ?2 AND peer <> peers.peer)";
    let found: Option<(i64, String)> = tx
        .query_row(sql, [from, did], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((peer, name)) = found else {
        return Ok(None);
    };
    tx.execute(
        "UPDATE peers SET did = ?2, doc = ?3 WHERE peer = ?1",
        params![peer, did, doc.to_string()],
    )?;
    add_alias(tx, peer, did)?;
    Ok(Some(name))
}
