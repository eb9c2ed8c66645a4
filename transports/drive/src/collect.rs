//! Reading an endpoint folder: names first, then the bytes of one file at a time.
//!
//! Called by `packmule import`. A file that is torn, foreign or hostile is reported by name and
//! left where it is: nothing is ever deleted here.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read},
    ops::Range,
    os::fd::OwnedFd,
    vec,
};

use packmule_bus::{Envelope, EnvelopeError, Kind};
use rustix::{
    fs::{AtFlags, Mode, OFlags, Stat, fstat, openat, statat},
    io::Errno,
};

use crate::{
    batch::{self, MAX_BATCH},
    deliver::MAX_FILE,
    folder::{Folder, FolderError},
    listing::{Entry, Listing, is_regular},
    name::{Content, FileHash},
    rest::MAX_REST,
    settle::Token,
    trouble::{Trouble, errno_of},
};

/// One message as it lies in the folder.
#[derive(Debug)]
#[non_exhaustive]
pub struct Item {
    lies: Lies,
    /// What the file's extension says; the bytes may disagree, and they decide.
    pub kind: Kind,
    /// The path below the endpoint folder, for people.
    pub name: String,
    /// To be given to [`Folder::settle`] once the message is durable on our side.
    pub token: Token,
}

/// How a message lies in the folder.
#[derive(Debug)]
enum Lies {
    /// As a file.
    File(Vec<u8>),
    /// As a record of a batch.
    Record(Box<Envelope>),
}

impl Item {
    /// The packed message, exactly the file's bytes; of a batch, its JSON.
    #[must_use]
    pub fn packed(&self) -> Cow<'_, [u8]> {
        match &self.lies {
            Lies::File(bytes) => Cow::Borrowed(bytes),
            Lies::Record(envelope) => Cow::Owned(envelope.to_json()),
        }
    }

    /// The message, and what settles it.
    ///
    /// # Errors
    /// The file holds no packed message.
    pub fn into_envelope(self) -> (Result<Envelope, EnvelopeError>, Token) {
        let envelope = match self.lies {
            Lies::File(bytes) => Envelope::from_packed(&bytes),
            Lies::Record(envelope) => Ok(*envelope),
        };
        (envelope, self.token)
    }
}

/// Why a folder or one of its files could not be read. [`CollectError::file`] tells which.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {
    /// The folder cannot be opened.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The bytes do not have the hash that the name gives: a torn copy or a failing medium.
    #[error("{name} is damaged: its bytes are not those it was written with; left in place")]
    Damaged {
        /// The path below the endpoint folder.
        name: String,
    },
    /// It bears a message's name and is no regular file.
    #[error("{name} is {what}, not a file; left in place")]
    NotAFile {
        /// The path below the endpoint folder.
        name: String,
        /// What it is instead.
        what: Odd,
    },
    /// A message has at least one byte. A zero-length file is what a crash leaves behind when a
    /// writer did not sync.
    #[error("{name} is empty; left in place")]
    Empty {
        /// The path below the endpoint folder.
        name: String,
    },
    /// A batch that is none, or a record in it that holds no message.
    #[error("{name} is not a batch of messages throughout; left in place")]
    NotABatch {
        /// The path below the endpoint folder.
        name: String,
    },
    /// Larger than [`MAX_FILE`].
    #[error("{name} has {size} bytes, more than a message may have; left in place")]
    TooLarge {
        /// The path below the endpoint folder.
        name: String,
        /// Bytes, as the file system says.
        size: u64,
    },
    /// Permissions or a local fault of this one file; the next may be readable.
    #[error("cannot read {name}: {source}")]
    Unreadable {
        /// The path below the endpoint folder.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// The medium was pulled out. Nothing more will come.
    #[error("the drive is gone: {0}")]
    Gone(io::Error),
    /// The folder could be opened and not listed.
    #[error("cannot list the folder: {0}")]
    Io(io::Error),
}

