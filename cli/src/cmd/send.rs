//! `packmule send`: build, pack, queue. "queued" means: on the disk.

use packmule_agent::message::Message;
use packmule_agent::protocol::basic_message;
use packmule_node::desk::{ENDED, Protection};
use serde_json::{Value, json};

use crate::args::{Globals, SendArgs};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::{attachments, files};
use crate::ui::output::{Report, size};
use crate::ui::time::{now, rfc3339};

/// Sends.
pub(crate) fn run(globals: &Globals, args: &SendArgs) -> Result<Report, Fault> {
    let message = build(args)?;
    let how = match (args.anon, args.sign) {
        (true, _) => Protection::Anon,
        (_, true) => Protection::Signed,
        _ => Protection::Auth,
    };
    // The peer before the passphrase: a typo should not cost a second.
    let home = crate::home::open(globals)?;
    let peer = crate::flow::party::peer(&home, &args.peer)?;
    if let Some(when) = home.note(ENDED, &peer.did)? {
        let when = when.parse().map_or(when, rfc3339);
        return Err(Fault::new(
            Exit::Refused,
            format!("{} ended the relationship at {when}", peer.name),
        )
        .hint("ask for a new invitation, then `packmule peers remove` and `packmule accept`"));
    }
    drop(home);
    let party = crate::home::unlock(globals)?;
    let queued = party.submit(&peer, message, how)?;
    let envelopes: Vec<String> = queued.envelopes.iter().map(ToString::to_string).collect();
    Ok(Report::new(
        format!(
            "queued for {}: {} ({}, {})",
            peer.name,
            queued.message_id,
            words(how),
            size(queued.bytes as u64)
        ),
        json!({
            "id": queued.message_id,
            "peer": peer.name,
            "to": peer.did,
            "envelopes": envelopes,
            "bytes": queued.bytes,
            "state": "queued",
        }),
    ))
}

fn build(args: &SendArgs) -> Result<Message, Fault> {
    let text = match args.text.as_deref() {
        Some("-") => Some(
            String::from_utf8(files::read_input(None)?)
                .map_err(|_| Fault::usage("standard input is no text").hint("use --attach FILE"))?,
        ),
        other => other.map(str::to_owned),
    };
    let mut message = match (&args.type_uri, &args.body) {
        (Some(type_uri), Some(body)) => {
            let body: Value = serde_json::from_str(body)
                .map_err(|err| Fault::usage(format!("--body is no JSON: {err}")))?;
            if !body.is_object() {
                return Err(Fault::usage("--body must be a JSON object"));
            }
            let mut message = Message::new(type_uri);
            message.body = Some(body);
            message
        }
        _ => basic_message::message(text.as_deref().unwrap_or("")),
    };
    for path in &args.attach {
        message.attachments.push(attachments::from_file(path)?);
    }
    if let Some(span) = args.expires {
        message.expires_time = Some(now().saturating_add(span));
    }
    if args.please_ack {
        // The empty string stands for this very message (spec: ACKs).
        message.please_ack = vec![String::new()];
    }
    message.thid.clone_from(&args.thread);
    Ok(message)
}

const fn words(how: Protection) -> &'static str {
    match how {
        Protection::Auth => "encrypted, authenticated",
        Protection::Anon => "encrypted, without a sender",
        Protection::Signed => "signed, encrypted",
    }
}
