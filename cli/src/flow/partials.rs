//! Unfinished QR transfers, kept in the home between runs.
//!
//! What it is: one file a transfer in `partials/`, in the form that `fountain::Partial` defines; and
//! one for each unfinished foreign row of codes (UR, BBQr), the codes themselves, one a line. Who
//! calls it: `qr read` and `qr scan`. What can go wrong: a damaged file (its transfer is forgotten:
//! the frames can be shown again), too many (the oldest goes).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use packmule_bus::Fragment;
use packmule_bus::fountain::Partial;
use packmule_node::Home;
use packmule_transports::qr::{Parts, Reader};

use crate::fault::Fault;
use crate::flow::files;

/// Ends the names of files with foreign rows of codes.
const ROW: &str = "codes";

/// Unfinished transfers kept at most, while reading and on the disk: one may hold some 4 MiB, and
/// strangers start them.
pub(crate) const MAX_KEPT: usize = 16;

/// What is held of what is unfinished.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    /// Transfers of our own frames, the latest last.
    pub(crate) partials: Vec<Partial>,
    /// Foreign rows of codes.
    pub(crate) parts: Vec<Parts>,
    /// What links have begun: fewer codes are needed.
    pub(crate) begun: Vec<Fragment>,
}

impl Held {
    /// All that a reader holds.
    pub(crate) fn of(reader: &Reader) -> Self {
        Self {
            partials: reader.partials(),
            parts: reader.parts().to_vec(),
            begun: Vec::new(),
        }
    }
}

/// What was kept, oldest first.
pub(crate) fn load(home: &Home) -> Result<Held, Fault> {
    let mut held = Held {
        begun: home.arriving()?,
        ..Held::default()
    };
    for path in files_in(&home.scans())? {
        let bytes = fs::read(&path).map_err(|err| Fault::file("read", &path, &err))?;
        if path.extension().is_some_and(|extension| extension == ROW) {
            held.parts.push(Parts::from_bytes(&bytes));
            continue;
        }
        match Partial::from_bytes(&bytes) {
            Ok(partial) => held.partials.push(partial),
            // Nothing but frames that can be shown again is in it.
            Err(_) => remove(&path)?,
        }
    }
    Ok(held)
}

/// Keeps exactly these.
pub(crate) fn keep(home: &Home, held: &Held) -> Result<(), Fault> {
    let dir = home.scans();
    let partials = held.partials.iter().rev().take(MAX_KEPT).map(|partial| {
        let shape = partial.shape();
        let name = format!(
            "{}-{}-{}.partial",
            partial.transfer(),
            shape.object_bytes(),
            shape.symbol_bytes()
        );
        (name, partial.to_bytes())
    });
    let rows = held.parts.iter().rev().take(MAX_KEPT);
    let rows = rows.map(|row| (format!("{}.{ROW}", row.name()), row.to_bytes()));
    let mut names = Vec::new();
    for (name, bytes) in partials.chain(rows) {
        if names.is_empty() {
            files::make_dir(&dir)?;
        }
        let path = dir.join(&name);
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
