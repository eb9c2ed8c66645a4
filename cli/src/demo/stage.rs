//! The demo's stage: a scratch directory, two parties, and someone who tells the story.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use packmule_agent::did::{Method, create};
use packmule_node::Home;
use packmule_node::desk::Judged;
use serde_json::json;

use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::files;
use crate::flow::letters::Entry;
use crate::flow::party::{self, Party};
use crate::ui::output::size;

/// Shown to everyone; the demo's homes hold nothing of worth.
pub(super) const PASSPHRASE: &[u8] = b"demo passphrase";

/// Where the story plays, and who is in it.
pub(crate) struct Stage {
    pub(crate) dir: PathBuf,
    alice: Option<Party>,
    bob: Option<Party>,
    /// The last message that alice packed for bob: mallory copies it from the stick.
    pub(crate) copied: Vec<u8>,
    /// The file that travels as an attachment.
    pub(crate) photo: Vec<u8>,
    /// The id of alice's answer, to be acknowledged.
    pub(crate) answer_id: String,
}

impl Stage {
    /// A new directory; one that is given must be empty or missing.
    pub(crate) fn set(dir: Option<&Path>) -> Result<Self, Fault> {
        let dir = match dir {
            Some(dir) => {
                files::make_dir(dir)?;
                let mut entries =
                    fs::read_dir(dir).map_err(|err| Fault::file("list", dir, &err))?;
                if entries.next().is_some() {
                    return Err(Fault::new(
                        Exit::Exists,
                        format!("{} is not empty", dir.display()),
                    )
                    .hint("choose another --dir"));
                }
                dir.to_owned()
            }
            None => scratch()?,
        };
        Ok(Self {
            dir,
            alice: None,
            bob: None,
            copied: Vec::new(),
            photo: Vec::new(),
            answer_id: String::new(),
        })
    }

    /// Makes alice and bob at home.
    pub(crate) fn cast(&mut self) -> Result<(), Fault> {
        for (name, seat) in [("alice", &mut self.alice), ("bob", &mut self.bob)] {
            let home = Home::create(
                &self.dir.join(name),
                &create(Method::Peer2, &[])?,
                PASSPHRASE,
            )?;
            *seat = Some(Party::unlock(home, PASSPHRASE)?);
        }
        Ok(())
    }

    /// Alice.
    pub(crate) fn alice(&self) -> Result<&Party, Fault> {
        self.alice.as_ref().ok_or_else(off_stage)
    }

    /// Bob.
    pub(crate) fn bob(&self) -> Result<&Party, Fault> {
        self.bob.as_ref().ok_or_else(off_stage)
    }

    /// A directory of the stage, made.
    pub(crate) fn place(&self, name: &str) -> Result<PathBuf, Fault> {
        let dir = self.dir.join(name);
        files::make_dir(&dir)?;
        Ok(dir)
    }
}

fn off_stage() -> Fault {
    Fault::new(Exit::Internal, "the demo's acts are out of order")
}

fn scratch() -> Result<PathBuf, Fault> {
    let base = std::env::temp_dir();
    for attempt in 0..1000_u32 {
        let dir = base.join(format!("packmule-demo-{}-{attempt}", std::process::id()));
        match fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(err) if err.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(err) => return Err(Fault::file("make the directory", &dir, &err)),
        }
    }
    Err(Fault::new(
        Exit::Exists,
        format!("too many demos in {}", base.display()),
    ))
}

/// A step that did not do what it should.
pub(crate) fn expect(holds: bool, what: &str) -> Result<(), Fault> {
    if holds {
        Ok(())
    } else {
        Err(Fault::new(Exit::Internal, format!("unexpected: {what}")))
    }
}

/// Opens what arrived, and refuses surprises.
pub(crate) fn open_all(party: &Party) -> Result<Judged, Fault> {
    let judged = party::judge(party, true)?;
    match judged.refused.first() {
        None => Ok(judged),
        Some(refusal) => Err(Fault::refused(
            refusal.problem.clone(),
            format!("an honest message was refused: {}", refusal.reason),
        )),
    }
}

/// The newest message for a person in a party's inbox.
pub(crate) fn newest(party: &Party) -> Result<Entry, Fault> {
    let mut newest = None;
    for row in party.home().inbox(0, 1000)? {
        let Some(envelope) = party.home().envelope(&row.id)? else {
            continue;
        };
        let letter = party
            .open(&envelope.to_json())
            .map_err(|(problem, reason)| Fault::refused(problem, reason))?;
        let entry = Entry::new(party, row, letter)?;
        if entry.is_for_people() {
            newest = Some(entry);
        }
    }
    newest.ok_or_else(|| Fault::not_found("no message arrived"))
}

/// A packed message's sizes, beside each other.
pub(crate) fn sizes(packed: &[u8]) -> Result<String, Fault> {
    let found = packmule_bus::inspect(packed)?;
    let share = found.compact_bytes * 100 / found.json_bytes.max(1);
    Ok(format!(
        "{} as JSON, {} compact ({share} %); no format can go below {}",
        size(found.json_bytes as u64),
        size(found.compact_bytes as u64),
        size(found.floor_bytes as u64)
    ))
}

/// Tells the story while it happens: text, or JSON lines.
pub(crate) struct Teller {
    json: bool,
}

impl Teller {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) fn open(&mut self, stage: &Stage) -> Result<(), Fault> {
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", json!({ "dir": stage.dir }))?;
        } else {
            writeln!(
                out,
                "alice and bob meet where there is no network. Scratch directory: {}\n",
                stage.dir.display()
            )?;
        }
        Ok(())
    }

    pub(crate) fn tell(&mut self, name: &str, ok: bool, lines: &[String]) -> Result<(), Fault> {
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", json!({ "step": name, "ok": ok, "told": lines }))?;
        } else {
            writeln!(out, "{} {name}", if ok { "✓" } else { "✗" })?;
            for line in lines {
                writeln!(out, "    {line}")?;
            }
        }
        out.flush()?;
        Ok(())
    }
}
