//! Report-problem 2.0 (§6.2): telling the other side what went wrong, in words with gaps.
//!
//! What can go wrong: [`ReportError`] for a message that is no report. A report whose code
//! breaks the rules is read all the same: people want to see it.

use serde_json::{Map, Value, json};

use crate::message::{CodeError, Message, ProblemCode};

#[cfg(test)]
mod tests;

/// Protocol identifier.
pub const PIURI: &str = "https://didcomm.org/report-problem/2.0";

/// §6.2.3: what is sent last, before a thread is left alone for good.
pub const MAX_ERRORS_EXCEEDED: &str = "e.p.req.max-errors-exceeded";

/// Longest text with its gaps filled, in characters: a comment that names one long argument a
/// thousand times must not make a gigabyte.
const MAX_TEXT: usize = 4096;
const MAX_ARGS: usize = 64;

/// Why a message is no problem report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// Another type of message.
    #[error("this is not a problem report")]
    Type,
    /// No `pthid`: it does not say which thread it is about (§6.2: MUST).
    #[error("the problem report does not say which thread it is about")]
    Thread,
    /// No `code` in the body.
    #[error("the problem report has no code")]
    Code,
}

/// A problem, as reported.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The code as it came; see [`Report::parsed`].
    pub code: String,
    /// The text, with gaps `{1}`, `{2}`; always the same for one code.
    pub comment: Option<String>,
    /// What goes into the gaps; `None` where it was null.
    pub args: Vec<Option<String>>,
    /// Where to get help: a URI.
    pub escalate_to: Option<String>,
}

impl Report {
    /// A report with the comment that the spec ties to the code, if there is one.
    #[must_use]
    pub fn new(code: &ProblemCode) -> Self {
        Self {
            code: code.to_string(),
            comment: code.standard_comment().map(str::to_owned),
            ..Self::default()
        }
    }

    /// The same with a comment of one's own and its arguments.
    #[must_use]
    pub fn with_comment(mut self, comment: &str, args: &[&str]) -> Self {
        self.comment = Some(comment.to_owned());
        self.args = args.iter().map(|arg| Some((*arg).to_owned())).collect();
        self
    }

    /// The code, taken apart.
    ///
    /// # Errors
    /// Any [`CodeError`].
    pub fn parsed(&self) -> Result<ProblemCode, CodeError> {
        ProblemCode::parse(&self.code)
    }

    /// The comment with its gaps filled: a missing or null argument is `?`, arguments that
    /// the comment does not name follow it, separated by commas (§6.2). Without a comment,
    /// the standard one, or the code. At most 4096 characters.
    #[must_use]
    pub fn text(&self) -> String {
        let standard = self.parsed().ok().and_then(|code| code.standard_comment());
        let comment = self.comment.as_deref().or(standard).unwrap_or(&self.code);
        let mut out = Short::default();
        let mut named = vec![false; self.args.len()];
        let mut rest = comment;
        while let Some((before, gap, after)) = next_gap(rest) {
            out.push(before);
            if let Some(named) = named.get_mut(gap) {
                *named = true;
            }
            out.push(self.args.get(gap).and_then(Option::as_deref).unwrap_or("?"));
            rest = after;
            if out.full {
                break;
            }
        }
        out.push(rest);
        let mut separator = if comment.is_empty() { "" } else { " " };
        for (arg, _) in self.args.iter().zip(named).filter(|(_, named)| !named) {
            out.push(separator);
            out.push(arg.as_deref().unwrap_or("?"));
            separator = ", ";
        }
        out.text
    }
}

/// A report about what `about` led to: a child of its thread (`pthid`), which also
/// acknowledges it, so that its sender sees which message was meant.
#[must_use]
pub fn message(about: &Message, report: &Report) -> Message {
    let mut body = Map::new();
    body.insert("code".to_owned(), json!(report.code));
    if let Some(comment) = &report.comment {
        body.insert("comment".to_owned(), json!(comment));
    }
    if !report.args.is_empty() {
        body.insert("args".to_owned(), json!(report.args));
    }
    if let Some(uri) = &report.escalate_to {
        body.insert("escalate_to".to_owned(), json!(uri));
    }
    let mut message = about.reply("https://didcomm.org/report-problem/2.0/problem-report");
    message.thid = None;
    message.pthid = Some(about.thread().to_owned());
    message.ack = vec![about.id.clone()];
    message.with_body(Value::Object(body))
}

/// Reads a report.
///
/// # Errors
/// Any [`ReportError`].
pub fn parse(message: &Message) -> Result<Report, ReportError> {
    if !message.is(PIURI, "problem-report") {
        return Err(ReportError::Type);
    }
    if message.pthid.is_none() {
        return Err(ReportError::Thread);
    }
    let text = |name| message.body_text(name).map(str::to_owned);
    let args = message.body.as_ref().and_then(|body| body.get("args"));
    let arg = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    Ok(Report {
        code: text("code").ok_or(ReportError::Code)?,
        comment: text("comment"),
        args: match args {
            Some(Value::Array(list)) => list.iter().take(MAX_ARGS).map(arg).collect(),
            // One word where a list belongs.
            Some(value @ Value::String(_)) => vec![arg(value)],
            _ => Vec::new(),
        },
        escalate_to: text("escalate_to"),
    })
}

/// What stands before the next `{n}`, n counted from 0, and what after it.
fn next_gap(text: &str) -> Option<(&str, usize, &str)> {
    let mut from = 0;
    while let Some(open) = text.get(from..)?.find('{').map(|at| at + from) {
        let inside = text.get(open + 1..)?;
        let digits = inside.bytes().take_while(u8::is_ascii_digit).count();
        let number = inside.get(..digits)?.parse::<usize>().ok();
        let after = inside.get(digits..)?.strip_prefix('}');
        match (number.and_then(|n| n.checked_sub(1)), after) {
            (Some(gap), Some(after)) => return Some((text.get(..open)?, gap, after)),
            _ => from = open + 1,
        }
    }
    None
}

/// A text that stops growing.
#[derive(Default)]
struct Short {
    text: String,
    chars: usize,
    full: bool,
}

impl Short {
    fn push(&mut self, more: &str) {
        if self.full {
            return;
        }
        for c in more.chars() {
            if self.chars == MAX_TEXT - 1 {
                self.text.push('…');
                self.full = true;
                return;
            }
            self.text.push(c);
            self.chars += 1;
        }
    }
}
