//! The rest of a message that another medium began: asked for, and written.
//!
//! What is it: `want/<transfer>-<F>-<T>-<received>-<beyond>.want`, an empty file by which a
//! recipient says how far it is; and `<posix seconds>--<base32 sha256[..26]>.dcr`, by which the
//! sender answers: frames of the bus's fountain (`packmule_bus::fountain`), each with its length
//! before it, and no more of them than are lacking. Who calls it: `packmule import` asks and
//! takes, `packmule export` answers. What can go wrong: anybody may write either. A wish costs a
//! file that nobody needs and never the message itself, which waits on until its recipient has it;
//! frames are checked as a whole by whoever puts them together.
//!
//! ```text
//! 70 6b 6d 72 01          "pkmr", version 1
//! <length, 2 bytes, big-endian> <a frame>    and so on
//! ```

use packmule_bus::fountain::{self, Fountain, Partial, Shape, TransferId};

use crate::{
    collect::{CollectError, Unread, read_named},
    deliver::{DeliverError, Delivered, Writer},
    folder::{Folder, FolderError},
    listing::Listing,
    marks::{MarkError, Marks},
    name::{Content, FileName},
    settle::Token,
};

/// The longest file of frames that is read, in bytes: those of the longest object in symbols so
/// short that its frames are half as long again.
pub const MAX_REST: u64 = (fountain::MAX_OBJECT + fountain::MAX_OBJECT / 2) as u64;
/// Most wishes that are read.
const WISHES: usize = 1000;
/// So many frames more than are lacking: with as many symbols as the message has the code fails
/// once in a hundred times, with two more once in a million.
const SPARE: u32 = 2;
/// Symbol ids have 24 bits.
const IDS: u32 = 1 << 24;
/// The subfolder of wishes.
const WANTS: &str = "want";
const MAGIC: &[u8] = b"pkmr\x01";
/// The length in front of a frame.
const LENGTH: usize = 2;

/// How far its recipient is with a message that it has begun to get.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Want {
    /// Which message: the beginning of its wire form's hash.
    pub transfer: TransferId,
    /// How it is to be cut.
    pub shape: Shape,
    /// Different symbols that are there.
    pub received: u32,
    /// Symbols from this id on are all new.
    pub beyond: u32,
}

impl Want {
    /// What is lacking of this.
    #[must_use]
    pub fn rest_of(partial: &Partial) -> Self {
        let ids = || partial.symbols().map(|(id, _)| id);
        Self {
            transfer: partial.transfer(),
            shape: partial.shape(),
            // All of them and yet not whole happens, rarely: one more is wanted.
            received: u32::try_from(ids().count())
                .unwrap_or(u32::MAX)
                .min(partial.shape().source_count().saturating_sub(1)),
            beyond: ids().max().map_or(0, |last| last.saturating_add(1)),
        }
    }

    /// Is it the same message, cut in the same way?
    fn is_of(&self, other: &Self) -> bool {
        self.transfer == other.transfer && self.shape == other.shape
    }

    /// Is something lacking, and are there so many frames beyond what it has?
    fn can_be_answered(&self) -> bool {
        let end = self.beyond.checked_add(self.shape.source_count() + SPARE);
        self.received < self.shape.source_count() && end.is_some_and(|end| end <= IDS)
    }

    fn name(&self) -> String {
        format!(
            "{}-{}-{}-{}-{}.want",
            self.transfer,
            self.shape.object_bytes(),
            self.shape.symbol_bytes(),
            self.received,
            self.beyond
        )
    }

    fn read(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(".want")?.split('-');
        let mut next = || parts.next();
        let transfer = next().filter(|hex| hex.len() == 8)?;
        let transfer = u32::from_str_radix(transfer, 16).ok()?;
        let mut number = || next()?.parse::<u32>().ok();
        let (object, symbol, received, beyond) = (number()?, number()?, number()?, number()?);
        let shape = Shape::new(object as usize, symbol as usize).ok()?;
        let want = Self {
            transfer: TransferId::from_bytes(transfer.to_be_bytes()),
            shape,
            received,
            beyond,
        };
        // Written otherwise it could not be removed again.
        (want.name() == name && want.can_be_answered()).then_some(want)
    }
}

/// Frames that a sender wrote for somebody who lacks them.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rest {
    /// As it lies in the file; all of it is frames.
    bytes: Vec<u8>,
    /// The path below the endpoint folder, for people.
    pub name: String,
    /// To be given to [`Folder::settle`] once what they brought is durable on our side.
    pub token: Token,
}

impl Rest {
    /// The frames, as they are.
    pub fn frames(&self) -> impl Iterator<Item = &[u8]> {
        frames(&self.bytes).map_while(|frame| frame)
    }
}

