//! NFC: a touch; read a tag, write one; a worker.
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

const TAP_HELP: &str = "\
A touch looks for another device and is found by one, in turns, until both have met; then what waits goes both ways, and \
what was received is in the inbox. When the devices part too early, hold them together again: it goes on.

Devices:
  /dev/ttyUSB0                     a PN532 on a serial line
  pcsc:ACR122                      a reader that pcscd knows, by a part of its name (a build with nfc-pcsc); it finds
                                   cards and phones, and is found by nobody
  libnfc:pn532_uart:/dev/ttyUSB0   what libnfc drives (a build with nfc-libnfc)

<home>/node.toml names the usual one, on which `packmule run` listens too:
  [nfc]
  device = \"/dev/ttyUSB0\"
  role = \"both\"                    or card, or reader";

/// What can be done by a touch.
#[derive(Debug, Subcommand)]
pub(crate) enum NfcVerb {
    /// Exchange what waits with the device that is held to ours, and say what was exchanged
    Tap(NfcTapArgs),
    /// Read the tag that is held to the chip: its links, and a packed message if one is on it
    Read(NfcReadArgs),
    /// Write a link, a packed message, or both on the tag that is held to the chip
    Write(NfcWriteArgs),
}

/// `nfc tap`
#[derive(Args, Debug)]
#[command(after_help = TAP_HELP)]
pub(crate) struct NfcTapArgs {
    /// The chip [default: that of node.toml, or the only serial line]
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<String>,
    /// How many seconds to wait for somebody
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) patience: u64,
}

/// `nfc-worker`
#[derive(Args, Debug)]
pub(crate) struct NfcWorkerArgs {
    /// As libnfc names it
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: String,
}

/// `nfc read`
#[derive(Args, Debug)]
pub(crate) struct NfcReadArgs {
    /// The chip: /dev/ttyUSB0 for a PN532 there; `nfc tap --help` lists others
    pub(crate) device: String,
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
    /// The chip: /dev/ttyUSB0 for a PN532 there; `nfc tap --help` lists others
    pub(crate) device: String,
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
