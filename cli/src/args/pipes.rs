//! Pipes: pack, unpack, inspect.
//!
//! Who calls it: the verbs of these names. What can go wrong: see [`super`].

use std::path::PathBuf;

use clap::Args;

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

/// `inspect`
#[derive(Args, Debug)]
pub(crate) struct InspectArgs {
    /// A packed message: JSON or compact; `-` for standard input
    pub(crate) file: PathBuf,
}
