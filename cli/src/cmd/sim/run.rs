//! `packmule sim run` and `sim replay`: plans over seeds, and one scenario again.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use packmule_sim::report::Report as Page;
use packmule_sim::{Failure, Options, Outcome, Plan, PlanError, Scenario, Summary, Violation};
use serde_json::json;

use crate::args::{Globals, SimReplayArgs, SimRunArgs};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::ui::output::Report;
use crate::ui::progress::Progress;

/// Seeds between two steps of the progress bar.
const PORTION: u64 = 200;
/// After so many failing runs no more are made small.
const SHRUNK: usize = 3;

/// Runs a plan over its seeds.
pub(crate) fn run(globals: &Globals, args: &SimRunArgs) -> Result<Report, Fault> {
    let plan = Plan::load(&args.plan).map_err(of_plan)?;
    let mut options = Options {
        threads: args.threads.unwrap_or(0),
        stop_at_first: !args.keep_going,
        sabotage: None,
        shrink: args.shrink,
        failed: Some(failed),
    };
    let seeds = args.seeds.clone();
    let mut progress = Progress::new(
        "seeds",
        seeds.end - seeds.start,
        globals.quiet || globals.json,
    );
    let mut total = Summary::default();
    let mut next = seeds.start;
    let began = std::time::Instant::now();
    while next < seeds.end && (total.violations == 0 || args.keep_going) {
        let end = seeds.end.min(next.saturating_add(PORTION));
        let portion = packmule_sim::run(&plan, next..end, &options);
        progress.add(end - next);
        next = end;
        add(&mut total, portion);
        if total.failures.len() >= SHRUNK {
            options.shrink = 0;
        }
    }
    drop(progress);
    let seconds = began.elapsed().as_secs_f64().max(1e-9);
    total.seeds_per_s = total.seeds as f64 / seconds;
    let saved = save(&total.failures, args.save.as_deref())?;
    if let Some(path) = &args.report {
        let scenario = match total.failures.first() {
            Some(failure) => failure.scenario.clone(),
            None => plan.scenario(seeds.start),
        };
        let outcome = packmule_sim::replay(&scenario, true);
        super::write_page(path, Page::of_run(&plan.about, &outcome))?;
    }
    Ok(told(&total, &saved, &seeds))
}

/// Says at once which seed failed: making its scenario small may take a minute.
fn failed(seed: u64, first: &Violation) {
    let mut err = std::io::stderr().lock();
    // Whoever does not listen there hears it at the end.
    let _ = writeln!(
        err,
        "seed {seed} broke a promise: {} ({})",
        first.text, first.kind
    );
}

/// Adds what a portion saw.
fn add(total: &mut Summary, portion: Summary) {
    let delivered = total.delivered + portion.delivered;
    if delivered > 0 {
        // A mean over the delivered: weighed by how many there were.
        total.gap_s = (total.gap_s * total.delivered as f64
            + portion.gap_s * portion.delivered as f64)
            / delivered as f64;
    }
    total.plan = portion.plan;
    total.seeds += portion.seeds;
    total.violations += portion.violations;
    for (fault, count) in portion.faults_fired {
        *total.faults_fired.entry(fault).or_default() += count;
    }
    total.failures.extend(portion.failures);
    total.submitted += portion.submitted;
    total.delivered = delivered;
    total.events += portion.events;
    total.hash = total.hash.wrapping_add(portion.hash);
}

/// Saves failing scenarios, so that `sim replay` finds them.
fn save(failures: &[Failure], dir: Option<&Path>) -> Result<Vec<PathBuf>, Fault> {
    let mut saved = Vec::new();
    let dir = dir.unwrap_or_else(|| Path::new("."));
    if !failures.is_empty() {
        std::fs::create_dir_all(dir).map_err(|err| Fault::file("make", dir, &err))?;
    }
    for failure in failures {
        let path = dir.join(format!("failing-{}.toml", failure.seed));
        let text = failure.scenario.to_toml().map_err(of_plan)?;
        std::fs::write(&path, text).map_err(|err| Fault::file("write", &path, &err))?;
        saved.push(path);
    }
    Ok(saved)
}