impl Folder {
    /// Asks for what is lacking, durably; what was asked before of the same messages is replaced.
    ///
    /// # Errors
    /// The medium takes no wish: then whoever comes brings the whole.
    pub fn ask(&self, wants: &[Want]) -> Result<(), MarkError> {
        let marks = Marks::of(self, WANTS);
        let before = match wants {
            [] => Vec::new(),
            _ => self.wanted()?,
        };
        marks.put(wants.iter().map(Want::name))?;
        let outdated = |old: &&Want| wants.iter().any(|want| want.is_of(old) && want != *old);
        for old in before.iter().filter(outdated) {
            marks.remove(&old.name())?;
        }
        Ok(())
    }

    /// What is asked for on this medium.
    ///
    /// # Errors
    /// The medium cannot be read.
    pub fn wanted(&self) -> Result<Vec<Want>, MarkError> {
        let mut wants = Marks::of(self, WANTS).all(Want::read)?;
        wants.truncate(WISHES);
        Ok(wants)
    }

    /// Removes a wish that was answered, or that nobody has any more.
    ///
    /// # Errors
    /// The medium lets nothing be removed.
    pub fn forget_want(&self, want: &Want) -> Result<(), MarkError> {
        Marks::of(self, WANTS).remove(&want.name())
    }

    /// Writes the frames of this wire form that are lacking, durably, as
    /// [`deliver`](Folder::deliver) does it.
    ///
    /// # Errors
    /// Nothing was written.
    pub fn deliver_rest(
        &self,
        wire: &[u8],
        want: &Want,
        now_secs: u64,
    ) -> Result<Delivered, DeliverError> {
        let symbol = usize::from(want.shape.symbol_bytes());
        let fountain = Fountain::new(wire, symbol).map_err(|_| DeliverError::NotAMessage)?;
        let same = fountain.shape() == want.shape && fountain.transfer() == want.transfer;
        if !same || !want.can_be_answered() {
            return Err(DeliverError::NotAMessage);
        }
        let lacking = fountain.source_count().saturating_sub(want.received);
        let mut bytes = MAGIC.to_vec();
        for id in (want.beyond..IDS).take((lacking + SPARE) as usize) {
            let frame = fountain.frame(id).map_err(|_| DeliverError::NotAMessage)?;
            let length = u16::try_from(frame.len()).unwrap_or(u16::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&frame);
        }
        let mut writer = Writer::begin(self, now_secs)?;
        writer.stage_file(0..1, &bytes, FileName::of_rest)?;
        let mut delivered = None;
        writer.commit(&mut |_, one: &Delivered| delivered = Some(one.clone()))?;
        delivered.ok_or(DeliverError::NotAMessage)
    }

    /// What senders have written for those who lack it, the oldest first and a file at a time. What
    /// cannot be read is told, and left in place.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn rests(&self) -> Result<impl Iterator<Item = Result<Rest, CollectError>>, CollectError> {
        let dir = match self.dir() {
            Err(FolderError::Missing(_)) if self.is_implied() => None,
            other => Some(other?),
        };
        let entries = match &dir {
            Some(dir) => {
                Listing::ordered(dir)
                    .map_err(CollectError::of_folder)?
                    .entries
            }
            None => Vec::new(),
        };
        let all = entries
            .into_iter()
            .filter(|one| one.name.content == Content::Rest);
        Ok(all.filter_map(move |entry| {
            let name = entry.display();
            match read_named(dir.as_ref()?, entry, &name) {
                Ok((bytes, token)) if frames(&bytes).all(|frame| frame.is_some()) => {
                    Some(Ok(Rest { bytes, name, token }))
                }
                Ok(_) => Some(Err(CollectError::Damaged { name })),
                Err(Unread::Fault(fault)) => Some(Err(fault)),
                Err(Unread::System(errno)) => CollectError::of_file(name, errno).map(Err),
            }
        }))
    }
}

/// The frames of a file; `None`, once and at the end: it is none of ours, or the end of one is
/// missing.
fn frames(bytes: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    let mut rest = bytes.strip_prefix(MAGIC).filter(|rest| !rest.is_empty());
    let mut torn = rest.is_none();
    std::iter::from_fn(move || {
        if std::mem::take(&mut torn) {
            return Some(None);
        }
        let Some((length, after)) = rest?.split_first_chunk::<LENGTH>() else {
            // Nothing is left, or the end of a length is missing.
            return (!rest.take()?.is_empty()).then_some(None);
        };
        let length = usize::from(u16::from_be_bytes(*length));
        let frame = after.get(..length).filter(|_| length > fountain::OVERHEAD);
        rest = frame.and_then(|_| after.get(length..));
        Some(frame)
    })
}
