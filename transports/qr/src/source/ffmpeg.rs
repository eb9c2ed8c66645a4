//! Videos and cameras, decoded by an `ffmpeg` of its own process.
//!
//! Called by [`open`](super::open). Video codecs are large and have their share of holes; a program
//! apart keeps both out of this one. It may open files, no network, and read them as films alone:
//! a playlist, or a name with a number in it, could name other files. What can go wrong: no
//! `ffmpeg` on the machine, one that does not understand the file, or gives up half way; its last
//! words are passed on. Dropping a source ends its process.

use std::ffi::OsString;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};

use super::{FrameSource, SourceError, Y4m};
use crate::grey::Grey;

/// How much of what `ffmpeg` says is kept, in bytes.
const WORDS: usize = 4096;

/// What a film may be: no playlist (concat, HLS, DASH) and no numbered pictures, which lead to
/// other files.
const FILMS: &str = "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,ogg,asf,ivf,gif,apng,yuv4mpegpipe,\
    mjpeg,h264,hevc,m4v,dv,nut,mxf,rm,webp_pipe";

/// A video file.
pub struct Video {
    ffmpeg: Ffmpeg,
}

impl Video {
    /// Starts `ffmpeg` on a file of any kind that it knows.
    ///
    /// # Errors
    /// It is not installed, or cannot make sense of the file.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let ffmpeg = Ffmpeg::start("ffmpeg", path, &video_arguments(path))?;
        Ok(Self { ffmpeg })
    }
}

impl FrameSource for Video {
    fn next_frame(&mut self) -> Option<Result<Grey, SourceError>> {
        self.ffmpeg.next_frame()
    }
}

/// A camera that Linux knows (V4L2).
pub struct Camera {
    ffmpeg: Ffmpeg,
}

impl Camera {
    /// Starts `ffmpeg` on a device such as `/dev/video0`, asking for pictures of this size.
    ///
    /// # Errors
    /// It is not installed, or the camera gives nothing: busy, no permission, no such size.
    pub fn open(device: &Path, size: Option<(u32, u32)>) -> Result<Self, SourceError> {
        let ffmpeg = Ffmpeg::start("ffmpeg", device, &camera_arguments(device, size))?;
        Ok(Self { ffmpeg })
    }
}

impl FrameSource for Camera {
    fn next_frame(&mut self) -> Option<Result<Grey, SourceError>> {
        self.ffmpeg.next_frame()
    }

    fn is_live(&self) -> bool {
        true
    }
}

/// `file:` keeps a name such as `-i` or `tcp://…` a name.
fn video_arguments(path: &Path) -> Vec<OsString> {
    let mut input = OsString::from("file:");
    input.push(path);
    let mut arguments: Vec<OsString> = ["-protocol_whitelist", "file"].map(Into::into).into();
    arguments.extend(["-format_whitelist", FILMS, "-i"].map(Into::into));
    arguments.push(input);
    arguments
}

fn camera_arguments(device: &Path, size: Option<(u32, u32)>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = ["-f", "v4l2"].map(Into::into).into();
    if let Some((width, height)) = size {
        arguments.extend(["-video_size".into(), format!("{width}x{height}").into()]);
    }
    arguments.extend(["-i".into(), device.into()]);
    arguments
}

/// A running `ffmpeg` that writes grey y4m.
struct Ffmpeg {
    path: PathBuf,
    child: Child,
    words: Option<JoinHandle<String>>,
    stream: Y4m<BufReader<ChildStdout>>,
}

