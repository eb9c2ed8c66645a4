//! `packmule bench drive`: letters by a stick, from alice's words to bob's opened inbox.
//!
//! Three times are taken: packing and queueing (durable), `export`, `import` with opening and
//! judging; the two latter are programs of their own, as people run them, and their memory is
//! watched. What can go wrong: one is lost or comes twice, which is told.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use packmule_bus::Envelope;
use serde_json::json;

use super::letters::{Packer, Scratch, arrived_in, names};
use super::pair::{PASSPHRASE, homes};
use crate::args::{BenchDriveArgs, Globals};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::ui::output::{Report, size};
use crate::ui::passphrase::VARIABLE;

/// Bytes of messages queued in one transaction.
const CHUNK: u64 = 8 << 20;
/// How often a child's memory is looked at. The kernel keeps its peak: only the last moment is
/// missed.
const LOOK: Duration = Duration::from_millis(2);

/// Measures.
pub(super) fn run(globals: &Globals, args: &BenchDriveArgs) -> Result<Report, Fault> {
    let scratch = Scratch::at(args.dir.clone())?;
    let dir = &scratch.dir;
    homes(dir)?;
    let stick = dir.join("stick");
    std::fs::create_dir(&stick)?;
    let queued = queue(&dir.join("alice"), args)?;
    if !globals.quiet && !globals.json {
        eprintln!("{} messages queued", queued.ids.len());
    }
    let batch = (!args.files).then_some(OsStr::new("--batch"));
    let folder = [OsStr::new("export"), stick.as_os_str()];
    let out = child(&dir.join("alice"), folder.into_iter().chain(batch))?;
    let (files, bytes) = weigh(&stick)?;
    let into = child(&dir.join("bob"), [OsStr::new("import"), stick.as_os_str()])?;
    let (lost, doubled) = arrived_in(&dir.join("bob"), &queued.ids)?;
    let seconds = queued.seconds + out.seconds + into.seconds;
    let count = f64::from(args.messages);
    let mb = count * args.size as f64 / 1e6;
    let overhead = (bytes as f64 - queued.wire as f64) / count;
    let peak = out.peak.max(into.peak);
    let text = format!(
        "{} messages of {}: queued {:.2} s, exported {:.2} s, imported {:.2} s; {:.0} messages/s, \
         {:.1} MB/s; {files} files, {overhead:.0} bytes each beyond the compact form; {lost} lost, \
         {doubled} doubled; at most {} of memory",
        args.messages,
        size(args.size),
        queued.seconds,
        out.seconds,
        into.seconds,
        count / seconds,
        mb / seconds,
        size(peak),
    );
    let report = json!({
        "messages": args.messages,
        "bytes": args.size,
        "batch": !args.files,
        "queue_s": queued.seconds,
        "export_s": out.seconds,
        "import_s": into.seconds,
        "msgs_per_s": count / seconds,
        "mb_per_s": mb / seconds,
        "files": files,
        "stick_bytes": bytes,
        "overhead_bytes": overhead,
        "rss_mb": peak as f64 / 1e6,
        "lost": lost,
        "doubled": doubled,
    });
    let whole = lost == 0 && doubled == 0;
    Ok(Report::new(text, report).exit(if whole { Exit::Ok } else { Exit::Incomplete }))
}

struct Queued {
    seconds: f64,
    ids: BTreeSet<String>,
    /// Bytes of their compact forms.
    wire: u64,
}

/// Packs and queues; the clock does not run while we weigh.
fn queue(home: &Path, args: &BenchDriveArgs) -> Result<Queued, Fault> {
    let mut packer = Packer::of(home)?;
    let together = (CHUNK / args.size.max(1)).clamp(1, 500);
    let together = u32::try_from(together).unwrap_or(1);
    let mut queued = Queued {
        seconds: 0.0,
        ids: BTreeSet::new(),
        wire: 0,
    };
    let mut left = args.messages;
    while left > 0 {
        // Somebody wrote them before.
        let texts = packer.texts(left.min(together), args.size);
        let start = Instant::now();
        let letters = packer.pack_all(texts)?;
        packer.desk.home().queue_all(&letters)?;
        queued.seconds += start.elapsed().as_secs_f64();
        left -= left.min(together);
        queued.ids.append(&mut names(&letters)?);
        for letter in &letters {
            queued.wire += Envelope::from_packed(&letter.packed)?.to_wire().len() as u64;
        }
    }
    Ok(queued)
}

struct Ran {
    seconds: f64,
    /// Bytes of memory, at most.
    peak: u64,
}

/// Runs a verb of this program on a home.
fn child<'a>(home: &Path, verb: impl IntoIterator<Item = &'a OsStr>) -> Result<Ran, Fault> {
    let start = Instant::now();
    let mut child = Command::new(std::env::current_exe()?)
        .args(verb)
        .args(["--json", "--home"])
        .arg(home)
        .env(VARIABLE, PASSPHRASE)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        let told = std::fs::read_to_string(&status).unwrap_or_default();
        let line = told.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(kilobytes.unwrap_or(0_u64) << 10);
        std::thread::sleep(LOOK);
    };
    if !ended.success() {
        return Err(Fault::new(
            Exit::Internal,
            format!("a verb failed: {ended}"),
        ));
    }
    Ok(Ran {
        seconds: start.elapsed().as_secs_f64(),
        peak,
    })
}

/// How many files messages lie in, and their bytes.
fn weigh(stick: &Path) -> Result<(usize, u64), Fault> {
    let (mut files, mut bytes) = (0, 0);
    for entry in std::fs::read_dir(stick.join("DIDCOMM"))? {
        let entry = entry?;
        if entry.file_name() != "README.TXT" {
            files += 1;
            bytes += entry.metadata()?.len();
        }
    }
    Ok((files, bytes))
}
