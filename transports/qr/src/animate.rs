//! Codes one after the other in one file: GIF, APNG, y4m, and through `ffmpeg` any video.
//!
//! Called by [`Show`](crate::Show). Files run in a loop, so each has a prime number of frames that
//! never repeat within it. What can go wrong: the writer's own errors; for videos no `ffmpeg`, or
//! one that does not know the format.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use crate::picture::Picture;
use crate::render::RenderError;

/// How much of what `ffmpeg` says is kept, in bytes.
const WORDS: u64 = 4096;

/// Pictures of one size, how large they are drawn, and how fast they follow each other.
pub(crate) struct Animation<I> {
    pub(crate) pictures: I,
    pub(crate) count: u32,
    /// Pixels to a module.
    pub(crate) px: u32,
    pub(crate) codes_per_second: u16,
}

impl<I: Iterator<Item = Result<Picture, RenderError>>> Animation<I> {
    /// The side of the first picture, in pixels; all others are as large.
    fn side(pictures: &mut core::iter::Peekable<I>, px: u32) -> Result<u32, RenderError> {
        match pictures.peek() {
            Some(Ok(first)) => first.side(px),
            // The error comes out when the picture is taken.
            Some(Err(_)) | None => Ok(1),
        }
    }

    /// An animated GIF that loops for ever. Returns the number of frames.
    pub(crate) fn gif(self, out: impl Write) -> Result<u32, RenderError> {
        let mut pictures = self.pictures.peekable();
        let side = Self::side(&mut pictures, self.px)?;
        let side = u16::try_from(side).map_err(|_| RenderError::ModulePixels(self.px))?;
        let palette = [255, 255, 255, 0, 0, 0];
        let mut encoder = gif::Encoder::new(out, side, side, &palette).map_err(RenderError::gif)?;
        encoder
            .set_repeat(gif::Repeat::Infinite)
            .map_err(RenderError::gif)?;
        let mut count = 0;
        for picture in pictures {
            let picture = picture?;
            let frame = gif::Frame {
                width: side,
                height: side,
                // Hundredths of a second.
                delay: 100 / self.codes_per_second.clamp(1, 50),
                buffer: Cow::Owned(picture.bytes_of(self.px, 1, 0)),
                ..gif::Frame::default()
            };
            encoder.write_frame(&frame).map_err(RenderError::gif)?;
            count += 1;
        }
        Ok(count)
    }

    /// An animated PNG that loops for ever; where there is but one picture, a still one.
    pub(crate) fn apng(self, out: impl Write) -> Result<u32, RenderError> {
        let mut pictures = self.pictures.peekable();
        let side = Self::side(&mut pictures, self.px)?;
        let mut encoder = png::Encoder::new(out, side, side);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        if self.count > 1 {
            encoder
                .set_animated(self.count, 0)
                .map_err(RenderError::png)?;
            encoder
                .set_frame_delay(1, self.codes_per_second.max(1))
                .map_err(RenderError::png)?;
        }
        let mut writer = encoder.write_header().map_err(RenderError::png)?;
        let mut count = 0;
        for picture in pictures.take(self.count as usize) {
            let packed = picture?.packed(self.px);
            writer.write_image_data(&packed).map_err(RenderError::png)?;
            count += 1;
        }
        writer.finish().map_err(RenderError::png)?;
        Ok(count)
    }

    /// A y4m stream in grey: what any video tool takes from a pipe.
    pub(crate) fn y4m(self, out: impl Write) -> Result<u32, RenderError> {
        let mut out = BufWriter::new(out);
        let mut pictures = self.pictures.peekable();
        let side = Self::side(&mut pictures, self.px)?;
        // Most codecs want even sides.
        let even = side.next_multiple_of(2);
        writeln!(
            out,
            "YUV4MPEG2 W{even} H{even} F{}:1 Ip A1:1 Cmono",
            self.codes_per_second.max(1)
        )?;
        let mut count = 0;
        for picture in pictures {
            let pixels = picture?.bytes_of(self.px, 0, 255);
            out.write_all(b"FRAME\n")?;
            for row in pixels.chunks_exact(side as usize) {
                out.write_all(row)?;
                if even > side {
                    out.write_all(&[255])?;
                }
            }
            if even > side {
                out.write_all(&vec![255; even as usize])?;
            }
            count += 1;
        }
        out.flush()?;
        Ok(count)
    }

    /// A video in whatever format the name's ending stands for, H.264 in `.mp4`.
    pub(crate) fn film(self, path: &Path) -> Result<u32, RenderError> {
        // `file:` keeps a name such as `-i` or `tcp://…` a name.
        let mut to = OsString::from("file:");
        to.push(path);
        let mut command = Command::new("ffmpeg");
        command
            .args(["-hide_banner", "-loglevel", "error", "-y"])
            .args(["-f", "yuv4mpegpipe", "-i", "pipe:0"])
            .args(["-pix_fmt", "yuv420p"]);
        if path.extension().is_some_and(|e| e == "mp4" || e == "mkv") {
            // No B-frames and little loss: edges of modules are all there is to see.
            command.args(["-c:v", "libx264", "-crf", "20", "-movflags", "+faststart"]);
        }
        let mut child = command
            .arg(to)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => RenderError::NoFfmpeg,
                _ => RenderError::Write(error),
            })?;
        let err = child.stderr.take();
        let words = thread::spawn(move || {
            let mut kept = Vec::new();
            if let Some(mut err) = err {
                let _ = Read::by_ref(&mut err).take(WORDS).read_to_end(&mut kept);
                let _ = io::copy(&mut err, &mut io::sink());
            }
            String::from_utf8_lossy(&kept).trim().to_owned()
        });
        let written = match child.stdin.take() {
            Some(pipe) => self.y4m(pipe),
            None => Err(io::Error::other("a process without its pipes").into()),
        };
        let ended = child.wait()?;
        let said = words.join().unwrap_or_default();
        match written {
            // It hung up on us: what it said tells more than the broken pipe.
            Err(RenderError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                Err(RenderError::Ffmpeg(said))
            }
            Ok(_) if !ended.success() => Err(RenderError::Ffmpeg(said)),
            outcome => outcome,
        }
    }
}
