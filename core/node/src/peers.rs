//! The address book: whom we know, under which names and DIDs, with which documents.
//!
//! Called by `accept`, `send`, `peers` and by whatever resolves DIDs offline. A peer has one
//! current DID and any number of aliases: the short form of a did:peer:4, DIDs it rotated from.

use packmule_agent::did::{DidDoc, short_form};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};
use serde_json::Value;

use crate::{
    error::{HomeError, damaged},
    home::{Home, now},
};

/// Longest name, in bytes: names are typed.
const MAX_NAME: usize = 100;
/// The topic of notes on the DIDs (did:peer:4: short forms) of removed peers; the value is when,
/// in posix seconds.
pub const REMOVED_PEERS: &str = "removed-peer";

/// One peer.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerRecord {
    /// The name we gave it; unique, compared without case.
    pub name: String,
    /// Its current DID, in the longest form we know.
    pub did: String,
    /// Its DID document.
    pub doc: Value,
    /// When it was added, in posix seconds.
    pub added: u64,
}

/// Why the address book was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// Empty, over 100 bytes, with control characters, or in the form of a DID.
    #[error("{0:?} cannot be a peer's name: use a short word that does not begin with \"did:\"")]
    BadName(String),
    /// Another peer has this name.
    #[error("there is a peer {0:?} already; choose another name")]
    NameTaken(String),
    /// Another peer has this DID.
    #[error("{0} is known already, as another peer")]
    DidTaken(String),
    /// No peer has this name or DID.
    #[error("no peer {0:?}; `packmule peers` lists them")]
    Unknown(String),
    /// The disk.
    #[error(transparent)]
    Home(#[from] HomeError),
}

impl Home {
    /// Adds a peer.
    pub fn add_peer(&self, peer: &PeerRecord) -> Result<(), PeerError> {
        check_name(&peer.name)?;
        self.change(|tx| {
            refuse_foreign(tx, &peer.did, None)?;
            tx.execute(
                "INSERT INTO peers (name, did, doc, added) VALUES (?1, ?2, ?3, ?4)",
                params![
                    peer.name,
                    peer.did,
                    peer.doc.to_string(),
                    to_sql(peer.added)
                ],
            )
            .map_err(|error| taken(error, &peer.name))?;
            add_alias(tx, tx.last_insert_rowid(), &peer.did)
        })
    }

    /// All peers by name.
    pub fn peers(&self) -> Result<Vec<PeerRecord>, HomeError> {
        let db = self.db();
        let mut query = db.prepare("SELECT name, did, doc, added FROM peers ORDER BY name")?;
        let rows = query.query_map([], columns)?;
        rows.map(|row| peer_of(row?)).collect()
    }

    /// The peer with this name, DID, or alias.
    pub fn find_peer(&self, name_or_did: &str) -> Result<Option<PeerRecord>, HomeError> {
        let sql = "SELECT name, did, doc, added FROM peers WHERE name = ?1
                   OR peer = (SELECT peer FROM aliases WHERE did = ?1)";
        let db = self.db();
        let found = db
            .prepare_cached(sql)?
            .query_row([name_or_did], columns)
            .optional()?;
        found.map(peer_of).transpose()
    }

