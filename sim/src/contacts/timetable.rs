//! Timetables: where places are, when they are open, who comes by when.
//!
//! ```toml
//! days = 7                      # how long the timetable runs; day 0 is a Monday
//! [[place]]
//! name = "kiosk"
//! open = ["08:00-12:00", "14:00-18:00"]
//! on = ["mon", "tue", "wed", "thu", "fri", "sat"]
//! [[place]]
//! name = "crossroads"
//! node = false                  # nobody's computer stands here: those who meet here meet
//! [[round]]
//! who = "bus-7"
//! every = "2h"                  # from the first round until the last start of the day
//! until = "20:00"
//! stops = [["kiosk", "07:10", "5m"], ["crossroads", "07:40", "10m"], ["school", "08:05", "3m"]]
//! [[round]]
//! who = "alice"
//! stops = [["kiosk", "17:30", "4m"]]
//! ```
//! A round is a bus line, a postman's tour, or one visit: stops with their time and stay.

use serde::Deserialize;

use super::names::Names;
use super::rounds::{Stay, meetings, rounds};
use super::{Contacts, ContactsError, Limits};

/// A whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Timetable {
    #[serde(default = "one_week")]
    pub(super) days: u32,
    /// Bytes a second of every contact.
    rate: Option<u64>,
    #[serde(default)]
    place: Vec<Place>,
    #[serde(default)]
    round: Vec<Round>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    name: String,
    #[serde(default)]
    open: Vec<String>,
    #[serde(default)]
    on: Vec<String>,
    #[serde(default = "yes")]
    pub(super) node: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Round {
    pub(super) who: String,
    pub(super) every: Option<String>,
    pub(super) until: Option<String>,
    #[serde(default)]
    pub(super) on: Vec<String>,
    pub(super) stops: Vec<(String, String, String)>,
}

const fn one_week() -> u32 {
    7
}

const fn yes() -> bool {
    true
}

/// A day in microseconds.
pub(super) const DAY: u64 = 86_400_000_000;
/// The longest timetable, and the longest stay: with it no sum of times comes near to the end
/// of 64 bits.
const LONGEST_DAYS: u64 = 3660;

pub(super) fn read(text: &str, limits: &Limits) -> Result<Contacts, ContactsError> {
    let table: Timetable = toml::from_str(text)?;
    let most = LONGEST_DAYS.min(limits.horizon.as_secs() / 86_400);
    if !(1..=most).contains(&u64::from(table.days)) {
        return Err(fault(format!("days: from 1 to {most}")));
    }
    let mut names = Names::new(limits);
    let every_name = table
        .place
        .iter()
        .filter(|place| place.node)
        .map(|place| &place.name)
        .chain(table.round.iter().map(|round| &round.who));
    for name in every_name {
        if !Names::fits(name) {
            return Err(fault(format!("{name:?} is no name")));
        }
        names.number(name)?;
    }
    let stays = rounds(&table.round, &table, limits)?;
    let mut contacts = Vec::new();
    for place in &table.place {
        let open = place.windows(table.days)?;
        let here: Vec<&Stay<'_>> = stays.iter().filter(|stay| stay.at == place.name).collect();
        meetings(place, &open, &here, &mut names, &mut contacts, limits)?;
    }
    for contact in &mut contacts {
        contact.rate = table.rate;
    }
    Ok(names.settle(contacts))
}

impl Timetable {
    /// Is there a place of that name?
    pub(super) fn has(&self, place: &str) -> bool {
        self.place.iter().any(|known| known.name == place)
    }
}

impl Place {
    /// The name of the place.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// When it is open, in microseconds from the start; sorted, not overlapping.
    fn windows(&self, days: u32) -> Result<Vec<(u64, u64)>, ContactsError> {
        if self.open.len() > 100 {
            return Err(fault(format!("{}: too many hours", self.name)));
        }
        let mut hours = Vec::new();
        for text in &self.open {
            let (from, to) = text
                .split_once('-')
                .ok_or_else(|| fault(format!("{text:?} is not like 08:00-12:00")))?;
            let (from, to) = (clock(from)?, clock(to)?);
            if to <= from {
                return Err(fault(format!("{text:?} ends before it begins")));
            }
            hours.push((from, to));
        }
        if hours.is_empty() {
            hours.push((0, DAY));
        }
        let on = weekdays(&self.on)?;
        let mut windows: Vec<(u64, u64)> = (0..u64::from(days))
            .filter(|day| on.contains(&(day % 7)))
            .flat_map(|day| {
                hours
                    .iter()
                    .map(move |(f, t)| (day * DAY + f, day * DAY + t))
            })
            .collect();
        windows.sort_unstable();
        // Midnight is no reason to part.
        let mut merged: Vec<(u64, u64)> = Vec::new();
        for (from, to) in windows {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        Ok(merged)
    }
}

/// `hh:mm`, up to 24:00, in microseconds after midnight.
pub(super) fn clock(text: &str) -> Result<u64, ContactsError> {
    let read = || {
        let (hour, minute) = text.trim().split_once(':')?;
        let number = |text: &str, most: u64| -> Option<u64> {
            let fits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            text.parse().ok().filter(|n| fits && *n <= most)
        };
        let minutes = number(hour, 24)? * 60 + number(minute, 59)?;
        (minutes <= 1440).then_some(minutes * 60_000_000)
    };
    read().ok_or_else(|| fault(format!("{text:?} is not a time like 07:10")))
}

/// `90s`, `5m`, `2h`, `1d`, at most [`LONGEST_DAYS`], in microseconds.
pub(super) fn span(text: &str) -> Result<u64, ContactsError> {
    let read = || {
        let unit = text.chars().last()?;
        let seconds: u64 = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        let number: u32 = text.strip_suffix(unit)?.parse().ok()?;
        let micros = u64::from(number).checked_mul(seconds * 1_000_000)?;
        (1..=LONGEST_DAYS * DAY).contains(&micros).then_some(micros)
    };
    read().ok_or_else(|| {
        fault(format!(
            "{text:?} is not a span like 90s, 5m, 2h, up to {LONGEST_DAYS}d"
        ))
    })
}

/// Numbers of the days, Monday 0; no names: all of them.
pub(super) fn weekdays(names: &[String]) -> Result<Vec<u64>, ContactsError> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    if names.is_empty() {
        return Ok((0..7).collect());
    }
    names
        .iter()
        .map(|name| {
            DAYS.iter()
                .position(|day| day == name)
                .map(|n| n as u64)
                .ok_or_else(|| fault(format!("{name:?} is not a day like mon")))
        })
        .collect()
}

pub(super) fn fault(why: impl Into<String>) -> ContactsError {
    ContactsError::Timetable(why.into())
}
