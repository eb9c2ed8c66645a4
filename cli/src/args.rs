//! The command line: every verb, flag and help text, and nothing else.
//!
//! What it is: clap's derive structures. Who calls it: `main`, which hands each verb its own
//! structure. What can go wrong: clap refuses what makes no sense, with exit code 2.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::exit::Exit;
use crate::ui::time::parse_span;

/// Carry packed DIDComm messages over anything: folders, USB sticks, QR codes.
#[derive(Debug, Parser)]
#[command(
    name = "packmule",
    version,
    about,
    after_help = Exit::table(),
    arg_required_else_help = true,
    propagate_version = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What every verb understands.
#[derive(Args, Clone, Debug)]
pub(crate) struct Globals {
    /// The home: your keys, peers and messages [default: $PACKMULE_HOME, else
    /// $XDG_DATA_HOME/packmule, else ~/.local/share/packmule]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Print one JSON value (demo: JSON lines) instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Read the passphrase from this file (otherwise $PACKMULE_PASSPHRASE, otherwise you are asked)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// No progress bars
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make a home: a DID, its keys (encrypted with your passphrase), an empty store
    Init(InitArgs),
    /// Show your DID and its document
    Id,
    /// Make an invitation, as a URL and a QR code
    Invite(InviteArgs),
    /// Accept an invitation (or take a DID as a peer) and queue a first hello
    Accept(AcceptArgs),
    /// List, rename or remove peers
    Peers(PeersArgs),
    /// Write a message to a peer: it is packed and queued, and goes with `export` or `qr`
    Send(SendArgs),
    /// Pack a plaintext message from a pipe, with your keys or with anyone's
    Pack(PackArgs),
    /// Open a packed message from a pipe, with your keys or with anyone's
    Unpack(UnpackArgs),
    /// Read what has arrived
    Inbox(InboxArgs),
    /// See what waits to go, and what has been acknowledged
    Outbox(OutboxArgs),
    /// Write the waiting messages into a folder (a USB stick, a synchronised directory)
    Export(ExportArgs),
    /// Take the messages out of a folder
    Import(ImportArgs),
    /// Messages as QR pictures
    Qr(QrArgs),
    /// Explain a packed message byte for byte, without opening it
    Inspect(InspectArgs),
    /// Check the home and this computer, and say what is missing and how to get it
    Doctor,
    /// Let alice and bob exchange real messages in a scratch directory, and watch
    Demo(DemoArgs),
    /// Print a completion script for your shell
    Completions(CompletionsArgs),
}

/// How a new DID is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DidMethod {
    /// did:key: the shortest
    Key,
    /// did:peer:2: keys and services within the DID
    #[default]
    Peer2,
    /// did:peer:4: a whole document, long at first and short afterwards
    Peer4,
    /// did:jwk: one key as a JWK
    Jwk,
}

/// `init`
#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// The kind of DID
    #[arg(long, value_enum, default_value_t)]
    pub(crate) did_method: DidMethod,
    /// Where messages for you may be left, in order of preference (did:peer only)
    #[arg(long, value_name = "URI")]
    pub(crate) endpoint: Vec<String>,
    /// Memory that deriving the key from the passphrase takes, in MiB: more is safer against
    /// guessing, less suits small devices (8 to 1024)
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(8..=1024))]
    pub(crate) kdf_memory: Option<u32>,
}

/// `invite`
#[derive(Args, Debug)]
pub(crate) struct InviteArgs {
    /// What the invitation is for, in words for the other person
    #[arg(long, value_name = "TEXT")]
    pub(crate) goal: Option<String>,
    /// What it is for, as a goal code
    #[arg(long, value_name = "CODE")]
    pub(crate) goal_code: Option<String>,
    /// The page that the invitation's URL points to
    #[arg(long, value_name = "URL", default_value = "https://packmule.example/i")]
    pub(crate) base_url: String,
    /// Show it as a QR code in the terminal
    #[arg(long)]
    pub(crate) qr: bool,
    /// Let everybody who gets it become a peer, not only the first [default: one person]
    #[arg(long)]
    pub(crate) open: bool,
    /// How long it holds: 90s, 15m, 12h, 7d [default: 30d]
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub(crate) expires: Option<u64>,
    /// Take back the invitation with this id instead of making one
    #[arg(long, value_name = "ID", conflicts_with_all = ["goal", "goal_code", "qr", "save", "open", "expires"])]
    pub(crate) revoke: Option<String>,
    /// Save it as a QR picture (.png or .svg), or its URL as text (anything else)
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
}

/// `accept`
#[derive(Args, Debug)]
pub(crate) struct AcceptArgs {
    /// The invitation: its URL, a file with the URL or a picture of its QR code, `-` for
    /// standard input; or just a DID
    #[arg(value_name = "URL|FILE|DID|-")]
    pub(crate) source: String,
    /// What to call this peer [default: peer-1, peer-2, …]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The DID document of a peer whose DID says too little by itself (did:web), from a file;
    /// for a peer that is known already, its new document
    #[arg(long, value_name = "FILE")]
    pub(crate) did_doc: Vec<PathBuf>,
    /// Do not queue a hello: the other side will not learn of you yet
    #[arg(long)]
    pub(crate) no_hello: bool,
}

/// `peers`
#[derive(Args, Debug)]
pub(crate) struct PeersArgs {
    #[command(subcommand)]
    pub(crate) verb: Option<PeersVerb>,
}

/// What to do with peers.
#[derive(Debug, Subcommand)]
pub(crate) enum PeersVerb {
    /// List them (the default)
    List,
    /// Call one by another name
    Rename {
        /// The name or DID now
        peer: String,
        /// The new name
        name: String,
    },
    /// Forget one; messages stay
    Remove {
        /// The name or DID
        peer: String,
    },
}

