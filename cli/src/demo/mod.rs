//! `packmule demo`: alice and bob exchange real messages with no network, and you watch.
//!
//! What it is: a story in steps, each by the same code that the verbs run, in a scratch
//! directory that stays so that its pictures can be looked at. Who calls it: people on their
//! first day, and a test. What can go wrong: a step that does not do what it should ends the
//! demo with a code other than 0 and says which.

mod attacks;
mod journey;
mod letters;
mod meeting;
mod nodes;
mod stage;

use crate::args::{DemoArgs, Globals};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::ui::output::Report;
use serde_json::json;

use stage::{Stage, Teller};

/// One act of the story: its name, and what happens in it.
type Act = (&'static str, fn(&mut Stage) -> Result<Vec<String>, Fault>);

/// The story.
const ACTS: [Act; 11] = [
    ("homes", meeting::homes),
    ("invitation-by-qr", meeting::invitation),
    ("message-by-qr-frames", letters::frames),
    ("answer-by-folder", letters::folder),
    ("ack-comes-back", letters::ack),
    ("forged-from-refused", attacks::forged),
    ("tampered-refused", attacks::tampered),
    ("nothing-twice", letters::twice),
    ("live-link", nodes::link),
    ("by-mule", nodes::mule),
    ("one-message-three-media", journey::media),
];

/// Plays it.
pub(crate) fn run(globals: &Globals, args: &DemoArgs) -> Result<Report, Fault> {
    let mut stage = Stage::set(args.dir.as_deref())?;
    let mut teller = Teller::new(globals.json);
    teller.open(&stage)?;
    let mut steps = Vec::new();
    let mut fault = None;
    for (name, act) in ACTS {
        match act(&mut stage) {
            Ok(lines) => {
                teller.tell(name, true, &lines)?;
                steps.push(json!({ "name": name, "ok": true }));
            }
            Err(err) => {
                teller.tell(name, false, std::slice::from_ref(&err.what))?;
                steps.push(json!({ "name": name, "ok": false, "error": err.what }));
                fault = Some(err);
                break;
            }
        }
    }
    let ok = fault.is_none();
    let text = match &fault {
        None => format!(
            "\nAll of it was real. Homes, pictures and folders lie in {}",
            stage.dir.display()
        ),
        Some(fault) => format!(
            "\nThe demo failed: {fault}\nWhat it made lies in {}",
            stage.dir.display()
        ),
    };
    let exit = fault.map_or(Exit::Ok, |fault| fault.exit);
    Ok(Report::new(text, json!({ "ok": ok, "steps": steps, "dir": stage.dir })).exit(exit))
}
