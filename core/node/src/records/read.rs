//! All records back, a page at a time, so that a restart needs no memory for what it reads.

use std::collections::BTreeSet;

use packmule_bus::{
    EnvelopeId,
    bus::io::{Arrived, Held, HeldState, NodeKey, Origin, Partial, Record, Verdict, WireHash},
    label::DidTag,
    receipt::{Reason, Receipt},
};
use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::{
    labels::{LABEL, label, names, takers},
    pieces,
};
use crate::{HomeError, bodies::Shelf, peers::from_sql};

/// Records read at once.
const PAGE: usize = 256;

/// The records of a store, as an iterator. What it could not read is told by [`Self::troubles`]
/// and left out.
pub(crate) struct Restored<'a> {
    db: &'a Connection,
    /// Messages whose file is gone.
    gone: BTreeSet<EnvelopeId>,
    table: usize,
    /// The last key of the page before.
    after: Vec<u8>,
    page: Vec<Record>,
    troubles: Vec<String>,
}

impl<'a> Restored<'a> {
    /// Sweeps the shelf, then begins to read.
    pub(crate) fn begin(db: &'a Connection, shelf: &Shelf) -> Result<Self, HomeError> {
        let mut restored = Self {
            db,
            gone: BTreeSet::new(),
            table: 0,
            after: Vec::new(),
            page: Vec::new(),
            troubles: Vec::new(),
        };
        for name in shelf.sweep(db)? {
            let sql = "SELECT envelope FROM bodies WHERE file = ?1";
            let id: Option<[u8; 32]> = db.query_row(sql, [&name], |row| row.get(0)).optional()?;
            restored.gone.extend(id.map(EnvelopeId::from_bytes));
            let what = format!("bodies/{name} is missing: that message cannot be carried");
            restored.troubles.push(what);
        }
        Ok(restored)
    }

    /// What could not be read, for people.
    pub(crate) fn troubles(self) -> Vec<String> {
        self.troubles
    }

    fn fill(&mut self) -> rusqlite::Result<()> {
        while self.page.is_empty() {
            let columns = match self.table {
                0 => page(self.db, HELD, &self.after, held)?,
                1 => page(self.db, ARRIVED, &self.after, arrived)?,
                2 => page(self.db, SEEN, &self.after, seen)?,
                3 => page(self.db, RECEIPTS, &self.after, receipt)?,
                4 => page(self.db, PARTIALS, &self.after, partial)?,
                _ => return Ok(()),
            };
            let Some((last, _)) = columns.last() else {
                self.table += 1;
                self.after = Vec::new();
                continue;
            };
            self.after.clone_from(last);
            for (key, record) in columns {
                self.sort(&key, record)?;
            }
            self.page.reverse();
        }
        Ok(())
    }

    fn sort(&mut self, key: &[u8], record: Option<Record>) -> rusqlite::Result<()> {
        match record {
            Some(Record::Held(held)) if self.gone.contains(&held.id) => {}
            Some(Record::Partial(mut partial)) => {
                partial.pieces = pieces::read(self.db, &partial.wire)?;
                self.page.push(Record::Partial(partial));
            }
            Some(record) => self.page.push(record),
            None => {
                let key = data_encoding::HEXLOWER.encode(key);
                self.troubles.push(format!("record {key} is damaged"));
            }
        }
        Ok(())
    }
}

/// At most so many partials that are no longer than this, of messages that have not come otherwise.
pub(crate) fn unfinished(
    db: &Connection,
    longest: u64,
    most: usize,
    to: &[DidTag],
) -> rusqlite::Result<Vec<Partial>> {
    let mut found = Vec::new();
    let mut after = Vec::new();
    loop {
        let rows = page(db, PARTIALS, &after, partial)?;
        let Some((last, _)) = rows.last() else {
            return Ok(found);
        };
        after.clone_from(last);
        for (_, record) in rows {
            let Some(Record::Partial(mut partial)) = record else {
                continue;
            };
            let ours = to.contains(&partial.label.to);
            if ours && partial.bytes <= longest && !has_arrived(db, &partial.id)? {
                partial.pieces = pieces::read(db, &partial.wire)?;
                found.push(partial);
            }
            if found.len() >= most {
                return Ok(found);
            }
        }
    }
}

/// Did this message arrive?
pub(crate) fn has_arrived(db: &Connection, id: &EnvelopeId) -> rusqlite::Result<bool> {
    let mut query = db.prepare_cached("SELECT 1 FROM inbox WHERE envelope = ?1")?;
    query.exists([id.as_bytes()])
}

impl Iterator for &mut Restored<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        if let Err(error) = self.fill() {
            self.troubles.push(HomeError::from(error).to_string());
            // The other tables may be whole.
            self.table += 1;
            self.after = Vec::new();
            return (self.table < 5).then(|| self.next()).flatten();
        }
        self.page.pop()
    }
}

const HELD: &str = "SELECT envelope, wire, bytes, {label}, origin, node, since, only_by, takers, \
                    state, reason FROM held WHERE envelope > ?1 ORDER BY envelope LIMIT ?2";
