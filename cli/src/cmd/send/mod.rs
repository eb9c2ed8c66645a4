//! `packmule send`: build, pack, queue. "queued" means: on the disk.

mod now;

use packmule_agent::message::Message;
use packmule_agent::protocol::basic_message;
use packmule_bus::label;
use packmule_node::desk::{Dispatch, ENDED, Protection};
use serde_json::{Value, json};

use crate::args::{Globals, Priority, SendArgs};
use crate::cmd::outbox::word;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::{attachments, files, node};
use crate::ui::events;
use crate::ui::output::{Report, plain, size};
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
    let dispatch = Dispatch {
        by: now::transports(&args.by),
        priority: priority(args.priority),
    };
    now::remember_ways(party.home(), &peer, &args.by)?;
    let under = match args.by.as_slice() {
        [] => None,
        _ => Some(now::Under::way(&party, args.wait)?),
    };
    let queued = party.submit_by(&peer, message, how, &dispatch)?;
    let envelopes: Vec<String> = queued.envelopes.iter().map(ToString::to_string).collect();
    let text = format!(
        "queued for {}: {} ({}, {})",
        peer.name,
        queued.message_id,
        words(how),
        size(queued.bytes as u64)
    );
    let mut object = json!({
        "id": queued.message_id,
        "peer": peer.name,
        "to": peer.did,
        "envelopes": envelopes,
        "bytes": queued.bytes,
        "state": "queued",
    });
    let Some(under) = under else {
        node::poke(party.home().dir());
        return Ok(Report::new(text, object));
    };
    let show = !globals.json && !globals.quiet;
    if show {
        println!("{text}");
    }
    let outcome = under.follow(party.home(), &queued.envelopes, &mut |event| {
        if show {
            eprintln!("  {}", plain(&events::words(event)));
        }
    })?;
    let (exit, end) = outcome.told();
    if let Value::Object(map) = &mut object {
        map.insert("state".into(), json!(word(outcome.state)));
        map.insert("sent_by".into(), json!(outcome.sent_by));
        map.insert("reason".into(), json!(outcome.reason));
    }
    Ok(Report::new(end, object).exit(exit))
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

const fn priority(chosen: Priority) -> label::Priority {
    match chosen {
        Priority::Bulk => label::Priority::Bulk,
        Priority::Normal => label::Priority::Normal,
        Priority::Urgent => label::Priority::Urgent,
    }
}

const fn words(how: Protection) -> &'static str {
    match how {
        Protection::Auth => "encrypted, authenticated",
        Protection::Anon => "encrypted, without a sender",
        Protection::Signed => "signed, encrypted",
    }
}
