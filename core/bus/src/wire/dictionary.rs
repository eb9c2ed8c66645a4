//! zstd with a built-in dictionary, over text only.
//!
//! What is it: compression of the text stream with dictionaries that are part of the format:
//! number *n* of this list never changes. They are made by
//! `cargo run -p packmule-bus --example dictionary` (see `dictionaries/README.md`). The frame is
//! stored without its four magic bytes, checksum, size and dictionary id, all of which are
//! known. Who calls it: `wire`. What can go wrong: hostile frames: the output has the declared
//! length or it is refused, and nothing is allocated beyond that.

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::CParameter;

use crate::envelope::DecodeError;

/// Dictionary number 1.
const FIRST: &[u8] = include_bytes!("../../dictionaries/1.zdict");
/// The dictionary that is written with.
pub(super) const CURRENT: usize = 1;
/// RFC 8878 §3.1.1.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// The level by the length of the text: what is short shall be small whatever it costs (a
/// fraction of a millisecond). For long texts faster levels gain no speed, only size (measured).
const fn level(length: usize) -> i32 {
    match length {
        0..=4096 => 19,
        _ => 3,
    }
}

/// Least text that is worth a frame.
const LEAST: usize = 12;

/// The text compressed with [`CURRENT`], when that is shorter.
pub(super) fn deflate(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() < LEAST {
        return None;
    }
    let mut compressor = Compressor::with_dictionary(level(text.len()), FIRST).ok()?;
    for parameter in [
        CParameter::ContentSizeFlag(false),
        CParameter::DictIdFlag(false),
        CParameter::ChecksumFlag(false),
    ] {
        compressor.set_parameter(parameter).ok()?;
    }
    let mut frame = compressor.compress(text).ok()?;
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
    let mut decompressor = Decompressor::with_dictionary(FIRST).map_err(|_| damaged)?;
    let text = decompressor
        .decompress(&source, length)
        .map_err(|_| damaged)?;
    if text.len() != length {
        return Err(damaged);
    }
    Ok(text)
}
