//! Tags of type 2: a message in pages of four bytes (NFC Forum, Type 2 Tag 1.1): stickers.
//!
//! What is it: [`read`] and [`write()`] for a tag in our field. Who calls it: the command line, the
//! fuzzer. What can go wrong: foreign tags; blocks inside the memory are followed within its size
//! only, and a tag taken away while it is written is an empty one.

use std::time::Duration;

use crate::chip::ApduLink;
use crate::t4t::TagError;

/// How long a tag may take: writing a page takes some milliseconds.
const WAIT: Duration = Duration::from_millis(100);
/// Bytes of a page.
const PAGE: usize = 4;
/// The first page that is free for all, behind name, locks and capabilities.
const FIRST: usize = 4;
/// Pages that one byte can name.
const PAGES: usize = 256;

/// Blocks of the memory: nothing, a message, the end.
const NULL: u8 = 0;
const MESSAGE: u8 = 3;
const TERMINATOR: u8 = 0xfe;

/// Where the message's block is.
struct Block {
    /// Of its first byte, from the first free page on.
    at: usize,
    /// Bytes from there to the memory's end.
    room: usize,
    locked: bool,
}

/// Reads the message; empty if there is none.
///
/// # Errors
/// If the tag cannot be read, or is none of type 2 with a message.
pub fn read(tag: &mut dyn ApduLink) -> Result<Vec<u8>, TagError> {
    let mut memory = Memory::open(tag)?;
    let block = memory.find()?;
    memory.message(&block)
}

/// Writes a message: first none, then it, then its length.
///
/// # Errors
/// If it does not go on the tag, or the tag cannot be written.
pub fn write(tag: &mut dyn ApduLink, message: &[u8]) -> Result<(), TagError> {
    let mut memory = Memory::open(tag)?;
    let block = memory.find()?;
    if block.locked {
        return Err(TagError::Locked);
    }
    let bytes = message.len();
    let head = if bytes < 255 { 2 } else { 4 };
    let room = block
        .room
        .saturating_sub(if block.room < 257 { 2 } else { 4 });
    let full = || TagError::Full { bytes, room };
    let length = u16::try_from(bytes).map_err(|_| full())?;
    if head + bytes > block.room {
        return Err(full());
    }
    let [high, low] = length.to_be_bytes();
    let mut whole = if head == 2 {
        vec![MESSAGE, low]
    } else {
        vec![MESSAGE, 0xff, high, low]
    };
    whole.extend_from_slice(message);
    if whole.len() < block.room {
        whole.push(TERMINATOR);
    }
    let end = block.at + whole.len();
    // What shares the first and the last page with the block stays.
    let before = memory.bytes(block.at / PAGE * PAGE, block.at)?;
    let after = memory.bytes(end, end.next_multiple_of(PAGE))?;
    let pages: Vec<u8> = [before.as_slice(), &whole, &after].concat();
    let first = FIRST + block.at / PAGE;
    // Until all is there the tag has an empty message: its length is in the first page, or in the
    // first two if the block begins late in one.
    let lengths = (before.len() + head).div_ceil(PAGE);
    let mut empty = pages.get(..lengths * PAGE).unwrap_or(&pages).to_vec();
    for byte in empty.iter_mut().skip(before.len() + 1).take(head - 1) {
        *byte = 0;
    }
    memory.put(first, &empty)?;
    let rest = pages.get(lengths * PAGE..).unwrap_or_default();
    memory.put(first + lengths, rest)?;
    // The last of these pages makes it count.
    let heads = pages.get(..lengths * PAGE).unwrap_or(&pages);
    for n in (0..lengths).rev() {
        let page = heads.get(n * PAGE..(n + 1) * PAGE).unwrap_or_default();
        memory.put(first + n, page)?;
    }
    Ok(())
}

/// The tag's memory, from the first free page on, as far as it was read.
struct Memory<'a> {
    tag: &'a mut dyn ApduLink,
    known: Vec<u8>,
    size: usize,
    locked: bool,
}

