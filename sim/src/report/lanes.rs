//! The timeline: a lane for each node, contacts as bands, messages as paths from lane to lane.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::page::text;
use super::{clock, span};
use crate::contacts::Contacts;
use crate::timeline::{ContactSpan, Fate, MessageLine, Timeline};

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 96.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 8.0;
const LANE: f64 = 34.0;
/// Lanes, contacts, messages and marks that are drawn; more make no picture.
const MOST_LANES: usize = 24;
const MOST_CONTACTS: usize = 4_000;
const MOST_MESSAGES: usize = 60;
const MOST_MARKS: usize = 400;

/// Contacts of a trace as spans.
pub(super) fn spans(contacts: &Contacts) -> Vec<ContactSpan> {
    contacts
        .contacts()
        .iter()
        .map(|c| ContactSpan {
            a: contacts.name(c.a).to_owned(),
            b: contacts.name(c.b).to_owned(),
            link: "trace".into(),
            from: c.from.as_micros() / 1000,
            to: c.to.as_micros() / 1000,
            bytes: 0,
        })
        .collect()
}

/// Where things are drawn.
struct Sheet<'a> {
    end: f64,
    lanes: BTreeMap<&'a str, usize>,
}

impl Sheet<'_> {
    fn x(&self, ms: u64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (ms as f64 / self.end).min(1.0)
    }

    fn y(&self, name: &str) -> Option<f64> {
        let lane = self.lanes.get(name)?;
        Some(TOP + LANE * (*lane as f64 + 0.5))
    }
}

pub(super) fn draw(out: &mut String, timeline: &Timeline) {
    let chosen = messages(timeline);
    let names = names(timeline, &chosen);
    let sheet = Sheet {
        end: timeline.ends_ms.max(1) as f64,
        lanes: names
            .iter()
            .enumerate()
            .map(|(n, name)| (*name, n))
            .collect(),
    };
    let height = TOP + LANE * names.len() as f64 + 24.0;
    let _ = write!(
        out,
        "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"Contacts and messages over time\">"
    );
    for name in &names {
        let Some(y) = sheet.y(name) else { continue };
        let _ = write!(
            out,
            "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text class=\"name\" x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            y + 4.0,
            text(&name.chars().take(13).collect::<String>())
        );
    }
    let drawn = contacts(out, timeline, &sheet);
    downs(out, timeline, &sheet);
    for message in &chosen {
        route(out, message, &sheet);
    }
    marks(out, timeline, &sheet);
    for step in 0..=6 {
        let ms = timeline.ends_ms / 6 * step;
        let anchor = match step {
            0 => "start",
            6 => "end",
            _ => "middle",
        };
        let _ = write!(
            out,
            "<text x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"{anchor}\">{}</text>",
            sheet.x(ms),
            height - 6.0,
            span(ms as f64 / 1000.0)
        );
    }
    out.push_str("</svg><p class=\"soft\">");
    for (colour, what) in [
        ("contact", "in contact"),
        ("path", "the way a message came"),
        ("copy", "copies"),
        ("good", "delivered"),
        ("bad", "not running"),
        ("mark", "a fault"),
    ] {
        let _ = write!(
            out,
            "<span class=\"key\" style=\"background:var(--{colour})\"></span>{what}"
        );
    }
    let _ = write!(
        out,
        "</p><p class=\"soft\">Drawn: {} of {} nodes, {} of {} messages, {drawn} of {} contacts. Rest on a mark or a line to read it.</p>",
        names.len(),
        timeline.nodes.len(),
        chosen.len(),
        timeline.messages.len(),
        timeline.contacts.len()
    );
}

/// The messages to draw: of many, an even choice of those that went furthest.
fn messages(timeline: &Timeline) -> Vec<&MessageLine> {
    let mut all: Vec<&MessageLine> = timeline.messages.iter().collect();
    if all.len() > MOST_MESSAGES {
        // Of a crowd a few stories say more than a cloud of lines.
        all.retain(|message| message.delivered_at.is_some());
        let few = if timeline.nodes.len() > MOST_LANES {
            12
        } else {
            MOST_MESSAGES
        };
        let stride = all.len().div_ceil(few).max(1);
        all = all.into_iter().step_by(stride).collect();
    }
    all
}

