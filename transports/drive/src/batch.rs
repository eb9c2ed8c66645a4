//! Many small messages in one file: `<posix seconds>--<base32 sha256[..26]>.dcb`.
//!
//! What is it: the bytes of such a file, and [`Folder::deliver_batches`]. Who calls it: `packmule
//! export --batch`, and `collect`. A file of 2 kB takes a cluster of up to 128 kB on a stick and
//! an `fsync` of its own; together they take their length, in our compact form. What can go
//! wrong: others than packmule do not know such files, so that nothing is written so unless it is
//! asked for; a torn file is found by the hash in its name, and as a whole.
//!
//! ```text
//! 70 6b 6d 62 01          "pkmb", version 1
//! <length, 4 bytes, big-endian> <an envelope in its wire or identity form>    and so on
//! ```
//! All messages of a file are for one recipient, who removes it when it has them all.

use std::ops::Range;

use crate::{
    deliver::{DeliverError, Delivered, Writer},
    folder::Folder,
    name::FileName,
};

/// The longest batch that is read, in bytes.
pub const MAX_BATCH: u64 = 8 << 20;
/// The longest message in a batch, in bytes of its wire form: a longer one wastes little as a file
/// of its own, and can be read by others.
pub const MAX_IN_BATCH: usize = 2 << 20;
/// A batch is closed when it has so many bytes.
const FULL: usize = 2 << 20;
/// Or so many messages: each costs its reader something beside its bytes.
const MOST: usize = 8 << 10;
const MAGIC: &[u8] = b"pkmb\x01";
/// The length in front of a message.
const LENGTH: usize = 4;

impl Folder {
    /// Writes messages for one recipient, each in its wire form and no longer than
    /// [`MAX_IN_BATCH`], as few files; durable as [`Folder::deliver_all`] does it.
    ///
    /// `done(index, …)` is called for each message once it is durable, in the order given. Returns
    /// how many were new: the same messages in the same order make the same file.
    ///
    /// # Errors
    /// The messages reported so far are safe, and those after them were not written.
    pub fn deliver_batches<B: AsRef<[u8]>>(
        &self,
        wires: impl IntoIterator<Item = B>,
        now_secs: u64,
        mut done: impl FnMut(usize, &Delivered),
    ) -> Result<usize, DeliverError> {
        let mut writer = Writer::begin(self, now_secs)?;
        let (mut fresh, mut first, mut next) = (0, 0, 0);
        let mut bytes = MAGIC.to_vec();
        let mut outcome = Ok(());
        for wire in wires {
            let wire = wire.as_ref();
            let length = u32::try_from(wire.len()).ok();
            let Some(length) = length.filter(|_| (1..=MAX_IN_BATCH).contains(&wire.len())) else {
                let size = wire.len() as u64;
                outcome = Err(DeliverError::TooLarge { size });
                break;
            };
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(wire);
            next += 1;
            if bytes.len() >= FULL || next - first >= MOST {
                outcome = writer.stage_file(first..next, &bytes, FileName::of_batch);
                if outcome.is_err() {
                    break;
                }
                (first, bytes) = (next, MAGIC.to_vec());
                if writer.is_batch_full() {
                    fresh += writer.commit(&mut done)?;
                }
            }
        }
        if outcome.is_ok() && first < next {
            outcome = writer.stage_file(first..next, &bytes, FileName::of_batch);
        }
        // What was staged before the fault is whole: it goes out, then the fault is told.
        fresh += writer.commit(&mut done)?;
        outcome.map(|()| fresh)
    }
}

/// Where each message of a batch lies. `None`: it is none, or has an end of a message missing.
pub(crate) fn records(bytes: &[u8]) -> Option<Vec<Range<usize>>> {
    let mut at = bytes.starts_with(MAGIC).then_some(MAGIC.len())?;
    let mut records = Vec::new();
    while at < bytes.len() {
        let length = bytes.get(at..)?.first_chunk::<LENGTH>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let start = at + LENGTH;
        at = start.checked_add(length)?;
        let too_many = records.len() >= MOST;
        if length == 0 || length > MAX_IN_BATCH || at > bytes.len() || too_many {
            return None;
        }
        records.push(start..at);
    }
    (!records.is_empty()).then_some(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(records: &[&[u8]]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for record in records {
            bytes.extend_from_slice(&u32::try_from(record.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(record);
        }
        bytes
    }

    #[test]
    fn every_cut_of_a_batch_is_found() {
        let whole = batch(&[b"one", b"and two"]);
        let ranges = records(&whole).unwrap();
        let texts: Vec<&[u8]> = ranges.into_iter().map(|at| &whole[at]).collect();
        assert_eq!(texts, [&b"one"[..], b"and two"]);
        let between = batch(&[b"one"]).len();
        for cut in 0..whole.len() {
            // Cut between two it is a batch of fewer; the hash in its name tells.
            assert_eq!(records(&whole[..cut]).is_some(), cut == between, "{cut}");
        }
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        assert_eq!(records(&batch(&[])), None);
        assert_eq!(records(&batch(&[b""])), None);
        assert_eq!(records(b"pkmb\x02\0\0\0\x01x"), None);
        assert_eq!(records(b"pkmb\x01\xff\xff\xff\xffx"), None);
        assert_eq!(records(&batch(&[&vec![0; MAX_IN_BATCH + 1]])), None);
        assert!(records(&batch(&[&vec![0; MAX_IN_BATCH]])).is_some());
        assert!(records(&batch(&vec![&b"x"[..]; MOST])).is_some());
        assert_eq!(records(&batch(&vec![&b"x"[..]; MOST + 1])), None);
    }
}