impl CollectError {
    /// The file that this is about; `None` when it is about the folder as a whole.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Damaged { name }
            | Self::NotAFile { name, .. }
            | Self::Empty { name }
            | Self::NotABatch { name }
            | Self::TooLarge { name, .. }
            | Self::Unreadable { name, .. } => Some(name),
            Self::Folder(_) | Self::Gone(_) | Self::Io(_) => None,
        }
    }

    /// Why a folder could not be listed.
    pub(crate) fn of_folder(errno: Errno) -> Self {
        match Trouble::of(errno) {
            Trouble::Gone => Self::Gone(errno.into()),
            _ => Self::Io(errno.into()),
        }
    }

    /// Why a file could not be read. `None`: another reader took it since the listing.
    pub(crate) fn of_file(name: String, errno: Errno) -> Option<Self> {
        Some(match Trouble::of(errno) {
            Trouble::Missing => return None,
            Trouble::Gone => Self::Gone(errno.into()),
            _ => Self::Unreadable {
                name,
                source: errno.into(),
            },
        })
    }
}

/// What can lie in a folder under a file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Odd {
    /// A folder.
    Folder,
    /// A symbolic link, wherever it points.
    Link,
    /// A pipe, socket or device: opening one may block or act.
    Special,
}

impl std::fmt::Display for Odd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Folder => "a folder",
            Self::Link => "a symbolic link",
            Self::Special => "a pipe, socket or device",
        })
    }
}

impl Folder {
    /// Lists the messages in their order of processing; their bytes are read as the iterator
    /// goes. A `DIDCOMM` folder that was never made is an empty one.
    pub fn collect(&self) -> Result<Collect, CollectError> {
        let dir = match self.dir() {
            Err(FolderError::Missing(_)) if self.is_implied() => return Ok(Collect::empty()),
            other => other?,
        };
        let mut listing = Listing::ordered(&dir).map_err(CollectError::of_folder)?;
        listing
            .entries
            .retain(|entry| entry.name.content != Content::Rest);
        Ok(Collect {
            dir: Some(dir),
            truncated: listing.truncated,
            entries: listing.entries.into_iter(),
            batch: None,
        })
    }
}

/// The messages of one folder, read one at a time. After [`CollectError::Gone`] it ends.
#[derive(Debug)]
pub struct Collect {
    dir: Option<OwnedFd>,
    entries: vec::IntoIter<Entry>,
    truncated: bool,
    /// The batch that is being read.
    batch: Option<Records>,
}

/// What is still to be read of a batch, the next one last.
#[derive(Debug)]
struct Records {
    name: String,
    bytes: Vec<u8>,
    rest: Vec<(Range<usize>, Token)>,
    /// One of them was no message.
    bad: bool,
}

impl Records {
    fn next(&mut self) -> Option<Result<Item, CollectError>> {
        let (envelope, token) = loop {
            let Some((range, token)) = self.rest.pop() else {
                // Told once, however many there are.
                let name = std::mem::take(&mut self.bad).then(|| self.name.clone())?;
                return Some(Err(CollectError::NotABatch { name }));
            };
            match self.bytes.get(range).map(Envelope::decode) {
                Some(Ok(envelope)) => break (envelope, token),
                _ => self.bad = true,
            }
        };
        Some(Ok(Item {
            kind: envelope.kind(),
            lies: Lies::Record(Box::new(envelope)),
            name: self.name.clone(),
            token,
        }))
    }
}

impl Collect {
    fn empty() -> Self {
        Self {
            dir: None,
            entries: Vec::new().into_iter(),
            truncated: false,
            batch: None,
        }
    }

    /// How many files and messages of an open batch are still to be read, for a progress bar.
    pub fn remaining(&self) -> usize {
        let of_batch = self.batch.as_ref().map_or(0, |batch| batch.rest.len());
        self.entries.len() + of_batch
    }

    /// The folder held more than one listing takes; settle these, then collect again.
    pub fn truncated(&self) -> bool {
        self.truncated
    }
}

impl Iterator for Collect {
    type Item = Result<Item, CollectError>;

    fn next(&mut self) -> Option<Self::Item> {
        let dir = self.dir.as_ref()?;
        loop {
            if let Some(next) = self.batch.as_mut().and_then(Records::next) {
                return Some(next);
            }
            self.batch = None;
            let entry = self.entries.next()?;
            match read_entry(dir, entry) {
                Ok(Some(Found::One(item))) => return Some(Ok(item)),
                Ok(Some(Found::Many(batch))) => self.batch = Some(batch),
                // Another reader took it since the listing.
                Ok(None) => {}
                Err(error) => {
                    if matches!(error, CollectError::Gone(_)) {
                        self.entries = Vec::new().into_iter();
                    }
                    return Some(Err(error));
                }
            }
        }
    }
}

