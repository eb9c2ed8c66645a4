//! Finding the QR codes in a grey picture.
//!
//! Tries with rxing's port of the zxing-cpp detector: the picture as it is; at half the resolution,
//! which quiets noise; sharpened, which brings back codes that are out of focus by half a module,
//! where no decoder we know reads any; inverted, for codes on dark terminals. Stills are given to
//! rqrr in the end, which shares no code with it. `examples/corpus.rs` measures all of it.
//!
//! What can go wrong: both libraries are written to be fast on honest pictures and may panic on
//! others. This module is the boundary where that is caught. Work is bounded too: a picture full
//! of finder patterns costs a few hundred attempts, not one for every three patterns.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rxing::common::cpp_essentials::ConcentricPattern;
use rxing::common::{BitMatrix, DetectorRXingResult as _, HybridBinarizer};
use rxing::qrcode::cpp_port::decoder::Decode;
use rxing::qrcode::cpp_port::detector::{FindFinderPatterns, GenerateFinderPatternSets, SampleQR};
use rxing::{Binarizer as _, Luma8Source};

use crate::grey::Grey;

/// Pictures above this many pixels are halved first: codes in them are large.
const FULL_PIXELS: usize = 24 << 20;

/// The same for rqrr, which is ten times slower.
const FALLBACK_PIXELS: usize = 4 << 20;

/// Above this many finder patterns rqrr is not asked.
const FALLBACK_PATTERNS: usize = 96;

/// How a picture is sharpened. Any reach from 2 to 4 pixels and any gain from 2 to 6 read every
/// blurred picture of the corpus, of 3 to 6 pixels to a module.
const REACH: usize = 3;
const GAIN: i32 = 3;

/// Finder patterns looked at in one picture, the largest first. A code has three.
const MAX_PATTERNS: usize = 384;

/// Sets of three that may fail to be a code before the picture is given up.
const MAX_FAILURES: usize = 512;

/// What the codes in a picture say, as bytes; in no particular order.
#[must_use]
pub fn scan(picture: &Grey) -> Vec<Vec<u8>> {
    let shrunk;
    let picture = if picture.pixels().len() > FULL_PIXELS {
        shrunk = picture.halved();
        &shrunk
    } else {
        picture
    };
    let codes = scan_quickly(picture);
    if codes.is_empty() {
        scan_crowdless(picture)
    } else {
        codes
    }
}

/// The same without the slow last resort: for moving pictures, where the next one comes at once.
#[must_use]
pub fn scan_quickly(picture: &Grey) -> Vec<Vec<u8>> {
    let tries: [&dyn Fn() -> Vec<Vec<u8>>; 4] = [
        &|| scan_rxing(picture),
        &|| scan_rxing(&picture.halved()),
        &|| scan_rxing(&picture.sharpened(REACH, GAIN)),
        &|| scan_rxing(&picture.inverted()),
    ];
    tries
        .iter()
        .map(|attempt| attempt())
        .find(|codes| !codes.is_empty())
        .unwrap_or_default()
}

/// The codes that rxing finds, at this resolution alone.
#[must_use]
pub fn scan_rxing(picture: &Grey) -> Vec<Vec<u8>> {
    guarded(|| with_matrix(picture, decode_all))
}

/// The codes that rqrr finds, unless the picture has more finder patterns than codes could have:
/// rqrr weighs them all against each other, and takes half a minute for sixteen hundred.
fn scan_crowdless(picture: &Grey) -> Vec<Vec<u8>> {
    let crowded = guarded(|| {
        let count = with_matrix(picture, |matrix| FindFinderPatterns(matrix, true, 0));
        vec![Vec::new(); usize::from(count.len() > FALLBACK_PATTERNS)]
    });
    if crowded.is_empty() {
        scan_rqrr(picture)
    } else {
        Vec::new()
    }
}

/// What `look` sees in the picture made black and white; nothing in one too small for that.
fn with_matrix<T>(picture: &Grey, look: impl FnOnce(&BitMatrix) -> Vec<T>) -> Vec<T> {
    let (Ok(width), Ok(height)) = (
        u32::try_from(picture.width()),
        u32::try_from(picture.height()),
    ) else {
        return Vec::new();
    };
    let Ok(source) = Luma8Source::new_with_slice(picture.pixels(), width, height) else {
        return Vec::new();
    };
    let binarizer = HybridBinarizer::new(source);
    binarizer.get_black_matrix().map(look).unwrap_or_default()
}

/// Not by rxing's own reader: that stamps results with the time, which panics in WebAssembly, and
/// gives text where the bytes are wanted.
fn decode_all(matrix: &BitMatrix) -> Vec<Vec<u8>> {
    let mut patterns = FindFinderPatterns(matrix, true, 0);
    patterns.sort_by_key(|p| core::cmp::Reverse(p.size));
    patterns.truncate(MAX_PATTERNS);
    let mut used: Vec<ConcentricPattern> = Vec::new();
    let mut found = Vec::new();
    let mut failures = 0;
    for set in GenerateFinderPatternSets(&mut patterns) {
        let corners = [set.bl, set.tl, set.tr];
        if corners.iter().any(|corner| used.contains(corner)) {
            continue;
        }
        let decoded = SampleQR(matrix, &set).and_then(|sample| Decode(sample.getBits()));
        match decoded {
            Ok(code) if code.isValid() => {
                used.extend(corners);
                found.push(code.content().bytes().to_vec());
            }
            _ => failures += 1,
        }
        if failures >= MAX_FAILURES {
            break;
        }
    }
    found
}

/// The codes that rqrr finds.
#[must_use]
pub fn scan_rqrr(picture: &Grey) -> Vec<Vec<u8>> {
    if picture.pixels().len() > FALLBACK_PIXELS {
        return scan_rqrr(&picture.halved());
    }
    guarded(|| {
        let (width, height) = (picture.width(), picture.height());
        let pixel = |x: usize, y: usize| picture.pixels().get(y * width + x).copied();
        let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
            pixel(x, y).unwrap_or(u8::MAX)
        });
        let grids = prepared.detect_grids();
        let decoded = grids.iter().map(|grid| {
            let mut bytes = Vec::new();
            grid.decode_to(&mut bytes).map(|_| bytes)
        });
        decoded.filter_map(Result::ok).collect()
    })
}

/// Runs a foreign decoder over a stranger's picture: if it panics, it found nothing.
///
/// The one place where a panic is caught. Nothing is shared with the decoder but the picture,
/// which it only reads, so there is no state that could be left half changed.
fn guarded(decoder: impl FnOnce() -> Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    catch_unwind(AssertUnwindSafe(decoder)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_that_panics_found_nothing() {
        let picture = Grey::new(2, 2, vec![0; 4]).expect("picture");
        assert!(guarded(|| vec![vec![picture.pixels().to_vec()[7]]]).is_empty());
        assert_eq!(guarded(|| vec![vec![1]]), vec![vec![1]]);
    }

    #[test]
    fn no_size_is_too_small() {
        for (width, height) in [(0, 0), (1, 1), (1, 50), (50, 1), (3, 2), (41, 39)] {
            let pixels = vec![128; (width * height) as usize];
            let picture = Grey::new(width, height, pixels).expect("picture");
            assert!(scan(&picture).is_empty(), "{width} × {height}");
        }
    }
}
