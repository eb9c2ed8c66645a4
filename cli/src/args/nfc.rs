//! NFC: read a tag, write one.
//!
//! Who calls it: the verb of this name. What can go wrong: see [`super`].

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `nfc`
#[derive(Args, Debug)]
pub(crate) struct NfcArgs {
    #[command(subcommand)]
    pub(crate) verb: NfcVerb,
}

/// What can be done with a tag.
#[derive(Debug, Subcommand)]
pub(crate) enum NfcVerb {
    /// Read the tag that is held to the chip: its links, and a packed message if one is on it
    Read(NfcReadArgs),
    /// Write a link, a packed message, or both on the tag that is held to the chip
    Write(NfcWriteArgs),
}

/// `nfc read`
#[derive(Args, Debug)]
pub(crate) struct NfcReadArgs {
    /// The chip's serial line: a PN532 on /dev/ttyUSB0
    pub(crate) device: PathBuf,
    /// Write the packed message that is on it into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// How many seconds to wait for a tag
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) patience: u64,
}

/// `nfc write`
#[derive(Args, Debug)]
pub(crate) struct NfcWriteArgs {
    /// The chip's serial line: a PN532 on /dev/ttyUSB0
    pub(crate) device: PathBuf,
    /// A link, which telephones open by themselves: an invitation
    #[arg(long, value_name = "URI", required_unless_present = "message")]
    pub(crate) uri: Option<String>,
    /// A packed message
    #[arg(long, value_name = "FILE")]
    pub(crate) message: Option<PathBuf>,
    /// How many seconds to wait for a tag
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) patience: u64,
}