    /// Every DID of the peer with this name, DID, or alias: the present one, former ones, short
    /// forms. Empty when there is no such peer.
    pub fn dids_of(&self, name_or_did: &str) -> Result<Vec<String>, HomeError> {
        let db = self.db();
        let mut query = db.prepare_cached(
            "SELECT did FROM aliases WHERE peer IN (
               SELECT peer FROM peers WHERE name = ?1
               UNION SELECT peer FROM aliases WHERE did = ?1)",
        )?;
        let rows = query.query_map([name_or_did], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Replaces the name, DID and document of the peer that `known_as` names. Its former DIDs
    /// stay its aliases, so that late messages are still attributed (DID rotation).
    pub fn update_peer(&self, known_as: &str, peer: &PeerRecord) -> Result<(), PeerError> {
        check_name(&peer.name)?;
        self.change(|tx| {
            let id = peer_id(tx, known_as)?;
            refuse_foreign(tx, &peer.did, Some(id))?;
            tx.execute(
                "UPDATE peers SET name = ?2, did = ?3, doc = ?4 WHERE peer = ?1",
                params![id, peer.name, peer.did, peer.doc.to_string()],
            )
            .map_err(|error| taken(error, &peer.name))?;
            add_alias(tx, id, &peer.did)
        })
    }

    /// How many peers there are.
    pub fn peer_count(&self) -> Result<usize, HomeError> {
        let count: i64 = self
            .db()
            .query_row("SELECT count(*) FROM peers", [], |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Forgets a peer and its aliases. Messages to and from it stay, and so do notes under
    /// [`REMOVED_PEERS`] that its DIDs were removed.
    pub fn remove_peer(&self, name_or_did: &str) -> Result<(), PeerError> {
        self.change(|tx| {
            let id = peer_id(tx, name_or_did)?;
            for did in aliases(tx, id)? {
                let key = short_form(&did).unwrap_or(&did);
                tx.execute(
                    "INSERT OR REPLACE INTO notes (topic, key, value) VALUES (?1, ?2, ?3)",
                    params![REMOVED_PEERS, key, now().to_string()],
                )
                .map_err(HomeError::from)?;
            }
            tx.execute("DELETE FROM peers WHERE peer = ?1", [id])
                .map_err(HomeError::from)?;
            Ok(())
        })
    }

    /// Keeps a resolved document for use without a network (did:web, long forms).
    pub fn keep_doc(&self, did: &str, doc: &DidDoc, fetched: u64) -> Result<(), HomeError> {
        self.change(|tx| {
            tx.execute(
                "INSERT INTO docs (did, doc, fetched) VALUES (?1, ?2, ?3)
                 ON CONFLICT (did) DO UPDATE SET doc = excluded.doc, fetched = excluded.fetched",
                params![did, doc.to_json().to_string(), to_sql(fetched)],
            )?;
            Ok(())
        })
    }

    /// All kept documents, as (DID, document, when fetched), to fill a `DocBook`.
    pub fn kept_docs(&self) -> Result<Vec<(String, Value, u64)>, HomeError> {
        let db = self.db();
        let mut query = db.prepare("SELECT did, doc, fetched FROM docs ORDER BY did")?;
        let rows = query.query_map([], |row| {
            let doc: String = row.get(1)?;
            Ok((row.get(0)?, doc, row.get::<_, i64>(2)?))
        })?;
        rows.map(|row| {
            let (did, doc, fetched) = row?;
            Ok((did, json(&doc)?, from_sql(fetched)))
        })
        .collect()
    }

    /// Reads a note.
    pub fn note(&self, topic: &str, key: &str) -> Result<Option<String>, HomeError> {
        let sql = "SELECT value FROM notes WHERE topic = ?1 AND key = ?2";
        let db = self.db();
        Ok(db
            .prepare_cached(sql)?
            .query_row([topic, key], |row| row.get(0))
            .optional()?)
    }
}

/// What changes with every peer, DID of one, kept document, or way.
pub(crate) type Standing = ([i64; 4], String);

/// How the address book stands, for those with a connection of their own.
pub(crate) fn standing(db: &Connection) -> rusqlite::Result<Standing> {
    let sql = "SELECT (SELECT count(*) FROM peers), (SELECT coalesce(max(peer), 0) FROM peers),
                      (SELECT count(*) FROM aliases),
                      (SELECT coalesce(max(fetched), 0) FROM docs),
                      (SELECT coalesce(group_concat(peer || ' ' || rank || ' ' || way), '')
                       FROM ways)";
    db.prepare_cached(sql)?.query_row([], |row| {
        let numbers = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
        Ok((numbers, row.get(4)?))
    })
}

/// A name must be typeable, and never be taken for a DID.
pub(crate) fn check_name(name: &str) -> Result<(), PeerError> {
    let bad = name.trim().is_empty()
        || name.len() > MAX_NAME
        || name.starts_with("did:")
        || name.chars().any(char::is_control);
    if bad {
        return Err(PeerError::BadName(name.to_owned()));
    }
    Ok(())
}

fn peer_id(db: &Connection, known_as: &str) -> Result<i64, PeerError> {
    db.query_row(
        "SELECT peer FROM peers WHERE name = ?1
         OR peer = (SELECT peer FROM aliases WHERE did = ?1)",
        [known_as],
        |row| row.get(0),
    )
    .optional()
    .map_err(HomeError::from)?
    .ok_or_else(|| PeerError::Unknown(known_as.to_owned()))
}

fn aliases(db: &Connection, peer: i64) -> Result<Vec<String>, HomeError> {
    let mut query = db.prepare_cached("SELECT did FROM aliases WHERE peer = ?1")?;
    let rows = query.query_map([peer], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A DID belongs to one peer: otherwise one could pass for the other.
fn refuse_foreign(db: &Connection, did: &str, own: Option<i64>) -> Result<(), PeerError> {
    let owner: Option<i64> = db
        .query_row("SELECT peer FROM aliases WHERE did = ?1", [did], |row| {
            row.get(0)
        })
        .optional()
        .map_err(HomeError::from)?;
    if owner.is_some() && owner != own {
        return Err(PeerError::DidTaken(did.to_owned()));
    }
    Ok(())
}

pub(crate) fn add_alias(db: &Connection, peer: i64, did: &str) -> Result<(), PeerError> {
    db.execute(
        "INSERT OR IGNORE INTO aliases (did, peer) VALUES (?1, ?2)",
        params![did, peer],
    )
    .map_err(HomeError::from)?;
    Ok(())
}

/// The DID was checked before, so a broken uniqueness is the name's.
fn taken(error: rusqlite::Error, name: &str) -> PeerError {
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => PeerError::NameTaken(name.to_owned()),
        _ => HomeError::from(error).into(),
    }
}

type Columns = (String, String, String, i64);

fn columns(row: &Row<'_>) -> rusqlite::Result<Columns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn peer_of((name, did, doc, added): Columns) -> Result<PeerRecord, HomeError> {
    Ok(PeerRecord {
        name,
        did,
        doc: json(&doc)?,
        added: from_sql(added),
    })
}

fn json(text: &str) -> Result<Value, HomeError> {
    serde_json::from_str(text).map_err(|error| damaged(format!("a DID document: {error}")))
}

/// SQLite has signed integers only; no real time reaches the limit.
pub(crate) fn to_sql(secs: u64) -> i64 {
    i64::try_from(secs).unwrap_or(i64::MAX)
}

pub(crate) fn from_sql(secs: i64) -> u64 {
    u64::try_from(secs).unwrap_or(0)
}
