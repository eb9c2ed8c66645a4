//! ION contact plans, as `ionadmin` reads them: `a contact +s +e from to rate`,
//! `a range +s +e a b delay`, times relative to the start (or to `@ time`) or absolute UTC.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::time::Duration;

use packmule_bus::time::Time;

use super::names::Names;
use super::one::too_many;
use super::read::{Lines, seconds};
use super::{Contact, Contacts, ContactsError, Limits};

/// The commands of ionadmin that may stand in its files. `a` and `@` say something about
/// contacts; the others about a running node, which we are not.
pub(super) const COMMANDS: [&str; 11] = ["a", "@", "1", "s", "m", "e", "v", "w", "i", "l", "q"];

/// A point of time as written.
#[derive(Clone, Copy)]
enum Moment {
    /// Seconds after the reference time, as microseconds.
    After(u64),
    /// Microseconds since 1970 (whole seconds).
    At(u64),
}

/// One `a contact` or `a range` line.
struct Window {
    from: Moment,
    to: Moment,
    a: u32,
    b: u32,
    /// Bytes a second, or whole seconds of delay.
    number: u64,
    line: u64,
}

/// From, to, whole seconds of delay.
type Range = (Time, Time, u64);

struct Plan {
    names: Names,
    limits: Limits,
    reference: Option<u64>,
    contacts: Vec<Window>,
    ranges: Vec<Window>,
}

pub(super) fn read(reader: impl BufRead, limits: &Limits) -> Result<Contacts, ContactsError> {
    let mut plan = Plan {
        names: Names::new(limits),
        limits: *limits,
        reference: None,
        contacts: Vec::new(),
        ranges: Vec::new(),
    };
    let mut lines = Lines::new(reader, limits);
    let mut count = 0;
    while let Some(line) = lines.next() {
        count += 1;
        let line = line?;
        let words: Vec<&str> = line.split_ascii_whitespace().take(9).collect();
        match words.as_slice() {
            [] => {}
            [first, ..] if first.starts_with('#') => {}
            [
                "a",
                kind @ ("contact" | "range"),
                from,
                to,
                a,
                b,
                number,
                rest @ ..,
            ] => {
                // A contact may end with a confidence, which we do not use.
                if rest.len() > 1 || !Names::fits(a) || !Names::fits(b) {
                    return Err(lines.fault("not `a contact|range from to node node number`"));
                }
                let bad = || lines.fault("no such time");
                let window = Window {
                    from: moment(from, limits).ok_or_else(bad)?,
                    to: moment(to, limits).ok_or_else(bad)?,
                    a: plan.names.number(a)?,
                    b: plan.names.number(b)?,
                    number: number
                        .parse()
                        .map_err(|_| lines.fault("the last word is a whole number"))?,
                    line: count,
                };
                let list = match *kind {
                    "contact" => &mut plan.contacts,
                    _ => &mut plan.ranges,
                };
                if list.len() >= limits.contacts {
                    return Err(too_many(limits));
                }
                list.push(window);
            }
            ["@", time, ..] => match moment(time, limits) {
                Some(Moment::At(at)) => plan.reference = Some(at),
                _ => return Err(lines.fault("`@` wants a time yyyy/mm/dd-hh:mm:ss")),
            },
            [command, ..] if COMMANDS.contains(command) && *command != "a" => {}
            _ => return Err(lines.fault("not a line of an ION contact plan")),
        }
    }
    plan.settle()
}

impl Plan {
    /// Puts all times on one clock that begins with the plan, and delays onto contacts.
    fn settle(self) -> Result<Contacts, ContactsError> {
        let every = || self.contacts.iter().chain(&self.ranges);
        let moments = || every().flat_map(|w| [w.from, w.to]);
        let absolute: Vec<u64> = moments()
            .filter_map(|m| match m {
                Moment::At(at) => Some(at),
                Moment::After(_) => None,
            })
            .collect();
        let relative = absolute.len() < moments().count();
        let origin = match (self.reference, absolute.iter().min()) {
            (Some(reference), first) => first.map_or(reference, |first| reference.min(*first)),
            (None, Some(_)) if relative => {
                return Err(ContactsError::Timetable(
                    "the plan mixes relative and absolute times without `@ reference`".into(),
                ));
            }
            (None, first) => first.copied().unwrap_or(0),
        };
        let base = self.reference.map_or(0, |reference| reference - origin);
        let span = |w: &Window| {
            let clock = |moment| match moment {
                Moment::After(after) => base.saturating_add(after),
                Moment::At(at) => at - origin,
            };
            let (from, to) = (clock(w.from), clock(w.to));
            if to <= from || u128::from(to) > self.limits.horizon.as_micros() {
                return Err(ContactsError::Line {
                    line: w.line,
                    why: "ends before it begins, or after the horizon".into(),
                });
            }
            Ok((Time::from_micros(from), Time::from_micros(to)))
        };
        // A range counts both ways unless the other way has one of its own.
        let mut ranges: BTreeMap<(u32, u32), Vec<Range>> = BTreeMap::new();
        for range in &self.ranges {
            let (from, to) = span(range)?;
            let list = ranges.entry((range.a, range.b)).or_default();
            list.push((from, to, range.number));
        }
        for list in ranges.values_mut() {
            list.sort_unstable();
        }
        let delay = |a: u32, b: u32, at: Time| {
            [(a, b), (b, a)].iter().find_map(|pair| {
                let list = ranges.get(pair)?;
                let begun = list.partition_point(|(from, ..)| *from <= at);
                let (_, to, seconds) = list.get(begun.checked_sub(1)?)?;
                (at < *to).then(|| Duration::from_secs(*seconds))
            })
        };
        let mut contacts = Vec::new();
        for window in &self.contacts {
            let (from, to) = span(window)?;
            if window.a == window.b {
                continue; // ION registers a node's own region so.
            }
            contacts.push(Contact {
                rate: Some(window.number),
                delay: delay(window.a, window.b, from),
                one_way: true,
                ..Contact::new(window.a, window.b, from, to)
            });
        }
        Ok(self.names.settle(contacts))
    }
}

/// `+seconds` or `yyyy/mm/dd-hh:mm:ss`.
fn moment(text: &str, limits: &Limits) -> Option<Moment> {
    if let Some(after) = text.strip_prefix('+') {
        return seconds(after, limits).map(|time| Moment::After(time.as_micros()));
    }
    let (date, time) = text.split_once('-')?;
    let part = |text: Option<&str>, range: std::ops::RangeInclusive<u64>| {
        let text = text.filter(|t| t.len() <= 4 && t.bytes().all(|b| b.is_ascii_digit()))?;
        text.parse().ok().filter(|number| range.contains(number))
    };
    let mut date = date.split('/');
    let year: u64 = part(date.next(), 1970..=9999)?;
    let month: u64 = part(date.next(), 1..=12)?;
    let day: u64 = part(date.next(), 1..=31)?;
    let mut time = time.split(':');
    let hour: u64 = part(time.next(), 0..=23)?;
    let minute: u64 = part(time.next(), 0..=59)?;
    let second: u64 = part(time.next(), 0..=60)?;
    if date.next().is_some() || time.next().is_some() {
        return None;
    }
    let seconds = (days(year, month, day) * 24 + hour) * 3600 + minute * 60 + second;
    Some(Moment::At(seconds * 1_000_000))
}

/// Days from 1970-01-01, proleptic Gregorian, for years from 1970.
const fn days(year: u64, month: u64, day: u64) -> u64 {
    // Years begin with March, so that the leap day is a year's last.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let before_march = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1;
    before_march - 719_468
}
