//! Uncompressed video as programs pass it to each other: y4m, and bare grey pictures.
//!
//! Called by [`open`](super::open) for pipes and files, and by the sources that run `ffmpeg`. What
//! can go wrong: a header of any length and content (bounded before it is looked at), dimensions
//! that would cost memory (refused by the bounds of [`Grey`]), a picture cut short (the end).

use std::io::{self, BufRead, Read};

use super::{FrameSource, SourceError};
use crate::grey::{Grey, within};

/// The longest header or picture line, in bytes. Real ones have less than 200.
const MAX_LINE: u64 = 4096;

/// A y4m stream with 8-bit samples; colour is passed over.
pub struct Y4m<R> {
    bytes: R,
    width: u32,
    height: u32,
    /// Bytes of colour after each picture's grey.
    colour: u64,
    over: bool,
}

impl<R: BufRead> Y4m<R> {
    /// Reads the stream's header.
    ///
    /// # Errors
    /// It is not y4m, or of a kind that is not read.
    pub fn new(mut bytes: R) -> Result<Self, SourceError> {
        let header = line(&mut bytes)?.unwrap_or_default();
        let mut words = header.split(' ');
        if words.next() != Some("YUV4MPEG2") {
            return Err(SourceError::Stream("it does not begin with YUV4MPEG2"));
        }
        let (mut width, mut height, mut kind) = (None, None, "420");
        for word in words {
            match word.split_at_checked(1) {
                Some(("W", n)) => width = n.parse().ok(),
                Some(("H", n)) => height = n.parse().ok(),
                Some(("C", name)) => kind = name,
                _ => {}
            }
        }
        let (Some(width), Some(height)) = (width, height) else {
            return Err(SourceError::Stream("it has no width or height"));
        };
        if width == 0 || height == 0 {
            return Err(SourceError::Stream("its pictures are empty"));
        }
        within(width, height)?;
        let (w, h) = (u64::from(width), u64::from(height));
        // Names like 420jpeg and 420paldv differ in where colour sits, 420p10 in sample size.
        let colour = match kind {
            "mono" => 0,
            "420" | "420jpeg" | "420mpeg2" | "420paldv" => 2 * w.div_ceil(2) * h.div_ceil(2),
            "411" => 2 * w.div_ceil(4) * h,
            "422" => 2 * w.div_ceil(2) * h,
            "444" => 2 * w * h,
            "444alpha" => 3 * w * h,
            _ => return Err(SourceError::Stream("its samples are not 8-bit YUV")),
        };
        Ok(Self {
            bytes,
            width,
            height,
            colour,
            over: false,
        })
    }

    fn read(&mut self) -> Result<Option<Grey>, SourceError> {
        let Some(head) = line(&mut self.bytes)? else {
            return Ok(None);
        };
        if head.split(' ').next() != Some("FRAME") {
            return Err(SourceError::Stream("a picture does not begin with FRAME"));
        }
        let Some(grey) = grey(&mut self.bytes, self.width, self.height)? else {
            return Ok(None);
        };
        // Only part of a picture's colour is no loss: its grey is here.
        io::copy(
            &mut Read::by_ref(&mut self.bytes).take(self.colour),
            &mut io::sink(),
        )?;
        Ok(Some(grey))
    }
}

impl<R: BufRead> FrameSource for Y4m<R> {
    fn next_frame(&mut self) -> Option<Result<Grey, SourceError>> {
        let mut over = self.over;
        let next = unless_over(&mut over, || self.read());
        self.over = over;
        next
    }
}

/// Grey pictures of one size without anything between them.
pub struct RawGrey<R> {
    bytes: R,
    width: u32,
    height: u32,
    over: bool,
}

impl<R: Read> RawGrey<R> {
    /// A stream of pictures of this size.
    ///
    /// # Errors
    /// No picture has this size.
    pub fn new(bytes: R, width: u32, height: u32) -> Result<Self, SourceError> {
        if width == 0 || height == 0 {
            return Err(SourceError::Stream("its pictures are empty"));
        }
        within(width, height)?;
        Ok(Self {
            bytes,
            width,
            height,
            over: false,
        })
    }
}

impl<R: Read> FrameSource for RawGrey<R> {
    fn next_frame(&mut self) -> Option<Result<Grey, SourceError>> {
        let Self {
            bytes,
            width,
            height,
            over,
        } = self;
        unless_over(over, || grey(bytes, *width, *height))
    }
}

