//! The one binary: carry packed DIDComm messages over anything.
//!
//! What it is: reads the command line, hands it to its verb, prints the report, ends with the
//! exit code. Who calls it: people and scripts. What can go wrong: see [`exit`].

mod args;
mod cmd;
mod demo;
mod exit;
mod fault;
mod flow;
mod home;
mod ui;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    let as_json = cli.globals.json;
    let (exit, printed) = match cmd::run(cli) {
        Ok(report) => (report.exit, ui::output::print(&report, as_json)),
        Err(fault) => (fault.exit, ui::output::print_fault(&fault, as_json)),
    };
    match printed {
        Ok(()) => ExitCode::from(exit.code()),
        // Our reader went away: what had to be durable was so before.
        Err(err) if err.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::from(exit.code()),
        // A result that could not be written is no success (`pack > /dev/full`).
        Err(err) => {
            let fault = fault::Fault::from(err);
            eprintln!("error: cannot write the result: {fault}");
            ExitCode::from(fault.exit.code())
        }
    }
}
