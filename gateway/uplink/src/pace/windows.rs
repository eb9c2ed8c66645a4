//! Times of day at which an upstream is called.
//!
//! What is it: [`Window`], a span of the day in UTC, which may pass midnight. Who calls it: the
//! configuration reads them, the keeper of an upstream asks. What can go wrong: a span that is
//! none; a wall clock that jumps, after which a call begins or ends at another time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Minutes of a day, and its seconds.
const DAY: u16 = 24 * 60;
const DAY_SECS: u64 = 86_400;

/// A span of every day, in UTC: `06:00-08:30`, `22:00-05:00`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Minutes since midnight.
    from: u16,
    to: u16,
}

/// This is no span of a day.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no span of a day; write 06:00-08:30, in UTC")]
pub struct WindowError(String);

impl FromStr for Window {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let wrong = || WindowError(text.chars().take(40).collect());
        let (from, to) = text.split_once('-').ok_or_else(wrong)?;
        let from = minutes(from).filter(|from| *from < DAY).ok_or_else(wrong)?;
        let to = minutes(to).ok_or_else(wrong)?;
        // From one time to the same could mean always or never.
        if from == to {
            return Err(wrong());
        }
        Ok(Self { from, to: to % DAY })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (a, b) = (self.from, self.to);
        write!(f, "{:02}:{:02}-{:02}:{:02}", a / 60, a % 60, b / 60, b % 60)
    }
}

/// `HH:MM`, up to 24:00.
fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let number = |text: &str| {
        let two = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        two.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (minutes < 60 && hours * 60 + minutes <= DAY).then_some(hours * 60 + minutes)
}

impl Window {
    /// Seconds until it begins, and until it ends, at this second of a day; the first is 0 within.
    fn at(self, second: u64) -> (u64, u64) {
        let until = |minute: u16| {
            let there = u64::from(minute) * 60;
            (there + DAY_SECS - second) % DAY_SECS
        };
        let (begins, ends) = (until(self.from), until(self.to));
        let ends = if ends == 0 { DAY_SECS } else { ends };
        // Within, the end is nearer than the next beginning; a whole day begins where it ends.
        if begins == 0 || ends <= begins {
            (0, ends)
        } else {
            (begins, ends)
        }
    }
}

/// How long until the first of these opens; zero if one is open, or there are none.
pub(crate) fn opens_in(windows: &[Window], now: u64) -> Duration {
    let second = now % DAY_SECS;
    let first = windows.iter().map(|window| window.at(second).0).min();
    Duration::from_secs(first.unwrap_or(0))
}

/// How long until all that are open, and those that follow without a gap, are closed. `None`:
/// never.
pub(crate) fn closes_in(windows: &[Window], now: u64) -> Option<Duration> {
    if windows.is_empty() {
        return None;
    }
    let mut open = 0;
    while open < DAY_SECS {
        let second = (now + open) % DAY_SECS;
        let within = windows.iter().map(|window| window.at(second));
        let longest = within.filter(|(begins, _)| *begins == 0).map(|it| it.1);
        match longest.max() {
            Some(more) => open += more,
            None => return Some(Duration::from_secs(open)),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> u64 {
        u64::from(minutes(text).unwrap()) * 60 + 20_000 * DAY_SECS
    }

    #[test]
    fn a_table_of_days() {
        let all = |texts: &[&str]| -> Vec<Window> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        // Windows, the time, minutes until one opens, minutes until all are closed.
        for (windows, now, opens, closes) in [
            (&[][..], "12:00", 0, None),
            (&["06:00-08:00"], "05:00", 60, Some(0)),
            (&["06:00-08:00"], "06:00", 0, Some(120)),
            (&["06:00-08:00"], "07:59", 0, Some(1)),
            (&["06:00-08:00"], "08:00", 22 * 60, Some(0)),
            (&["22:00-05:00"], "23:00", 0, Some(360)),
            (&["22:00-05:00"], "04:59", 0, Some(1)),
            (&["22:00-05:00"], "05:00", 17 * 60, Some(0)),
            (&["00:00-24:00"], "13:00", 0, None),
            (&["00:00-12:00", "12:00-00:00"], "13:00", 0, None),
            (&["06:00-08:00", "08:00-09:00"], "07:00", 0, Some(120)),
            (&["06:00-08:00", "20:00-21:00"], "10:00", 600, Some(0)),
            (&["20:00-21:00", "06:00-08:00"], "22:00", 480, Some(0)),
        ] {
            let windows = all(windows);
            let told = (opens_in(&windows, at(now)), closes_in(&windows, at(now)));
            let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
            let meant = (minutes(opens), closes.map(minutes));
            assert_eq!(told, meant, "{windows:?} at {now}");
        }
    }

    #[test]
    fn what_is_no_span_is_told_with_its_words() {
        for text in [
            "",
            "6-8",
            "06:00",
            "06:00-06:00",
            "24:00-01:00",
            "06:60-07:00",
            "-1:00-02:00",
            "06:00-25:00",
            "06:00–08:00",
            "+6:00-08:00",
        ] {
            let told = text.parse::<Window>().unwrap_err().to_string();
            assert!(told.contains(text), "{told}");
        }
        let window: Window = " 06:05 - 24:00 "
            .replace(" - ", "-")
            .trim()
            .parse()
            .unwrap();
        assert_eq!(window.to_string(), "06:05-00:00");
    }
}
