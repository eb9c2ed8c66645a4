//! The command line: every verb, flag and help text, and nothing else.
//!
//! What it is: clap's derive structures, a file for each family of verbs. Who calls it: `main`,
//! which hands each verb its own structure. What can go wrong: clap refuses what makes no sense,
//! with exit code 2.

mod aids;
mod ble;
mod carriers;
mod gateway;
mod letters;
mod mail;
mod nfc;
mod node;
mod parties;
mod pipes;
mod sim;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::exit::Exit;

pub(crate) use aids::{CompletionsArgs, DemoArgs, ManArgs};
pub(crate) use ble::{BleArgs, BleEchoArgs, BleScanArgs, BleServeArgs, BleVerb};
pub(crate) use carriers::{
    DriveArgs, DriveVerb, DriveWatchArgs, ExportArgs, Form, Graphics, ImportArgs, PictureFormat,
    QrArgs, QrSaveArgs, QrScanArgs, QrShowArgs, QrSwapArgs, QrVerb,
};
pub(crate) use gateway::{GatewayArgs, GatewayRunArgs, GatewayVerb};
pub(crate) use letters::{By, InboxArgs, InboxVerb, OutboxArgs, OutboxVerb, Priority, SendArgs};
pub(crate) use mail::{MailArgs, MailTestArgs, MailVerb};
pub(crate) use nfc::{NfcArgs, NfcReadArgs, NfcTapArgs, NfcVerb, NfcWorkerArgs, NfcWriteArgs};
pub(crate) use node::{
    BenchArgs, BenchDriveArgs, BenchLinkArgs, BenchQrArgs, BenchVerb, DeadLettersArgs,
    DeadLettersVerb, ForgetArgs, RunArgs, WatchArgs, WhyArgs, YesNo, parse_upstream, parse_way,
};
pub(crate) use parties::{AcceptArgs, DidMethod, InitArgs, InviteArgs, PeersArgs, PeersVerb};
pub(crate) use pipes::{Foreign, InspectArgs, PackArgs, UnpackArgs};
pub(crate) use sim::{
    SimArgs, SimLinkArgs, SimNfcArgs, SimReplayArgs, SimRunArgs, SimTraceArgs, SimVerb,
};

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
    /// Run the node in the foreground: it keeps links, sends what waits, takes what comes
    Run(Box<RunArgs>),
    /// Run a gateway: hold messages for people, and give them out over HTTP, WebSocket and links
    Gateway(Box<GatewayArgs>),
    /// Is a node running? What it holds, whom it meets, how full it is
    Status,
    /// Print what happens, as it happens
    Watch(WatchArgs),
    /// Tell of one message who holds a copy, and what happens next and when
    Why(WhyArgs),
    /// Take a message back: nobody of ours carries it any further
    Forget(ForgetArgs),
    /// Letters that could not be delivered: list them, let them try again, export them
    DeadLetters(DeadLettersArgs),
    /// Write the waiting messages into a folder (a USB stick, a synchronised directory)
    Export(ExportArgs),
    /// Take the messages out of a folder
    Import(ImportArgs),
    /// Serve sticks as they are plugged in
    Drive(DriveArgs),
    /// Messages as QR pictures
    Qr(QrArgs),
    /// Explain a packed message byte for byte, without opening it
    Inspect(InspectArgs),
    /// Mail: try what is set up
    Mail(MailArgs),
    /// Try Bluetooth: look around, be seen, measure
    Ble(BleArgs),
    /// NFC: exchange messages by a touch, read and write tags
    Nfc(NfcArgs),
    /// Drive an NFC chip by libnfc, for a node that says what to do on standard input
    #[command(hide = true)]
    NfcWorker(NfcWorkerArgs),
    /// Check the home and this computer, and say what is missing and how to get it
    Doctor,
    /// Measure: how fast two nodes on this machine are
    Bench(BenchArgs),
    /// Simulate: plans over thousands of seeds, contact traces, slow channels for other programs
    Sim(Box<SimArgs>),
    /// Let alice and bob exchange real messages in a scratch directory, and watch
    Demo(DemoArgs),
    /// Print a completion script for your shell
    Completions(CompletionsArgs),
    /// Print a manual page, or write them all into a folder
    Man(ManArgs),
}
