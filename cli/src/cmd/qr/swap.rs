//! `packmule qr swap`: two that look at each other's screens exchange what they have.
//!
//! What waits is shown in the terminal, one message after the other, until the other side's codes
//! say that it is whole; what the other side shows comes in as by `qr scan`. What can go wrong: the
//! other side only shows or only scans (then `q` ends it), a camera that breaks off (so does this).

use std::cell::{Cell, RefCell};
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use packmule_bus::fountain::TransferId;
use packmule_node::{Home, OutState};
use packmule_transports::qr::{Ack, Heard, Hints, Profile, Swap};
use serde_json::{Value, json};

use super::read::accept;
use crate::args::{Globals, QrSwapArgs};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::carry;
use crate::flow::partials::{self, Held};
use crate::flow::scanning::{Gathered, Scan, Talk, Until};
use crate::ui::output::Report;
use crate::ui::screen::{Keys, Screen};
use crate::ui::time::now;

/// Shows and scans until both sides have everything, or `q`.
pub(super) fn run(globals: &Globals, args: &QrSwapArgs) -> Result<Report, Fault> {
    if !io::stdout().is_terminal() {
        return Err(Fault::usage(
            "codes are drawn into a terminal, and there is none",
        ));
    }
    let screen = Screen::of_stdout(args.graphics);
    let room = screen.largest_version();
    let profile = args
        .profile
        .unwrap_or(match room >= Profile::Normal.version() {
            true => Profile::Normal,
            false => Profile::Robust,
        });
    if Profile::symbol_bytes_of(room) < 16 {
        return Err(
            Fault::new(Exit::Refused, "the terminal is too small for any code")
                .hint("make it larger or its letters smaller"),
        );
    }
    let mut swap = Swap::new(profile);
    swap.resize(profile.version().min(room))?;
    let mut told = Value::Null;
    let gather = |home: &Home, held: &Held| {
        let (gathered, done) = both(globals, args, (home, held), screen, swap)?;
        told = json!({ "acknowledged": done.0, "waiting": done.1 });
        Ok(gathered)
    };
    let (mut report, _) = accept(globals, args.keep_sealed, false, gather)?;
    if let (Value::Object(map), Value::Object(told)) = (&mut report.json, told) {
        let went = told.get("acknowledged").cloned().unwrap_or_default();
        report.text = format!("{went} went over\n{}", report.text);
        map.extend(told);
    }
    Ok(report)
}

/// Both halves: the screen in a thread of its own, the camera here. How many messages went over,
/// and how many wait on.
fn both(
    globals: &Globals,
    args: &QrSwapArgs,
    (home, held): (&Home, &Held),
    screen: Screen,
    mut swap: Swap,
) -> Result<(Gathered, (usize, usize)), Fault> {
    let mut rows = Vec::new();
    home.expire(now())?;
    for row in carry::rows(home, Some(OutState::Queued))? {
        let (packed, _) = carry::packed(home, &row)?;
        let envelope = packmule_bus::Envelope::from_packed(&packed)?;
        rows.push((swap.offer(&envelope)?, row.id));
    }
    let stage = Stage {
        swap: Mutex::new(swap),
        over: AtomicBool::new(false),
    };
    let side = Side {
        stage: &stage,
        done: RefCell::new(Vec::new()),
        quiet_since: Cell::new(None),
        linger: Duration::from_secs(args.linger),
    };
    let scan = Scan {
        paths: std::slice::from_ref(&args.camera),
        held,
        hints: Hints {
            raw: args.raw,
            camera: args.camera_size,
        },
        threads: args.threads,
        until: Until::Told,
        // The screen is for the codes.
        quiet: true,
        stills: false,
        talk: Some(&side),
    };
    let gathered = thread::scope(|scope| {
        let shown = scope.spawn(|| play(&stage, screen, globals.quiet));
        let gathered = scan.run(&mut |unfinished| partials::keep(home, unfinished));
        stage.over.store(true, Ordering::Relaxed);
        match shown.join() {
            Ok(Err(fault)) => Err(fault),
            _ => gathered,
        }
    })?;
    let done = side.done.into_inner();
    let gone = |transfer: &TransferId| done.contains(transfer);
    let sent: Vec<_> = rows
        .iter()
        .filter(|(t, _)| gone(t))
        .map(|(_, id)| *id)
        .collect();
    home.mark_sent(&sent, "qr", now())?;
    Ok((gathered, (sent.len(), rows.len() - sent.len())))
}

/// What screen and camera share.
struct Stage {
    swap: Mutex<Swap>,
    over: AtomicBool,
}

impl Stage {
    fn swap(&self) -> MutexGuard<'_, Swap> {
        self.swap.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The camera's half.
struct Side<'a> {
    stage: &'a Stage,
    done: RefCell<Vec<TransferId>>,
    /// When something last came or went; nothing so far.
    quiet_since: Cell<Option<Instant>>,
    linger: Duration,
}

impl Talk for Side<'_> {
    fn heard(&self, ack: &Ack) {
        if let Heard::Done(transfer) = self.stage.swap().hear(ack) {
            self.done.borrow_mut().push(transfer);
            self.quiet_since.set(Some(Instant::now()));
        }
    }

    fn answer(&self, acks: &[Ack], fresh: bool) {
        self.stage.swap().answer(acks);
        if fresh {
            self.quiet_since.set(Some(Instant::now()));
        }
    }

    /// The other side has all and shows nothing new: for a while ours goes on to say what it has,
    /// for the other side to stop.
    fn is_over(&self, lacking: bool) -> bool {
        let since = self.quiet_since.get();
        let quiet = since.is_some_and(|since| since.elapsed() >= self.linger);
        self.stage.over.load(Ordering::Relaxed)
            || (!lacking && quiet && self.stage.swap().is_done())
    }
}

/// Code after code until it is over.
fn play(stage: &Stage, screen: Screen, quiet: bool) -> Result<(), Fault> {
    let mut out = io::stdout();
    let mut keys = Keys::take();
    write!(out, "\x1b[2J")?;
    while !stage.over.load(Ordering::Relaxed) {
        let began = Instant::now();
        let (picture, speed, line) = {
            let mut swap = stage.swap();
            (swap.next_code()?, swap.speed(), standing(&swap))
        };
        let drawn = picture.map(|p| screen.draw(&p)).transpose()?;
        let line = if quiet { String::new() } else { line };
        write!(
            out,
            "\x1b[H{}\x1b[K{line}+ faster, - slower, < coarser, > denser, q ends \x1b[J",
            drawn.unwrap_or_default()
        )?;
        out.flush()?;
        sleep((Duration::from_secs(1) / u32::from(speed)).saturating_sub(began.elapsed()));
        for key in keys.pressed()? {
            let mut swap = stage.swap();
            let speed = swap.speed();
            match key {
                b'+' => swap.set_speed(speed * 5 / 4 + 1),
                b'-' => swap.set_speed(speed * 3 / 4),
                b'<' | b'>' => {
                    if let Some(size) = screen.resized(swap.largest(), key) {
                        swap.resize(size)?;
                    }
                }
                b'q' | 3 | 27 => stage.over.store(true, Ordering::Relaxed),
                _ => {}
            }
        }
    }
    writeln!(out)?;
    Ok(())
}

fn standing(swap: &Swap) -> String {
    match swap.going().next() {
        Some(first) => format!(
            "{} shown, the other side has {} of {}; {} to go; ",
            first.shown,
            first.received,
            first.needed,
            swap.going().count()
        ),
        None => "the other side has everything; ".to_owned(),
    }
}
