//! What a file's name says: whether it is a message, of which kind, its place in the order, and
//! (when we wrote it) the hash of its bytes.
//!
//! Called by the listing and the writer. Names are foreign data: every name parses to a value or
//! to `None`, of any length and in any bytes.

use std::{cmp::Ordering, fmt, str::FromStr};

use data_encoding::BASE32_NOPAD;
use packmule_bus::Kind;
use sha2::{Digest, Sha256};

/// How many base32 characters of the SHA-256 a name carries: 130 bits.
const HASH_CHARS: usize = 26;
/// The extension of a batch. The filesystem transport extension knows it not, so that others
/// ignore such files.
const BATCH: &str = "dcb";
/// The extension of the rest of a message, which others ignore too.
const REST: &str = "dcr";

/// What the extension tells about one file name, by the filesystem transport's naming rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageName {
    /// The kind that the extension declares. Never [`Kind::Other`].
    pub kind: Kind,
    /// The number before `--`, when the name begins with one.
    pub ordinal: Option<Ordinal>,
    /// The hash that the name claims, when it has our form `<digits>--<26 base32>.<extension>`.
    pub hash: Option<FileHash>,
}

impl MessageName {
    /// Reads a file name (no folders). `None`: not a message, to be ignored, as the extension's
    /// "Format and Naming conventions" demand. Extensions match in any case, because FAT may give
    /// back upper case.
    pub fn parse(name: &str) -> Option<Self> {
        let (stem, extension) = name.rsplit_once('.')?;
        let kind = [Kind::Encrypted, Kind::Signed, Kind::Plaintext]
            .into_iter()
            .find(|kind| extension.eq_ignore_ascii_case(kind.extension()))?;
        let (ordinal, hash) = match stem.split_once("--") {
            Some((digits, rest)) => match Ordinal::parse(digits) {
                Some(ordinal) => (Some(ordinal), rest.parse().ok()),
                None => (None, None),
            },
            None => (None, None),
        };
        Some(Self {
            kind,
            ordinal,
            hash,
        })
    }

    /// The name that we give to a message: lower case, digits and hyphens only, so that every
    /// file system takes it.
    pub fn ours(posix_secs: u64, hash: &FileHash, kind: Kind) -> String {
        format!("{posix_secs}--{hash}.{}", kind.extension())
    }
}

/// What a file of the endpoint folder is for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// One packed message, of the kind that the extension tells. Never [`Kind::Other`].
    Message(Kind),
    /// Many messages, see [`crate::batch`]: for those who know it.
    Batch,
    /// Frames of a message that another medium began, see [`crate::rest`].
    Rest,
}

/// A file name that is read here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileName {
    pub(crate) content: Content,
    pub(crate) ordinal: Option<Ordinal>,
    pub(crate) hash: Option<FileHash>,
}

impl FileName {
    /// Reads a file name (no folders). What only we write must bear our form, with a hash.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        if let Some(MessageName {
            kind,
            ordinal,
            hash,
        }) = MessageName::parse(name)
        {
            return Some(Self {
                content: Content::Message(kind),
                ordinal,
                hash,
            });
        }
        let (stem, extension) = name.rsplit_once('.')?;
        let (digits, hash) = stem.split_once("--")?;
        let content = match extension {
            batch if batch.eq_ignore_ascii_case(BATCH) => Content::Batch,
            rest if rest.eq_ignore_ascii_case(REST) => Content::Rest,
            _ => return None,
        };
        Some(Self {
            content,
            ordinal: Some(Ordinal::parse(digits)?),
            hash: Some(hash.parse().ok()?),
        })
    }

    /// The name that we give to a batch.
    pub(crate) fn of_batch(posix_secs: u64, hash: &FileHash) -> String {
        format!("{posix_secs}--{hash}.{BATCH}")
    }

    /// The name that we give to the rest of a message.
    pub(crate) fn of_rest(posix_secs: u64, hash: &FileHash) -> String {
        format!("{posix_secs}--{hash}.{REST}")
    }
}

/// An ordinal prefix. It orders numerically and may have any number of digits: no stranger's
/// counter overflows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordinal {
    /// The digits without leading zeros.
    digits: String,
}

impl Ordinal {
    fn parse(digits: &str) -> Option<Self> {
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(Self {
            digits: digits.trim_start_matches('0').to_owned(),
        })
    }
}

impl Ord for Ordinal {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_length = self.digits.len().cmp(&other.digits.len());
        by_length.then_with(|| self.digits.cmp(&other.digits))
    }
}

impl PartialOrd for Ordinal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The first 26 characters of the lower-case base32 of the SHA-256 of a file's bytes. It names
/// files and receipts; it is not the `EnvelopeId`, which does not change when JSON is rewritten.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileHash(String);

impl FileHash {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut text = BASE32_NOPAD.encode(&Sha256::digest(bytes)).to_lowercase();
        text.truncate(HASH_CHARS);
        Self(text)
    }

    /// The 26 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Exactly 26 characters of `a`–`z` and `2`–`7`, in any case; nothing else is a hash.
impl FromStr for FileHash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let fits = text.len() == HASH_CHARS
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || (b'2'..=b'7').contains(&byte));
        fits.then(|| Self(text.to_ascii_lowercase()))
            .ok_or(NotAHash)
    }
}

/// The text is not 26 characters of base32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 26 characters of base32")]
pub struct NotAHash;

/// Is this the name of a per-thread subfolder, `<thread id>.thid`?
pub(crate) fn is_thread_folder(name: &str) -> bool {
    has_extension(name, "thid")
}

/// Is this the name of a thread prefix subfolder, `<first 3 characters>.threads`?
pub(crate) fn is_prefix_folder(name: &str) -> bool {
    has_extension(name, "threads")
        && name
            .rsplit_once('.')
            .is_some_and(|(prefix, _)| prefix.chars().count() == 3)
}

/// Is this a temporary file as we name it, `<our message name>.<anything>.tmp`?
pub(crate) fn is_our_tmp(name: &str) -> bool {
    let Some((writing, _unique)) = name
        .strip_suffix(".tmp")
        .and_then(|rest| rest.rsplit_once('.'))
    else {
        return false;
    };
    FileName::parse(writing).is_some_and(|parsed| parsed.hash.is_some())
}

fn has_extension(name: &str, extension: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(stem, found)| !stem.is_empty() && found.eq_ignore_ascii_case(extension))
}

#[cfg(test)]
mod tests;
