//! A whole copy of a store while others go on, and a store from such a copy.
//!
//! Called by [`super::SqliteStore`], on a thread of its own, and by operators beside a running
//! gateway. The copy is written under another name and synced before it takes its own, so that a
//! backup is whole or not there. What can go wrong: the disk of the copy; then nothing of it
//! stays. While it is written the store's log grows by what is written meanwhile.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::fault::damaged;
use super::schema;
use crate::store::{Moment, StoreError};

/// What `SQLite` keeps beside a store.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

pub(super) fn write(store: &Path, to: &Path) -> Result<(), StoreError> {
    if is_same(store, to)? {
        return Err(StoreError::Broken {
            what: "a store is not a backup of itself".to_owned(),
        });
    }
    let part = named(to, ".part");
    // `VACUUM INTO` is refused to a connection that may only query, although it changes nothing.
    let db = schema::beside(store)?;
    let outcome = copy(&db, &part).and_then(|()| Ok(fs::rename(&part, to)?));
    if outcome.is_err() {
        let _ = fs::remove_file(&part);
        return outcome;
    }
    sync_folder(to)
}

/// Puts a copy of a backup where a store is to be, and answers where the one that was there is
/// now. Nobody may have that one open.
pub(super) fn restore(from: &Path, store: &Path) -> Result<Option<PathBuf>, StoreError> {
    if is_same(from, store)? {
        return Err(StoreError::Broken {
            what: "a store is not a backup of itself".to_owned(),
        });
    }
    let part = named(store, ".part");
    if let Err(fault) = fetch(from, &part) {
        let _ = fs::remove_file(&part);
        return Err(fault);
    }
    let before = if store.try_exists()? {
        let before = named(store, &format!(".before-{}", Moment::now().as_millis()));
        // After a crash part of it is in its log; a damaged one stays as it is.
        let _ = schema::beside(store)
            .and_then(|db| Ok(db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?));
        for name in BESIDE {
            match fs::rename(named(store, name), named(&before, name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        // A second name, so that there is a store at every moment.
        fs::hard_link(store, &before)?;
        Some(before)
    } else {
        None
    };
    fs::rename(&part, store)?;
    sync_folder(store)?;
    Ok(before)
}

/// Copies a backup and looks whether it is one, whole.
fn fetch(from: &Path, part: &Path) -> Result<(), StoreError> {
    let mut source = File::open(from)?;
    // What a restore left that was killed.
    for name in BESIDE {
        let _ = fs::remove_file(named(part, name));
    }
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let mut copy = options.open(part)?;
    io::copy(&mut source, &mut copy)?;
    copy.sync_all()?;
    drop(copy);
    // Root may do this for a service that has a user of its own.
    if let Some(folder) = part.parent().filter(|it| !it.as_os_str().is_empty()) {
        let (home, own) = (fs::metadata(folder)?, fs::metadata(part)?);
        if (home.uid(), home.gid()) != (own.uid(), own.gid()) {
            chown(part, Some(home.uid()), Some(home.gid()))?;
        }
    }
    // An empty file would be made a store.
    if schema::pragma(&schema::beside(part)?, "application_id")? == 0 {
        return Err(damaged(format!("{} is no backup", from.display())));
    }
    let db = schema::open(part)?;
    let word: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if word != "ok" {
        return Err(damaged(format!("{}: {word}", from.display())));
    }
    // One of an older version was changed just now, and only this file is taken over.
    let busy: i64 = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy != 0 {
        return Err(StoreError::Broken {
            what: format!("{} is in use", part.display()),
        });
    }
    db.close().map_err(|(_, error)| StoreError::from(error))?;
    Ok(File::open(part)?.sync_all()?)
}

fn named(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    PathBuf::from(name)
}

fn sync_folder(of: &Path) -> Result<(), StoreError> {
    let folder = of.parent().filter(|folder| !folder.as_os_str().is_empty());
    Ok(File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()?)
}

fn copy(db: &Connection, part: &Path) -> Result<(), StoreError> {
    match fs::remove_file(part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    // An empty file that is there already is written to: so nobody else may read it.
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(part)?;
    let name = part.to_str().ok_or_else(|| StoreError::Broken {
        what: "the name of the copy is not UTF-8".to_owned(),
    })?;
    db.execute("VACUUM INTO ?1", [name])?;
    Ok(file.sync_all()?)
}

fn is_same(store: &Path, to: &Path) -> io::Result<bool> {
    match fs::metadata(to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
        Ok(there) => {
            let here = fs::metadata(store)?;
            Ok((there.dev(), there.ino()) == (here.dev(), here.ino()))
        }
    }
}
