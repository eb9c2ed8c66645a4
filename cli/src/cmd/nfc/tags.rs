//! `packmule nfc read|write`: messages on tags.
//!
//! What is it: one tag, held to a chip of ours, read or written in the foreground. Who calls it:
//! people. What can go wrong: no chip, no tag, one of another kind, too small a one; each is said.

use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use packmule_bus::{Envelope, Kind};
use packmule_transports::nfc::Chips;
use packmule_transports::nfc::chip::{Chip, Target, TargetKind};
use packmule_transports::nfc::ndef::{self, Record};
use packmule_transports::nfc::t4t::TagError;
use packmule_transports::nfc::{t2t, t4t};
use serde_json::json;

use crate::args::{NfcReadArgs, NfcWriteArgs};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::files;
use crate::ui::output::{Report, one_line};

/// How long a look for a tag takes.
const LOOK: Duration = Duration::from_millis(500);

/// Reads a tag.
pub(super) fn read(args: &NfcReadArgs) -> Result<Report, Fault> {
    let (mut chip, tag) = find(&args.device, args.patience)?;
    let bytes = match tag.kind {
        TargetKind::Pages => t2t::read(&mut *chip),
        TargetKind::Apdus => t4t::read(&mut *chip),
        _ => return Err(foreign()),
    };
    chip.release();
    let bytes = bytes.map_err(|fault| told(&fault))?;
    let records = match bytes.is_empty() {
        true => Vec::new(),
        false => ndef::read(&bytes).map_err(|fault| Fault::damaged(fault.to_string()))?,
    };
    let packed = records.iter().find_map(|record| {
        let (kind, body) = record.mime()?;
        kind.starts_with("application/didcomm-").then_some(body)
    });
    if let Some(out) = &args.out {
        let packed = packed.ok_or_else(|| Fault::not_found("no packed message is on the tag"))?;
        files::write_whole(out, packed)?;
    }
    let mut lines = vec![format!("{} bytes on tag {}", bytes.len(), name(&tag))];
    let mut list = Vec::new();
    for record in &records {
        if let Some(uri) = record.uri() {
            lines.push(one_line(&uri, 2000));
            list.push(json!({ "uri": uri }));
        } else if let Some((kind, body)) = record.mime() {
            lines.push(format!("{}, {} bytes", one_line(&kind, 100), body.len()));
            list.push(json!({ "type": kind, "bytes": body.len() }));
        } else {
            lines.push(format!("another record, {} bytes", record.payload.len()));
            list.push(json!({ "bytes": record.payload.len() }));
        }
    }
    let object = json!({ "tag": name(&tag), "bytes": bytes.len(), "records": list });
    Ok(Report::new(lines.join("\n"), object))
}

/// Writes one.
pub(super) fn write(args: &NfcWriteArgs) -> Result<Report, Fault> {
    let mut records: Vec<Record> = args.uri.iter().map(|uri| Record::of_uri(uri)).collect();
    let mut open = None;
    if let Some(file) = &args.message {
        let packed = files::read_input(Some(file))?;
        let kind = Envelope::from_packed(&packed)
            .map_err(|fault| Fault::damaged(fault.to_string()))?
            .kind();
        if kind == Kind::Plaintext {
            open = Some(
                "anybody who holds a telephone to the tag reads this message: it is not encrypted",
            );
        } else if kind == Kind::Signed {
            open = Some(
                "anybody who holds a telephone to the tag reads this message: it is signed, not encrypted",
            );
        }
        records.push(Record::of_mime(kind.media_type(), &packed));
    }
    let bytes = ndef::write(&records).map_err(|fault| Fault::usage(fault.to_string()))?;
    let (mut chip, tag) = find(&args.device, args.patience)?;
    let written = match tag.kind {
        TargetKind::Pages => t2t::write(&mut *chip, &bytes),
        TargetKind::Apdus => t4t::write(&mut *chip, &bytes),
        _ => return Err(foreign()),
    };
    chip.release();
    written.map_err(|fault| told(&fault))?;
    let mut text = format!("{} bytes written on tag {}", bytes.len(), name(&tag));
    if let Some(open) = open {
        text = format!("{text}\nnote: {open}");
    }
    let object = json!({ "tag": name(&tag), "bytes": bytes.len(), "warning": open });
    Ok(Report::new(text, object))
}

/// The chip, and the tag that somebody holds to it.
fn find(device: &str, patience: u64) -> Result<(Box<dyn Chip>, Target), Fault> {
    let failed = |why: String| {
        Fault::new(Exit::Refused, why)
            .hint("`packmule doctor` names what there is, and what is missing")
    };
    let chips = packmule_transports::nfc_chips();
    let mut chip = chips.open(device).map_err(|why| failed(why.to_string()))?;
    let until = Instant::now() + Duration::from_secs(patience);
    loop {
        let found = chip
            .seek(LOOK)
            .map_err(|fault| failed(format!("{device}: {fault}")))?;
        match found {
            Some(tag) => return Ok((chip, tag)),
            None if Instant::now() < until => {}
            None => return Err(Fault::not_found("no tag was held to the chip")),
        }
    }
}

fn foreign() -> Fault {
    Fault::new(Exit::Refused, "this kind of tag is not known here")
        .hint("NTAG213, 215 and 216 are, and tags of type 4")
}

fn told(fault: &TagError) -> Fault {
    match fault {
        TagError::Full { .. } => Fault::new(Exit::NoSpace, fault.to_string()),
        TagError::Odd(_) => Fault::damaged(fault.to_string()),
        _ => Fault::new(Exit::Refused, fault.to_string()),
    }
}

fn name(tag: &Target) -> String {
    HEXLOWER.encode(&tag.uid)
}
