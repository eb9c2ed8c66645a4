//! Aids: the demo, completions, manual pages.
//!
//! Who calls it: the verbs of these names. What can go wrong: see [`super`].

use std::path::PathBuf;

use clap::Args;

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

/// `man`
#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// The verb, as it is typed (`qr save`) [default: the page of packmule itself]
    #[arg(value_name = "VERB", conflicts_with = "out")]
    pub(crate) verb: Vec<String>,
    /// Write the page of packmule and one for each verb into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}
