//! Unfinished QR transfers, kept in the home between runs.
//!
//! What it is: one file a transfer in `partials/`, in the form that `fountain::Partial` defines.
//! Who calls it: `qr read` and `qr scan`. What can go wrong: a damaged file (its transfer is forgotten: the
//! frames can be shown again), too many (the oldest goes).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use packmule_bus::fountain::Partial;
use packmule_node::Home;

use crate::fault::Fault;
use crate::flow::files;

/// Unfinished transfers kept at most, while reading and on the disk: one may hold some 4 MiB, and
/// strangers start them.
pub(crate) const MAX_KEPT: usize = 16;

fn dir(home: &Home) -> PathBuf {
    home.dir().join("partials")
}

/// What was kept, oldest first.
pub(crate) fn load(home: &Home) -> Result<Vec<Partial>, Fault> {
    let mut partials = Vec::new();
    for path in files_in(&dir(home))? {
        let bytes = fs::read(&path).map_err(|err| Fault::file("read", &path, &err))?;
        match Partial::from_bytes(&bytes) {
            Ok(partial) => partials.push(partial),
            // Nothing but frames that can be shown again is in it.
            Err(_) => remove(&path)?,
        }
    }
    Ok(partials)
}

/// Keeps exactly these.
pub(crate) fn keep(home: &Home, partials: &[Partial]) -> Result<(), Fault> {
    let dir = dir(home);
    if !partials.is_empty() {
        files::make_dir(&dir)?;
    }
    let mut names = Vec::new();
    for partial in partials.iter().rev().take(MAX_KEPT) {
        let shape = partial.shape();
        let name = format!(
            "{}-{}-{}.partial",
            partial.transfer(),
            shape.object_bytes(),
            shape.symbol_bytes()
        );
        let path = dir.join(&name);
        let bytes = partial.to_bytes();
        // Frames that brought nothing new leave the file, and its age, as they are.
        if fs::read(&path).ok().as_deref() != Some(&bytes) {
            files::write_whole(&path, &bytes)?;
        }
        names.push(path);
    }
    for path in files_in(&dir)? {
        if !names.contains(&path) {
            remove(&path)?;
        }
    }
    Ok(())
}

fn files_in(dir: &Path) -> Result<Vec<PathBuf>, Fault> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(err) => return Err(Fault::file("list", dir, &err)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|err| Fault::file("list", dir, &err))?;
        let age = entry
            .metadata()
            .and_then(|meta| meta.modified())
            .unwrap_or(SystemTime::UNIX_EPOCH);
        found.push((age, entry.path()));
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

fn remove(path: &Path) -> Result<(), Fault> {
    match fs::remove_file(path) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
            Err(Fault::file("remove", path, &err))
        }
        _ => Ok(()),
    }
}
