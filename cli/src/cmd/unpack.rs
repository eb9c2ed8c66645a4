//! `packmule unpack`: a packed message in, its plaintext out. For pipes.

use packmule_agent::pack::{Jose, Limits, PackedKind, Packer, peek};
use packmule_bus::{DecodeError, Envelope};
use packmule_node::desk::{address, sender_of};
use serde_json::{Value, json};

use crate::args::{Globals, UnpackArgs};
use crate::cmd::foreign::Desk;
use crate::fault::Fault;
use crate::flow::files;
use crate::ui::output::Report;
use crate::ui::time::now;

/// Opens.
pub(crate) fn run(globals: &Globals, args: &UnpackArgs) -> Result<Report, Fault> {
    let bytes = files::read_input(args.file.as_deref())?;
    let packed = match Envelope::decode(&bytes) {
        Ok(envelope) => envelope.to_json(),
        Err(DecodeError::NotAnEnvelope) => bytes,
        Err(err) => return Err(err.into()),
    };
    // What is only signed, or plain, opens without any key, and so without a home.
    let needs_keys = peek(&packed, &Limits::default())?.kind == PackedKind::Encrypted;
    let desk = Desk::open(globals, &args.foreign, needs_keys)?;
    let opened = Jose.open(&packed, &desk.keys, &desk.docs, &Limits::default())?;
    let layers: Vec<String> = opened.layers.iter().map(ToString::to_string).collect();
    let mut warnings: Vec<String> = opened.warnings.iter().map(ToString::to_string).collect();
    if let Some(party) = &desk.party
        && let Some(to) = names(&opened.message)
        && !address::names_us(&to, &address::own_dids(party.home()))
    {
        warnings.push(format!(
            "it is addressed to somebody else: {}",
            to.join(", ")
        ));
    }
    let expired = opened
        .message
        .get("expires_time")
        .and_then(Value::as_u64)
        .is_some_and(|when| when <= now());
    let report = json!({
        "message": opened.message,
        "layers": layers,
        "sender": sender_of(&opened),
        "signed_by": opened.signed_by,
        "recipient_kid": opened.recipient_kid,
        "warnings": warnings,
        "expired": expired,
    });
    Ok(Report::new("", report).raw(opened.plaintext))
}

/// Whom a message names as its recipients, if it names any.
fn names(message: &Value) -> Option<Vec<String>> {
    let to = message.get("to")?.as_array()?;
    let names = to.iter().filter_map(Value::as_str).map(str::to_owned);
    Some(names.collect::<Vec<_>>()).filter(|names| !names.is_empty())
}
