//! Messages to go: queued, sent by some channel, acknowledged by their recipient, or expired.
//!
//! Called by `send`, `export`, `qr` and by whoever hears an ack. The bytes are packed before they
//! come here. A message to several DIDs is one envelope a DID, all with one message id.

use packmule_bus::{Envelope, EnvelopeError, EnvelopeId};
use rusqlite::{OptionalExtension, Row, params};

use crate::{
    error::{HomeError, damaged},
    home::{Home, now},
    peers::{from_sql, to_sql},
};

/// A packed message to be queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutRecord {
    /// The packed message, exactly as it will be delivered.
    pub packed: Vec<u8>,
    /// The recipient's DID.
    pub peer: String,
    /// The `id` header of the plaintext inside: what an ack will name.
    pub message_id: String,
    /// Posix seconds.
    pub created: u64,
    /// Posix seconds after which it must not be sent any more.
    pub expires: Option<u64>,
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutState {
    /// On our disk only.
    Queued,
    /// A channel took it. The recipient may not have it yet: it can be sent again.
    Sent,
    /// The recipient's agent says that it has it.
    Acknowledged,
    /// Its time ran out before an acknowledgement.
    Expired,
}

impl OutState {
    fn of(number: i64) -> Result<Self, HomeError> {
        match number {
            0 => Ok(Self::Queued),
            1 => Ok(Self::Sent),
            2 => Ok(Self::Acknowledged),
            3 => Ok(Self::Expired),
            other => Err(damaged(format!("outbox state {other}"))),
        }
    }

    fn number(self) -> i64 {
        match self {
            Self::Queued => 0,
            Self::Sent => 1,
            Self::Acknowledged => 2,
            Self::Expired => 3,
        }
    }
}

/// One line of the outbox. The bytes are read apart, by [`Home::outgoing`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutRow {
    /// Grows with each message queued; names a page's end.
    pub seq: i64,
    /// The envelope.
    pub id: EnvelopeId,
    /// The message's own id.
    pub message_id: String,
    /// The recipient's DID.
    pub peer: String,
    /// Bytes of the packed message; 0 once it was acknowledged or has expired: nobody needs
    /// them then, and they are dropped.
    pub bytes: u64,
    /// How far it has come.
    pub state: OutState,
    /// The channels that took it, comma-separated.
    pub sent_by: Option<String>,
    /// Posix seconds.
    pub created: u64,
    /// Posix seconds.
    pub expires: Option<u64>,
    /// When the state changed last, in posix seconds.
    pub changed: u64,
}

