//! `packmule pack`: a plaintext message in, a packed message out. For pipes.
//!
//! `from` and `to` are put into the message when they are missing; nothing else is changed.

use packmule_agent::pack::{Jose, PackPlan, Packer};
use packmule_bus::Envelope;
use serde_json::{Value, json};

use crate::args::{Globals, PackArgs};
use crate::cmd::foreign::Desk;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::files;
use crate::ui::output::Report;

/// Packs.
pub(crate) fn run(globals: &Globals, args: &PackArgs) -> Result<Report, Fault> {
    let plaintext = files::read_input(args.input.as_deref())?;
    let needs_keys = !args.anon || args.sign;
    let desk = Desk::open(globals, &args.foreign, needs_keys)?;
    let mut draft = Draft::read(plaintext)?;
    let plan = plan(args, &desk, &draft)?;
    draft.complete(&plan, args.anon)?;
    let packed = Jose.pack(&draft.bytes, &plan, &desk.keys, &desk.docs)?;
    let mut forms = Vec::new();
    let mut envelopes = Vec::new();
    for message in packed {
        let envelope = Envelope::from_packed(&message)?;
        envelopes.push(json!({
            "id": envelope.id().to_string(),
            "kind": envelope.kind(),
            "json_bytes": message.len(),
            "compact_bytes": envelope.to_wire().len(),
        }));
        forms.push(if args.compact {
            envelope.to_wire()
        } else {
            message
        });
    }
    if args.compact && forms.len() > 1 {
        return Err(
            Fault::usage("compact envelopes of several recipients cannot share a pipe")
                .hint("run once for each recipient"),
        );
    }
    let texts: Vec<Value> = forms
        .iter()
        .map(|form| String::from_utf8(form.clone()).map_or(Value::Null, Value::from))
        .collect();
    // One recipient: exactly the packed bytes. Several: a line each.
    let bytes = forms.join(&b'\n');
    let mut object = json!({ "envelopes": envelopes, "bytes": bytes.len() });
    if let Value::Object(map) = &mut object
        && !args.compact
    {
        map.insert("packed".into(), Value::Array(texts));
    }
    match &args.output {
        Some(path) => {
            files::write_whole(path, &bytes)?;
            Ok(Report::new(
                format!("{} bytes in {}", bytes.len(), path.display()),
                object,
            ))
        }
        None => Ok(Report::new("", object).raw(bytes)),
    }
}

/// The plaintext message, and what it says about itself.
struct Draft {
    bytes: Vec<u8>,
    message: Value,
}

impl Draft {
    fn read(bytes: Vec<u8>) -> Result<Self, Fault> {
        let message: Value = serde_json::from_slice(&bytes)
            .map_err(|err| Fault::new(Exit::Damaged, format!("the plaintext is no JSON: {err}")))?;
        if !message.is_object() {
            return Err(Fault::damaged("the plaintext is no JSON object"));
        }
        Ok(Self { bytes, message })
    }

    fn from(&self) -> Option<&str> {
        self.message.get("from")?.as_str()
    }

    fn to(&self) -> Vec<String> {
        let list = self.message.get("to").and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }

    /// Adds `from` and `to` where the plan needs them and the message lacks them.
    fn complete(&mut self, plan: &PackPlan, anon: bool) -> Result<(), Fault> {
        let Value::Object(map) = &mut self.message else {
            return Ok(());
        };
        let mut changed = false;
        let signer = plan.sign.as_deref().map(packmule_agent::did::did_of);
        if let Some(from) = plan.from.as_deref().or(signer)
            && !map.contains_key("from")
            && (!anon || plan.sign.is_some())
        {
            map.insert("from".into(), Value::from(from));
            changed = true;
        }
        if !plan.to.is_empty() && !map.contains_key("to") {
            map.insert("to".into(), json!(plan.to));
            changed = true;
        }
        if changed {
            self.bytes = serde_json::to_vec(&self.message)
                .map_err(|err| Fault::new(Exit::Internal, format!("cannot write JSON: {err}")))?;
        }
        Ok(())
    }
}

fn plan(args: &PackArgs, desk: &Desk, draft: &Draft) -> Result<PackPlan, Fault> {
    let own = desk.party.as_ref().map(|party| party.did().to_owned());
    let someone = || {
        args.from
            .clone()
            .or_else(|| draft.from().map(str::to_owned))
            .or_else(|| own.clone())
            .ok_or_else(|| {
                Fault::usage("from whom? the message has no `from`")
                    .hint("use --from DID, or --anon to encrypt without a sender")
            })
    };
    let to = recipients(args, desk, draft)?;
    if to.is_empty() && !args.sign {
        return Err(Fault::usage("for whom? the message has no `to`").hint("use --to DID"));
    }
    Ok(PackPlan {
        from: if args.anon || to.is_empty() {
            None
        } else {
            Some(someone()?)
        },
        sign: if args.sign { Some(someone()?) } else { None },
        hide_sender: args.hide_sender,
        to,
        ..PackPlan::default()
    })
}

fn recipients(args: &PackArgs, desk: &Desk, draft: &Draft) -> Result<Vec<String>, Fault> {
    if args.to.is_empty() {
        // `--sign` alone signs alone: the message's own `to` is no wish to encrypt.
        return Ok(if args.sign { Vec::new() } else { draft.to() });
    }
    args.to
        .iter()
        .map(|to| match &desk.party {
            Some(party) if !to.starts_with("did:") => {
                Ok(crate::flow::party::peer(party.home(), to)?.did)
            }
            _ => Ok(to.clone()),
        })
        .collect()
}
