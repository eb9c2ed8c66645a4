//! zstd with a built-in dictionary, over text only.
//!
//! What is it: compression of the text stream with dictionaries that are part of the format:
//! number *n* of this list never changes. They are made by
//! `cargo run -p packmule-bus --example dictionary` (see `dictionaries/README.md`). The frame is
//! stored without its four magic bytes, checksum, size and dictionary id, all of which are
//! known. Who calls it: `wire`. What can go wrong: hostile frames: the output has the declared
//! length or it is refused, and nothing is allocated beyond that.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::CParameter;

use crate::envelope::DecodeError;

/// Dictionary number 1.
const FIRST: &[u8] = include_bytes!("../../dictionaries/1.zdict");
/// The dictionary that is written with.
pub(super) const CURRENT: usize = 1;
/// RFC 8878 §3.1.1.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// Up to this many bytes small is worth a fraction of a millisecond; beyond, speed counts.
const SHORT: usize = 4096;
/// The level for short text.
const SMALLEST: i32 = 19;
/// The level for long text. Of those with matching worth the name none is faster; what gains time
/// on prose (-10: half of it) nearly doubles the bytes, and our channels are slower than zstd.
const FAST: i32 = 3;

thread_local! {
    // Making a context costs as much as compressing 64 kB with it: a megabyte of tables is
    // mapped and the dictionary digested. Nothing of one text shows in the next.
    static SHORT_TEXT: RefCell<Option<Compressor<'static>>> = RefCell::new(compressor(SMALLEST));
    static LONG_TEXT: RefCell<Option<Compressor<'static>>> = RefCell::new(compressor(FAST));
    static ANY_TEXT: RefCell<Option<Decompressor<'static>>> =
        RefCell::new(Decompressor::with_dictionary(FIRST).ok());
}

fn compressor(level: i32) -> Option<Compressor<'static>> {
    let mut compressor = Compressor::with_dictionary(level, FIRST).ok()?;
    for parameter in [
        CParameter::ContentSizeFlag(false),
        CParameter::DictIdFlag(false),
        CParameter::ChecksumFlag(false),
    ] {
        compressor.set_parameter(parameter).ok()?;
    }
    Some(compressor)
}

/// Least text that is worth a frame.
const LEAST: usize = 12;

/// The text compressed with [`CURRENT`], when that is shorter.
pub(super) fn deflate(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() < LEAST {
        return None;
    }
    let context = if text.len() <= SHORT {
        &SHORT_TEXT
    } else {
        &LONG_TEXT
    };
    let mut frame = context.with_borrow_mut(|c| c.as_mut()?.compress(text).ok())?;
    if !frame.starts_with(&ZSTD_MAGIC) {
        return None;
    }
    frame.drain(..ZSTD_MAGIC.len());
    (frame.len() < text.len()).then_some(frame)
}

/// Decompresses to exactly `length` bytes. The caller has bounded `length`.
pub(super) fn inflate(
    dictionary: usize,
    frame: &[u8],
    length: usize,
) -> Result<Vec<u8>, DecodeError> {
    let damaged = DecodeError::Malformed("text that does not decompress");
    if dictionary != CURRENT {
        return Err(DecodeError::Malformed("unknown dictionary"));
    }
    let mut source = Vec::with_capacity(frame.len() + ZSTD_MAGIC.len());
    source.extend_from_slice(&ZSTD_MAGIC);
    source.extend_from_slice(frame);
    let text = ANY_TEXT
        .with_borrow_mut(|d| d.as_mut()?.decompress(&source, length).ok())
        .ok_or(damaged)?;
    if text.len() != length {
        return Err(damaged);
    }
    Ok(text)
}
