//! What a plaintext message shows of itself in a mail's headers and body.
//!
//! What is it: the extension's headers for messages that anybody can read. Who calls it:
//! `compose`. What can go wrong: a writer who would like to add headers of its own: only words of
//! letters, digits and a few signs pass, and whatever else is left out.

use serde_json::Value;

/// Characters of an id in a header, at most.
const MAX_WORD: usize = 128;
/// Characters of a thread's id in a subject.
const THREAD: usize = 8;
/// Characters of a problem's words.
const MAX_WORDS: usize = 2_000;

/// What is shown; nothing, where the message says nothing plain.
#[derive(Default, Debug)]
pub(crate) struct Face {
    pub(crate) subject: Option<String>,
    /// `id@thid`.
    pub(crate) message_id: Option<String>,
    pub(crate) in_reply_to: Option<String>,
    /// For people: what went wrong.
    pub(crate) problem: Option<String>,
}

/// A text of a plaintext that may stand in a header.
fn word(value: Option<&Value>) -> Option<&str> {
    let text = value?.as_str()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.+=/:".contains(&b);
    let fits = (1..=MAX_WORD).contains(&text.len()) && text.bytes().all(plain);
    fits.then_some(text)
}

impl Face {
    /// Reads a plaintext. `None` if it is no JSON object.
    pub(crate) fn of(packed: &[u8]) -> Option<Self> {
        let message: Value = serde_json::from_slice(packed).ok()?;
        message.as_object()?;
        let id = word(message.get("id"));
        let thread = word(message.get("thid")).or(id);
        let parent = word(message.get("pthid"));
        let kind = word(message.get("type"));
        // …/PROTOCOL/VERSION/MESSAGE
        let protocol = kind.and_then(|kind| kind.rsplit('/').nth(2));
        let short = |thread: &str| thread.chars().take(THREAD).collect::<String>();
        let mut face = Self {
            message_id: id.zip(thread).map(|(id, thread)| format!("{id}@{thread}")),
            ..Self::default()
        };
        if let (Some(protocol), Some(thread)) = (protocol, thread) {
            let again = if id == Some(thread) { "" } else { "Re: " };
            let thread = short(thread);
            face.subject = Some(format!("{again}{protocol} {thread}"));
        }
        if protocol == Some("report-problem") {
            let body = message.get("body");
            let told = |name: &str| body.and_then(|body| body.get(name));
            let code = word(told("code")).unwrap_or("of some kind");
            let old = parent.map_or_else(|| "DIDComm message".to_owned(), short);
            face.subject = Some(format!("Problem {code} -- Re: {old}"));
            // Of the message before it only the thread is known here, whose first message bears
            // the same id.
            face.in_reply_to = parent.map(|parent| format!("{parent}@{parent}"));
            face.problem = Some(words(code, &told));
        }
        Some(face)
    }
}

/// The problem in words: its code, its comment with the arguments in place, whom to ask.
fn words<'a>(code: &str, told: &impl Fn(&str) -> Option<&'a Value>) -> String {
    let text = |name: &str| told(name).and_then(Value::as_str);
    let mut words = format!("A problem has occurred: {code}");
    if let Some(comment) = text("comment") {
        let mut comment = comment.to_owned();
        let args = told("args").and_then(Value::as_array);
        for (number, arg) in args.into_iter().flatten().take(9).enumerate() {
            let arg = arg.as_str().unwrap_or("?");
            comment = comment.replace(&format!("{{{}}}", number + 1), arg);
            // Arguments that hold places for arguments grow without end.
            comment = comment.chars().take(MAX_WORDS).collect();
        }
        words.push_str(&format!("\r\n{comment}"));
    }
    if let Some(whom) = text("escalate_to") {
        words.push_str(&format!("\r\nWho can help: {whom}"));
    }
    words.chars().take(MAX_WORDS).collect()
}
