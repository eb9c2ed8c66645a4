//! Times as some write them: RFC 3339 where POSIX seconds belong.
//!
//! Who calls it: reading headers, and protocols with times in their bodies. What can go wrong:
//! nothing; what is no time is none.

/// POSIX seconds of `2026-11-21T15:04:05.678Z` or with an offset; `None` before 1970 and for
/// anything else.
#[must_use]
pub fn posix_of(text: &str) -> Option<u64> {
    let (date, rest) = text.trim().split_once(['T', 't', ' '])?;
    let mut parts = date.split('-').map(|part| number(part, 4));
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let end = rest.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = rest.split_at_checked(end)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut hands = clock.split(':').map(|part| number(part, 2));
    let (hour, minute) = (hands.next()??, hands.next()??);
    let second = hands.next().unwrap_or(Some(0))?;
    let odd = parts.next().is_some() || hands.next().is_some();
    let real = (1..=12).contains(&month) && (1..=31).contains(&day);
    let timely = hour < 24 && minute < 60 && second <= 60;
    if odd || !real || !timely || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let local = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    u64::try_from(local - offset(zone)?).ok()
}

/// Seconds that a zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn number(text: &str, most: usize) -> Option<i64> {
    let plain = !text.is_empty() && text.len() <= most && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

/// Days since 1970 of a date in the Gregorian calendar: years begin in March, so that the leap
/// day ends one.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::posix_of;

    #[test]
    fn what_veramo_writes_is_a_time() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00.000Z", 951_825_600),
            ("2023-11-14T22:13:20Z", 1_700_000_000),
            ("2023-11-14T23:13:20.5+01:00", 1_700_000_000),
            ("2023-11-14 19:43:20-02:30", 1_700_000_000),
            ("2024-12-31T23:59:60Z", 1_735_689_600),
        ] {
            assert_eq!(posix_of(text), Some(seconds), "{text}");
        }
        for text in [
            "",
            "now",
            "T",
            "1969-12-31T23:59:59Z",
            "2023-13-01T00:00:00Z",
            "2023-11-14",
            "2023-11-14T22:13:20",
            "2023-11-14T25:00:00Z",
            "2023-11-14T22:13:20.xZ",
            "2023-11-14T22:13:20+1",
            "-1-11-14T22:13:20Z",
            "2023-11-14-1T22:13:20Z",
            "2023-11-14T22:13:20:1Z",
            "99999999999-01-01T00:00:00Z",
            "é-é-éTé:é:é+é",
        ] {
            assert_eq!(posix_of(text), None, "{text}");
        }
    }
}
