//! Messages to go: queued, sent by some channel, acknowledged by their recipient, or expired.
//!
//! Called by `send`, `export`, `qr` and by whoever hears an ack. The bytes are packed before they
//! come here. A message to several DIDs is one envelope a DID, all with one message id.

use packmule_bus::{Envelope, EnvelopeError, EnvelopeId, label::Priority, receipt::Reason};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::{
    bodies::{self, Shelf, Staged},
    error::{HomeError, damaged},
    home::{Home, now},
    peers::{from_sql, to_sql},
};

/// A packed message to be queued.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// A node may send it by these transports only; none: by whatever works.
    pub by: Vec<String>,
    /// What a node sends first.
    pub priority: Priority,
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
    /// Somebody who had to take it would not, or we took it back; see the row's reason.
    Refused,
}

impl OutState {
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Queued => 0,
            Self::Sent => 1,
            Self::Acknowledged => 2,
            Self::Expired => 3,
            Self::Refused => 4,
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
    /// Bytes of the packed message; 0 once it was acknowledged, has expired or was refused:
    /// nobody needs them then, and they are dropped.
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
    /// Why it was refused, if it was.
    pub reason: Option<Reason>,
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

const COLUMNS: &str = "seq, envelope, message, peer, iif(state < 2, bytes, 0), state, sent_by, \
                       created, expires, changed, reason";

impl Home {
    /// Queues all or none, in one transaction. One that is queued already stays as it is: the
    /// same envelope, or the same message to the same DID, packed anew.
    pub fn queue_all(&self, records: &[OutRecord]) -> Result<Vec<EnvelopeId>, QueueError> {
        let envelopes = records
            .iter()
            .map(|record| Envelope::from_packed(&record.packed))
            .collect::<Result<Vec<_>, EnvelopeError>>()?;
        // Large bodies before the transaction: whoever writes to the store meanwhile need not
        // wait for the disk.
        let mut forms = Vec::with_capacity(envelopes.len());
        for envelope in &envelopes {
            forms.push(Form::of(envelope, self.shelf())?);
        }
        if forms.iter().any(|form| matches!(form, Form::File(_))) {
            self.shelf().sync()?;
        }
        self.change(|tx| {
            let queue = Queue::open(tx, self.shelf())?;
            let all = records.iter().zip(&envelopes).zip(forms);
            all.map(|((record, envelope), form)| queue.put_form(record, envelope, form))
                .collect::<Result<Vec<_>, HomeError>>()
        })
        .map_err(QueueError::Home)
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
        let rows = query.query_map(params![after, state.map(OutState::number), limit], row_of)?;
        rows.map(|row| row?).collect()
    }

    /// One message of the outbox, packed as it was; none once its bytes were dropped.
    pub fn outgoing(&self, id: &EnvelopeId) -> Result<Option<Vec<u8>>, HomeError> {
        let envelope = self.outgoing_envelope(id)?;
        Ok(envelope.map(|envelope| envelope.to_json()))
    }

    /// The same as it lies there.
    pub fn outgoing_envelope(&self, id: &EnvelopeId) -> Result<Option<Envelope>, HomeError> {
        bodies::envelope(&self.db(), self.shelf(), id)
    }

    /// One line of the outbox, whatever became of its message.
    pub fn outbox_row(&self, id: &EnvelopeId) -> Result<Option<OutRow>, HomeError> {
        let sql = format!("SELECT {COLUMNS} FROM outbox WHERE envelope = ?1");
        let db = self.db();
        let mut query = db.prepare_cached(&sql)?;
        let row = query.query_row([id.as_bytes()], row_of).optional()?;
        row.transpose()
    }

    /// Notes that a channel took these envelopes, in one transaction. Acknowledged and expired
    /// ones keep their state. Call it only after the channel has them durably.
    pub fn mark_sent(&self, ids: &[EnvelopeId], by: &str, now: u64) -> Result<(), HomeError> {
        self.change(|tx| {
            for id in ids {
                mark(tx, id, by, now)?;
            }
            Ok(())
        })
    }

