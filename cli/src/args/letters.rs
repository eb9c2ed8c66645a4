//! Letters: sent, received, waiting.
//!
//! Who calls it: the verbs of these names. What can go wrong: see [`super`].

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use packmule_bus::link::Way;
use packmule_transports::NAMES;

use crate::ui::time::parse_span;

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
    /// Send now by this transport (tcp), this way (tcp://192.168.1.7:4460) before others, and wait
    /// until somebody has it. A running node does it, or one that runs as long as this command
    #[arg(long, value_name = "WAY|TRANSPORT", value_parser = parse_by)]
    pub(crate) by: Vec<By>,
    /// With --by: give up waiting after this time; the message stays queued [default: 60s]
    #[arg(long, value_name = "SPAN", value_parser = parse_span, requires = "by")]
    pub(crate) wait: Option<u64>,
    /// What goes first when a link is short
    #[arg(long, value_enum, default_value_t)]
    pub(crate) priority: Priority,
    /// Continue this thread
    #[arg(long, value_name = "ID")]
    pub(crate) thread: Option<String>,
}

/// By which channel a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// Any way of this transport.
    Transport(String),
    /// This one.
    Way(Way),
}

/// Reads a way, or a transport's name.
fn parse_by(text: &str) -> Result<By, String> {
    let by = match Way::parse(text) {
        Some(way) => By::Way(way),
        None => By::Transport(text.to_owned()),
    };
    let name = match &by {
        By::Way(way) => way.transport(),
        By::Transport(name) => name,
    };
    if NAMES.contains(&name) {
        return Ok(by);
    }
    let names = NAMES.join(", ");
    Err(format!(
        "`{text}` is no transport and no way; write tcp or tcp://HOST:PORT (this program has {names})"
    ))
}

/// What goes first when a link is short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Priority {
    /// When nothing else waits
    Bulk,
    /// The usual
    #[default]
    Normal,
    /// Before everything else
    Urgent,
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