/// The next picture of a stream. After its end or a fault there is none: a stream that lost its
/// place does not find it again, and a device that fails would fail for ever.
fn unless_over(
    over: &mut bool,
    read: impl FnOnce() -> Result<Option<Grey>, SourceError>,
) -> Option<Result<Grey, SourceError>> {
    if *over {
        return None;
    }
    let next = read().transpose();
    *over = !matches!(next, Some(Ok(_)));
    next
}

/// A picture's grey; none where the stream ends before or within it. Memory grows with what
/// comes, not with what was announced.
fn grey(bytes: &mut impl Read, width: u32, height: u32) -> Result<Option<Grey>, SourceError> {
    let wanted = u64::from(width) * u64::from(height);
    let mut pixels = Vec::new();
    let read = bytes.take(wanted).read_to_end(&mut pixels)? as u64;
    if read < wanted {
        return Ok(None);
    }
    Ok(Some(Grey::new(width, height, pixels)?))
}

/// The next line without its end; none at the end of the stream.
fn line(bytes: &mut impl BufRead) -> Result<Option<String>, SourceError> {
    let mut line = Vec::new();
    bytes.take(MAX_LINE).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        return Err(SourceError::Stream("a line of its header does not end"));
    }
    let text = String::from_utf8(line);
    text.map(Some)
        .map_err(|_| SourceError::Stream("its header is not text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greys(mut source: impl FrameSource) -> Vec<Vec<u8>> {
        core::iter::from_fn(|| source.next_frame())
            .map(|next| next.expect("a picture").pixels().to_vec())
            .collect()
    }

    #[test]
    fn grey_comes_out_whatever_the_colour() {
        // 3 × 2: chroma planes of 2 × 1 with 420, 2 × 2 with 422, 3 × 2 with 444.
        for (kind, colour) in [
            (" Cmono", 0),
            ("", 4),
            (" C420jpeg", 4),
            (" C422", 8),
            (" C411", 4),
            (" C444", 12),
            (" C444alpha", 18),
        ] {
            let mut stream = format!("YUV4MPEG2 W3 H2 F30:1 Ip A1:1{kind} XCOLORRANGE=FULL\n");
            for n in 1..=2 {
                stream += if n == 1 { "FRAME\n" } else { "FRAME Ip\n" };
                stream.extend(core::iter::repeat_n(char::from(n), 6));
                stream.extend(core::iter::repeat_n('c', colour));
            }
            let source = Y4m::new(stream.as_bytes()).expect("a stream");
            assert_eq!(greys(source), [vec![1; 6], vec![2; 6]], "{kind}");
        }
    }

    #[test]
    fn a_device_that_fails_is_the_end() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("unplugged"))
            }
        }
        let mut source = RawGrey::new(Broken, 2, 2).expect("stream");
        assert!(matches!(source.next_frame(), Some(Err(_))));
        assert!(source.next_frame().is_none());
    }

    #[test]
    fn a_picture_cut_short_is_the_end_and_a_lost_place_an_error() {
        let whole = b"YUV4MPEG2 W2 H2 Cmono\nFRAME\nabcdFRAME\nef";
        assert_eq!(greys(Y4m::new(&whole[..]).expect("stream")), [b"abcd"]);
        let lost = b"YUV4MPEG2 W2 H2 Cmono\nFRAME\nabcdxFRAME\nefgh";
        let mut source = Y4m::new(&lost[..]).expect("stream");
        assert!(matches!(source.next_frame(), Some(Ok(_))));
        assert!(matches!(source.next_frame(), Some(Err(_))));
        assert!(source.next_frame().is_none());
    }

    #[test]
    fn headers_that_lie_are_refused() {
        let long = format!("YUV4MPEG2 W2 H2 {}", "X".repeat(10_000));
        for header in [
            "",
            "YUV4MPEG W2 H2\n",
            "YUV4MPEG2 W2\n",
            "YUV4MPEG2 W0 H2\n",
            "YUV4MPEG2 W12001 H2\n",
            "YUV4MPEG2 W9000 H9000\n",
            "YUV4MPEG2 W4294967297 H2\n",
            "YUV4MPEG2 W2 H2 C420p10\n",
            "YUV4MPEG2 W2 H2",
            &long,
        ] {
            assert!(Y4m::new(header.as_bytes()).is_err(), "{header:.40}");
        }
    }

    #[test]
    fn raw_pictures_follow_each_other() {
        let source = RawGrey::new(&b"abcdefghi"[..], 2, 2).expect("a stream");
        assert_eq!(greys(source), [b"abcd", b"efgh"]);
        assert!(RawGrey::new(&b""[..], 0, 5).is_err());
        assert!(RawGrey::new(&b""[..], 20_000, 5).is_err());
    }
}
