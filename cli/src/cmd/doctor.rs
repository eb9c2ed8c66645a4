//! `packmule doctor`: what works here, what is missing, and how to get it.
//!
//! A missing device is a finding, not a failure. Only a home that is damaged or unsafe ends with
//! a code other than 0.

mod mail;
mod nfc;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use packmule_node::Home;
use packmule_transports::ble::radio::Radio;
use packmule_transports::radio;
use serde_json::{Value, json};

use crate::args::Globals;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::{carry, partials};
use crate::ui::output::{Report, size};
use crate::ui::passphrase;

/// Free bytes below which we warn: some of the largest messages.
const FEW_BYTES: u64 = 256 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Good,
    /// Works, and could be better; or a device that is not here.
    Note,
    Bad,
}

/// One line of the report.
struct Finding {
    health: Health,
    name: &'static str,
    detail: String,
    hint: Option<String>,
}

impl Finding {
    fn good(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            health: Health::Good,
            name,
            detail: detail.into(),
            hint: None,
        }
    }

    fn note(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            health: Health::Note,
            name,
            detail: detail.into(),
            hint: Some(hint.into()),
        }
    }

    fn bad(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            health: Health::Bad,
            name,
            detail: detail.into(),
            hint: Some(hint.into()),
        }
    }
}

/// Looks at everything.
pub(crate) fn run(globals: &Globals) -> Result<Report, Fault> {
    let dir = crate::home::dir(globals)?;
    let mut findings = vec![Finding::good(
        "packmule",
        format!(
            "version {}, transports: {}",
            env!("CARGO_PKG_VERSION"),
            packmule_transports::NAMES.join(", ")
        ),
    )];
    match Home::open(&dir) {
        Ok(home) => {
            findings.push(Finding::good("home", dir.display().to_string()));
            look_into(&home, &mut findings);
        }
        Err(err) => {
            let fault = Fault::from(err);
            let finding = if fault.exit == Exit::NotFound {
                Finding::note(
                    "home",
                    format!("none in {}", dir.display()),
                    "make one with `packmule init`",
                )
            } else {
                Finding::bad(
                    "home",
                    fault.what,
                    fault
                        .hint
                        .unwrap_or_else(|| "restore it from a backup".into()),
                )
            };
            findings.push(finding);
        }
    }
    findings.push(space(&dir));
    findings.push(how_unlocked(globals));
    findings.push(ffmpeg());
    findings.push(camera());
    findings.extend(nfc::look(&dir));
    findings.push(ble());
    findings.extend(mail::look(&dir));
    Ok(report(&findings))
}

fn look_into(home: &Home, findings: &mut Vec<Finding>) {
    findings.push(match home.check() {
        Ok(()) => Finding::good("store", "every page checked"),
        Err(err) => Finding::bad("store", err.to_string(), "restore the home from a backup"),
    });
    findings.extend(permissions(home.dir()));
    if let Ok(rows) = carry::rows(home, Some(packmule_node::OutState::Queued)) {
        findings.push(Finding::good(
            "outbox",
            format!("{} waiting to go", rows.len()),
        ));
    }
    if let Ok(held) = partials::load(home)
        && let unfinished @ 1.. = held.partials.len() + held.parts.len()
    {
        findings.push(Finding::note(
            "partials",
            format!("{unfinished} unfinished QR transfers"),
            "read more of their pictures; `packmule qr read --forget` drops them",
        ));
    }
}

/// The keys are sealed, but the address book is not: nobody else should read the home.
fn permissions(dir: &Path) -> Vec<Finding> {
    let mode = |path: &Path| fs::metadata(path).map(|meta| meta.permissions().mode() & 0o777);
    let mut open = Vec::new();
    for (path, wanted) in [(dir.to_owned(), 0o700), (dir.join("keys.sealed"), 0o600)] {
        if let Ok(found) = mode(&path)
            && found & !wanted != 0
        {
            open.push(Finding::bad(
                "permissions",
                format!("{} is open to others (mode {found:03o})", path.display()),
                format!("chmod {wanted:o} {}", path.display()),
            ));
        }
    }
    if open.is_empty() {
        open.push(Finding::good("permissions", "only you can read the home"));
    }
    open
}

