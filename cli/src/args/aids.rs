//! Aids: the demo, completions.
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
