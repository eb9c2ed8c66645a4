//! One batch into the tables.

use std::collections::BTreeSet;

use packmule_bus::{
    EnvelopeId,
    bus::io::{Arrived, Held, HeldState, Key, Op, Origin, Partial, Record, Verdict},
    label::Label,
    receipt::{Reason, Receipt},
};
use rusqlite::{Connection, ToSql, params};

use super::{Batch, Files, labels::takers_text, pieces};
use crate::{
    HomeError,
    bodies::{self, Staged},
    inbox, outbox,
    peers::to_sql,
};

/// Writes a batch whose large bodies are staged. Answers the files that nothing needs after the
/// commit.
pub(crate) fn write(
    tx: &Connection,
    batch: &Batch,
    mut files: Files,
    now: u64,
    superseded: &Superseded,
) -> Result<Vec<String>, HomeError> {
    let mut writing = Writing {
        tx,
        now,
        loose: BTreeSet::new(),
        kept: BTreeSet::new(),
        stays: stays(&batch.ops),
        files: Vec::new(),
    };
    for row in &batch.rows {
        outbox::put_own(tx, row)?;
    }
    for id in &batch.read {
        inbox::mark_read(tx, id)?;
    }
    for op in &batch.ops {
        if let Op::Body(id, form) = op {
            let staged = files
                .remove(id)
                .map_or(Staged::Row(form.as_slice()), Staged::File);
            writing.files.extend(bodies::put(tx, id, staged, true)?);
            writing.loose.insert(*id);
        }
    }
    for op in &batch.ops {
        match op {
            Op::Put(Record::Held(held)) if superseded.contains(&place(op)) => {
                writing.kept.insert(held.id);
            }
            Op::Put(Record::Partial(_)) if superseded.contains(&place(op)) => {}
            Op::Put(record) => writing.put(record)?,
            Op::Drop(key) => writing.forget(key)?,
            _ => {}
        }
    }
    for id in writing.loose.difference(&writing.kept) {
        writing.files.extend(bodies::release(tx, id)?);
    }
    Ok(writing.files)
}

/// The messages that a batch has a record of at its end.
fn stays(ops: &[Op]) -> BTreeSet<EnvelopeId> {
    let mut stays = BTreeSet::new();
    for op in ops {
        match op {
            Op::Put(Record::Held(held)) => {
                stays.insert(held.id);
            }
            Op::Drop(Key::Held(id)) => {
                stays.remove(id);
            }
            _ => {}
        }
    }
    stays
}

/// The changes of a group that a later one of the same group makes void, by where they are.
pub(crate) type Superseded = BTreeSet<usize>;

fn place(op: &Op) -> usize {
    std::ptr::from_ref(op).addr()
}

/// What need not be written, because the same transaction writes the record again: what waits
/// and then waits otherwise or is delivered, and pieces that have become a whole.
pub(crate) fn superseded(group: &[Batch]) -> Superseded {
    let mut found = Superseded::new();
    if group.iter().map(|batch| batch.ops.len()).sum::<usize>() < 2 {
        return found;
    }
    let mut later: BTreeSet<Key> = BTreeSet::new();
    let ops = group.iter().rev().flat_map(|batch| batch.ops.iter().rev());
    for op in ops {
        match op {
            Op::Put(record) => {
                let key = record.key();
                let replaces = match record {
                    Record::Held(held) => !matches!(held.state, HeldState::Dead(_)),
                    Record::Partial(_) => true,
                    _ => continue,
                };
                let waits =
                    !matches!(record, Record::Held(held) if held.state != HeldState::Waiting);
                if waits && later.contains(&key) {
                    found.insert(place(op));
                }
                if replaces {
                    later.insert(key);
                } else {
                    later.remove(&key);
                }
            }
            Op::Drop(key @ Key::Partial(_)) => {
                later.insert(key.clone());
            }
            // What people see of a message depends on what it was before.
            Op::Drop(key) => {
                later.remove(key);
            }
            _ => {}
        }
    }
    found
}

struct Writing<'a> {
    tx: &'a Connection,
    now: u64,
    /// Bodies that may have nobody who refers to them.
    loose: BTreeSet<EnvelopeId>,
    /// Bodies that this batch itself refers to.
    kept: BTreeSet<EnvelopeId>,
    /// Messages that this batch drops and puts again: of a delivered one the body goes and the
    /// row stays. Nobody took them back.
    stays: BTreeSet<EnvelopeId>,
    /// Files to remove after the commit.
    files: Vec<String>,
}

