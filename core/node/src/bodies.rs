//! The bytes of messages: each once, whoever refers to it.
//!
//! Called by the inbox, the outbox and the bus's records. A body is any form that
//! [`Envelope::decode`] reads, or a packed message in JSON. Up to [`INLINE`] bytes it is a row of
//! `bodies`; a larger one is a file in `bodies/` that a row names, written and synced, with its
//! folder, before that row is committed. Names of files are never used again, so that a file can
//! be removed after the commit that let go of it. What can go wrong: a crash between the two
//! leaves a file that nothing names, which [`Shelf::sweep`] removes; a file that vanished is told
//! as damage.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use packmule_bus::{DecodeError, Envelope, EnvelopeId, MAX_ENVELOPE};
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    error::{HomeError, damaged},
    home::sync_dir,
};

/// Longest body that is a row, in bytes. Above, a file costs less: SQLite would write it twice.
pub(crate) const INLINE: usize = 64 << 10;
/// Files younger than this are left alone by the sweep: another process may be about to commit.
const SETTLING: Duration = Duration::from_secs(3600);
const FOLDER: &str = "bodies";

/// The folder of large bodies.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    dir: PathBuf,
}

/// A body that is ready for its row.
pub(crate) enum Staged<'a> {
    /// It goes into the row.
    Row(&'a [u8]),
    /// It is in this file already.
    File(String),
}

impl Shelf {
    pub(crate) fn in_home(home: &Path) -> Self {
        Self {
            dir: home.join(FOLDER),
        }
    }