    /// What a node of this home holds, or held, under this message id or under an envelope id
    /// that begins so; two at most.
    pub fn find_held(&self, beginning: &str) -> Result<Vec<EnvelopeId>, HomeError> {
        let db = self.db();
        let mut query =
            db.prepare_cached("SELECT envelope FROM held UNION SELECT envelope FROM outbox")?;
        let exact = "SELECT envelope FROM outbox WHERE message = ?1 LIMIT 2";
        let ids = |row: &Row<'_>| Ok(EnvelopeId::from_bytes(row.get(0)?));
        let named = db
            .prepare_cached(exact)?
            .query_map([beginning], ids)?
            .collect::<Result<Vec<_>, _>>()?;
        if !named.is_empty() || beginning.is_empty() {
            return Ok(named);
        }
        let mut found = Vec::new();
        for id in query.query_map([], ids)? {
            let id = id?;
            if id.to_string().starts_with(beginning) && found.len() < 2 {
                found.push(id);
            }
        }
        Ok(found)
    }

    /// Messages of ours that their recipients have acknowledged, and that a bus still carries.
    pub(crate) fn answered(&self) -> Result<Vec<EnvelopeId>, HomeError> {
        let db = self.db();
        let mut query = db.prepare_cached(
            "SELECT held.envelope FROM held JOIN outbox ON outbox.envelope = held.envelope
             WHERE held.origin = 0 AND held.state <> 1 AND outbox.state = 2",
        )?;
        let rows = query.query_map([], |row| Ok(EnvelopeId::from_bytes(row.get(0)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
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
        let sql = "DELETE FROM outbox WHERE state >= 2 OR state = 1 AND changed < ?1
                   RETURNING envelope";
        let removed = self.settle_where(sql, sent_before)?;
        self.shrink()?;
        Ok(removed)
    }

    /// Expires what is past its time and not acknowledged. Answers how many.
    pub fn expire(&self, now: u64) -> Result<usize, HomeError> {
        let sql = "UPDATE outbox SET state = 3, changed = ?1
                   WHERE state IN (0, 1) AND expires IS NOT NULL AND expires <= ?1
                   RETURNING envelope";
        self.settle_where(sql, now)
    }

    /// Runs what answers the envelopes that nobody will send any more, and lets go of their
    /// bytes. Answers how many.
    fn settle_where(&self, sql: &str, time: u64) -> Result<usize, HomeError> {
        let (settled, files) = self.change(|tx| {
            let ids = tx
                .prepare_cached(sql)?
                .query_map([to_sql(time)], |row| {
                    Ok(EnvelopeId::from_bytes(row.get(0)?))
                })?
                .collect::<Result<Vec<_>, _>>()?;
            let mut files = Vec::new();
            for id in &ids {
                files.extend(bodies::release(tx, id)?);
            }
            Ok::<_, HomeError>((ids.len(), files))
        })?;
        self.shelf().remove_all(files);
        Ok(settled)
    }
}

/// How the body of a queued message is kept.
enum Form {
    /// In its row, as its identity form.
    Row,
    /// In its row, as its wire form.
    Wire(Vec<u8>),
    /// As its wire form in this file, so that a node has not to write a large one again.
    File(String),
}

impl Form {
    /// Writes a large one, whose name is durable after [`Shelf::sync`].
    fn of(envelope: &Envelope, shelf: &Shelf) -> Result<Self, HomeError> {
        if envelope.identity().len() <= bodies::INLINE {
            return Ok(Self::Row);
        }
        let wire = envelope.to_wire();
        let file = match shelf.stage(&envelope.id(), &wire)? {
            Staged::File(name) => Some(name),
            Staged::Row(_) => None,
        };
        Ok(file.map_or(Self::Wire(wire), Self::File))
    }
}

/// What may be queued in one transaction. A message for several keys of one DID is several
/// envelopes, which come together: so only what was here before counts as the same message.
pub(crate) struct Queue<'a> {
    tx: &'a Transaction<'a>,
    shelf: &'a Shelf,
    before: i64,
}

impl<'a> Queue<'a> {
    pub(crate) fn open(tx: &'a Transaction<'a>, shelf: &'a Shelf) -> rusqlite::Result<Self> {
        let sql = "SELECT coalesce(max(seq), 0) FROM outbox";
        let before = tx.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(Self { tx, shelf, before })
    }

    /// Queues one, unless it is queued. Answers the id of the envelope that is queued.
    pub(crate) fn put(
        &self,
        record: &OutRecord,
        envelope: &Envelope,
    ) -> Result<EnvelopeId, HomeError> {
        let form = Form::of(envelope, self.shelf)?;
        if matches!(form, Form::File(_)) {
            self.shelf.sync()?;
        }
        self.put_form(record, envelope, form)
    }

    fn put_form(
        &self,
        record: &OutRecord,
        envelope: &Envelope,
        form: Form,
    ) -> Result<EnvelopeId, HomeError> {
        let id = envelope.id();
        let same: Option<[u8; 32]> = self
            .tx
            .prepare_cached(
                "SELECT envelope FROM outbox WHERE envelope = ?1
                 UNION ALL SELECT envelope FROM outbox
                 WHERE message = ?2 AND peer = ?3 AND seq <= ?4 LIMIT 1",
            )?
            .query_row(
                params![id.as_bytes(), record.message_id, record.peer, self.before],
                |row| row.get(0),
            )
            .optional()?;
        // A file that is not needed is swept.
        if let Some(same) = same {
            return Ok(EnvelopeId::from_bytes(same));
        }
        let (staged, wire) = match &form {
            Form::Row => (Staged::Row(envelope.identity()), false),
            Form::Wire(wire) => (Staged::Row(wire), true),
            Form::File(name) => (Staged::File(name.clone()), true),
        };
        bodies::put(self.tx, &id, staged, wire)?;
        self.tx
            .prepare_cached(
                "INSERT INTO outbox
             (envelope, message, peer, created, expires, changed, bytes, only_by, priority)
             VALUES (?1, ?2, ?3, ?4, ?5, ?4, ?6, ?7, ?8)",
            )?
            .execute(params![
                id.as_bytes(),
                record.message_id,
                record.peer,
                to_sql(record.created),
                record.expires.map(to_sql),
                to_sql(record.packed.len() as u64),
                record.by.join(","),
                record.priority as u8,
            ])?;
        Ok(id)
    }
}

/// Notes that a channel took an envelope, unless it is settled or the channel had it before.
pub(crate) fn mark(tx: &Connection, id: &EnvelopeId, by: &str, now: u64) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE outbox SET state = 1, changed = ?3, sent_by = CASE
           WHEN sent_by IS NULL THEN ?2
           WHEN instr(',' || sent_by || ',', ',' || ?2 || ',') THEN sent_by
           ELSE sent_by || ',' || ?2 END
         WHERE envelope = ?1 AND state IN (0, 1)",
    )?
    .execute(params![id.as_bytes(), by, to_sql(now)])?;
    Ok(())
}

/// A message of ours that a node took on without a verb that queued it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnRow {
    /// The envelope.
    pub(crate) id: EnvelopeId,
    /// The plaintext's id, or the envelope's where nobody knows that.
    pub(crate) message_id: String,
    /// The recipient's DID.
    pub(crate) peer: String,
    /// Of the packed message.
    pub(crate) bytes: u64,
    /// Posix seconds.
    pub(crate) created: u64,
    /// Posix seconds.
    pub(crate) expires: Option<u64>,
}

