//! `packmule completions SHELL`: the script goes to standard output.

use clap::CommandFactory;
use serde_json::json;

use crate::args::{Cli, CompletionsArgs};
use crate::ui::output::Report;

/// The completion script of one shell.
pub(crate) fn run(args: &CompletionsArgs) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "packmule", &mut script);
    let text = String::from_utf8_lossy(&script).into_owned();
    Report::new(
        "",
        json!({ "shell": args.shell.to_string(), "script": text }),
    )
    .raw(script)
}
