//! Messages as QR pictures, and pictures back to messages.
//!
//! Who calls it: `invite`, `accept`, `qr`, the demo. What can go wrong: a picture that is none,
//! codes of strangers (counted, not an error), frames missing (the caller keeps what there is).

use std::fs;
use std::path::{Path, PathBuf};

use packmule_bus::Envelope;
use packmule_transports::qr::{
    Picture, Profile, Show, picture_files, show_text, show_ur, show_within,
};

use crate::args::{Form, PictureFormat};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::files;
use crate::flow::partials::Held;
use crate::flow::scanning::{Gathered, Scan};
use crate::ui::progress::Progress;

/// Pixels a module has in saved pictures: sharp on screens, small on disk.
pub(crate) const MODULE_PIXELS: u32 = 4;

/// Reads pictures and directories of pictures, taking up what was held before.
pub(crate) fn read(paths: &[PathBuf], held: &Held, quiet: bool) -> Result<Gathered, Fault> {
    let mut any = false;
    for path in paths {
        any |= !picture_files(path)?.is_empty();
    }
    if !any {
        return Err(
            Fault::not_found("there are no pictures (PNG, JPEG, GIF) there")
                .hint("name the picture files, or the directory they lie in"),
        );
    }
    Scan::stills(paths, held, quiet).run(&mut |_| Ok(()))
}

/// A message as codes up to this version.
pub(crate) fn shown(envelope: &Envelope, form: Form, largest: u8) -> Result<Show, Fault> {
    Ok(match form {
        Form::Frames => show_within(envelope, largest)?,
        Form::Ur => show_ur(envelope, largest)?,
        Form::Plain => {
            let packed = envelope.to_json();
            let text = str::from_utf8(&packed)
                .map_err(|_| Fault::usage("only text can be shown as it is"))?;
            Show::Single(show_text(text)?)
        }
    })
}

/// How a message is saved in a folder.
#[derive(Clone, Copy, Default)]
pub(crate) struct Saving {
    /// The kind of picture.
    pub(crate) format: PictureFormat,
    /// Frames as a percentage of the fewest that could do; `None`: the usual loop.
    pub(crate) redundancy: Option<u32>,
    /// How large and how fast the codes are.
    pub(crate) profile: Profile,
    /// What the codes say.
    pub(crate) form: Form,
}

/// What was saved.
pub(crate) struct Saved {
    /// The files, in order.
    pub(crate) files: Vec<PathBuf>,
    /// Codes in them, and how many of those a reader needs.
    pub(crate) codes: u32,
    pub(crate) needed: u32,
}

/// Saves one message as pictures in `dir`, which exists.
pub(crate) fn save(
    envelope: &Envelope,
    dir: &Path,
    how: Saving,
    quiet: bool,
) -> Result<Saved, Fault> {
    let short: String = envelope.id().short().chars().take(10).collect();
    if how.format == PictureFormat::Gif {
        let path = dir.join(format!("{short}.gif"));
        return save_moving(envelope, &path, how);
    }
    let shown = shown(envelope, how.form, how.profile.version())?;
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
    Ok(Saved {
        files: paths,
        codes: count,
        needed: shown.needed(),
    })
}

/// Whether a name is that of one file with all the codes in it, rather than of a folder.
pub(crate) fn is_moving(path: &Path) -> bool {
    let known = [
        "gif", "png", "apng", "svg", "y4m", "mp4", "mkv", "webm", "mov", "avi",
    ];
    let extension = path.extension().and_then(|e| e.to_str());
    !path.is_dir() && extension.is_some_and(|e| known.contains(&e.to_ascii_lowercase().as_str()))
}

/// Saves one message as one file, in the format that its name's ending stands for.
pub(crate) fn save_moving(envelope: &Envelope, path: &Path, how: Saving) -> Result<Saved, Fault> {
    let shown = shown(envelope, how.form, how.profile.version())?;
    let speed = how.profile.codes_per_second();
    let extension = path
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default();
    let mut whole = Vec::new();
    let codes = match (extension.to_ascii_lowercase().as_str(), &shown) {
        ("svg", Show::Single(picture)) => {
            whole = picture.svg().into_bytes();
            1
        }
        ("svg", Show::Frames(frames)) => {
            return Err(Fault::usage(format!(
                "an SVG holds one code, and the message takes {} or more",
                frames.needed()
            ))
            .hint("name a directory, or a .gif, .png or .mp4 file"));
        }
        ("gif", _) => shown.save_gif(&mut whole, MODULE_PIXELS, speed)?,
        ("png" | "apng", _) => shown.save_apng(&mut whole, MODULE_PIXELS, speed)?,
        (video, _) => {
            // Too large for memory: written beside it, and then renamed like all others.
            let name = format!("{}.tmp.{video}", std::process::id());
            let beside = path.with_extension(name);
            let written = if video == "y4m" {
                let file =
                    fs::File::create(&beside).map_err(|err| Fault::file("write", &beside, &err))?;
                shown.save_y4m(file, MODULE_PIXELS, speed)
            } else {
                shown.save_film(&beside, MODULE_PIXELS, speed)
            };
            let renamed = written.map_err(Fault::from).and_then(|codes| {
                fs::rename(&beside, path).map_err(|err| Fault::file("write", path, &err))?;
                Ok(codes)
            });
            if renamed.is_err() {
                // Half of a film is none; the fault says why.
                let _ = fs::remove_file(&beside);
            }
            renamed?
        }
    };
    if !whole.is_empty() {
        files::write_whole(path, &whole)?;
    }
    Ok(Saved {
        files: vec![path.to_owned()],
        codes,
        needed: shown.needed(),
    })
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
    let unfinished = !gathered.unfinished.is_empty() || !gathered.foreign_left.is_empty();
    if unfinished || !gathered.dropped.is_empty() {
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
