//! Messages as QR pictures, and pictures back to messages.
//!
//! Who calls it: `invite`, `accept`, `qr`, the demo. What can go wrong: a picture that is none,
//! codes of strangers (counted, not an error), frames missing (the caller keeps what there is).

use std::fs;
use std::path::{Path, PathBuf};

use packmule_bus::Envelope;
use packmule_bus::fountain::{Limits, Partial, Progress as Transfer};
use packmule_transports::qr::{Found, Picture, Profile, Reader, Show, Tally, picture_files, show};

use crate::args::PictureFormat;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::{files, partials};
use crate::ui::progress::Progress;

/// Pixels a module has in saved pictures: sharp on screens, small on disk.
pub(crate) const MODULE_PIXELS: u32 = 4;

/// What a set of pictures held.
#[derive(Default)]
pub(crate) struct Gathered {
    /// Whole messages.
    pub(crate) envelopes: Vec<Envelope>,
    /// Invitation URLs.
    pub(crate) invitations: Vec<String>,
    /// Transfers that need more frames, and what is held of them.
    pub(crate) unfinished: Vec<Transfer>,
    pub(crate) partials: Vec<Partial>,
    /// Transfers that were dropped, because there were too many at the same time.
    pub(crate) dropped: Vec<Transfer>,
    /// Files that could not be read as pictures, with the reason.
    pub(crate) unreadable: Vec<(PathBuf, String)>,
    /// Codes seen.
    pub(crate) tally: Tally,
}

/// Reads pictures and directories of pictures, taking up what was held before.
pub(crate) fn read(paths: &[PathBuf], held: &[Partial], quiet: bool) -> Result<Gathered, Fault> {
    let mut pictures = Vec::new();
    for path in paths {
        pictures.extend(picture_files(path)?);
    }
    if pictures.is_empty() {
        return Err(
            Fault::not_found("there are no pictures (PNG, JPEG, GIF) there")
                .hint("name the picture files, or the directory they lie in"),
        );
    }
    let mut limits = Limits::default();
    limits.sessions = partials::MAX_KEPT;
    let mut reader = Reader::new(limits);
    let mut gathered = Gathered::default();
    for partial in held {
        gathered.sort_in(reader.resume(partial));
    }
    let mut progress = Progress::new("reading pictures", pictures.len() as u64, quiet);
    for path in pictures {
        match reader.read_file(&path) {
            Ok(found) => found.into_iter().for_each(|one| gathered.sort_in(one)),
            Err(err) => {
                let why = err.to_string();
                gathered.unreadable.push((path, why));
            }
        }
        progress.add(1);
    }
    gathered.unfinished = reader.progress();
    gathered.partials = reader.partials();
    gathered.dropped = reader.take_evicted();
    gathered.tally = reader.tally();
    Ok(gathered)
}

impl Gathered {
    fn sort_in(&mut self, found: Found) {
        match found {
            Found::Envelope(envelope) if !self.envelopes.contains(&envelope) => {
                self.envelopes.push(envelope);
            }
            Found::Invitation(url) if !self.invitations.contains(&url) => {
                self.invitations.push(url);
            }
            _ => {}
        }
    }
}

/// How a message is saved.
#[derive(Clone, Copy)]
pub(crate) struct Saving {
    /// The kind of picture.
    pub(crate) format: PictureFormat,
    /// Frames as a percentage of the fewest that could do; `None`: the usual loop.
    pub(crate) redundancy: Option<u32>,
}

/// Saves one message as pictures in `dir`, which exists. Returns the files, in order.
pub(crate) fn save(
    envelope: &Envelope,
    dir: &Path,
    how: Saving,
    quiet: bool,
) -> Result<Vec<PathBuf>, Fault> {
    let profile = Profile::default();
    let shown = show(envelope, profile)?;
    let short: String = envelope.id().short().chars().take(10).collect();
    if how.format == PictureFormat::Gif {
        let path = dir.join(format!("{short}.gif"));
        let mut bytes = Vec::new();
        shown.save_gif(&mut bytes, MODULE_PIXELS, profile.codes_per_second())?;
        files::write_whole(&path, &bytes)?;
        return Ok(vec![path]);
    }
    let count = count(&shown, how.redundancy);
    let mut progress = Progress::new("drawing", u64::from(count), quiet);
    let mut paths = Vec::new();
    for n in 0..count {
        let picture = match &shown {
            Show::Single(picture) => picture.clone(),
            Show::Frames(frames) => frames.picture(n)?,
        };
        let stem = match &shown {
            Show::Single(_) => short.clone(),
            Show::Frames(_) => format!("{short}-{:05}", n + 1),
        };
        let path = dir.join(format!("{stem}.{}", extension(how.format)));
        // One fsync for hundreds of frames, at the end: a picture can be drawn again.
        fs::write(&path, bytes(&picture, how.format)?)
            .map_err(|err| Fault::file("write", &path, &err))?;
        paths.push(path);
        progress.add(1);
    }
    sync(&paths, dir)?;
    Ok(paths)
}

/// Saves one picture; the file name's extension decides between PNG and SVG.
pub(crate) fn save_one(picture: &Picture, path: &Path) -> Result<(), Fault> {
    let format = match path.extension().and_then(|e| e.to_str()) {
        Some("svg") => PictureFormat::Svg,
        Some("png") => PictureFormat::Png,
        _ => {
            return Err(Fault::usage(format!(
                "{} is neither .png nor .svg",
                path.display()
            )));
        }
    };
    files::write_whole(path, &bytes(picture, format)?)
}

fn bytes(picture: &Picture, format: PictureFormat) -> Result<Vec<u8>, Fault> {
    Ok(match format {
        PictureFormat::Svg => picture.svg().into_bytes(),
        PictureFormat::Png | PictureFormat::Gif => picture.png(MODULE_PIXELS)?,
    })
}

const fn extension(format: PictureFormat) -> &'static str {
    match format {
        PictureFormat::Png => "png",
        PictureFormat::Svg => "svg",
        PictureFormat::Gif => "gif",
    }
}

fn count(shown: &Show, redundancy: Option<u32>) -> u32 {
    match (shown, redundancy) {
        (Show::Single(_), _) => 1,
        (Show::Frames(_), None) => shown.count(),
        (Show::Frames(_), Some(percent)) => {
            let frames = u64::from(shown.needed()) * u64::from(percent);
            u32::try_from(frames.div_ceil(100)).unwrap_or(u32::MAX)
        }
    }
}

fn sync(paths: &[PathBuf], dir: &Path) -> Result<(), Fault> {
    for path in paths.iter().map(PathBuf::as_path).chain([dir]) {
        fs::File::open(path)
            .and_then(|file| file.sync_all())
            .map_err(|err| Fault::file("write", path, &err))?;
    }
    Ok(())
}

/// The exit code for a reading that brought nothing whole.
pub(crate) fn exit_of(gathered: &Gathered) -> Exit {
    if !gathered.unfinished.is_empty() || !gathered.dropped.is_empty() {
        Exit::Incomplete
    } else if gathered.envelopes.is_empty()
        && gathered.invitations.is_empty()
        && gathered.tally.duplicate == 0
    {
        Exit::Damaged
    } else {
        Exit::Ok
    }
}
