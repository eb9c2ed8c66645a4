//! The showing side: an envelope in, pictures out.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use packmule_bus::Envelope;
use packmule_bus::fountain::{Fountain, FountainError, MIN_SYMBOL, Shape, TransferId};

use crate::animate::Animation;
use crate::picture::{DrawError, Picture};
use crate::profile::{Profile, characters_of};
use crate::render::RenderError;
use crate::text::text_of_frame;
use crate::ur::Ur;

/// `UR:X-DIDCOMM/` and the longest `number-count/`.
const UR_HEAD: usize = 13 + 10 + 1 + 4 + 1;

/// A part's fields and checksums, at their longest.
const UR_FIELDS: usize = 1 + 5 + 3 + 5 + 5 + 3 + 4;

/// The largest QR version there is.
const LARGEST: u8 = 40;

/// How one envelope is shown.
#[derive(Clone, Debug)]
pub enum Show {
    /// All of it in one code.
    Single(Picture),
    /// As frames of a transfer, any K of which bring it across.
    Frames(Box<Frames>),
}

/// Shows `envelope`: as one code where it fits the profile's largest version, else as frames.
///
/// The one code is a transfer of a single frame, so that a reader knows one format only and
/// checks one code as it checks many. Frames are all of one size, the smallest that gets along
/// with the same number of frames as the largest would.
///
/// # Errors
/// The envelope's wire form is larger than a beacon carries (4 MiB).
pub fn show(envelope: &Envelope, profile: Profile) -> Result<Show, ShowError> {
    show_within(envelope, profile.version())
}

/// The same with codes up to version `largest` (1 ..= 40): what a screen has room for.
///
/// # Errors
/// As [`show`]; and in codes below version 3 no frame finds room.
pub fn show_within(envelope: &Envelope, largest: u8) -> Result<Show, ShowError> {
    let Cut { fountain, largest } = Cut::of(&envelope.to_wire(), largest)?;
    shown(Frames {
        codes: Codes::Fountain(fountain),
        largest,
    })
}

/// An object cut for codes up to some version.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    fountain: Fountain,
    largest: u8,
}

impl Cut {
    /// In symbols of one length, the shortest that gets along with the same number of frames as
    /// the longest would.
    pub(crate) fn of(object: &[u8], largest: u8) -> Result<Self, ShowError> {
        let most = Profile::symbol_bytes_of(largest);
        if most < MIN_SYMBOL {
            return Err(DrawError { largest }.into());
        }
        let count = object.len().div_ceil(most).max(1);
        let symbol = object.len().div_ceil(count).max(MIN_SYMBOL);
        let fountain = Fountain::new(object, symbol)?;
        Ok(Self { fountain, largest })
    }

    pub(crate) fn transfer(&self) -> TransferId {
        self.fountain.transfer()
    }

    pub(crate) fn shape(&self) -> Shape {
        self.fountain.shape()
    }

    pub(crate) fn needed(&self) -> u32 {
        self.fountain.source_count()
    }

    pub(crate) fn loop_length(&self) -> u32 {
        self.fountain.loop_length()
    }

    pub(crate) fn picture(&self, n: u32) -> Result<Picture, ShowError> {
        let text = text_of_frame(&self.fountain.frame(n)?);
        Ok(Picture::alphanumeric(&text, self.largest)?)
    }
}

/// Shows `envelope` to readers that know Blockchain Commons' URs and not our frames: its packed
/// message as `ur:x-didcomm`, in codes up to version `largest`. It takes a third more codes, and a
/// reader that does not solve equations needs twice as many.
///
/// # Errors
/// The packed message is longer than such codes carry.
pub fn show_ur(envelope: &Envelope, largest: u8) -> Result<Show, ShowError> {
    // Two letters a byte, after the kind, the numbers and the fields of a part.
    let letters = characters_of(largest).saturating_sub(UR_HEAD);
    let ur = Ur::of(&envelope.to_json(), (letters / 2).saturating_sub(UR_FIELDS));
    shown(Frames {
        codes: Codes::Ur(Box::new(ur.ok_or(DrawError { largest })?)),
        largest,
    })
}

fn shown(frames: Frames) -> Result<Show, ShowError> {
    Ok(if frames.needed() == 1 {
        Show::Single(frames.picture(0)?)
    } else {
        Show::Frames(Box::new(frames))
    })
}

/// Shows a text as it is, readable by any scanner: for out-of-band invitation URLs.
///
/// Codes above version 25 ([`Picture::version`]) are hard on cheap cameras: tell the user, or
/// shorten the URL.
///
/// # Errors
/// The text is longer than the largest code holds (2953 bytes).
pub fn show_text(text: &str) -> Result<Picture, DrawError> {
    Picture::bytes(text.as_bytes(), LARGEST)
}

impl Show {
    /// How many pictures [`Self::pictures`] gives: 1, or a prime number.
    #[must_use]
    pub fn count(&self) -> u32 {
        match self {
            Self::Single(_) => 1,
            Self::Frames(frames) => frames.loop_length(),
        }
    }