const ARRIVED: &str = "SELECT envelope, recipient, transport, at, expires, verdict, bytes \
                       FROM arrived WHERE envelope > ?1 ORDER BY envelope LIMIT ?2";
const SEEN: &str = "SELECT envelope, until FROM seen WHERE envelope > ?1 ORDER BY envelope \
                    LIMIT ?2";
const RECEIPTS: &str = "SELECT signature, ids, refused, at, did, kid FROM receipts \
                        WHERE signature > ?1 ORDER BY signature LIMIT ?2";
const PARTIALS: &str = "SELECT wire, envelope, bytes, {label}, at FROM partials \
                        WHERE wire > ?1 ORDER BY wire LIMIT ?2";

/// The keys and records of one page; no record where a row makes no sense.
type Page = Vec<(Vec<u8>, Option<Record>)>;

fn page(
    db: &Connection,
    sql: &str,
    after: &[u8],
    read: fn(&Row<'_>) -> rusqlite::Result<Option<Record>>,
) -> rusqlite::Result<Page> {
    rows(
        db,
        &sql.replace("{label}", LABEL),
        (after, PAGE as i64),
        read,
    )
}

fn rows(
    db: &Connection,
    sql: &str,
    values: impl Params,
    read: fn(&Row<'_>) -> rusqlite::Result<Option<Record>>,
) -> rusqlite::Result<Page> {
    let mut query = db.prepare_cached(sql)?;
    // A column of a wrong type or length is a damaged row, not a failed store.
    let rows = query.query_map(values, |row| Ok((row.get(0)?, read(row).unwrap_or(None))))?;
    rows.collect()
}

fn held(row: &Row<'_>) -> rusqlite::Result<Option<Record>> {
    let origin = match (row.get(8)?, row.get(9)?) {
        (0, _) => Origin::Own,
        (1, Some(key)) => Origin::From(NodeKey(key)),
        (2, _) => Origin::Mailbox,
        (3, Some(key)) => Origin::Friend(NodeKey(key)),
        _ => return Ok(None),
    };
    let reason = row.get::<_, Option<u8>>(14)?.and_then(Reason::from_byte);
    let state = match (row.get(13)?, reason) {
        (0, _) => HeldState::Waiting,
        (1, _) => HeldState::Delivered,
        (2, Some(reason)) => HeldState::Dead(reason),
        _ => return Ok(None),
    };
    let Some(takers) = takers(&row.get::<_, String>(12)?) else {
        return Ok(None);
    };
    Ok(Some(Record::Held(Held {
        id: EnvelopeId::from_bytes(row.get(0)?),
        wire: WireHash(row.get(1)?),
        bytes: from_sql(row.get(2)?),
        label: label(row, 3)?,
        origin,
        since: from_sql(row.get(10)?),
        by: names(&row.get::<_, String>(11)?),
        takers,
        state,
    })))
}

fn arrived(row: &Row<'_>) -> rusqlite::Result<Option<Record>> {
    let acknowledged = match row.get::<_, Option<u8>>(5)? {
        None => None,
        Some(0) => Some(Verdict::Kept),
        Some(byte) => match Reason::from_byte(byte) {
            Some(reason) => Some(Verdict::Refused(reason)),
            None => return Ok(None),
        },
    };
    Ok(Some(Record::Inbox(Arrived {
        id: EnvelopeId::from_bytes(row.get(0)?),
        to: DidTag::from_bytes(row.get(1)?),
        bytes: from_sql(row.get(6)?),
        transport: row.get(2)?,
        at: from_sql(row.get(3)?),
        expires: row.get::<_, Option<i64>>(4)?.map(from_sql),
        acknowledged,
    })))
}

fn seen(row: &Row<'_>) -> rusqlite::Result<Option<Record>> {
    let until = row.get::<_, Option<i64>>(1)?.map(from_sql);
    Ok(Some(Record::Seen(
        EnvelopeId::from_bytes(row.get(0)?),
        until,
    )))
}

fn receipt(row: &Row<'_>) -> rusqlite::Result<Option<Record>> {
    let ids: Vec<u8> = row.get(1)?;
    let (ids, rest) = ids.as_chunks::<32>();
    let refused = match row.get::<_, Option<u8>>(2)? {
        None => None,
        Some(byte) => match Reason::from_byte(byte) {
            None => return Ok(None),
            reason => reason,
        },
    };
    if !rest.is_empty() {
        return Ok(None);
    }
    Ok(Some(Record::Receipt(Receipt {
        ids: ids.iter().copied().map(EnvelopeId::from_bytes).collect(),
        refused,
        at: from_sql(row.get(3)?),
        did: row.get(4)?,
        kid: row.get(5)?,
        signature: row.get(0)?,
    })))
}

/// Its pieces are read apart.
fn partial(row: &Row<'_>) -> rusqlite::Result<Option<Record>> {
    Ok(Some(Record::Partial(Partial {
        wire: WireHash(row.get(0)?),
        id: EnvelopeId::from_bytes(row.get(1)?),
        bytes: from_sql(row.get(2)?),
        label: label(row, 3)?,
        pieces: Vec::new(),
        at: from_sql(row.get(8)?),
    })))
}
