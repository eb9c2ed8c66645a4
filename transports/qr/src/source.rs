//! Where a scanner's pictures come from: files, folders, videos, pipes, cameras.
//!
//! Called by whoever scans: [`open`] looks at what a path is and gives the source that fits;
//! [`watch`](crate::watch) draws it dry. What can go wrong: what lies there is no picture and no
//! video, breaks off, claims absurd dimensions, or needs a program that is not there. All are
//! errors that say so; one bad picture of a folder does not end the folder.

mod ffmpeg;
mod stills;
mod y4m;

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

pub use ffmpeg::{Camera, Video};
pub(crate) use stills::load;
pub use stills::{Stills, picture_files};
pub use y4m::{RawGrey, Y4m};

use crate::grey::{Grey, PictureError};

/// Pictures one after the other, from wherever.
pub trait FrameSource {
    /// The next picture; none when there are no more. After an error the source may go on: only
    /// `None` is the end.
    fn next_frame(&mut self) -> Option<Result<Grey, SourceError>>;

    /// Whether pictures come in their own time, so that one not looked at is gone. Otherwise the
    /// source waits, and every picture is looked at.
    fn is_live(&self) -> bool {
        false
    }

    /// Whether the pictures are a moving one, where a code that one picture spoils is mostly seen
    /// in the next. Stills are looked at harder.
    fn is_moving(&self) -> bool {
        true
    }
}

/// The first bytes of every y4m stream.
const Y4M: &[u8] = b"YUV4MPEG2 ";

/// How a path was given, where the path alone does not tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Hints {
    /// The stream is raw 8-bit grey of this width and height (`ffmpeg -f rawvideo -pix_fmt gray`).
    pub raw: Option<(u32, u32)>,
    /// The picture size to ask a camera for; its own choice otherwise.
    pub camera: Option<(u32, u32)>,
}

/// Opens what `path` names: a picture (PNG, APNG, JPEG, GIF), a folder of pictures, a y4m file or
/// pipe, `-` for standard input (y4m, or raw with [`Hints::raw`]), a camera (`/dev/video0`), and
/// any other file as a video, which `ffmpeg` reads.
///
/// # Errors
/// There is no such thing, it cannot be opened, or `ffmpeg` is needed and missing.
pub fn open(path: &Path, hints: Hints) -> Result<Box<dyn FrameSource>, SourceError> {
    if path == Path::new("-") {
        return stream(io::stdin(), hints);
    }
    let failed = |source| SourceError::File {
        path: path.to_owned(),
        source,
    };
    let kind = std::fs::metadata(path).map_err(failed)?;
    if kind.is_dir() {
        return Ok(Box::new(Stills::of(path)?));
    }
    if is_camera(path) {
        return Ok(Box::new(Camera::open(path, hints.camera)?));
    }
    let mut file = File::open(path).map_err(failed)?;
    if !kind.is_file() || hints.raw.is_some() {
        return stream(file, hints);
    }
    let mut head = Vec::new();
    let begins = Read::by_ref(&mut file).take(Y4M.len() as u64);
    { begins }.read_to_end(&mut head).map_err(failed)?;
    if image::guess_format(&head).is_ok() {
        Ok(Box::new(Stills::of(path)?))
    } else if head == Y4M {
        let whole = BufReader::new(Cursor::new(head).chain(file));
        Ok(Box::new(Y4m::new(whole)?))
    } else {
        Ok(Box::new(Video::open(path)?))
    }
}

/// A pipe: y4m by its first bytes, raw where the caller says so.
fn stream(bytes: impl Read + 'static, hints: Hints) -> Result<Box<dyn FrameSource>, SourceError> {
    Ok(match hints.raw {
        Some((width, height)) => Box::new(RawGrey::new(BufReader::new(bytes), width, height)?),
        None => Box::new(Y4m::new(BufReader::new(bytes))?),
    })
}

fn is_camera(path: &Path) -> bool {
    path.parent() == Some(Path::new("/dev"))
        && path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("video"))
}

/// Why no picture came.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A file that is not a picture that can be read.
    #[error("{}: {source}", path.display())]
    Picture {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: PictureError,
    },
    /// A stream whose pictures are too large.
    #[error("the stream's pictures: {0}")]
    Dimensions(#[from] PictureError),
    /// A stream that is not y4m, or not of a kind that is read.
    #[error("not a y4m stream that can be read: {0}")]
    Stream(&'static str),
    /// A stream that broke.
    #[error("the stream broke: {0}")]
    Broken(#[from] io::Error),
    /// `ffmpeg` is not installed.
    #[error("{}: videos and cameras are read by ffmpeg, which is not installed", .0.display())]
    NoFfmpeg(PathBuf),
    /// `ffmpeg` could not read it.
    #[error("{}: ffmpeg: {said}", path.display())]
    Ffmpeg {
        /// What was to be read.
        path: PathBuf,
        /// Its last words.
        said: String,
    },
}