    /// How many of them a reader needs.
    #[must_use]
    pub fn needed(&self) -> u32 {
        match self {
            Self::Single(_) => 1,
            Self::Frames(frames) => frames.needed(),
        }
    }

    /// The pictures of one round, for a file that is shown in a loop or a folder of stills. Drawn
    /// as they are asked for.
    pub fn pictures(&self) -> impl Iterator<Item = Result<Picture, ShowError>> {
        (0..self.count()).map(|n| match self {
            Self::Single(picture) => Ok(picture.clone()),
            Self::Frames(frames) => frames.picture(n),
        })
    }

    /// Writes one PNG for each picture of a round into `dir`, which is made if need be, and
    /// calls `wrote` after each. Returns the paths in order.
    ///
    /// # Errors
    /// A picture could not be drawn or written; those before it are there.
    pub fn save_pngs(
        &self,
        dir: &Path,
        px: u32,
        mut wrote: impl FnMut(u32),
    ) -> Result<Vec<PathBuf>, ShowError> {
        fs::create_dir_all(dir).map_err(RenderError::Write)?;
        let mut paths = Vec::new();
        for (n, picture) in (1..).zip(self.pictures()) {
            let path = dir.join(format!("frame-{n:05}.png"));
            fs::write(&path, picture?.png(px)?).map_err(RenderError::Write)?;
            paths.push(path);
            wrote(n);
        }
        Ok(paths)
    }

    /// Writes one round as an animated GIF that loops for ever. Returns the number of frames.
    ///
    /// # Errors
    /// A picture could not be drawn, or the writer failed.
    pub fn save_gif(&self, out: impl Write, px: u32, speed: u16) -> Result<u32, ShowError> {
        Ok(self.animation(px, speed).gif(out)?)
    }

    /// Writes one round as an animated PNG that loops for ever. Returns the number of frames.
    ///
    /// # Errors
    /// A picture could not be drawn, or the writer failed.
    pub fn save_apng(&self, out: impl Write, px: u32, speed: u16) -> Result<u32, ShowError> {
        Ok(self.animation(px, speed).apng(out)?)
    }

    /// Writes one round as a y4m stream. Returns the number of frames.
    ///
    /// # Errors
    /// A picture could not be drawn, or the writer failed.
    pub fn save_y4m(&self, out: impl Write, px: u32, speed: u16) -> Result<u32, ShowError> {
        Ok(self.animation(px, speed).y4m(out)?)
    }

    /// Writes one round as a video, in the format that the name's ending stands for, by `ffmpeg`.
    /// A file of that name is replaced. Returns the number of frames.
    ///
    /// # Errors
    /// A picture could not be drawn; `ffmpeg` is missing or could not write it.
    pub fn save_film(&self, path: &Path, px: u32, speed: u16) -> Result<u32, ShowError> {
        Ok(self.animation(px, speed).film(path)?)
    }

    fn animation(
        &self,
        px: u32,
        codes_per_second: u16,
    ) -> Animation<impl Iterator<Item = Result<Picture, RenderError>>> {
        let pictures = self.pictures().map(|picture| {
            picture.map_err(|error| match error {
                ShowError::Render(error) => error,
                other => RenderError::Write(std::io::Error::other(other)),
            })
        });
        Animation {
            pictures,
            count: self.count(),
            px,
            codes_per_second,
        }
    }
}

/// An envelope as an endless row of codes.
#[derive(Clone, Debug)]
pub struct Frames {
    codes: Codes,
    largest: u8,
}

#[derive(Clone, Debug)]
enum Codes {
    Fountain(Fountain),
    Ur(Box<Ur>),
}

impl Frames {
    /// K: how many codes a reader needs; of URs, a few more.
    #[must_use]
    pub fn needed(&self) -> u32 {
        match &self.codes {
            Codes::Fountain(fountain) => fountain.source_count(),
            Codes::Ur(ur) => ur.count(),
        }
    }

    fn loop_length(&self) -> u32 {
        match &self.codes {
            Codes::Fountain(fountain) => fountain.loop_length(),
            Codes::Ur(ur) => ur.loop_length(),
        }
    }

    /// The code number `n`: the first K carry the object itself, all others repair; none repeats.
    ///
    /// # Errors
    /// `n` is 2^24 or more.
    pub fn picture(&self, n: u32) -> Result<Picture, ShowError> {
        let text = match &self.codes {
            Codes::Fountain(fountain) => text_of_frame(&fountain.frame(n)?),
            Codes::Ur(ur) => ur.part(n.saturating_add(1)),
        };
        Ok(Picture::alphanumeric(&text, self.largest)?)
    }
}

/// Why something could not be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShowError {
    /// It cannot be cut into frames.
    #[error(transparent)]
    Fountain(#[from] FountainError),
    /// A picture could not be drawn or written.
    #[error(transparent)]
    Render(#[from] RenderError),
}

impl From<DrawError> for ShowError {
    fn from(error: DrawError) -> Self {
        Self::Render(error.into())
    }
}
