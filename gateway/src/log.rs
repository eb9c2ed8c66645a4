//! Lines for whoever keeps the gateway running.
//!
//! What is it: [`Logger`], which writes one line for an event to standard error, as text or as
//! JSON. Who calls it: every module, with names of events and small facts. What can go wrong:
//! whoever reads standard error has gone: then the line is lost and nothing else. At `info` and
//! above no fact is a DID or an address; [`Logger::debug`] is for those.

use std::fmt::Display;
use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use packmule_node::desk::date::rfc3339;
use serde_json::{Map, Value, json};

use crate::config::{Log, LogLevel};

/// A fact of a line: its name and its value.
pub type Fact<'a> = (&'a str, &'a dyn Display);

/// Writes lines.
#[derive(Debug)]
pub struct Logger {
    level: AtomicU8,
    json: bool,
}

impl Logger {
    /// As configured.
    #[must_use]
    pub const fn new(settings: Log) -> Self {
        Self {
            level: AtomicU8::new(settings.level as u8),
            json: settings.json,
        }
    }

    /// Another weight from now on.
    pub fn set(&self, level: LogLevel) {
        self.level.store(level as u8, Ordering::Relaxed);
    }

    /// What stops it.
    pub fn error(&self, event: &str, facts: &[Fact<'_>]) {
        self.write(LogLevel::Error, event, facts);
    }

    /// What somebody should look at.
    pub fn warn(&self, event: &str, facts: &[Fact<'_>]) {
        self.write(LogLevel::Warn, event, facts);
    }

    /// What happens.
    pub fn info(&self, event: &str, facts: &[Fact<'_>]) {
        self.write(LogLevel::Info, event, facts);
    }

    /// Each message; may name DIDs and addresses.
    pub fn debug(&self, event: &str, facts: &[Fact<'_>]) {
        self.write(LogLevel::Debug, event, facts);
    }

    fn write(&self, level: LogLevel, event: &str, facts: &[Fact<'_>]) {
        if level as u8 > self.level.load(Ordering::Relaxed) {
            return;
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let time = rfc3339(since.map_or(0, |since| since.as_secs()));
        let line = if self.json {
            as_json(&time, level, event, facts)
        } else {
            as_text(&time, level, event, facts)
        };
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }
}

fn as_json(time: &str, level: LogLevel, event: &str, facts: &[Fact<'_>]) -> String {
    let mut line = Map::new();
    line.insert("time".into(), json!(time));
    line.insert("level".into(), json!(level.name()));
    line.insert("event".into(), json!(event));
    for (name, value) in facts {
        line.insert((*name).to_owned(), json!(value.to_string()));
    }
    format!("{}\n", Value::Object(line))
}

/// Whatever a stranger wrote stays within its line.
fn as_text(time: &str, level: LogLevel, event: &str, facts: &[Fact<'_>]) -> String {
    let mut line = format!("{time} {} {event}", level.name());
    for (name, value) in facts {
        let value = value.to_string();
        let bare = !value.is_empty()
            && value
                .chars()
                .all(|c| c.is_ascii_graphic() && c != '"' && c != '\\');
        line.push(' ');
        line.push_str(name);
        line.push('=');
        if bare {
            line.push_str(&value);
        } else {
            line.push_str(&json!(value).to_string());
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_writes_no_lines_of_ours() {
        let text = as_text(
            "t",
            LogLevel::Warn,
            "refused",
            &[("why", &"a\nb \"c\""), ("code", &"e.p.msg")],
        );
        assert_eq!(
            text,
            "t warn refused why=\"a\\nb \\\"c\\\"\" code=e.p.msg\n"
        );
        let json = as_json("t", LogLevel::Info, "ready", &[("port", &80)]);
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["event"], "ready");
        assert_eq!(json["port"], "80");
    }
}