impl Ffmpeg {
    fn start(program: &str, path: &Path, input: &[OsString]) -> Result<Self, SourceError> {
        let failed = |source| SourceError::File {
            path: path.to_owned(),
            source,
        };
        let mut child = Command::new(program)
            .args(["-nostdin", "-hide_banner", "-loglevel", "error"])
            .args(input)
            .args(["-map", "0:v:0", "-fps_mode", "passthrough"])
            .args(["-pix_fmt", "gray", "-strict", "-1"])
            .args(["-f", "yuv4mpegpipe", "pipe:1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => SourceError::NoFfmpeg(path.to_owned()),
                _ => failed(error),
            })?;
        let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(failed(io::Error::other("a process without its pipes")));
        };
        // Read beside the pictures: a full pipe of complaints would stop it.
        let words = thread::spawn(move || last_words(err));
        match Y4m::new(BufReader::new(out)) {
            Ok(stream) => Ok(Self {
                path: path.to_owned(),
                child,
                words: Some(words),
                stream,
            }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(told(path, words, error))
            }
        }
    }

    fn next_frame(&mut self) -> Option<Result<Grey, SourceError>> {
        match self.stream.next_frame() {
            None => self.complaint().map(Err),
            Some(Ok(picture)) => Some(Ok(picture)),
            Some(Err(error)) => {
                let _ = self.child.kill();
                let words = self.words.take()?;
                Some(Err(told(&self.path, words, error)))
            }
        }
    }

    /// What it had to say in the end, once: of a film cut short it gives what there is, complains,
    /// and calls that a success.
    fn complaint(&mut self) -> Option<SourceError> {
        let words = self.words.take()?.join().unwrap_or_default();
        let status = self.child.wait().ok()?;
        let said = match words.trim() {
            "" if status.success() => return None,
            "" => format!("it ended with {status}"),
            said => said.to_owned(),
        };
        let path = self.path.clone();
        Some(SourceError::Ffmpeg { path, said })
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        // Ended already, or no longer wanted; either way nothing is left behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `ffmpeg` said, or where it said nothing, what we saw.
fn told(path: &Path, words: JoinHandle<String>, error: SourceError) -> SourceError {
    let said = words.join().unwrap_or_default();
    SourceError::Ffmpeg {
        path: path.to_owned(),
        said: match said.trim() {
            "" => error.to_string(),
            said => said.to_owned(),
        },
    }
}

/// Reads to the end, keeps the beginning: the first complaint is the cause of the others.
fn last_words(mut err: ChildStderr) -> String {
    let mut kept = Vec::new();
    let _ = Read::by_ref(&mut err)
        .take(WORDS as u64)
        .read_to_end(&mut kept);
    let _ = io::copy(&mut err, &mut io::sink());
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_a_name() {
        for name in ["-y", "concat:a|b", "http://a.example/x.mp4"] {
            let arguments = video_arguments(Path::new(name));
            assert_eq!(arguments.last(), Some(&format!("file:{name}").into()));
        }
    }

    /// Four pictures of 64 by 64, as a film.
    fn film(path: &Path) {
        let made = Command::new("ffmpeg")
            .args(["-nostdin", "-y", "-loglevel", "error", "-f", "lavfi"])
            .args(["-i", "testsrc=d=2:r=10:s=64x64", "-c:v", "mjpeg"])
            .arg(path)
            .status()
            .expect("ffmpeg is needed (Debian: ffmpeg)");
        assert!(made.success());
    }

    fn drawn(path: &Path) -> (usize, Vec<SourceError>) {
        let mut video = match Video::open(path) {
            Ok(video) => video,
            Err(error) => return (0, vec![error]),
        };
        let (mut pictures, mut errors) = (0, Vec::new());
        while let Some(next) = video.next_frame() {
            match next {
                Ok(_) => pictures += 1,
                Err(error) => errors.push(error),
            }
        }
        (pictures, errors)
    }

    #[test]
    fn a_playlist_leads_to_no_other_file() {
        let dir = tempfile::tempdir().expect("a folder");
        film(&dir.path().join("secret.avi"));
        let named = dir.path().join("film.mp4");
        std::fs::write(&named, "ffconcat version 1.0\nfile secret.avi\n").expect("written");
        let numbered = dir.path().join("%03d.png");
        std::fs::write(dir.path().join("001.png"), b"x").expect("written");
        for path in [named, numbered] {
            let (pictures, errors) = drawn(&path);
            assert_eq!((pictures, errors.len()), (0, 1), "{}", path.display());
        }
    }

    #[test]
    fn a_film_cut_short_is_told_so_after_what_there_is() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("film.mkv");
        film(&path);
        let whole = drawn(&path);
        assert!(whole.1.is_empty(), "{:?}", whole.1);
        let bytes = std::fs::read(&path).expect("film");
        std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("written");
        let (pictures, errors) = drawn(&path);
        assert!(pictures > 0 && pictures < whole.0, "{pictures}");
        assert!(
            matches!(&errors[..], [SourceError::Ffmpeg { said, .. }] if said.contains("ended")),
            "{errors:?}"
        );
    }

    #[test]
    fn a_camera_is_asked_for_the_size_that_was_wanted() {
        let arguments = camera_arguments(Path::new("/dev/video2"), Some((1280, 720)));
        assert_eq!(
            arguments,
            ["-f", "v4l2", "-video_size", "1280x720", "-i", "/dev/video2"]
        );
        assert_eq!(
            camera_arguments(Path::new("/dev/video0"), None),
            ["-f", "v4l2", "-i", "/dev/video0"]
        );
    }

    #[test]
    fn a_machine_without_ffmpeg_is_told_so() {
        let path = Path::new("film.mp4");
        let outcome = Ffmpeg::start("no-ffmpeg-on-this-machine", path, &video_arguments(path));
        assert!(matches!(outcome, Err(SourceError::NoFfmpeg(p)) if p == path));
    }
}
