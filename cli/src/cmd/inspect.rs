//! `packmule inspect FILE`: one packed message explained byte for byte, and nothing opened.

use packmule_bus::{Inspection, inspect};

use crate::args::InspectArgs;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::files;
use crate::ui::output::{Report, one_line};

/// Inspects.
pub(crate) fn run(args: &InspectArgs) -> Result<Report, Fault> {
    let bytes = files::read_input(Some(&args.file))?;
    let found = inspect(&bytes)?;
    let object = serde_json::to_value(&found)
        .map_err(|err| Fault::new(Exit::Internal, format!("cannot write JSON: {err}")))?;
    Ok(Report::new(text(&found), object))
}

fn text(found: &Inspection) -> String {
    let share = |bytes: usize| (bytes * 100).checked_div(found.json_bytes).unwrap_or(0);
    let mut lines = vec![
        format!("kind:       {} (given as {})", found.kind, found.form),
        format!("id:         {}", found.id),
        format!("json:       {} bytes", found.json_bytes),
        format!(
            "compact:    {} bytes ({} % of json)",
            found.compact_bytes,
            share(found.compact_bytes)
        ),
        format!(
            "floor:      {} bytes ({} % of json)",
            found.floor_bytes,
            share(found.floor_bytes)
        ),
    ];
    let mut tell = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            lines.push(format!(
                "{:<11} {}",
                format!("{name}:"),
                one_line(value, 200)
            ));
        }
    };
    tell("alg", found.alg.as_deref());
    tell("enc", found.enc.as_deref());
    tell("curve", found.epk_curve.as_deref());
    tell("sender", found.sender_kid.as_deref());
    for kid in &found.recipient_kids {
        tell("recipient", Some(kid));
    }
    for kid in &found.signer_kids {
        tell("signer", Some(kid));
    }
    tell("header like", found.template.as_deref());
    lines.push(String::from("\n offset  bytes  part"));
    for part in &found.parts {
        lines.push(format!(
            "{:>7} {:>6}  {:<22} {}",
            part.offset
                .map_or_else(String::new, |offset| offset.to_string()),
            part.bytes,
            one_line(&part.name, 22),
            one_line(&part.note, 100)
        ));
    }
    lines.join("\n")
}