fn space(dir: &Path) -> Finding {
    let existing = dir
        .ancestors()
        .find(|path| path.exists())
        .unwrap_or_else(|| Path::new("/"));
    match rustix::fs::statvfs(existing) {
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            if free < FEW_BYTES {
                Finding::note(
                    "space",
                    format!("{} free", size(free)),
                    "large messages may not fit; make room",
                )
            } else {
                Finding::good("space", format!("{} free", size(free)))
            }
        }
        Err(err) => Finding::note("space", format!("cannot tell: {err}"), "check the disk"),
    }
}

fn how_unlocked(globals: &Globals) -> Finding {
    let name = "passphrase";
    if globals.passphrase_file.is_some() {
        Finding::good(name, "from a file")
    } else if std::env::var_os(passphrase::VARIABLE).is_some() {
        Finding::note(
            name,
            format!("from ${}", passphrase::VARIABLE),
            "other programs that you start can read it; a prompt or --passphrase-file is safer",
        )
    } else {
        Finding::good(name, "asked for when needed")
    }
}

/// Films and cameras are read by a program of its own; pictures and y4m streams need none.
fn ffmpeg() -> Finding {
    let ran = Command::new("ffmpeg")
        .arg("-version")
        .stdin(Stdio::null())
        .output();
    match ran {
        Ok(told) if told.status.success() => {
            let told = String::from_utf8_lossy(&told.stdout).into_owned();
            let version = told.split(' ').nth(2).unwrap_or("of some version");
            Finding::good(
                "ffmpeg",
                format!("{version}: films and cameras can be scanned"),
            )
        }
        _ => Finding::note(
            "ffmpeg",
            "none here: films and cameras cannot be scanned, pictures can",
            "apt install ffmpeg",
        ),
    }
}

fn camera() -> Finding {
    let found = fs::read_dir("/dev").ok().and_then(|entries| {
        entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .find(|name| name.starts_with("video"))
    });
    match found {
        Some(name) => Finding::good(
            "camera",
            format!("`packmule qr scan /dev/{name}` reads codes that are held before it"),
        ),
        None => Finding::note(
            "camera",
            "none on this computer",
            "film codes with a telephone, and give the film to `packmule qr scan`",
        ),
    }
}

fn ble() -> Finding {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let probe = runtime.map(|runtime| runtime.block_on(radio(None).probe()));
    match probe {
        Ok(probe) if probe.ready => Finding::good("bluetooth", probe.finding),
        Ok(probe) => match probe.finding.split_once(": ") {
            Some((what, how)) => Finding::note("bluetooth", what, how),
            None => Finding::note("bluetooth", probe.finding, "look into the system's log"),
        },
        Err(why) => Finding::note("bluetooth", format!("cannot tell: {why}"), "try again"),
    }
}

fn report(findings: &[Finding]) -> Report {
    let mut lines = Vec::new();
    let mut checks = Vec::new();
    for finding in findings {
        let (mark, health) = match finding.health {
            Health::Good => ("ok  ", "ok"),
            Health::Note => ("note", "note"),
            Health::Bad => ("BAD ", "bad"),
        };
        lines.push(format!("{mark}  {:<12} {}", finding.name, finding.detail));
        if let Some(hint) = &finding.hint {
            lines.push(format!("      {:<12} → {hint}", ""));
        }
        checks.push(json!({ "name": finding.name, "health": health, "detail": finding.detail, "hint": finding.hint }));
    }
    let ok = findings.iter().all(|finding| finding.health != Health::Bad);
    let exit = if ok { Exit::Ok } else { Exit::Damaged };
    Report::new(
        lines.join("\n"),
        json!({ "ok": ok, "checks": Value::Array(checks) }),
    )
    .exit(exit)
}
