//! The verbs: one file each, thin. What they share is in [`crate::flow`].

pub(crate) mod accept;
mod arrived;
mod bench;
mod ble;
mod completions;
mod dead_letters;
mod doctor;
mod drive;
mod export;
mod foreign;
mod forget;
mod gateway;
mod id;
mod import;
mod inbox;
mod init;
mod inspect;
pub(crate) mod invite;
mod mail;
mod man;
mod nfc;
mod outbox;
mod pack;
mod peers;
mod qr;
mod run;
mod send;
mod sim;
mod status;
mod unpack;
mod watch;
mod why;

use crate::args::{Cli, Verb};
use crate::fault::Fault;
use crate::ui::output::Report;

/// Runs one verb.
pub(crate) fn run(cli: Cli) -> Result<Report, Fault> {
    let globals = &cli.globals;
    match cli.verb {
        Verb::Init(args) => init::run(globals, &args),
        Verb::Id => id::run(globals),
        Verb::Invite(args) => invite::run(globals, &args),
        Verb::Accept(args) => accept::run(globals, &args),
        Verb::Peers(args) => peers::run(globals, args.verb),
        Verb::Send(args) => send::run(globals, &args),
        Verb::Pack(args) => pack::run(globals, &args),
        Verb::Unpack(args) => unpack::run(globals, &args),
        Verb::Inbox(args) => inbox::run(globals, &args),
        Verb::Outbox(args) => outbox::run(globals, &args),
        Verb::Run(args) => run::run(globals, &args),
        Verb::Gateway(args) => gateway::run(globals, &args),
        Verb::Status => status::run(globals),
        Verb::Watch(args) => watch::run(globals, &args),
        Verb::Why(args) => why::run(globals, &args),
        Verb::Forget(args) => forget::run(globals, &args),
        Verb::DeadLetters(args) => dead_letters::run(globals, args.verb),
        Verb::Bench(args) => bench::run(globals, &args.verb),
        Verb::Export(args) => export::run(globals, &args),
        Verb::Import(args) => import::run(globals, &args),
        Verb::Drive(args) => drive::run(globals, &args.verb),
        Verb::Qr(args) => qr::run(globals, args.verb),
        Verb::Inspect(args) => inspect::run(&args),
        Verb::Mail(args) => mail::run(globals, &args.verb),
        Verb::Ble(args) => ble::run(&args.verb, globals.json),
        Verb::Nfc(args) => nfc::run(globals, &args.verb),
        Verb::NfcWorker(args) => nfc::work(&args),
        Verb::Doctor => doctor::run(globals),
        Verb::Sim(args) => sim::run(globals, &args.verb),
        Verb::Demo(args) => crate::demo::run(globals, &args),
        Verb::Completions(args) => Ok(completions::run(&args)),
        Verb::Man(args) => man::run(&args),
    }
}
