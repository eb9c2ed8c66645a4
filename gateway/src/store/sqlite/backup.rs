//! A whole copy of a store while others go on.
//!
//! Called by [`super::SqliteStore`], on a thread of its own. The copy is written under another
//! name and synced before it takes its own, so that a backup is whole or not there. What can go
//! wrong: the disk of the copy; then nothing of it stays. While it is written the store's log
//! grows by what is written meanwhile.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::schema;
use crate::store::StoreError;

pub(super) fn write(store: &Path, to: &Path) -> Result<(), StoreError> {
    if is_same(store, to)? {
        return Err(StoreError::Broken {
            what: "a store is not a backup of itself".to_owned(),
        });
    }
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    // `VACUUM INTO` is refused to a connection that may only query, although it changes nothing.
    let db = schema::beside(store)?;
    let outcome = copy(&db, &part).and_then(|()| Ok(fs::rename(&part, to)?));
    if outcome.is_err() {
        let _ = fs::remove_file(&part);
        return outcome;
    }
    let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty());
    Ok(File::open(dir.unwrap_or_else(|| Path::new(".")))?.sync_all()?)
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