impl Writing<'_> {
    fn put(&mut self, record: &Record) -> rusqlite::Result<()> {
        match record {
            Record::Held(held) => self.held(held),
            Record::Inbox(arrived) => self.arrived(arrived),
            Record::Seen(id, until) => self.seen(id, *until),
            Record::Receipt(receipt) => self.receipt(receipt),
            Record::Partial(partial) => self.partial(partial),
            // A record of a newer bus than this store knows cannot be: they are built together.
            _ => Ok(()),
        }
    }

    fn held(&mut self, held: &Held) -> rusqlite::Result<()> {
        let (origin, node) = match held.origin {
            Origin::Own => (0, None),
            Origin::From(key) => (1, Some(key.0)),
            Origin::Mailbox => (2, None),
            Origin::Friend(key) => (3, Some(key.0)),
        };
        let (state, reason) = match held.state {
            HeldState::Waiting => (0, None),
            HeldState::Delivered => (1, None),
            HeldState::Dead(reason) => (2, Some(reason as u8)),
        };
        let Label {
            to,
            expires,
            priority,
            hops,
            copies,
        } = held.label;
        if held.origin == Origin::Own && held.state == HeldState::Waiting {
            self.revive(&held.id)?;
        }
        self.run(
            "INSERT OR REPLACE INTO held
             (envelope, wire, bytes, recipient, expires, priority, hops, copies, origin, node,
              since, only_by, takers, state, reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            params![
                held.id.as_bytes(),
                held.wire.0,
                to_sql(held.bytes),
                to.as_bytes(),
                expires.map(to_sql),
                priority as u8,
                hops,
                copies,
                origin,
                node,
                to_sql(held.since),
                held.by.join(","),
                takers_text(&held.takers),
                state,
                reason,
            ],
        )?;
        if held.origin == Origin::Own {
            self.own(held)?;
        }
        if held.state == HeldState::Delivered {
            self.kept.remove(&held.id);
            self.loose.insert(held.id);
        } else {
            self.kept.insert(held.id);
        }
        Ok(())
    }

    /// A dead letter of our own that tries again waits in the outbox again.
    fn revive(&self, id: &EnvelopeId) -> rusqlite::Result<()> {
        self.run(
            "UPDATE outbox SET state = 0, reason = NULL, changed = ?2
             WHERE envelope = ?1 AND state IN (3, 4)
               AND EXISTS (SELECT 1 FROM held WHERE envelope = ?1 AND state = 2)",
            params![id.as_bytes(), to_sql(self.now)],
        )
    }

    /// What people see of our own message.
    fn own(&self, held: &Held) -> rusqlite::Result<()> {
        let id = held.id.as_bytes();
        let now = to_sql(self.now);
        match held.state {
            HeldState::Waiting if !held.takers.iter().any(|taker| taker.sure) => self.run(
                "UPDATE outbox SET submitted = 1 WHERE envelope = ?1 AND submitted = 0",
                params![id],
            ),
            HeldState::Waiting => {
                for taker in held.takers.iter().filter(|taker| taker.sure) {
                    outbox::mark(self.tx, &held.id, &taker.transport, self.now)?;
                }
                self.run(
                    "UPDATE outbox SET submitted = 1 WHERE envelope = ?1 AND submitted = 0",
                    params![id],
                )
            }
            HeldState::Delivered => {
                let sure = held.takers.iter().filter(|taker| taker.sure);
                let by: BTreeSet<&str> = sure.map(|taker| taker.transport.as_str()).collect();
                let by: Vec<&str> = by.into_iter().collect();
                self.run(
                    "UPDATE outbox SET state = 2, reason = NULL, submitted = 1, changed = ?2,
                       sent_by = coalesce(sent_by, nullif(?3, ''))
                     WHERE envelope = ?1 AND state <> 2",
                    params![id, now, by.join(",")],
                )
            }
            HeldState::Dead(reason) => self.run(
                "UPDATE outbox SET state = ?3, reason = ?4, submitted = 1, changed = ?2
                 WHERE envelope = ?1 AND state < 2",
                params![
                    id,
                    now,
                    if reason == Reason::Expired { 3 } else { 4 },
                    reason as u8
                ],
            ),
        }
    }

    fn arrived(&mut self, arrived: &Arrived) -> rusqlite::Result<()> {
        // The verdict itself is in the inbox already, where the next life looks for it.
        if arrived.acknowledged.is_some() && !self.loose.contains(&arrived.id) {
            return Ok(());
        }
        let verdict = arrived.acknowledged.map(|verdict| match verdict {
            Verdict::Kept => 0,
            Verdict::Refused(reason) => reason as u8,
        });
        self.run(
            "INSERT OR REPLACE INTO arrived (envelope, recipient, transport, at, expires, verdict,
              bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                arrived.id.as_bytes(),
                arrived.to.as_bytes(),
                arrived.transport,
                to_sql(arrived.at),
                arrived.expires.map(to_sql),
                verdict,
                to_sql(arrived.bytes),
            ],
        )?;
        // Without its body it is news of one that came before.
        if self.loose.contains(&arrived.id) {
            let Arrived {
                id,
                bytes,
                transport,
                at,
                ..
            } = arrived;
            if inbox::take(self.tx, id, *bytes, transport, *at)? {
                self.kept.insert(*id);
            }
        }
        Ok(())
    }

    fn seen(&self, id: &EnvelopeId, until: Option<u64>) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO seen (envelope, first, until, carried) VALUES (?1, ?2, ?3, 1)
             ON CONFLICT (envelope) DO UPDATE SET until = excluded.until WHERE carried = 1",
            params![id.as_bytes(), to_sql(self.now), until.map(to_sql)],
        )
    }

    fn receipt(&self, receipt: &Receipt) -> rusqlite::Result<()> {
        let ids: Vec<u8> = receipt.ids.iter().flat_map(|id| *id.as_bytes()).collect();
        self.run(
            "INSERT OR REPLACE INTO receipts (signature, ids, refused, at, did, kid)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                receipt.signature,
                ids,
                receipt.refused.map(|reason| reason as u8),
                to_sql(receipt.at),
                receipt.did,
                receipt.kid,
            ],
        )
    }

    fn partial(&self, partial: &Partial) -> rusqlite::Result<()> {
        let label = &partial.label;
        self.run(
            "INSERT INTO partials
             (wire, envelope, bytes, recipient, expires, priority, hops, copies, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (wire) DO UPDATE SET recipient = ?4, expires = ?5, priority = ?6,
               hops = ?7, copies = ?8, at = ?9",
            params![
                partial.wire.0,
                partial.id.as_bytes(),
                to_sql(partial.bytes),
                label.to.as_bytes(),
                label.expires.map(to_sql),
                label.priority as u8,
                label.hops,
                label.copies,
                to_sql(partial.at),
            ],
        )?;
        pieces::write(self.tx, partial)
    }

    fn forget(&mut self, key: &Key) -> rusqlite::Result<()> {
        match key {
            Key::Held(id) => {
                self.run(
                    "DELETE FROM held WHERE envelope = ?1",
                    params![id.as_bytes()],
                )?;
                // What the bus lets go of before it was delivered or died was taken back.
                if !self.stays.contains(id) {
                    self.run(
                        "UPDATE outbox SET state = 4, reason = ?2, changed = ?3
                         WHERE envelope = ?1 AND state < 2 AND submitted = 1",
                        params![id.as_bytes(), Reason::Forgotten as u8, to_sql(self.now)],
                    )?;
                }
                self.kept.remove(id);
                self.loose.insert(*id);
                Ok(())
            }
            Key::Inbox(id) => self.run(
                "DELETE FROM arrived WHERE envelope = ?1",
                params![id.as_bytes()],
            ),
            Key::Seen(id) => self.run(
                "DELETE FROM seen WHERE envelope = ?1 AND carried = 1",
                params![id.as_bytes()],
            ),
            Key::Receipt(signature) => self.run(
                "DELETE FROM receipts WHERE signature = ?1",
                params![signature],
            ),
            Key::Partial(wire) => self.run("DELETE FROM partials WHERE wire = ?1", params![wire.0]),
            _ => Ok(()),
        }
    }

    fn run(&self, sql: &str, values: &[&dyn ToSql]) -> rusqlite::Result<()> {
        self.tx.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}