fn told(total: &Summary, saved: &[PathBuf], seeds: &Range<u64>) -> Report {
    let mut lines = vec![format!(
        "{} seeds of {} ({}..{}), {:.0} a second: {} of {} messages delivered, {:.1} s later than possible on average",
        total.seeds,
        total.plan,
        seeds.start,
        seeds.end,
        total.seeds_per_s,
        total.delivered,
        total.submitted,
        total.gap_s,
    )];
    let fired: Vec<String> = total
        .faults_fired
        .iter()
        .map(|(fault, count)| format!("{fault} {count}"))
        .collect();
    lines.push(format!("faults that fired: {}", fired.join(", ")));
    for (failure, path) in total.failures.iter().zip(saved) {
        let what = failure.violations.first();
        let what = what.map_or("", |violation| violation.text.as_str());
        lines.push(format!("seed {} broke a promise: {what}", failure.seed));
        lines.push(format!("  packmule sim replay {}", path.display()));
    }
    lines.push(match total.violations {
        0 => "no violation".into(),
        1 => "1 run broke a promise".into(),
        n => format!("{n} runs broke a promise"),
    });
    let failures: Vec<_> = total
        .failures
        .iter()
        .zip(saved)
        .map(|(failure, path)| {
            json!({ "seed": failure.seed, "violations": failure.violations, "replay": path })
        })
        .collect();
    let report = Report::new(
        lines.join("\n"),
        json!({
            "seeds": total.seeds,
            "violations": total.violations,
            "faults_fired": total.faults_fired,
            "plan": total.plan,
            "submitted": total.submitted,
            "delivered": total.delivered,
            "gap_s": total.gap_s,
            "hash": format!("{:016x}", total.hash),
            "seeds_per_s": total.seeds_per_s,
            "failures": failures,
        }),
    );
    if total.violations > 0 {
        return report.exit(Exit::Internal);
    }
    report
}

/// Runs one scenario again.
pub(crate) fn replay(args: &SimReplayArgs) -> Result<Report, Fault> {
    let text =
        std::fs::read_to_string(&args.file).map_err(|err| Fault::file("read", &args.file, &err))?;
    let mut scenario = Scenario::parse(&text).map_err(of_plan)?;
    if let Some(until) = args.until {
        let end = until.saturating_mul(1000);
        scenario.messages.retain(|message| message.at_ms < end);
        scenario.faults.retain(|fault| fault.at_ms < end);
        scenario.contacts.retain(|contact| contact.from_ms < end);
    }
    let outcome = packmule_sim::replay(&scenario, true);
    if let Some(path) = &args.report {
        super::write_page(path, Page::of_run("", &outcome))?;
    }
    Ok(story(&outcome))
}

fn story(outcome: &Outcome) -> Report {
    let mut lines = Vec::new();
    if let Some(timeline) = &outcome.timeline {
        for mark in &timeline.events {
            let node = mark.node.as_deref().unwrap_or("-");
            let at = mark.at as f64 / 1000.0;
            lines.push(format!(
                "{at:>10.3}  {node:<10} {:<16} {}",
                mark.kind, mark.text
            ));
        }
    }
    for violation in &outcome.violations {
        lines.push(format!(
            "broken at {:.3} s: {} ({})",
            violation.at_ms as f64 / 1000.0,
            violation.text,
            violation.kind
        ));
    }
    lines.push(format!(
        "{} of {} messages delivered, {} violations, fingerprint {:016x}",
        outcome.delivered,
        outcome.submitted,
        outcome.violations.len(),
        outcome.hash
    ));
    let report = Report::new(
        lines.join("\n"),
        json!({
            "violations": outcome.violations,
            "faults_fired": outcome.faults_fired,
            "submitted": outcome.submitted,
            "delivered": outcome.delivered,
            "hash": format!("{:016x}", outcome.hash),
            "timeline": outcome.timeline,
        }),
    );
    if outcome.violations.is_empty() {
        return report;
    }
    report.exit(Exit::Internal)
}

fn of_plan(err: PlanError) -> Fault {
    match &err {
        PlanError::NoSuchPlan { .. } | PlanError::Unreadable { .. } => {
            Fault::not_found(err.to_string())
                .hint("give a file, or a name that `packmule sim plans` lists")
        }
        _ => Fault::damaged(err.to_string()),
    }
}
