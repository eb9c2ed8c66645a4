//! The outbox of verbs: what others queue in the home, submitted to the bus once.
//!
//! Called by the driver when it starts, when a client pokes, and when the store was changed by
//! another process. A row tells whether a bus holds it (`submitted`), in the same transaction as
//! the bus's own record. What can go wrong: a row without bytes, which is left; a bus that is
//! full, which is asked again when it has room, and every while.

use std::collections::BTreeMap;
use std::time::Duration;

use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::{Input, Submission};
use packmule_bus::depot::Policy;
use packmule_bus::label::Label;
use packmule_bus::receipt::Reason;
use rusqlite::{Connection, params};
use tokio::time::Instant;

use super::{AHEAD, Driver, Heard};
use crate::bodies::{self, Shelf};
use crate::desk::address::tag_of;
use crate::home::now;
use crate::peers::{from_sql, to_sql};
use crate::records::{names, priority};
use crate::{Home, HomeError};

/// Rows looked at in one go.
const PAGE: i64 = 64;
/// Bytes submitted in one go.
const BYTES: usize = 4 << 20;
/// After a bus had no room.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far the outbox was read.
pub(crate) struct Post {
    db: Connection,
    shelf: Shelf,
    policy: Policy,
    last: i64,
    /// There is more, once the disk keeps up.
    waits: bool,
    /// When those that the bus had no room for are tried again, and why it had none.
    refused: Option<(Instant, Reason)>,
    /// What the bus will never take, and why.
    never: BTreeMap<EnvelopeId, Reason>,
}

/// A row that no bus holds yet.
struct Row {
    seq: i64,
    id: EnvelopeId,
    peer: String,
    expires: Option<u64>,
    by: Vec<String>,
    priority: i64,
}

impl Post {
    pub(crate) fn open(home: &Home, policy: Policy) -> Result<Self, HomeError> {
        Ok(Self {
            db: home.connect()?,
            shelf: home.shelf().clone(),
            policy,
            last: 0,
            waits: false,
            refused: None,
            never: BTreeMap::new(),
        })
    }

    pub(super) fn db(&self) -> &Connection {
        &self.db
    }

    pub(super) fn waits(&self) -> bool {
        self.waits
    }

    pub(super) fn begin_again(&mut self) {
        self.last = 0;
        self.refused = None;
    }

    pub(super) fn not_taken(&mut self, id: EnvelopeId, reason: Reason) {
        if reason.may_pass() {
            self.refused
                .get_or_insert_with(|| (Instant::now() + PATIENCE, reason));
        } else {
            self.never.insert(id, reason);
        }
    }

    /// When to look again, though nothing happens.
    pub(super) fn again(&self) -> Option<Instant> {
        self.refused.map(|(at, _)| at)
    }

    /// Why some of the outbox has to wait.
    pub(super) fn trouble(&self) -> Option<Reason> {
        self.refused.map(|(_, reason)| reason)
    }

    fn rows(&self) -> Result<Vec<Row>, HomeError> {
        let sql = "SELECT seq, envelope, peer, expires, only_by, priority FROM outbox
                   WHERE submitted = 0 AND state < 2 AND seq > ?1 ORDER BY seq LIMIT ?2";
        let mut query = self.db.prepare_cached(sql)?;
        let rows = query.query_map(params![self.last, PAGE], |row| {
            Ok(Row {
                seq: row.get(0)?,
                id: EnvelopeId::from_bytes(row.get(1)?),
                peer: row.get(2)?,
                expires: row.get::<_, Option<i64>>(3)?.map(from_sql),
                by: names(&row.get::<_, String>(4)?),
                priority: row.get(5)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whom messages are for that a bus holds; nobody, if the store does not answer.
    pub(super) fn recipients(&self) -> Vec<String> {
        let sql = "SELECT DISTINCT peer FROM outbox WHERE submitted = 1 AND state < 2";
        let read = || {
            let mut query = self.db.prepare(sql)?;
            let rows = query.query_map([], |row| row.get(0))?;
            rows.collect::<rusqlite::Result<_>>()
        };
        read().unwrap_or_default()
    }

    /// A wire form was checked when it was queued, and is by whoever gets it; JSON may be older
    /// than the rules of today.
    fn wire(&self, id: &EnvelopeId) -> Option<Vec<u8>> {
        match bodies::get(&self.db, &self.shelf, id).ok()?? {
            (form, true) => Some(form),
            _ => {
                let envelope = bodies::envelope(&self.db, &self.shelf, id).ok()??;
                Some(envelope.to_wire())
            }
        }
    }
}

impl Driver {
    /// Looks for what others changed in the store.
    pub(super) fn look(&mut self) {
        self.say_ways();
        if self.post.again().is_some_and(|at| at <= Instant::now()) {
            self.post.begin_again();
        }
        self.settle_refused();
        self.post.waits = false;
        // A store that does not answer now is asked again with the next change.
        let rows = self.post.rows().unwrap_or_default();
        let full = rows.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
        let mut bytes = 0;
        for row in rows {
            if bytes > BYTES || self.writer.waiting() > AHEAD {
                self.post.waits = true;
                return;
            }
            self.post.last = row.seq;
            if self.waiting.contains_key(&row.id) {
                continue;
            }
            let Some(wire) = self.post.wire(&row.id) else {
                continue;
            };
            bytes += wire.len();
            self.introduce(&row.peer, None);
            let label = Label {
                to: tag_of(&row.peer),
                expires: row.expires,
                priority: priority(row.priority),
                hops: self.post.policy.hops,
                copies: self.post.policy.copies,
            };
            self.feed(Input::Submit(Submission {
                id: row.id,
                wire,
                label,
                by: row.by,
            }));
        }
        if full {
            let _ = self.mouth.answers.send(Heard::Poke);
        }
    }

    /// What the bus will never take is told in the outbox, and nobody needs its bytes.
    fn settle_refused(&mut self) {
        let never = std::mem::take(&mut self.post.never);
        if never.is_empty() {
            return;
        }
        let sql = "UPDATE outbox SET state = 4, reason = ?2, changed = ?3
                   WHERE envelope = ?1 AND state < 2";
        let settled = self.desk.home().change(|tx| {
            let mut files = Vec::new();
            for (id, reason) in &never {
                tx.execute(sql, params![id.as_bytes(), *reason as u8, to_sql(now())])?;
                files.extend(bodies::release(tx, id)?);
            }
            Ok::<_, HomeError>(files)
        });
        match settled {
            Ok(files) => self.desk.home().shelf().remove_all(files),
            Err(_) => {
                // The disk refuses too: asked again, the bus says the same once more.
                self.post
                    .refused
                    .get_or_insert_with(|| (Instant::now() + PATIENCE, Reason::Disk));
            }
        }
    }
}
