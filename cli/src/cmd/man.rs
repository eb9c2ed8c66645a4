//! `packmule man`: manual pages, made of what `--help` is made of.
//!
//! What is it: one page for packmule and one for each verb, `packmule-qr-save.1` for `qr save`;
//! hidden verbs have none. Who calls it: whoever installs or packs packmule. What can go wrong:
//! there is no such verb; the folder cannot be written.

use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use serde_json::json;

use crate::args::{Cli, ManArgs};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::ui::output::Report;

/// Prints one page, or writes all of them.
pub(crate) fn run(args: &ManArgs) -> Result<Report, Fault> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    match &args.out {
        Some(dir) => write_all(&root, dir),
        None => print_one(&root, &args.verb),
    }
}

fn print_one(root: &Command, verb: &[String]) -> Result<Report, Fault> {
    let mut command = root;
    for word in verb {
        command = command
            .find_subcommand(word)
            .filter(|found| !found.is_hide_set())
            .ok_or_else(|| {
                let typed = verb.join(" ");
                Fault::not_found(format!("there is no page for a verb {typed:?}"))
            })?;
    }
    let text = page(command)?;
    let json = json!({ "page": name(command), "text": String::from_utf8_lossy(&text) });
    Ok(Report::new("", json).raw(text))
}

fn write_all(root: &Command, dir: &Path) -> Result<Report, Fault> {
    std::fs::create_dir_all(dir)?;
    let mut pages = Vec::new();
    let mut open = vec![root];
    while let Some(command) = open.pop() {
        let file = name(command);
        std::fs::write(dir.join(&file), page(command)?)?;
        pages.push(file);
        open.extend(command.get_subcommands().filter(|verb| !verb.is_hide_set()));
    }
    pages.sort();
    let text = format!("{} pages written to {}", pages.len(), dir.display());
    Ok(Report::new(
        text,
        json!({ "dir": dir.display().to_string(), "pages": pages }),
    ))
}

/// `packmule-qr-save.1`
fn name(command: &Command) -> String {
    let name = command.get_display_name();
    format!("{}.1", name.unwrap_or_else(|| command.get_name()))
}

fn page(command: &Command) -> std::io::Result<Vec<u8>> {
    // What stands below the options is laid out in lines; as a paragraph it would run together.
    let bare = command.clone().after_help(None::<&str>);
    let mut text = Vec::new();
    let source = concat!("packmule ", env!("CARGO_PKG_VERSION"));
    Man::new(bare)
        .source(source)
        .manual("packmule")
        .render(&mut text)?;
    let end = if name(command) == "packmule.1" {
        closing()
    } else {
        let notes = command.get_after_help().map(ToString::to_string);
        let notes = notes.map(|notes| {
            let lines = notes.lines().map(escaped).collect::<Vec<_>>();
            format!(".SH NOTES\n.nf\n{}\n.fi\n", lines.join("\n"))
        });
        notes.unwrap_or_default()
            + ".SH \"SEE ALSO\"\n\\fBpackmule\\fR(1), which tells the exit codes\n"
    };
    text.extend(end.into_bytes());
    Ok(plain_letters(&String::from_utf8_lossy(&text)))
}

/// The same page without a letter beyond ASCII: what sets it may not know how it is encoded.
fn plain_letters(text: &str) -> Vec<u8> {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii() {
            plain.push(letter);
        } else {
            plain.push_str(&format!("\\[u{:04X}]", u32::from(letter)));
        }
    }
    plain.into_bytes()
}

/// What the page of packmule has beside what clap knows.
fn closing() -> String {
    let mut text = String::from(".SH \"EXIT STATUS\"\n");
    for exit in Exit::ALL {
        let line = format!(".TP\n{}\n{}\n", exit.code(), escaped(exit.meaning()));
        text.push_str(&line);
    }
    text.push_str(".SH ENVIRONMENT\n");
    for (variable, meaning) in [
        ("PACKMULE_HOME", "the home, if no --home is given"),
        (
            "PACKMULE_PASSPHRASE",
            "the passphrase of the home, if no file of it is given",
        ),
        (
            "XDG_DATA_HOME",
            "the folder of the home packmule, if neither is given",
        ),
    ] {
        let line = format!(".TP\n\\fB{variable}\\fR\n{}\n", escaped(meaning));
        text.push_str(&line);
    }
    text
}

/// Text as roff reads it: hyphens that stay hyphens, and no line that is taken for a request.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) {
        format!("\\&{text}")
    } else {
        text
    }
}
