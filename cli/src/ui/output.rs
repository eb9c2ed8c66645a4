//! Reports: one verb's result, for people and for scripts.
//!
//! What it is: a verb computes a [`Report`] and prints nothing itself; this file prints it,
//! as text or with `--json` as one JSON value, and prints [`Fault`]s. Who calls it: `main`.
//! What can go wrong: the reader of our pipe goes away; then the run ends quietly, since
//! whatever had to be durable was so before anything was printed.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::exit::Exit;
use crate::fault::Fault;

/// The result of one verb.
#[derive(Debug)]
pub(crate) struct Report {
    /// For people; without the last newline.
    pub(crate) text: String,
    /// For `--json`.
    pub(crate) json: Value,
    /// Bytes that are the result themselves (`pack`); they replace text when JSON is off.
    pub(crate) raw: Option<Vec<u8>>,
    /// How the run ends.
    pub(crate) exit: Exit,
}

impl Report {
    /// A report of something that went well.
    pub(crate) fn new(text: impl Into<String>, json: Value) -> Self {
        Self {
            text: text.into(),
            json,
            raw: None,
            exit: Exit::Ok,
        }
    }

    /// All was said while the verb ran: nothing more is printed.
    pub(crate) fn told() -> Self {
        Self::new("", Value::Null)
    }

    /// The same report with another exit code.
    pub(crate) const fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The same report with bytes as its result.
    pub(crate) fn raw(mut self, bytes: Vec<u8>) -> Self {
        self.raw = Some(bytes);
        self
    }
}

/// Prints a report to standard output.
pub(crate) fn print(report: &Report, as_json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match (&report.raw, as_json) {
        (_, true) if report.json.is_null() => {}
        (_, true) => writeln!(out, "{}", report.json)?,
        (Some(bytes), false) => out.write_all(bytes)?,
        (None, false) if report.text.is_empty() => {}
        (None, false) => writeln!(out, "{}", report.text)?,
    }
    out.flush()
}

/// Prints a fault: text to standard error, and with `--json` an object to standard output.
pub(crate) fn print_fault(fault: &Fault, as_json: bool) -> io::Result<()> {
    if as_json {
        let mut object = json!({
            "error": fault.what,
            "exit": fault.exit.code(),
        });
        if let Value::Object(map) = &mut object {
            if let Some(problem) = &fault.problem {
                map.insert("problem".into(), Value::from(problem.as_str()));
            }
            if let Some(hint) = &fault.hint {
                map.insert("hint".into(), Value::from(hint.as_str()));
            }
        }
        let mut out = io::stdout().lock();
        writeln!(out, "{object}")?;
        out.flush()?;
    }
    let mut err = io::stderr().lock();
    writeln!(err, "error: {}", fault.what)?;
    if let Some(problem) = &fault.problem {
        writeln!(err, "problem: {problem}")?;
    }
    if let Some(hint) = &fault.hint {
        writeln!(err, "hint: {hint}")?;
    }
    err.flush()
}

/// Text from a stranger, made safe for a terminal: control characters (escape sequences
/// that could repaint the screen, bidirectional overrides) become visible. Newlines stay.
pub(crate) fn plain(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        let hidden = (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if hidden {
            clean.extend(c.escape_unicode());
        } else {
            clean.push(c);
        }
    }
    clean
}

/// One line of at most `width` characters, for lists.
pub(crate) fn one_line(text: &str, width: usize) -> String {
    let flat = plain(text).replace(['\n', '\t'], " ");
    if flat.chars().count() <= width {
        return flat;
    }
    let mut cut: String = flat.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// A size for people: `734 B`, `20.5 kB`, `5.2 MB` (powers of 1000).
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..=9_999 => format!("{bytes} B"),
        10_000..=999_999 => format!("{}.{} kB", bytes / 1000, bytes % 1000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mallorys_escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(plain("abc\u{202e}def"), "abc\\u{202e}def");
        assert_eq!(plain("two\nlines"), "two\nlines");
    }

    #[test]
    fn a_long_line_is_cut_by_characters() {
        assert_eq!(one_line("äöüß", 4), "äöüß");
        assert_eq!(one_line("äöüßa", 4), "äöü…");
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(size(734), "734 B");
        assert_eq!(size(20_480), "20.4 kB");
        assert_eq!(size(5_242_880), "5.2 MB");
    }
}
