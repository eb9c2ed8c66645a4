//! Carriers without a link: folders and pictures.
//!
//! Who calls it: the verbs of these names. What can go wrong: see [`super`].

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use packmule_transports::qr::Profile;

/// `export`
#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    /// The folder: a drive's root or any directory; messages lie in DIDCOMM/ within
    pub(crate) dir: PathBuf,
    /// Only for this peer
    #[arg(long)]
    pub(crate) peer: Option<String>,
    /// Put short messages together into one file for each recipient, in our compact form: faster
    /// and far smaller on a stick, but only packmule reads it
    #[arg(long)]
    pub(crate) batch: bool,
}

/// `import`
#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// The folder that a peer or carrier filled
    pub(crate) dir: PathBuf,
    /// Take messages into custody but do not open them: needs no passphrase
    #[arg(long)]
    pub(crate) keep_sealed: bool,
    /// Take what is for others too, and carry it on: on the next export, and by a node or gateway
    /// that runs on this home
    #[arg(long)]
    pub(crate) carry: bool,
}

/// `drive`
#[derive(Args, Debug)]
pub(crate) struct DriveArgs {
    #[command(subcommand)]
    pub(crate) verb: DriveVerb,
}

/// What to do with drives.
#[derive(Subcommand, Debug)]
pub(crate) enum DriveVerb {
    /// Wait for sticks: when one with a DIDCOMM folder is plugged in, take in what is for us, write
    /// what waits, and say when it may be removed
    Watch(DriveWatchArgs),
}

/// `drive watch`
#[derive(Args, Debug)]
pub(crate) struct DriveWatchArgs {
    /// Take what is for others too, and carry it on
    #[arg(long)]
    pub(crate) carry: bool,
    /// Write short messages together, in a form that only packmule reads (see `export --help`)
    #[arg(long)]
    pub(crate) batch: bool,
    /// Take messages into custody but do not open them: needs no passphrase
    #[arg(long)]
    pub(crate) keep_sealed: bool,
    /// Only drives that are mounted below these directories
    #[arg(long, value_name = "DIR", default_values = ["/media", "/run/media", "/mnt"])]
    pub(crate) below: Vec<PathBuf>,
    /// End after so many sticks
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
}

/// `qr`
#[derive(Args, Debug)]
pub(crate) struct QrArgs {
    #[command(subcommand)]
    pub(crate) verb: QrVerb,
}

/// The kind of picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PictureFormat {
    /// Pixels
    #[default]
    Png,
    /// Vectors, for print
    Svg,
    /// One animated picture
    Gif,
}

/// What to do with QR pictures.
#[derive(Debug, Subcommand)]
pub(crate) enum QrVerb {
    /// Show a message in the terminal
    Show(QrShowArgs),
    /// Save messages as pictures or as a moving picture
    Save(QrSaveArgs),
    /// Scan messages and invitations from pictures, videos, y4m streams and cameras
    Scan(QrScanArgs),
    /// Show what waits and scan what the other side shows, at the same time: each stops when the
    /// other has everything
    Swap(QrSwapArgs),
    /// Read messages and invitations from pictures, in any order
    Read {
        /// Pictures (PNG, JPEG, GIF) or directories of them
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Take messages into custody but do not open them: needs no passphrase
        #[arg(long)]
        keep_sealed: bool,
        /// Forget the frames of unfinished messages that were read before
        #[arg(long)]
        forget: bool,
    },
}

/// `qr swap`
#[derive(Args, Debug)]
pub(crate) struct QrSwapArgs {
    /// What looks at the other side: a camera, or a y4m stream (`-`: standard input)
    #[arg(value_name = "PATH", default_value = "/dev/video0")]
    pub(crate) camera: PathBuf,
    /// How large the codes are and how fast they follow each other at first: robust, normal, fast,
    /// max; never larger than the screen has room for. The other side's answers make it slower
    /// where most are lost, and faster where none are [default: normal where it fits, else robust]
    #[arg(long)]
    pub(crate) profile: Option<Profile>,
    /// How the terminal draws
    #[arg(long, value_enum, default_value_t)]
    pub(crate) graphics: Graphics,
    /// Seconds to go on after both sides have everything, for the other side to see it
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    pub(crate) linger: u64,
    /// A stream is raw 8-bit grey pictures of this size (`ffmpeg … -f rawvideo -pix_fmt gray -`)
    #[arg(long, value_name = "WxH", value_parser = parse_size)]
    pub(crate) raw: Option<(u32, u32)>,
    /// Ask a camera for pictures of this size [default: the camera's choice]
    #[arg(long, value_name = "WxH", value_parser = parse_size)]
    pub(crate) camera_size: Option<(u32, u32)>,
    /// Threads that look for codes [default: as many as the machine has, at most 8]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) threads: usize,
    /// Take messages into custody but do not open them: needs no passphrase
    #[arg(long)]
    pub(crate) keep_sealed: bool,
}

