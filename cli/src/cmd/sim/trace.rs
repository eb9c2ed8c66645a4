//! `packmule sim trace`: a contact trace against the real depot.

use packmule_sim::contacts::{Contacts, Limits};
use packmule_sim::report::Report as Page;
use packmule_sim::trace::{TraceConfig, TraceResult, replay_contacts};
use serde_json::json;

use crate::args::{Globals, SimTraceArgs};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::ui::output::Report;
use crate::ui::progress::Progress;

/// Replays a trace.
pub(crate) fn run(globals: &Globals, args: &SimTraceArgs) -> Result<Report, Fault> {
    let contacts = Contacts::read(&args.file, &Limits::default()).map_err(|err| match err {
        packmule_sim::contacts::ContactsError::Io(err) => Fault::file("read", &args.file, &err),
        other => Fault::damaged(format!("{}: {other}", args.file.display())),
    })?;
    let mut config = TraceConfig::default();
    config.seeds = args.seeds.clone();
    config.buffer = args.buffer;
    config.rate = args.rate;
    config.resume = !args.no_resume;
    config.control = !args.free_control;
    config.timeline = args.report.is_some();
    config.copies = args.copies.unwrap_or(config.copies);
    let count = args.seeds.end - args.seeds.start;
    let mut progress = Progress::new("replays", count, globals.quiet || globals.json);
    let result = replay_contacts(&contacts, &config, &mut |_| progress.add(1))
        .map_err(|err| Fault::damaged(format!("{}: {err}", args.file.display())))?;
    drop(progress);
    if let Some(path) = &args.report {
        let name = args.file.file_name().map_or_else(
            || "a trace".into(),
            |name| name.to_string_lossy().into_owned(),
        );
        super::write_page(path, Page::of_trace(&name, &contacts, &config, &result))?;
    }
    told(&result)
}

fn told(result: &TraceResult) -> Result<Report, Fault> {
    let (least, most) = result.delivery_range;
    let (low, high) = result.overhead_range;
    let text = format!(
        "{} nodes, {} contacts, {} traffic seeds\n\
         delivery       {:.4}  ({least:.4} to {most:.4})\n\
         overhead       {:.2}  ({low:.2} to {high:.2})\n\
         median latency {:.0} s\n\
         processor      {:.2} s for one replay",
        result.nodes,
        result.contacts,
        result.seeds.len(),
        result.delivery,
        result.overhead,
        result.median_latency_s,
        result.cpu_s,
    );
    let json = serde_json::to_value(result)
        .map_err(|err| Fault::new(Exit::Internal, err.to_string()))
        .map(|value| {
            // A script's first four members first.
            let mut first = json!({
                "delivery": result.delivery,
                "overhead": result.overhead,
                "median_latency_s": result.median_latency_s,
                "cpu_s": result.cpu_s,
            });
            if let (Some(first), Some(rest)) = (first.as_object_mut(), value.as_object()) {
                for (key, value) in rest {
                    first.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
            first
        })?;
    Ok(Report::new(text, json))
}