/// The lanes to draw: all, or those of the chosen messages' ways.
fn names<'a>(timeline: &'a Timeline, chosen: &[&'a MessageLine]) -> Vec<&'a str> {
    let all = timeline.nodes.iter().map(|node| node.name.as_str());
    if timeline.nodes.len() <= MOST_LANES {
        return all.collect();
    }
    let mut busy: BTreeMap<&str, usize> = BTreeMap::new();
    for message in chosen {
        for name in way(message).iter().map(|(name, _)| *name) {
            *busy.entry(name).or_default() += 1;
        }
    }
    let mut ranked: Vec<(usize, &str)> = busy.into_iter().map(|(name, n)| (n, name)).collect();
    ranked.sort_by(|a, b| b.cmp(a));
    ranked.truncate(MOST_LANES);
    all.filter(|name| ranked.iter().any(|(_, known)| known == name))
        .collect()
}

fn contacts(out: &mut String, timeline: &Timeline, sheet: &Sheet<'_>) -> usize {
    let mut drawn = 0;
    for contact in &timeline.contacts {
        let (Some(a), Some(b)) = (sheet.y(&contact.a), sheet.y(&contact.b)) else {
            continue;
        };
        if drawn >= MOST_CONTACTS {
            break;
        }
        drawn += 1;
        let x = sheet.x(contact.from);
        let width = (sheet.x(contact.to) - x).max(0.7);
        let (top, height) = (a.min(b), (a - b).abs());
        let title = format!(
            "{} and {}: {} to {}",
            contact.a,
            contact.b,
            clock(contact.from),
            clock(contact.to)
        );
        let _ = write!(
            out,
            "<rect class=\"contact\" opacity=\".5\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"><title>{}</title></rect>",
            text(&title)
        );
    }
    drawn
}

fn downs(out: &mut String, timeline: &Timeline, sheet: &Sheet<'_>) {
    for node in &timeline.nodes {
        let Some(y) = sheet.y(&node.name) else {
            continue;
        };
        for (from, to) in node.down.iter().take(MOST_MARKS) {
            let x = sheet.x(*from);
            let _ = write!(
                out,
                "<rect class=\"down\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"14\" rx=\"3\"><title>{} is not running</title></rect>",
                y - 7.0,
                (sheet.x(*to) - x).max(1.5),
                text(&node.name)
            );
        }
    }
}

/// The hops that led to the recipient, from the writer on: node, and since when it had it.
fn way(message: &MessageLine) -> Vec<(&str, u64)> {
    let mut way = Vec::new();
    let mut here = message.to.as_str();
    // No way is longer than its hops.
    for _ in 0..=message.hops.len() {
        let Some(hop) = message.hops.iter().find(|hop| hop.to == here) else {
            break;
        };
        way.push((here, hop.at));
        here = &hop.from;
        if here == message.from {
            break;
        }
    }
    way.push((message.from.as_str(), message.born));
    way.reverse();
    way
}

fn route(out: &mut String, message: &MessageLine, sheet: &Sheet<'_>) {
    for hop in &message.hops {
        if let (Some(a), Some(b)) = (sheet.y(&hop.from), sheet.y(&hop.to)) {
            let x = sheet.x(hop.at);
            let _ = write!(out, "<path class=\"copy\" d=\"M{x:.1} {a:.1}V{b:.1}\"/>");
        }
    }
    let mut path = String::new();
    if message.delivered_at.is_some() {
        for (name, at) in way(message) {
            let Some(y) = sheet.y(name) else { continue };
            let x = sheet.x(at);
            let verb = if path.is_empty() {
                format!("M{x:.1} {y:.1}")
            } else {
                format!("H{x:.1}V{y:.1}")
            };
            path.push_str(&verb);
        }
    }
    let ending = match &message.fate {
        Fate::Delivered => "delivered".to_owned(),
        Fate::Refused(why) => format!("refused: {why}"),
        other => format!("{other:?}").to_lowercase(),
    };
    let mut title = format!(
        "message {} from {} to {}, {} bytes, written {}: {ending}",
        message.id,
        message.from,
        message.to,
        message.bytes,
        clock(message.born)
    );
    if let Some(at) = message.delivered_at {
        let _ = write!(
            title,
            " after {}",
            span(at.saturating_sub(message.born) as f64 / 1000.0)
        );
    }
    let title = text(&title);
    let _ = write!(out, "<g><title>{title}</title>");
    if !path.is_empty() {
        let _ = write!(out, "<path class=\"path\" d=\"{path}\"/>");
    }
    if let Some(y) = sheet.y(&message.from) {
        let class = if message.fate == Fate::Delivered {
            "born"
        } else {
            "gone"
        };
        let x = sheet.x(message.born);
        let _ = write!(
            out,
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>"
        );
    }
    if let (Some(at), Some(y)) = (message.delivered_at, sheet.y(&message.to)) {
        let x = sheet.x(at);
        let _ = write!(
            out,
            "<circle class=\"there\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>"
        );
    }
    out.push_str("</g>");
}

fn marks(out: &mut String, timeline: &Timeline, sheet: &Sheet<'_>) {
    for mark in timeline.events.iter().take(MOST_MARKS) {
        let Some(y) = mark.node.as_deref().and_then(|node| sheet.y(node)) else {
            continue;
        };
        let class = match mark.kind.as_str() {
            "violation" => "broken",
            "delivered" => continue,
            _ => "mark",
        };
        let x = sheet.x(mark.at);
        let title = format!("{} {}: {}", clock(mark.at), mark.kind, mark.text);
        let _ = write!(
            out,
            "<path class=\"{class}\" d=\"M{:.1} {:.1}l4 7h-8z\"><title>{}</title></path>",
            x,
            y - 15.0,
            text(&title)
        );
    }
}