/// Makes its row, unless it has one.
pub(crate) fn put_own(tx: &Connection, row: &OwnRow) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO outbox
         (envelope, message, peer, created, expires, changed, bytes, submitted)
         VALUES (?1, ?2, ?3, ?4, ?5, ?4, ?6, 1)",
    )?
    .execute(params![
        row.id.as_bytes(),
        row.message_id,
        row.peer,
        to_sql(row.created),
        row.expires.map(to_sql),
        to_sql(row.bytes),
    ])?;
    Ok(())
}

/// The columns of [`COLUMNS`]. A state that never was is damage.
fn row_of(row: &Row<'_>) -> rusqlite::Result<Result<OutRow, HomeError>> {
    let state = match row.get(5)? {
        0 => OutState::Queued,
        1 => OutState::Sent,
        2 => OutState::Acknowledged,
        3 => OutState::Expired,
        4 => OutState::Refused,
        other => return Ok(Err(damaged(format!("outbox state {other}")))),
    };
    let reason: Option<u8> = row.get(10)?;
    Ok(Ok(OutRow {
        seq: row.get(0)?,
        id: EnvelopeId::from_bytes(row.get(1)?),
        message_id: row.get(2)?,
        peer: row.get(3)?,
        bytes: from_sql(row.get(4)?),
        state,
        sent_by: row.get(6)?,
        created: from_sql(row.get(7)?),
        expires: row.get::<_, Option<i64>>(8)?.map(from_sql),
        changed: from_sql(row.get(9)?),
        reason: reason.and_then(Reason::from_byte),
    }))
}
