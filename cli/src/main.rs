//! The one binary: carry packed DIDComm messages over anything.
mod args; mod exit; mod fault; mod ui;
fn main() { use clap::Parser; println!("{:?}", args::Cli::parse()); let _ = (ui::output::print, ui::output::print_fault, ui::passphrase::get, ui::passphrase::choose); }