/// `send`
#[derive(Args, Debug)]
pub(crate) struct SendArgs {
    /// The peer's name or DID
    pub(crate) peer: String,
    /// What to say; `-` reads standard input
    #[arg(required_unless_present_any = ["attach", "type_uri"])]
    pub(crate) text: Option<String>,
    /// Attach a file
    #[arg(long, value_name = "FILE")]
    pub(crate) attach: Vec<PathBuf>,
    /// Another message type than basicmessage
    #[arg(
        long = "type",
        value_name = "URI",
        requires = "body",
        conflicts_with = "text"
    )]
    pub(crate) type_uri: Option<String>,
    /// The body of that message
    #[arg(long, value_name = "JSON", requires = "type_uri")]
    pub(crate) body: Option<String>,
    /// Encrypt so that the peer knows it is from you (the default)
    #[arg(long, conflicts_with = "anon")]
    pub(crate) auth: bool,
    /// Encrypt without saying from whom
    #[arg(long)]
    pub(crate) anon: bool,
    /// Also sign, so that the peer can prove to others that you wrote it
    #[arg(long, conflicts_with = "anon")]
    pub(crate) sign: bool,
    /// Not to be sent or believed after this time: 90s, 15m, 12h, 7d
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub(crate) expires: Option<u64>,
    /// Ask for an acknowledgement
    #[arg(long)]
    pub(crate) please_ack: bool,
    /// Continue this thread
    #[arg(long, value_name = "ID")]
    pub(crate) thread: Option<String>,
}

/// Keys and documents from files, instead of a home.
#[derive(Args, Debug)]
pub(crate) struct Foreign {
    /// Secret keys: an array of JWKs, or a map from key id to JWK (no home is used)
    #[arg(long, value_name = "FILE")]
    pub(crate) secrets: Vec<PathBuf>,
    /// DID documents of parties whose DIDs say too little by themselves
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) did_doc: Vec<PathBuf>,
}

/// `pack`
#[derive(Args, Debug)]
pub(crate) struct PackArgs {
    /// The sender's DID: encrypts so that the recipient knows it [default: your own]
    #[arg(long, value_name = "DID", conflicts_with = "anon")]
    pub(crate) from: Option<String>,
    /// Encrypt without a sender
    #[arg(long)]
    pub(crate) anon: bool,
    /// Sign too (with --anon: sign with your own or the --secrets' key); without --to: only sign
    #[arg(long)]
    pub(crate) sign: bool,
    /// Hide the sender from those who carry it
    #[arg(long, conflicts_with = "anon")]
    pub(crate) hide_sender: bool,
    /// A recipient's DID or, with a home, a peer's name [default with a home: the message's `to`]
    #[arg(long, value_name = "DID", num_args = 1..)]
    pub(crate) to: Vec<String>,
    /// Write the compact form of the envelope instead of JSON
    #[arg(long)]
    pub(crate) compact: bool,
    /// Read the plaintext message from this file instead of standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Write here instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) foreign: Foreign,
}

/// `unpack`
#[derive(Args, Debug)]
pub(crate) struct UnpackArgs {
    /// The packed message, JSON or compact; standard input when left out. Name it before
    /// --did-doc, which takes every file after it
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) foreign: Foreign,
}

/// `inbox`
#[derive(Args, Debug)]
pub(crate) struct InboxArgs {
    #[command(subcommand)]
    pub(crate) verb: Option<InboxVerb>,
    /// Show what was refused, and why
    #[arg(long)]
    pub(crate) refused: bool,
    /// Also show acknowledgements, pings and other messages without words
    #[arg(long, short)]
    pub(crate) all: bool,
}

/// What to do with the inbox.
#[derive(Debug, Subcommand)]
pub(crate) enum InboxVerb {
    /// List messages (the default)
    List,
    /// Show one message in full
    Show {
        /// The message's id or envelope id, or its beginning
        id: String,
    },
    /// Try a refused message again, say after its sender's document became known
    Retry {
        /// The envelope id, or its beginning
        id: String,
    },
    /// Remove a message, opened or refused, for good: it does not come back
    Discard {
        /// The message's id or envelope id, or its beginning
        id: String,
    },
    /// Save one message's attachments
    Save {
        /// The message's id or envelope id, or its beginning
        id: String,
        /// Into this directory (made if missing); existing files are never replaced
        dir: PathBuf,
    },
}

/// `outbox`
#[derive(Args, Debug)]
pub(crate) struct OutboxArgs {
    #[command(subcommand)]
    pub(crate) verb: Option<OutboxVerb>,
    /// Also show what has been sent or acknowledged
    #[arg(long, short)]
    pub(crate) all: bool,
}

/// What to do with the outbox.
#[derive(Debug, Subcommand)]
pub(crate) enum OutboxVerb {
    /// List messages (the default)
    List,
    /// Let a message that was sent wait again, because its stick was lost
    Again {
        /// The message's id or envelope id, or its beginning
        id: String,
    },
    /// Forget what was acknowledged or has expired
    Prune {
        /// Also what was sent more than this many days ago and never acknowledged
        #[arg(long, value_name = "DAYS")]
        sent: Option<u64>,
    },
}

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

/// `inspect`
#[derive(Args, Debug)]
pub(crate) struct InspectArgs {
    /// A packed message: JSON or compact; `-` for standard input
    pub(crate) file: PathBuf,
}

/// `demo`
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// Where to work (must be empty or new) [default: a new directory for temporary files]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// `completions`
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}
