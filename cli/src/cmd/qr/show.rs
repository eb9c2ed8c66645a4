//! `packmule qr show`: a waiting message in the terminal, as one code or a moving series.

use std::io::{self, IsTerminal, Write};
use std::thread::sleep;
use std::time::Duration;

use packmule_transports::qr::{Profile, Show, show};
use serde_json::json;

use crate::args::Globals;
use crate::fault::Fault;
use crate::ui::output::Report;
use crate::ui::time::now;

/// Shows it.
pub(super) fn run(
    globals: &Globals,
    id: Option<&str>,
    pause: u64,
    rounds: u32,
    sent: bool,
) -> Result<Report, Fault> {
    let home = crate::home::open(globals)?;
    let messages = super::waiting(&home, id, None)?;
    let Some((row, envelope)) = messages.first() else {
        return Err(Fault::not_found("nothing waits to go"));
    };
    // Terminals have few lines: the most careful profile has the smallest codes.
    let shown = show(envelope, Profile::Robust)?;
    if !globals.json {
        draw(&shown, Duration::from_millis(pause), rounds)?;
    }
    if sent {
        home.mark_sent(&[row.id], "qr", now())?;
    }
    let more = messages.len() - 1;
    let mut text = format!(
        "message {}: {} code(s), {} suffice",
        row.message_id,
        shown.count(),
        shown.needed()
    );
    if !sent {
        text.push_str("\nit waits on; `packmule qr show --sent` or `export` lets it go");
    }
    if more > 0 {
        text.push_str(&format!("\n{more} more wait"));
    }
    Ok(Report::new(
        text,
        json!({
            "id": row.message_id,
            "envelope": row.id.to_string(),
            "codes": shown.count(),
            "needed": shown.needed(),
            "sent": sent,
        }),
    ))
}

fn draw(shown: &Show, pause: Duration, rounds: u32) -> Result<(), Fault> {
    let mut out = io::stdout().lock();
    let moving = shown.count() > 1 && io::stdout().is_terminal();
    let rounds = if moving { rounds.max(1) } else { 1 };
    for _ in 0..rounds {
        for picture in shown.pictures() {
            let picture = picture?;
            if moving {
                // Home and clear below: less flicker than clearing the whole screen.
                write!(out, "\x1b[H{}\x1b[J", picture.terminal())?;
                out.flush()?;
                sleep(pause);
            } else {
                writeln!(out, "{}", picture.terminal())?;
            }
        }
    }
    Ok(())
}
