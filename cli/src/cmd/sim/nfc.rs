//! `packmule sim nfc`: PN532 chips that are not there, for programs that know nothing of it.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use packmule_sim::nfc::air::Rate;
use packmule_sim::nfc::pty::Lines;
use packmule_sim::nfc::tag::TagKind;
use packmule_sim::nfc::{Field, Rogue, Setup};
use serde_json::json;

use super::link::stopped;
use crate::args::{Globals, SimNfcArgs};
use crate::fault::{Fault, exit_of_io};
use crate::ui::output::Report;

/// Plays the chips until the time is over or somebody interrupts; prints a line when it is ready.
pub(crate) fn run(globals: &Globals, args: &SimNfcArgs) -> Result<Report, Fault> {
    let chips = usize::from(args.chips);
    let field = Field::new(setup(args)?);
    let failed = |err: &std::io::Error| Fault::new(exit_of_io(err), err.to_string());
    let mut lines = Lines::open(field, chips, &args.dir).map_err(|err| failed(&err))?;
    ready(globals, &lines)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let stop = Arc::new(AtomicBool::new(false));
    let lines = runtime.block_on(async {
        let seen = Arc::clone(&stop);
        let playing = tokio::task::spawn_blocking(move || lines.run(&seen).map(|()| lines));
        stopped(args.duration).await;
        stop.store(true, Ordering::Relaxed);
        playing.await
    });
    let lines = lines
        .map_err(|err| Fault::new(crate::exit::Exit::Internal, err.to_string()))?
        .map_err(|err| failed(&err))?;
    let (exchanges, breaks) = lines.tally();
    Ok(Report::new(
        format!("{exchanges} exchanges between chips, {breaks} breaks"),
        json!({ "exchanges": exchanges, "bytes": lines.carried(), "breaks": breaks }),
    ))
}

fn setup(args: &SimNfcArgs) -> Result<Setup, Fault> {
    let tags = args.tag.iter().map(|name| {
        TagKind::of(name)
            .ok_or_else(|| Fault::usage(format!("{name} is no tag: ntag213, ntag215 or ntag216")))
    });
    let rogue = args.rogue.as_deref().map(|name| {
        Rogue::of(name).ok_or_else(|| {
            let known = "ats0, nad, mi-error, garbage or wrong-echo";
            Fault::usage(format!("{name} is no fault of cards: {known}"))
        })
    });
    let rate = args.rate.map(|kbit| {
        Rate::of(kbit).ok_or_else(|| Fault::usage("--rate is 106, 212, 424 or 848".to_owned()))
    });
    Ok(Setup {
        chips: usize::from(args.chips),
        tags: tags.collect::<Result<_, _>>()?,
        rate: rate.transpose()?,
        breaks: (args.breaks.as_ref()).map(|range| (range.start, range.end.saturating_sub(1))),
        rogue: rogue.transpose()?,
        seed: args.seed,
    })
}

/// One line, at once, so that a test suite can wait for it.
fn ready(globals: &Globals, lines: &Lines) -> Result<(), Fault> {
    let paths: Vec<String> = lines
        .paths()
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let mut out = std::io::stdout().lock();
    if globals.json {
        writeln!(out, "{}", json!({ "ready": true, "chips": paths }))?;
    } else {
        writeln!(out, "ready: {}", paths.join(" "))?;
    }
    out.flush()?;
    Ok(())
}