/// `qr scan`
#[derive(Args, Debug)]
pub(crate) struct QrScanArgs {
    /// Pictures (PNG, APNG, JPEG, GIF), directories of them, y4m files and pipes, cameras
    /// (/dev/video0), any video that ffmpeg knows; `-` is a y4m stream on standard input
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Write the first whole message into this file and stop: no home is used, and what is
    /// unfinished is kept beside it in FILE.partial
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// A stream is raw 8-bit grey pictures of this size (`ffmpeg … -f rawvideo -pix_fmt gray -`)
    #[arg(long, value_name = "WxH", value_parser = parse_size)]
    pub(crate) raw: Option<(u32, u32)>,
    /// Ask a camera for pictures of this size [default: the camera's choice]
    #[arg(long, value_name = "WxH", value_parser = parse_size)]
    pub(crate) camera_size: Option<(u32, u32)>,
    /// Threads that look for codes [default: as many as the machine has, at most 8]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) threads: usize,
    /// Take messages into custody but do not open them: needs no passphrase
    #[arg(long)]
    pub(crate) keep_sealed: bool,
    /// Forget the frames of unfinished messages that were read before
    #[arg(long)]
    pub(crate) forget: bool,
}

/// `1280x720`
fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let (width, height) = text.split_once('x').ok_or("a size is like 1280x720")?;
    let side = |digits: &str| match digits.parse() {
        Ok(n @ 1..) => Ok(n),
        _ => Err(format!("{digits:?} is no number of pixels")),
    };
    Ok((side(width)?, side(height)?))
}

/// What the codes say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Our own frames: the fewest codes, any of which suffice
    #[default]
    Frames,
    /// Parts of a UR (ur:x-didcomm), for readers of Blockchain Commons' convention
    Ur,
    /// The packed message as it is, in one code that any scanner reads
    Plain,
}

/// How a terminal draws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Graphics {
    /// Pixels where the terminal is known to draw them, else letters
    #[default]
    Auto,
    /// Half blocks: letters that any terminal has
    Blocks,
    /// Sixels (foot, mlterm, xterm -ti vt340)
    Sixel,
    /// Kitty's protocol (kitty, WezTerm, ghostty)
    Kitty,
}

/// `qr show`
#[derive(Args, Debug)]
pub(crate) struct QrShowArgs {
    /// The message's id or its beginning [default: the oldest that waits]
    pub(crate) id: Option<String>,
    /// A packed message's file instead of the outbox (no home is used)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["id", "sent"])]
    pub(crate) message: Option<PathBuf>,
    /// How large the codes may be and how fast they follow each other: robust, normal, fast, max;
    /// never larger than the screen has room for [default: normal where it has, else robust]
    #[arg(long)]
    pub(crate) profile: Option<Profile>,
    /// Milliseconds a picture stays, when there are several [default: as the profile says]
    #[arg(long, value_name = "MS")]
    pub(crate) pause: Option<u64>,
    /// What the codes say
    #[arg(long = "as", value_enum, default_value_t)]
    pub(crate) form: Form,
    /// How many times the pictures that suffice are shown, always fresh ones; `q` ends it earlier
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub(crate) rounds: u32,
    /// How the terminal draws
    #[arg(long, value_enum, default_value_t)]
    pub(crate) graphics: Graphics,
    /// The message has reached the other camera: do not let it wait any longer
    #[arg(long)]
    pub(crate) sent: bool,
}

/// `qr save`
#[derive(Args, Debug)]
pub(crate) struct QrSaveArgs {
    /// With --out: a packed message's file, for which no home is used [default: what waits in the
    /// outbox]. Without --out: the directory for what waits
    #[arg(value_name = "FILE", required_unless_present = "out")]
    pub(crate) path: Option<PathBuf>,
    /// A directory for pictures (made if missing), or one file with all codes in it: x.gif, x.png
    /// (animated), x.y4m, and with ffmpeg x.mp4, x.mkv, x.webm
    #[arg(long, value_name = "DIR|FILE")]
    pub(crate) out: Option<PathBuf>,
    /// How large the codes are and how fast they follow each other: robust (10 a second), normal
    /// (15), fast (20), max (30)
    #[arg(long, default_value = "normal")]
    pub(crate) profile: Profile,
    /// What the codes say
    #[arg(long = "as", value_enum, default_value_t)]
    pub(crate) form: Form,
    /// Only this message (id or its beginning) [default: all that wait]
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// Only for this peer
    #[arg(long)]
    pub(crate) peer: Option<String>,
    /// The kind of picture in a directory
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: PictureFormat,
    /// How many pictures in a directory, as a percentage of the fewest that could do: more survive
    /// more loss
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(100..=1000))]
    pub(crate) redundancy: Option<u32>,
    /// A packed message's file instead of the outbox (no home is used)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["id", "peer"])]
    pub(crate) message: Option<PathBuf>,
}
