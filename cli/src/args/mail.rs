//! Mail: try what is set up.
//!
//! Who calls it: the verb of this name. What can go wrong: see [`super`].

use clap::{Args, Subcommand};

/// `mail`
#[derive(Args, Debug)]
pub(crate) struct MailArgs {
    #[command(subcommand)]
    pub(crate) verb: MailVerb,
}

/// What can be done with mail.
#[derive(Debug, Subcommand)]
pub(crate) enum MailVerb {
    /// Send a message to yourself by [mail.submission], and wait for it in [mail.imap]
    Test(MailTestArgs),
}

/// `mail test`
#[derive(Args, Debug)]
pub(crate) struct MailTestArgs {
    /// Send it to this address instead, and wait for nothing
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) to: Option<String>,
    /// How many seconds to wait for it
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) patience: u64,
}
