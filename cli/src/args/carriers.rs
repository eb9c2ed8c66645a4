//! Carriers without a link: folders and pictures.
//!
//! Who calls it: the verbs of these names. What can go wrong: see [`super`].

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `export`
#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    /// The folder: a drive's root or any directory; messages lie in DIDCOMM/ within
    pub(crate) dir: PathBuf,
    /// Only for this peer
    #[arg(long)]
    pub(crate) peer: Option<String>,
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
    /// Show a waiting message in the terminal
    Show {
        /// The message's id or its beginning [default: the oldest that waits]
        id: Option<String>,
        /// Milliseconds a picture stays, when there are several
        #[arg(long, default_value_t = 400, value_name = "MS")]
        pause: u64,
        /// How often the series is shown
        #[arg(long, default_value_t = 10, value_name = "N")]
        rounds: u32,
        /// The message has reached the other camera: do not let it wait any longer
        #[arg(long)]
        sent: bool,
    },
    /// Save waiting messages as pictures
    Save {
        /// Into this directory (made if missing)
        dir: PathBuf,
        /// Only this message (id or its beginning) [default: all that wait]
        #[arg(long)]
        id: Option<String>,
        /// Only for this peer
        #[arg(long)]
        peer: Option<String>,
        /// The kind of picture
        #[arg(long, value_enum, default_value_t)]
        format: PictureFormat,
        /// How many pictures, as a percentage of the fewest that could do: more survive more loss
        #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(100..=1000))]
        redundancy: Option<u32>,
        /// A packed message's file instead of the outbox (no home is used)
        #[arg(long, value_name = "FILE", conflicts_with_all = ["id", "peer"])]
        message: Option<PathBuf>,
    },
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
