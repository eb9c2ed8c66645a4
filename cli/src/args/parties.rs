//! Parties: homes, invitations, peers.
//!
//! Who calls it: the verbs of these names. What can go wrong: see [`super`].

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use packmule_agent::Did;
use packmule_bus::link::Way;

use super::parse_way;
use crate::ui::time::parse_span;

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
    /// A mediator through which messages for you go, by its DID; several: in the order in which
    /// they pass, the one on the internet first. Ask each for a mailbox, too. The first one's
    /// endpoint is yours, unless --endpoint says another (did:peer only)
    #[arg(long, value_name = "DID", value_parser = parse_did)]
    pub(crate) mediator: Vec<String>,
    /// Memory that deriving the key from the passphrase takes, in MiB: more is safer against
    /// guessing, less suits small devices (8 to 1024)
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(8..=1024))]
    pub(crate) kdf_memory: Option<u32>,
}

/// Reads a DID.
fn parse_did(text: &str) -> Result<String, String> {
    match Did::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(err) => Err(format!("this is no DID: {err}")),
    }
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
    /// Show or set the ways to reach one, best first; they come before those in its DID document
    Ways {
        /// The name or DID
        peer: String,
        /// Such as tcp://192.168.1.7:4460; none shows those that are set
        #[arg(value_parser = parse_way)]
        ways: Vec<Way>,
        /// Remove those that are set
        #[arg(long, conflicts_with = "ways")]
        clear: bool,
    },
    /// Forget one; messages stay
    Remove {
        /// The name or DID
        peer: String,
    },
}