/// What a file held.
enum Found {
    One(Item),
    Many(Records),
}

fn read_entry(endpoint: &OwnedFd, entry: Entry) -> Result<Option<Found>, CollectError> {
    let name = entry.display();
    let content = entry.name.content;
    let (bytes, token) = match read_named(endpoint, entry, &name) {
        Ok(read) => read,
        Err(Unread::Fault(fault)) => return Err(fault),
        Err(Unread::System(errno)) => {
            return CollectError::of_file(name, errno).map_or(Ok(None), Err);
        }
    };
    Ok(Some(match content {
        Content::Message(kind) => Found::One(Item {
            lies: Lies::File(bytes),
            kind,
            name,
            token,
        }),
        // They are read apart: see `rest`.
        Content::Rest => return Ok(None),
        Content::Batch => {
            let Some(ranges) = batch::records(&bytes) else {
                return Err(CollectError::NotABatch { name });
            };
            let count = u32::try_from(ranges.len()).unwrap_or(u32::MAX);
            let mut rest: Vec<_> = ranges.into_iter().zip(token.shared(count)).collect();
            rest.reverse();
            Found::Many(Records {
                name,
                bytes,
                rest,
                bad: false,
            })
        }
    }))
}

/// Reads a file whose bytes have the hash that its name gives, if it gives one.
pub(crate) fn read_named(
    endpoint: &OwnedFd,
    entry: Entry,
    name: &str,
) -> Result<(Vec<u8>, Token), Unread> {
    let (bytes, stat) = read_file(endpoint, &entry, name)?;
    let hash = FileHash::of(&bytes);
    if entry.name.hash.as_ref().is_some_and(|claim| *claim != hash) {
        let name = name.to_owned();
        return Err(Unread::Fault(CollectError::Damaged { name }));
    }
    Ok((bytes, Token::new(entry, &stat, hash)))
}

/// Why a file gave no bytes.
pub(crate) enum Unread {
    Fault(CollectError),
    System(Errno),
}

impl From<Errno> for Unread {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

/// Reads at most [`MAX_FILE`] bytes of a regular file. It is looked at before it is opened,
/// because opening a device may act; and opened so that a pipe that takes its place in between
/// does not block.
fn read_file(endpoint: &OwnedFd, entry: &Entry, name: &str) -> Result<(Vec<u8>, Stat), Unread> {
    let parent = entry.parent(endpoint)?;
    let before = statat(&parent, &entry.file, AtFlags::SYMLINK_NOFOLLOW)?;
    refuse_odd(&before, name)?;
    let flags =
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(&parent, &entry.file, flags, Mode::empty())?;
    let stat = fstat(&file)?;
    refuse_odd(&stat, name)?;
    let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    let too_large = |size| {
        let name = name.to_owned();
        Unread::Fault(CollectError::TooLarge { name, size })
    };
    let most = match entry.name.content {
        Content::Message(_) => MAX_FILE,
        Content::Batch => MAX_BATCH,
        Content::Rest => MAX_REST,
    };
    if size > most {
        return Err(too_large(size));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    File::from(file)
        .take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Unread::System(errno_of(&error)))?;
    let read = bytes.len() as u64;
    if read > most {
        return Err(too_large(read));
    }
    if bytes.is_empty() {
        let name = name.to_owned();
        return Err(Unread::Fault(CollectError::Empty { name }));
    }
    Ok((bytes, stat))
}

/// Is this file whole: does it hold the bytes of that hash?
pub(crate) fn holds_hash(endpoint: &OwnedFd, entry: &Entry, hash: &FileHash) -> bool {
    read_file(endpoint, entry, "").is_ok_and(|(bytes, _)| FileHash::of(&bytes) == *hash)
}

fn refuse_odd(stat: &Stat, name: &str) -> Result<(), Unread> {
    use rustix::fs::FileType;
    if is_regular(stat) {
        return Ok(());
    }
    let what = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Odd::Folder,
        FileType::Symlink => Odd::Link,
        _ => Odd::Special,
    };
    let name = name.to_owned();
    Err(Unread::Fault(CollectError::NotAFile { name, what }))
}
