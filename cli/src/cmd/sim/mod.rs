//! `packmule sim`: simulated nodes, replayed traces, channels for other programs.
//!
//! What it is: one file for each thing to simulate. Who calls it: `cmd`. What can go wrong: a
//! run breaks a promise; that is exit code 1, and its scenario is saved.

mod link;
mod nfc;
mod run;
mod trace;

use std::path::Path;

use packmule_sim::Plan;
use packmule_sim::presets::Channel;
use packmule_sim::report::Report as Page;
use serde_json::json;

use crate::args::{Globals, SimVerb};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::ui::output::Report;

/// Runs one of them.
pub(crate) fn run(globals: &Globals, verb: &SimVerb) -> Result<Report, Fault> {
    match verb {
        SimVerb::Run(args) => run::run(globals, args),
        SimVerb::Replay(args) => run::replay(args),
        SimVerb::Trace(args) => trace::run(globals, args),
        SimVerb::Link(args) => link::run(globals, args),
        SimVerb::Nfc(args) => nfc::run(globals, args),
        SimVerb::Presets { name } => presets(name.as_deref()),
        SimVerb::Plans => Ok(plans()),
    }
}

fn presets(name: Option<&str>) -> Result<Report, Fault> {
    if let Some(name) = name {
        let channel = preset(name)?;
        let source = Channel::source(name).unwrap_or_default();
        return Ok(Report::new(
            source.trim_end(),
            serde_json::to_value(&channel)
                .map_err(|err| Fault::new(Exit::Internal, err.to_string()))?,
        ));
    }
    let mut lines = Vec::new();
    let mut list = Vec::new();
    for name in Channel::names() {
        let channel = preset(&name)?;
        lines.push(format!("{name:<18} {}", channel.about));
        list.push(json!({ "name": name, "about": channel.about }));
    }
    Ok(Report::new(lines.join("\n"), json!({ "presets": list })))
}

fn plans() -> Report {
    let plans = Plan::list();
    let lines: Vec<String> = plans
        .iter()
        .map(|(name, about)| format!("{name:<18} {about}"))
        .collect();
    let list: Vec<_> = plans
        .iter()
        .map(|(name, about)| json!({ "name": name, "about": about }))
        .collect();
    Report::new(lines.join("\n"), json!({ "plans": list }))
}

fn preset(name: &str) -> Result<Channel, Fault> {
    Channel::preset(name).map_err(|err| {
        Fault::not_found(err.to_string()).hint("`packmule sim presets` tells what each one is")
    })
}

/// Writes a page, if there is one to write.
fn write_page(path: &Path, page: Option<Page>) -> Result<(), Fault> {
    let page = page.ok_or_else(|| Fault::new(Exit::Internal, "the run kept no timeline"))?;
    std::fs::write(path, page.html()).map_err(|err| Fault::file("write the page", path, &err))
}
