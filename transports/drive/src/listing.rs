//! The messages of an endpoint folder, by name and in order; no byte of them is read here.
//!
//! Called by `collect` and by the writer's duplicate check. The folder may be hostile: names that
//! are not UTF-8 are ignored, links are not followed, memory is bounded by [`MAX_LISTED`].

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, statat},
    io::{Errno, Result},
};

use crate::name::{FileName, is_prefix_folder, is_thread_folder};

/// Most messages held in one listing, and most subfolders visited.
pub(crate) const MAX_LISTED: usize = 250_000;

/// One message's place and name.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Subfolders between the endpoint and the file: none, `x.thid`, `abc.threads`, or both.
    pub(crate) folders: Vec<String>,
    pub(crate) file: String,
    pub(crate) name: FileName,
    /// Time of last change in nanoseconds since 1970, for the order of unprefixed names.
    modified: i128,
}

impl Entry {
    /// A file just written to the endpoint folder itself.
    pub(crate) fn in_endpoint(file: String, name: FileName) -> Self {
        Self {
            folders: Vec::new(),
            file,
            name,
            modified: 0,
        }
    }

    /// The path below the endpoint folder, for people.
    pub(crate) fn display(&self) -> String {
        let mut path = self.folders.join("/");
        if !path.is_empty() {
            path.push('/');
        }
        path + &self.file
    }

    /// Opens the folder that holds the file, link by link and following none.
    pub(crate) fn parent(&self, endpoint: &OwnedFd) -> Result<OwnedFd> {
        open_below(endpoint, &self.folders)
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) entries: Vec<Entry>,
    /// There was more than [`MAX_LISTED`].
    pub(crate) truncated: bool,
    folders_seen: usize,
}

impl Listing {
    /// Every message of the endpoint and of its conforming subfolders, in the order in which they
    /// must be processed: unprefixed by time of change, then prefixed by number
    /// (filesystem transport, "Ordering"). Equal numbers go by time of change, then by name.
    pub(crate) fn ordered(endpoint: &OwnedFd) -> Result<Self> {
        let mut listing = Self::default();
        listing.visit(endpoint, &[], Depth::Endpoint)?;
        listing.entries.sort_by(|a, b| {
            let key = |entry: &Entry| (entry.name.ordinal.clone(), entry.modified);
            key(a).cmp(&key(b)).then_with(|| a.file.cmp(&b.file))
        });
        Ok(listing)
    }

    /// Does this folder hold a message, or a subfolder made for messages?
    pub(crate) fn any_message(endpoint: &OwnedFd) -> Result<bool> {
        for entry in Dir::read_from(endpoint)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().to_str()
                && (FileName::parse(name).is_some()
                    || is_thread_folder(name)
                    || is_prefix_folder(name))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn visit(&mut self, dir: &OwnedFd, folders: &[String], depth: Depth) -> Result<()> {
        let mut subfolders = Vec::new();
        for entry in Dir::read_from(dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if let Some(parsed) = FileName::parse(name) {
                self.add(dir, folders, name, parsed)?;
            } else if let Some(below) = depth.of_subfolder(name, folders) {
                subfolders.push((name.to_owned(), below));
            }
        }
        subfolders.sort();
        for (name, below) in subfolders {
            if self.truncated {
                break;
            }
            self.folders_seen += 1;
            self.truncated |= self.folders_seen > MAX_LISTED;
            let mut path = folders.to_vec();
            path.push(name);
            match open_below(dir, path.last()) {
                Ok(inner) => self.visit(&inner, &path, below)?,
                // A file, a link, or removed meanwhile: not a conforming subfolder.
                Err(Errno::NOTDIR | Errno::LOOP | Errno::NOENT | Errno::ACCESS) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    fn add(&mut self, dir: &OwnedFd, folders: &[String], file: &str, name: FileName) -> Result<()> {
        if self.entries.len() >= MAX_LISTED {
            self.truncated = true;
            return Ok(());
        }
        let stat = match statat(dir, file, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // Another reader took it between the listing and now.
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(errno),
        };
        self.entries.push(Entry {
            folders: folders.to_vec(),
            file: file.to_owned(),
            name,
            modified: modified(&stat),
        });
        Ok(())
    }
}

/// How deep a listing is, hence which subfolders conform.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    Endpoint,
    Prefix,
    Thread,
}

impl Depth {
    /// The extension's text names `/000.threads/000.thid/`, its table `/4ed.threads/4edb801f-…/`:
    /// below a prefix folder both forms are read.
    fn of_subfolder(self, name: &str, folders: &[String]) -> Option<Self> {
        match self {
            Self::Endpoint if is_thread_folder(name) => Some(Self::Thread),
            Self::Endpoint if is_prefix_folder(name) => Some(Self::Prefix),
            Self::Prefix if is_thread_folder(name) => Some(Self::Thread),
            Self::Prefix => {
                let prefix = folders.last()?.rsplit_once('.')?.0;
                let head: String = name.chars().take(3).collect();
                let alike = head.eq_ignore_ascii_case(prefix) && name.len() > head.len();
                alike.then_some(Self::Thread)
            }
            _ => None,
        }
    }
}

/// Opens a subfolder, refusing links at each step.
fn open_below<'a>(dir: &OwnedFd, folders: impl IntoIterator<Item = &'a String>) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut current = openat(dir, ".", flags, Mode::empty())?;
    for folder in folders {
        current = openat(current.as_fd(), folder, flags, Mode::empty())?;
    }
    Ok(current)
}

/// Time of last change in nanoseconds.
pub(crate) fn modified(stat: &Stat) -> i128 {
    i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec)
}

pub(crate) fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}