impl<'a> Memory<'a> {
    fn open(tag: &'a mut dyn ApduLink) -> Result<Self, TagError> {
        let head = four_pages(tag, 0)?;
        let Some([magic, version, size, access]) = head.last_chunk() else {
            return Err(TagError::Odd("no capabilities"));
        };
        if *magic != 0xe1 {
            return Err(TagError::NoTag("it was never formatted".to_owned()));
        }
        if version >> 4 != 1 || access >> 4 != 0 {
            return Err(TagError::NoTag("it is not for everybody".to_owned()));
        }
        let size = (usize::from(*size) * 8).min((PAGES - FIRST) * PAGE);
        Ok(Self {
            tag,
            known: Vec::new(),
            size,
            locked: access & 0x0f != 0,
        })
    }

    fn byte(&mut self, at: usize) -> Result<u8, TagError> {
        let one = self.bytes(at, at + 1)?;
        one.first().copied().ok_or(TagError::Odd("no byte"))
    }

    /// These bytes, as far as the memory goes.
    fn bytes(&mut self, from: usize, to: usize) -> Result<Vec<u8>, TagError> {
        let to = to.min(self.size);
        while self.known.len() < to {
            let page = FIRST + self.known.len() / PAGE;
            let four = four_pages(self.tag, page)?;
            self.known.extend_from_slice(&four);
        }
        Ok(self.known.get(from..to).unwrap_or_default().to_vec())
    }

    /// The message's block, or where one may be written.
    fn find(&mut self) -> Result<Block, TagError> {
        let mut at = 0;
        while at < self.size {
            let locked = self.locked;
            let room = self.size - at;
            match self.byte(at)? {
                NULL => at += 1,
                MESSAGE | TERMINATOR => return Ok(Block { at, room, locked }),
                _ => {
                    let (head, length) = self.length(at)?;
                    at += head + length;
                }
            }
        }
        Err(TagError::Odd("blocks that do not end"))
    }

    /// Of the block at `at`: bytes before what is in it, and bytes in it.
    fn length(&mut self, at: usize) -> Result<(usize, usize), TagError> {
        match self.byte(at + 1)? {
            0xff => {
                let two = self.bytes(at + 2, at + 4)?;
                let two = <[u8; 2]>::try_from(two).map_err(|_| TagError::Odd("half a length"))?;
                Ok((4, usize::from(u16::from_be_bytes(two))))
            }
            short => Ok((2, usize::from(short))),
        }
    }

    fn message(&mut self, block: &Block) -> Result<Vec<u8>, TagError> {
        if self.byte(block.at)? == TERMINATOR {
            return Ok(Vec::new());
        }
        let (head, length) = self.length(block.at)?;
        if head + length > block.room {
            return Err(TagError::Odd("a message longer than its memory"));
        }
        let from = block.at + head;
        self.bytes(from, from + length)
    }

    /// Writes whole pages.
    fn put(&mut self, first: usize, bytes: &[u8]) -> Result<(), TagError> {
        for (n, four) in bytes.chunks_exact(PAGE).enumerate() {
            let page = u8::try_from(first + n).map_err(|_| TagError::Odd("too many pages"))?;
            let mut command = vec![0xa2, page];
            command.extend_from_slice(four);
            let said = self.tag.exchange(&command, WAIT)?;
            // Some chips pass the four bits of the acknowledgement on, others nothing.
            if !matches!(*said, [] | [0x0a]) {
                return Err(TagError::Locked);
            }
        }
        Ok(())
    }
}

/// Sixteen bytes from this page on.
fn four_pages(tag: &mut dyn ApduLink, page: usize) -> Result<Vec<u8>, TagError> {
    let page = u8::try_from(page).map_err(|_| TagError::Odd("too many pages"))?;
    let said = tag.exchange(&[0x30, page], WAIT)?;
    if said.len() != 4 * PAGE {
        return Err(TagError::NoTag("it does not give its pages".to_owned()));
    }
    Ok(said)
}

#[cfg(test)]
mod tests;
