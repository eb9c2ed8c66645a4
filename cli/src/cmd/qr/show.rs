//! `packmule qr show`: a message in the terminal, as one code or a moving series.

use std::io::{self, IsTerminal, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

use packmule_bus::Envelope;
use packmule_transports::qr::{Profile, Show};
use serde_json::json;

use crate::args::{Globals, QrShowArgs};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::{files, pictures, read_envelope};
use crate::ui::output::Report;
use crate::ui::screen::{Keys, Screen};
use crate::ui::time::now;

/// Codes a second that `+` and `-` step through.
const SPEEDS: [u16; 10] = [1, 2, 3, 5, 8, 10, 15, 20, 25, 30];

/// Shows it.
pub(super) fn run(globals: &Globals, args: &QrShowArgs) -> Result<Report, Fault> {
    if let Some(file) = &args.message {
        let envelope = read_envelope(&files::read_input(Some(file))?)?;
        return Ok(shown(globals, args, &envelope)?.0);
    }
    let home = crate::home::open(globals)?;
    let messages = super::waiting(&home, args.id.as_deref(), None)?;
    let Some((row, envelope)) = messages.first() else {
        return Err(Fault::not_found("nothing waits to go"));
    };
    let (mut report, shown) = shown(globals, args, envelope)?;
    if args.sent {
        home.mark_sent(&[row.id], "qr", now())?;
    }
    let more = messages.len() - 1;
    report.text = format!(
        "message {}: {} code(s), {} suffice",
        row.message_id,
        shown.count(),
        shown.needed()
    );
    if !args.sent {
        report
            .text
            .push_str("\nit waits on; `packmule qr show --sent` or `export` lets it go");
    }
    if more > 0 {
        report.text.push_str(&format!("\n{more} more wait"));
    }
    if let serde_json::Value::Object(map) = &mut report.json {
        map.insert("id".into(), json!(row.message_id));
        map.insert("sent".into(), json!(args.sent));
    }
    Ok(report)
}

fn shown(
    globals: &Globals,
    args: &QrShowArgs,
    envelope: &Envelope,
) -> Result<(Report, Show), Fault> {
    let terminal = io::stdout().is_terminal() && !globals.json;
    let screen = Screen::of_stdout(args.graphics);
    let profile = args.profile.unwrap_or_else(|| match terminal {
        true if screen.largest_version() >= Profile::Normal.version() => Profile::Normal,
        _ => Profile::Robust,
    });
    let largest = if terminal {
        profile.version().min(screen.largest_version())
    } else {
        profile.version()
    };
    if Profile::symbol_bytes_of(largest) < 16 {
        return Err(
            Fault::new(Exit::Refused, "the terminal is too small for any code")
                .hint("make it larger or its letters smaller, or `packmule qr save`"),
        );
    }
    let shown = pictures::shown(envelope, args.form, largest)?;
    match &shown {
        Show::Frames(_) if terminal => {
            let recut = |size| pictures::shown(envelope, args.form, size).ok();
            let rounds = u64::from(args.rounds.max(1)) * u64::from(shown.count());
            play(
                (&shown, largest, &recut),
                &screen,
                profile,
                args.pause,
                rounds,
            )?;
        }
        _ if !globals.json => {
            let mut out = io::stdout().lock();
            for picture in shown.pictures() {
                let picture = picture?;
                let drawn = if terminal {
                    screen.draw(&picture)?
                } else {
                    picture.terminal()
                };
                writeln!(out, "{drawn}")?;
            }
        }
        _ => {}
    }
    let report = Report::new(
        format!("{} code(s), {} suffice", shown.count(), shown.needed()),
        json!({
            "envelope": envelope.id().to_string(),
            "codes": shown.count(),
            "needed": shown.needed(),
            "version": largest,
            "profile": profile.to_string(),
        }),
    );
    Ok((report, shown))
}

/// Frame after frame, none of them twice. A message that is cut anew, for coarser or denser codes,
/// begins from its start: a reader counts another size for itself.
fn play(
    (first, mut size, recut): (&Show, u8, &dyn Fn(u8) -> Option<Show>),
    screen: &Screen,
    profile: Profile,
    pause: Option<u64>,
    rounds: u64,
) -> Result<(), Fault> {
    let mut out = io::stdout().lock();
    let mut keys = Keys::take();
    let mut speed = SPEEDS
        .iter()
        .position(|s| *s >= profile.codes_per_second())
        .unwrap_or(SPEEDS.len() - 1);
    let mut pause = pause.map(Duration::from_millis);
    let mut shown = first.clone();
    let mut n = 0;
    write!(out, "\x1b[2J")?;
    for _ in 0..rounds {
        let began = Instant::now();
        let per_second = SPEEDS.get(speed).copied().unwrap_or(1);
        let stays = pause.unwrap_or_else(|| Duration::from_secs(1) / u32::from(per_second));
        let drawn = match &shown {
            Show::Frames(frames) => screen.draw(&frames.picture(n)?)?,
            Show::Single(picture) => screen.draw(picture)?,
        };
        // Codes end at 2^24; whoever watches so long begins anew.
        n = (n + 1) % (1 << 24);
        // Home, draw over, clear what is below: less flicker than clearing the whole screen.
        write!(
            out,
            "\x1b[H{drawn}\x1b[K{n} shown, any {} suffice; + faster, - slower, < coarser, > denser, q ends \x1b[J",
            shown.needed()
        )?;
        out.flush()?;
        sleep(stays.saturating_sub(began.elapsed()));
        for key in keys.pressed()? {
            match key {
                b'+' => (speed, pause) = ((speed + 1).min(SPEEDS.len() - 1), None),
                b'-' => (speed, pause) = (speed.saturating_sub(1), None),
                b'<' | b'>' => {
                    // What does not fit into codes of that size stays as it is.
                    let next = screen.resized(size, key);
                    if let Some((next, cut)) = next.and_then(|next| Some((next, recut(next)?))) {
                        (size, shown, n) = (next, cut, 0);
                    }
                }
                b'q' | 3 | 27 => {
                    writeln!(out)?;
                    return Ok(());
                }
                _ => {}
            }
        }
    }
    writeln!(out)?;
    Ok(())
}
