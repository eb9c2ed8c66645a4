//! Lines for whoever keeps the gateway running.
//!
//! What is it: [`Logger`], which writes one line for an event to standard error, as text or as
//! JSON, and keeps the latest for the operators' side. Who calls it: every module, with names of
//! events and small facts. What can go wrong: whoever reads standard error has gone: then the line
//! is lost and nothing else. At `info` and above no fact is a DID or an address;
//! [`Logger::debug`] is for those. What strangers cause again and again goes through [`Quiet`].

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Display;
use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use packmule_node::desk::date::rfc3339;
use serde_json::{Map, Value, json};

use crate::config::{Log, LogLevel};

/// A fact of a line: its name and its value.
pub type Fact<'a> = (&'a str, &'a dyn Display);

/// Lines that are kept.
const KEPT: usize = 500;
/// Characters of a kept fact.
const FACT: usize = 400;
/// One kind of line is written by [`Quiet`] not more often than this.
const SELDOM: Duration = Duration::from_secs(1);

/// Writes lines.
#[derive(Debug)]
pub struct Logger {
    level: AtomicU8,
    json: bool,
    kept: Mutex<Kept>,
}

/// The latest lines, the last of which has this number.
#[derive(Debug)]
struct Kept {
    lines: VecDeque<Value>,
    last: u64,
}

impl Logger {
    /// As configured.
    #[must_use]
    pub const fn new(settings: Log) -> Self {
        Self {
            level: AtomicU8::new(settings.level as u8),
            json: settings.json,
            kept: Mutex::new(Kept {
                lines: VecDeque::new(),
                last: 0,
            }),
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
        let seconds = since.map_or(0, |since| since.as_secs());
        self.keep(seconds, level, event, facts);
        let time = rfc3339(seconds);
        let line = if self.json {
            as_json(&time, level, event, facts)
        } else {
            as_text(&time, level, event, facts)
        };
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }

    fn keep(&self, time: u64, level: LogLevel, event: &str, facts: &[Fact<'_>]) {
        let short = |value: &dyn Display| value.to_string().chars().take(FACT).collect::<String>();
        let facts: Map<String, Value> = facts
            .iter()
            .map(|(name, value)| ((*name).to_owned(), short(value).into()))
            .collect();
        let line = json!({ "time": time, "level": level.name(), "event": event, "facts": facts });
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.lines.len() >= KEPT {
            kept.lines.pop_front();
        }
        kept.lines.push_back(line);
        kept.last += 1;
    }

    /// The lines after this number, as far as they are kept, and the number of the last:
    /// `{"lines": […], "last": 7}`. 0 for all.
    #[must_use]
    pub fn kept(&self, after: u64) -> Value {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let new = usize::try_from(kept.last.saturating_sub(after)).unwrap_or(usize::MAX);
        let old = kept.lines.len().saturating_sub(new);
        let lines: Vec<_> = kept.lines.iter().skip(old).collect();
        json!({ "lines": lines, "last": kept.last })
    }
}

/// Makes one line of many of a kind.
#[derive(Debug, Default)]
pub struct Quiet(Mutex<BTreeMap<&'static str, (Option<Instant>, u64)>>);

impl Quiet {
    /// It happened once more: how often since the line before, if there should be a line now.
    pub fn tell(&self, kind: &'static str, now: Instant) -> Option<u64> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (told, times) = kinds.entry(kind).or_default();
        *times += 1;
        if told.is_some_and(|told| now.saturating_duration_since(told) < SELDOM) {
            return None;
        }
        *told = Some(now);
        Some(std::mem::take(times))
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
    fn the_latest_lines_are_kept_within_bounds_and_found_by_number() {
        let log = Logger::new(Log::default());
        assert_eq!(log.kept(0), json!({ "lines": [], "last": 0 }));
        log.debug("not-wanted", &[]);
        for number in 0..KEPT + 10 {
            log.info(
                "counted",
                &[("number", &number), ("text", &"x".repeat(2 * FACT))],
            );
        }
        let all = log.kept(0);
        assert_eq!(all["lines"].as_array().unwrap().len(), KEPT);
        assert_eq!(all["lines"][0]["facts"]["number"], "10");
        assert_eq!(all["lines"][0]["facts"]["text"], "x".repeat(FACT));
        let last = all["last"].as_u64().unwrap();
        let new = log.kept(last - 2);
        assert_eq!(new["lines"].as_array().unwrap().len(), 2);
        assert_eq!(new["lines"][1]["facts"]["number"], (KEPT + 9).to_string());
        // After a restart others have counted further.
        assert_eq!(log.kept(last + 5)["lines"], json!([]));
    }

    #[test]
    fn many_of_a_kind_are_one_line() {
        let (quiet, now) = (Quiet::default(), Instant::now());
        assert_eq!(quiet.tell("full", now), Some(1));
        assert!((0..9).all(|_| quiet.tell("full", now).is_none()));
        assert_eq!(quiet.tell("denied", now), Some(1));
        assert_eq!(quiet.tell("full", now + SELDOM), Some(10));
    }

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
