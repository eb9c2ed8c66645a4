//! The node: run it, look at it, ask it, and the letters that it could not deliver.
//!
//! Who calls it: the verbs of these names. What can go wrong: see [`super`].

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use packmule_bus::link::Way;
use packmule_node::units::{parse_size, parse_span};
use packmule_uplink::did_named;

/// A yes or a no, spelt out: a flag that is not given leaves the choice to node.toml.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum YesNo {
    /// Yes
    Yes,
    /// No
    No,
}

const RUN_HELP: &str = "\
A node keeps links to other nodes open, passes waiting messages on by itself, takes in what comes, \
and carries messages for others within its quotas. Nothing is lost when it ends or is killed: the \
next one goes on. Other verbs work while it runs.

Examples:
  packmule run                                  listen on a free port, find peers on the LAN
  packmule run --listen tcp://0.0.0.0:4460      on a port of your choice
  packmule run --listen ws://127.0.0.1:8080/    also what speaks DIDComm over WebSocket

<home>/node.toml holds the same options under the same names, and flags win over it:
  listen = [\"tcp://0.0.0.0:4460\"]
  discover = true
  upstream = [\"did:peer:2…\"]
  carry-for-strangers = false
  quota = \"2 GB\"
  quota-strangers = \"200 MB\"
  max-message = \"16 MB\"
  copies = 6
  hops = 8
  [mail]                                        mail by a server of yours, both ways
  address = \"bob@example.org\"
  [mail.submission]
  server = \"smtps://mail.example.org\"          smtp:// begins with STARTTLS; open = true: no TLS
  user = \"bob\"
  password-file = \"mail.password\"              or password-env = \"MAIL_PASSWORD\"
  authority = \"ca.pem\"                         whom to believe; else the system's authorities
  certificate = \"me.pem\"                       where the server wants one, with key = \"me.key\"
  [mail.imap]                                   the same keys, and
  server = \"imaps://mail.example.org\"
  folder = \"INBOX\"
  move-to = \"DIDComm\"                          what was read; or delete = true
  poll = 60                                     seconds, where the server tells no news
  no-idle = false
  [mail.inbound]                                a door for a mail server that hands over
  lmtp = \"127.0.0.1:2424\"                      or smtp = \"…\"
  for = [\"example.org\"]                        addresses, domains; else your own address
  [nfc]                                         a chip for touches, listened on besides
  device = \"/dev/ttyUSB0\"                      `packmule nfc tap --help` lists others
  role = \"both\"                                or card, or reader

With --json it prints one line when it is ready, {\"ready\":true,\"listen\":[…],\"pid\":…,\"home\":…}, \
and with --events a line for each event afterwards. It ends on SIGTERM or SIGINT, and tells systemd \
when it is ready (Type=notify).";

/// `run`
#[derive(Args, Debug)]
#[command(after_help = RUN_HELP)]
pub(crate) struct RunArgs {
    /// Listen here; may be given several times [default: tcp://0.0.0.0:0, any free port]
    #[arg(long, value_name = "WAY", value_parser = parse_way)]
    pub(crate) listen: Vec<Way>,
    /// Do not look for nodes on the local network, and do not let them find this one
    #[arg(long)]
    pub(crate) no_discover: bool,
    /// Collect from this mediator, named by its DID or an invitation; may be given several times
    #[arg(long, value_name = "DID|INVITATION", value_parser = parse_upstream)]
    pub(crate) upstream: Vec<String>,
    /// Carry messages that are neither from nor to a peer of yours [default: yes]
    #[arg(long, value_name = "YES|NO", value_enum)]
    pub(crate) carry_for_strangers: Option<YesNo>,
    /// The most that is held in all, such as 500MB or 2GB [default: 1 GiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) quota: Option<u64>,
    /// The most of it that is held for strangers [default: 256 MiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) quota_strangers: Option<u64>,
    /// The longest message that is taken [default: 64 MiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) max_message: Option<u64>,
    /// How many copies of a message of yours may be under way with carriers [default: 6]
    #[arg(long, value_name = "N")]
    pub(crate) copies: Option<u16>,
    /// How many carriers may follow one another [default: 8]
    #[arg(long, value_name = "N")]
    pub(crate) hops: Option<u8>,
    /// Print each event as a line
    #[arg(long)]
    pub(crate) events: bool,
}

/// The DID of the mediator that is named.
pub(crate) fn parse_upstream(text: &str) -> Result<String, String> {
    did_named(text).map_err(|err| format!("`{text}` names no mediator: {err}"))
}

/// Reads a way: a transport's name, a colon, and where.
pub(crate) fn parse_way(text: &str) -> Result<Way, String> {
    Way::parse(text)
        .ok_or_else(|| format!("`{text}` is no way; write tcp://HOST:PORT or ws://HOST:PORT/"))
}

const WHY_HELP: &str = "\
Tells of one message of yours, or one that your node carries: who holds a copy of it, what happens \
next, and when. MSG is the message's id or its envelope's, or the beginning of either, as \
`packmule outbox` prints them.";

/// `why`
#[derive(Args, Debug)]
#[command(after_help = WHY_HELP)]
pub(crate) struct WhyArgs {
    /// The message's id or envelope id, or its beginning
    #[arg(value_name = "MSG")]
    pub(crate) id: String,
}

/// `watch`
#[derive(Args, Debug)]
pub(crate) struct WatchArgs {
    /// End after so many events
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// End after this time: 90s, 15m, 12h
    #[arg(long = "for", value_name = "SPAN", value_parser = parse_span)]
    pub(crate) span: Option<u64>,
}

/// `forget`
#[derive(Args, Debug)]
pub(crate) struct ForgetArgs {
    /// The message's id or envelope id, or its beginning
    #[arg(value_name = "MSG")]
    pub(crate) id: String,
}

/// `dead-letters`
#[derive(Args, Debug)]
pub(crate) struct DeadLettersArgs {
    #[command(subcommand)]
    pub(crate) verb: Option<DeadLettersVerb>,
}

/// What to do with letters that could not be delivered.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLettersVerb {
    /// List them, each with its reason (the default)
    List,
    /// Let one try again, or all of them
    Retry {
        /// The message's id or envelope id, or its beginning [default: all]
        id: Option<String>,
    },
    /// Write the packed messages as files, to be carried by other means
    Export {
        /// Into this directory (made if missing); existing files are never replaced
        dir: PathBuf,
    },
}

/// `bench`
#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    pub(crate) verb: BenchVerb,
}

/// What is measured.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchVerb {
    /// Two nodes as processes of their own on this machine, messages over TCP, both stores durable
    Link(BenchLinkArgs),
    /// A stick: letters are packed and queued, written into a folder, and taken in from there
    Drive(BenchDriveArgs),
    /// QR codes: frames needed by losses, time to draw and to find a code, bytes a second through a
    /// modelled camera
    Qr(BenchQrArgs),
}

/// `bench qr`
#[derive(Args, Clone, Debug)]
pub(crate) struct BenchQrArgs {
    /// Runs for each number of frames and kind of loss
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seeds: u32,
}

/// `bench link`
#[derive(Args, Clone, Debug)]
pub(crate) struct BenchLinkArgs {
    /// How many messages
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) messages: u32,
    /// How long each is, in bytes of its plaintext body
    #[arg(long, value_name = "B", value_parser = parse_size, default_value = "2000")]
    pub(crate) size: u64,
    /// One at a time: the next goes when the recipient's signed receipt for the last is here
    #[arg(long)]
    pub(crate) serial: bool,
    /// Where the two scratch homes go [default: a new directory for temporary files]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// `bench drive`
#[derive(Args, Clone, Debug)]
pub(crate) struct BenchDriveArgs {
    /// How many messages
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) messages: u32,
    /// How long each is, in bytes of its plaintext body
    #[arg(long, value_name = "B", value_parser = parse_size, default_value = "2000")]
    pub(crate) size: u64,
    /// A file for each message, as any agent reads it, instead of batches
    #[arg(long)]
    pub(crate) files: bool,
    /// Where the scratch homes and the folder go [default: a new directory for temporary files]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}
