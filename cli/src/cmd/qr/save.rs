//! `packmule qr save`: messages as picture files, still or moving.

use std::path::Path;

use data_encoding::HEXLOWER;
use packmule_bus::Envelope;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::args::{Globals, PictureFormat, QrSaveArgs};
use crate::fault::Fault;
use crate::flow::pictures::{self, Saved, Saving};
use crate::flow::{files, read_envelope};
use crate::ui::output::Report;
use crate::ui::time::now;

/// Saves a file's message, or what waits.
pub(super) fn run(globals: &Globals, args: &QrSaveArgs) -> Result<Report, Fault> {
    let (message, to) = match (&args.path, &args.out, &args.message) {
        (Some(_), Some(_), Some(_)) => {
            return Err(Fault::usage("the message's file is given twice"));
        }
        (Some(file), Some(out), None) => (Some(file), out),
        (Some(dir), None, message) => (message.as_ref(), dir),
        (None, Some(out), message) => (message.as_ref(), out),
        (None, None, _) => return Err(Fault::usage("where to? --out names it")),
    };
    if message.is_some() && (args.id.is_some() || args.peer.is_some()) {
        return Err(Fault::usage(
            "--id and --peer choose from the outbox, and a file is given",
        ));
    }
    let moving = args.out.is_some() && pictures::is_moving(to);
    if moving && (args.redundancy.is_some() || args.format != PictureFormat::Png) {
        return Err(Fault::usage(
            "--redundancy and --format are for directories of pictures",
        ));
    }
    let how = How {
        to,
        moving,
        saving: Saving {
            format: args.format,
            redundancy: args.redundancy,
            profile: args.profile,
            form: args.form,
        },
        quiet: globals.quiet || globals.json,
    };
    match message {
        Some(file) => saved_file(file, &how),
        None => waiting(globals, args, &how),
    }
}

/// Where to and how.
struct How<'a> {
    to: &'a Path,
    moving: bool,
    saving: Saving,
    quiet: bool,
}

impl How<'_> {
    fn save(&self, envelope: &Envelope) -> Result<Saved, Fault> {
        if self.moving {
            return pictures::save_moving(envelope, self.to, self.saving);
        }
        files::make_dir(self.to)?;
        pictures::save(envelope, self.to, self.saving, self.quiet)
    }

    fn told(&self, saved: &Saved) -> String {
        let frames = match saved.codes {
            1 => "1 code".to_owned(),
            n => format!("{n} codes, of which any {} suffice,", saved.needed),
        };
        format!("{frames} in {}", self.to.display())
    }

    fn json(&self, envelope: &Envelope, saved: &Saved) -> Value {
        json!({
            "envelope": envelope.id().to_string(),
            "files": saved.files,
            "frames": saved.codes,
            "frames_needed": saved.needed,
            "profile": self.saving.profile.to_string(),
            "codes_per_second": self.saving.profile.codes_per_second(),
            // Of what a scan of these codes writes.
            "sha256": HEXLOWER.encode(&Sha256::digest(envelope.to_json())),
        })
    }
}

/// Saves what waits, and marks it sent once the pictures are on the disk.
fn waiting(globals: &Globals, args: &QrSaveArgs, how: &How<'_>) -> Result<Report, Fault> {
    let home = crate::home::open(globals)?;
    let messages = super::waiting(&home, args.id.as_deref(), args.peer.as_deref())?;
    if how.moving && messages.len() > 1 {
        return Err(Fault::usage(format!(
            "{} messages wait, and {} holds one",
            messages.len(),
            how.to.display()
        ))
        .hint("choose one with --id, or name a directory"));
    }
    let mut lines = Vec::new();
    let mut all = Vec::new();
    for (row, envelope) in &messages {
        let saved = how.save(envelope)?;
        home.mark_sent(&[row.id], "qr", now())?;
        lines.push(format!("{}: {}", row.message_id, how.told(&saved)));
        let mut object = how.json(envelope, &saved);
        if let Value::Object(map) = &mut object {
            map.insert("id".into(), json!(row.message_id));
        }
        all.push(object);
    }
    Ok(Report::new(lines.join("\n"), json!({ "messages": all })))
}

/// Saves a packed message that lies in a file. No home is used.
fn saved_file(file: &Path, how: &How<'_>) -> Result<Report, Fault> {
    let envelope: Envelope = read_envelope(&files::read_input(Some(file))?)?;
    let saved = how.save(&envelope)?;
    Ok(Report::new(
        how.told(&saved),
        json!({ "messages": [how.json(&envelope, &saved)] }),
    ))
}
