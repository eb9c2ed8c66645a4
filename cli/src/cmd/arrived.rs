//! What `import` and `qr read` have in common: opening what arrived, and telling of it.

use packmule_node::Home;
use packmule_node::desk::Judged;
use serde_json::{Map, Value, json};

use crate::args::Globals;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::party::{self, Party};
use crate::flow::take::Taken;
use crate::ui::output::{Report, one_line};

/// The home, with its keys unless messages are to stay sealed.
pub(crate) enum Opener {
    /// Custody only.
    Sealed(Box<Home>),
    /// Messages are opened.
    Unlocked(Box<Party>),
}

impl Opener {
    /// Asks for the passphrase unless `keep_sealed`.
    pub(crate) fn new(globals: &Globals, keep_sealed: bool) -> Result<Self, Fault> {
        if keep_sealed {
            return Ok(Self::Sealed(Box::new(crate::home::open(globals)?)));
        }
        Ok(Self::Unlocked(Box::new(crate::home::unlock(globals)?)))
    }

    /// The home.
    pub(crate) fn home(&self) -> &Home {
        match self {
            Self::Sealed(home) => home,
            Self::Unlocked(party) => party.home(),
        }
    }

    /// Opens whatever has not been opened yet, this time's and earlier messages.
    pub(crate) fn judge(&mut self, quiet: bool) -> Result<Option<Judged>, Fault> {
        match self {
            Self::Sealed(_) => Ok(None),
            Self::Unlocked(party) => party::judge(party, quiet).map(Some),
        }
    }
}

/// Tells what was taken and what came of opening it.
pub(crate) fn report(taken: Taken, judged: Option<Judged>) -> Result<Report, Fault> {
    let mut lines = vec![headline(&taken)];
    let mut exit = taken.exit();
    let mut object = json!({
        "new": taken.new,
        "duplicate": taken.duplicate,
        "left": taken.left.iter().map(|(file, why)| json!({"file": file, "reason": why})).collect::<Vec<_>>(),
        "for_others": taken.for_others,
        "carried": taken.carried,
        "finished": taken.finished,
        "asked": taken.asked,
        "read_only": taken.read_only,
    });
    for (file, why) in &taken.left {
        lines.push(if why.contains(file.as_str()) {
            format!("  {}", one_line(why, 160))
        } else {
            format!(
                "  left in place: {}: {}",
                one_line(file, 80),
                one_line(why, 120)
            )
        });
    }
    if taken.read_only {
        lines.push("  the medium is read-only: nothing was removed from it".into());
    }
    if let Some(judged) = judged {
        if !judged.refused.is_empty() && exit == Exit::Ok {
            exit = Exit::Refused;
        }
        tell(&judged, &mut lines);
        if let Value::Object(map) = &mut object {
            map.extend(members(&judged));
        }
    } else {
        lines.push("  kept sealed; `packmule inbox` opens them".into());
    }
    if let Some(mut fault) = taken.broken {
        fault.what = format!("{} ({})", fault.what, lines.join("; "));
        return Err(fault);
    }
    Ok(Report::new(lines.join("\n"), object).exit(exit))
}

/// What came of opening, as members of a report.
fn members(judged: &Judged) -> Map<String, Value> {
    let refused: Vec<Value> = judged
        .refused
        .iter()
        .map(|r| json!({ "envelope": r.id.to_string(), "problem": r.problem, "reason": r.reason }))
        .collect();
    let mut map = Map::new();
    map.insert("opened".into(), json!(judged.opened));
    map.insert("repeated".into(), json!(judged.repeated));
    map.insert("refused".into(), Value::Array(refused));
    map.insert("met".into(), json!(judged.met));
    map.insert("moved".into(), json!(judged.moved));
    map.insert("ended".into(), json!(judged.ended));
    map.insert("acknowledged".into(), json!(judged.acknowledged));
    map.insert("answers".into(), json!(judged.answers));
    map
}

fn headline(taken: &Taken) -> String {
    let mut line = match taken.new {
        0 => String::from("no new messages"),
        1 => String::from("1 new message"),
        n => format!("{n} new messages"),
    };
    if taken.duplicate > 0 {
        line.push_str(&format!(", {} seen before", taken.duplicate));
    }
    match taken.finished {
        0 => {}
        1 => line.push_str(", 1 of them begun by another medium"),
        n => line.push_str(&format!(", {n} of them begun by another medium")),
    }
    match taken.asked {
        0 => {}
        1 => line.push_str(", the rest of 1 asked for"),
        n => line.push_str(&format!(", the rest of {n} asked for")),
    }
    if taken.for_others > 0 {
        line.push_str(&format!(", {} for others left in place", taken.for_others));
    }
    if taken.carried > 0 {
        line.push_str(&format!(", {} for others to carry on", taken.carried));
    }
    line
}

fn tell(judged: &Judged, lines: &mut Vec<String>) {
    for name in &judged.met {
        lines.push(format!(
            "  new peer: {name} (`packmule peers rename` gives it a better name)"
        ));
    }
    for name in &judged.moved {
        lines.push(format!("  {name} has a new DID, and proved it"));
    }
    for name in &judged.ended {
        lines.push(format!("  {name} ended the relationship, and proved it"));
    }
    if judged.opened > 0 {
        lines.push(format!(
            "  {} opened; `packmule inbox` shows them",
            judged.opened
        ));
    }
    if judged.repeated > 0 {
        lines.push(format!(
            "  {} were here already, packed anew; one of each is kept",
            judged.repeated
        ));
    }
    if judged.acknowledged > 0 {
        lines.push(format!(
            "  acknowledged by their recipients: {}",
            judged.acknowledged
        ));
    }
    if judged.answers > 0 {
        lines.push(format!(
            "  automatic answers queued: {}; `packmule export` sends them",
            judged.answers
        ));
    }
    const SHOWN: usize = 10;
    for refused in judged.refused.iter().take(SHOWN) {
        lines.push(format!(
            "  refused {}: {} ({})",
            refused.id.short(),
            one_line(&refused.reason, 140),
            refused.problem
        ));
    }
    if judged.refused.len() > SHOWN {
        lines.push(format!(
            "  … and {} more; `packmule inbox --refused`",
            judged.refused.len() - SHOWN
        ));
    }
}