    /// Readies a body: a large one is in a synced file afterwards, whose name is not durable
    /// before [`Self::sync`].
    pub(crate) fn stage<'a>(
        &self,
        id: &EnvelopeId,
        form: &'a [u8],
    ) -> Result<Staged<'a>, HomeError> {
        if form.len() <= INLINE {
            return Ok(Staged::Row(form));
        }
        let (name, mut file) = self.fresh(id)?;
        let written = file.write_all(form).and_then(|()| file.sync_data());
        if let Err(error) = written {
            self.remove(&name);
            return Err(error.into());
        }
        Ok(Staged::File(name))
    }

    /// Makes the names of staged files durable.
    pub(crate) fn sync(&self) -> Result<(), HomeError> {
        Ok(sync_dir(&self.dir)?)
    }

    /// Removes a file, after the commit that let go of it. What fails here is swept later.
    pub(crate) fn remove(&self, name: &str) {
        let _ = fs::remove_file(self.dir.join(name));
    }

    /// Removes files like [`Self::remove`].
    pub(crate) fn remove_all(&self, names: impl IntoIterator<Item = String>) {
        names.into_iter().for_each(|name| self.remove(&name));
    }

    /// Removes what no row names, and answers what rows name and is not there.
    pub(crate) fn sweep(&self, db: &Connection) -> Result<Vec<String>, HomeError> {
        let mut named = db
            .prepare("SELECT file FROM bodies WHERE file IS NOT NULL ORDER BY file")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<Vec<String>, _>>()?;
        let listing = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(named),
            other => other?,
        };
        let mut there = vec![false; named.len()];
        for entry in listing {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            match named.binary_search(&name) {
                Ok(at) => there.iter_mut().skip(at).take(1).for_each(|it| *it = true),
                Err(_) if is_settled(&entry.path()) => self.remove(&name),
                Err(_) => {}
            }
        }
        let mut there = there.into_iter();
        named.retain(|_| there.next() == Some(false));
        Ok(named)
    }

    fn fresh(&self, id: &EnvelopeId) -> Result<(String, File), HomeError> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        for attempt in 0_u32..10_000 {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let nanos = since.map_or(0, |since| since.as_nanos());
            let name = format!("{}-{nanos:x}-{attempt}", id.short());
            match options.open(self.dir.join(&name)) {
                Ok(file) => return Ok((name, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    DirBuilder::new()
                        .recursive(true)
                        .mode(0o700)
                        .create(&self.dir)?;
                    self.dir.parent().map_or(Ok(()), sync_dir)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(HomeError::Io(io::ErrorKind::AlreadyExists.into()))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, HomeError> {
        let gone = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => damaged(format!("{FOLDER}/{name} is missing")),
            _ => error.into(),
        };
        let file = File::open(self.dir.join(name)).map_err(gone)?;
        let mut bytes = Vec::new();
        // No form is twice as long as the longest message.
        file.take(2 * MAX_ENVELOPE as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Writes the row of a staged body, unless there is one. A wire form takes the place of another
/// form: it is what links ask for. Answers the file that is not needed any more, to be removed
/// after the commit.
pub(crate) fn put(
    db: &Connection,
    id: &EnvelopeId,
    staged: Staged<'_>,
    wire: bool,
) -> rusqlite::Result<Option<String>> {
    let (form, file) = match staged {
        Staged::Row(form) => (Some(form), None),
        Staged::File(name) => (None, Some(name)),
    };
    let mut insert = db.prepare_cached(
        "INSERT OR IGNORE INTO bodies (envelope, wire, form, file) VALUES (?1, ?2, ?3, ?4)",
    )?;
    if insert.execute(params![id.as_bytes(), wire, form, file])? == 1 {
        return Ok(None);
    }
    let former: (bool, Option<String>) = db
        .prepare_cached("SELECT wire, file FROM bodies WHERE envelope = ?1")?
        .query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if former.0 || !wire {
        return Ok(file);
    }
    db.prepare_cached("UPDATE bodies SET wire = 1, form = ?2, file = ?3 WHERE envelope = ?1")?
        .execute(params![id.as_bytes(), form, file])?;
    Ok(former.1)
}

/// Is the wire form of this message here?
pub(crate) fn has_wire(db: &Connection, id: &EnvelopeId) -> bool {
    let found = db
        .prepare_cached("SELECT wire FROM bodies WHERE envelope = ?1")
        .and_then(|mut query| query.query_row([id.as_bytes()], |row| row.get(0)));
    found.unwrap_or(false)
}

/// Drops a body that nobody refers to any more. Answers its file, to be removed after the
/// commit.
pub(crate) fn release(db: &Connection, id: &EnvelopeId) -> rusqlite::Result<Option<String>> {
    // Who refers to it: the inbox; the outbox until it is acknowledged, has expired or was
    // refused; a bundle in custody until it is delivered.
    let sql = "DELETE FROM bodies WHERE envelope = ?1
        AND NOT EXISTS (SELECT 1 FROM inbox WHERE envelope = ?1)
        AND NOT EXISTS (SELECT 1 FROM outbox WHERE envelope = ?1 AND state < 2)
        AND NOT EXISTS (SELECT 1 FROM held WHERE envelope = ?1 AND state <> 1)
        RETURNING file";
    let file: Option<Option<String>> = db
        .prepare_cached(sql)?
        .query_row([id.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(file.flatten())
}

/// A body as it is kept, and whether it is a wire form.
pub(crate) fn get(
    db: &Connection,
    shelf: &Shelf,
    id: &EnvelopeId,
) -> Result<Option<(Vec<u8>, bool)>, HomeError> {
    type Columns = (bool, Option<Vec<u8>>, Option<String>);
    let found: Option<Columns> = db
        .prepare_cached("SELECT wire, form, file FROM bodies WHERE envelope = ?1")?
        .query_row([id.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    Ok(match found {
        Some((wire, Some(form), _)) => Some((form, wire)),
        Some((wire, None, Some(name))) => Some((shelf.read(&name)?, wire)),
        Some((_, None, None)) => return Err(damaged(format!("message {id} has no bytes"))),
        None => None,
    })
}

/// The envelope whose body is kept, checked against its id.
pub(crate) fn envelope(
    db: &Connection,
    shelf: &Shelf,
    id: &EnvelopeId,
) -> Result<Option<Envelope>, HomeError> {
    let Some((form, _)) = get(db, shelf, id)? else {
        return Ok(None);
    };
    let broken = |error: &dyn std::fmt::Display| damaged(format!("message {id}: {error}"));
    let envelope = match Envelope::decode(&form) {
        // The first version kept what was queued in JSON.
        Err(DecodeError::NotAnEnvelope) => {
            Envelope::from_packed(&form).map_err(|error| broken(&error))?
        }
        other => other.map_err(|error| broken(&error))?,
    };
    if envelope.id() != *id {
        return Err(broken(&"it has other bytes than it came with"));
    }
    Ok(Some(envelope))
}

/// The wire form of a body that is kept. Not checked against its id: whoever it goes to does that.
pub(crate) fn wire(
    db: &Connection,
    shelf: &Shelf,
    id: &EnvelopeId,
) -> Result<Option<Vec<u8>>, HomeError> {
    Ok(match get(db, shelf, id)? {
        Some((form, true)) => Some(form),
        Some(_) => envelope(db, shelf, id)?.map(|envelope| envelope.to_wire()),
        None => None,
    })
}

/// Was it written long enough ago that no commit waits for it?
fn is_settled(path: &Path) -> bool {
    let modified = fs::metadata(path).and_then(|facts| facts.modified());
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > SETTLING))
}