/// Why nothing was queued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The bytes are no packed message.
    #[error("not a packed message: {0}")]
    NotAMessage(#[from] EnvelopeError),
    /// The disk.
    #[error(transparent)]
    Home(#[from] HomeError),
}

const COLUMNS: &str = "seq, envelope, message, peer, length(packed), state, sent_by, created, \
                       expires, changed";

impl Home {
    /// Queues one packed message; it is on the disk when this returns.
    pub fn queue(&self, record: &OutRecord) -> Result<EnvelopeId, QueueError> {
        let ids = self.queue_all(std::slice::from_ref(record))?;
        ids.into_iter()
            .next()
            .ok_or_else(|| damaged("the outbox took nothing").into())
    }

    /// Queues all or none, in one transaction. One that is queued already stays as it is.
    pub fn queue_all(&self, records: &[OutRecord]) -> Result<Vec<EnvelopeId>, QueueError> {
        let ids = records
            .iter()
            .map(|record| Ok(Envelope::from_packed(&record.packed)?.id()))
            .collect::<Result<Vec<_>, EnvelopeError>>()?;
        self.change(|tx| {
            let mut insert = tx.prepare_cached(
                "INSERT OR IGNORE INTO outbox
                 (envelope, message, peer, packed, created, expires, changed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?5)",
            )?;
            for (record, id) in records.iter().zip(&ids) {
                insert.execute(params![
                    id.as_bytes(),
                    record.message_id,
                    record.peer,
                    record.packed,
                    to_sql(record.created),
                    record.expires.map(to_sql),
                ])?;
            }
            Ok(())
        })
        .map_err(QueueError::Home)?;
        Ok(ids)
    }

    /// A page of the outbox in the order of queueing: those after `after` (a `seq`; 0 for the
    /// first page), at most `limit`, of one state or of all.
    pub fn outbox(
        &self,
        state: Option<OutState>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<OutRow>, HomeError> {
        let db = self.db();
        let mut query = db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM outbox
             WHERE seq > ?1 AND (?2 IS NULL OR state = ?2) ORDER BY seq LIMIT ?3"
        ))?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = query.query_map(params![after, state.map(OutState::number), limit], columns)?;
        rows.map(|row| row_of(row?)).collect()
    }

    /// The packed bytes of one message of the outbox; none when they were dropped.
    pub fn outgoing(&self, id: &EnvelopeId) -> Result<Option<Vec<u8>>, HomeError> {
        let sql = "SELECT packed FROM outbox WHERE envelope = ?1 AND state < 2";
        let db = self.db();
        Ok(db
            .query_row(sql, [id.as_bytes()], |row| row.get(0))
            .optional()?)
    }

    /// Notes that a channel took these envelopes, in one transaction. Acknowledged and expired
    /// ones keep their state. Call it only after the channel has them durably.
    pub fn mark_sent(&self, ids: &[EnvelopeId], by: &str, now: u64) -> Result<(), HomeError> {
        self.change(|tx| {
            let mut update = tx.prepare_cached(
                "UPDATE outbox SET state = 1, changed = ?3, sent_by = CASE
                   WHEN sent_by IS NULL THEN ?2
                   WHEN instr(',' || sent_by || ',', ',' || ?2 || ',') THEN sent_by
                   ELSE sent_by || ',' || ?2 END
                 WHERE envelope = ?1 AND state IN (0, 1)",
            )?;
            for id in ids {
                update.execute(params![id.as_bytes(), by, to_sql(now)])?;
            }
            Ok(())
        })
    }

    /// Notes that the recipient `peer` (any of these DIDs) has these messages. Answers how many
    /// envelopes that settled. An ack counts only from the one the message was for, since anyone
    /// may learn a message id; the caller passes the DIDs of the authenticated sender.
    pub fn acknowledge(
        &self,
        message_ids: &[String],
        peer: &[&str],
        now: u64,
    ) -> Result<usize, HomeError> {
        self.change(|tx| {
            let mut settled = 0;
            for message in message_ids {
                for did in peer {
                    settled += crate::judge::acknowledge(tx, message, did, now)?;
                }
            }
            Ok(settled)
        })
    }

    /// Lets automatic answers wait again that were sent and not acknowledged: those whose message
    /// ids begin with one of these. A question that comes twice tells that its answer was lost.
    /// Answers how many wait again.
    pub fn requeue_beginning(&self, beginnings: &[String]) -> Result<usize, HomeError> {
        if beginnings.is_empty() {
            return Ok(0);
        }
        self.change(|tx| {
            let mut update = tx.prepare_cached(
                "UPDATE outbox SET state = 0, changed = ?2
                 WHERE state = 1 AND message >= ?1 AND message < ?1 || char(1114111)",
            )?;
            let mut again = 0;
            for beginning in beginnings {
                again += update.execute(params![beginning, to_sql(now())])?;
            }
            Ok(again)
        })
    }

    /// Removes the rows of what was acknowledged or has expired, and of what was sent before
    /// `sent_before` (posix seconds; 0: none), acknowledged or not. Answers how many.
    pub fn prune_outbox(&self, sent_before: u64) -> Result<usize, HomeError> {
        let removed = self.change(|tx| {
            Ok::<_, HomeError>(tx.execute(
                "DELETE FROM outbox WHERE state >= 2 OR state = 1 AND changed < ?1",
                [to_sql(sent_before)],
            )?)
        })?;
        self.shrink()?;
        Ok(removed)
    }

    /// Expires what is past its time and not acknowledged. Answers how many.
    pub fn expire(&self, now: u64) -> Result<usize, HomeError> {
        self.change(|tx| {
            Ok(tx.execute(
                "UPDATE outbox SET state = 3, packed = x'', changed = ?1
                 WHERE state IN (0, 1) AND expires IS NOT NULL AND expires <= ?1",
                [to_sql(now)],
            )?)
        })
    }
}

type Columns = (
    i64,
    [u8; 32],
    String,
    String,
    i64,
    i64,
    Option<String>,
    i64,
    Option<i64>,
    i64,
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
        row.get(8)?,
        row.get(9)?,
    ))
}

fn row_of(columns: Columns) -> Result<OutRow, HomeError> {
    let (seq, id, message_id, peer, bytes, state, sent_by, created, expires, changed) = columns;
    Ok(OutRow {
        seq,
        id: EnvelopeId::from_bytes(id),
        message_id,
        peer,
        bytes: from_sql(bytes),
        state: OutState::of(state)?,
        sent_by,
        created: from_sql(created),
        expires: expires.map(from_sql),
        changed: from_sql(changed),
    })
}
