//! The date of a mail (RFC 5322, 3.3), in UTC.
//!
//! What is it: seconds since 1970 as people's calendar has them. Who calls it: `compose`. What
//! can go wrong: a clock that is wrong; the mail is then dated wrongly, and no more.

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `Sat, 21 Nov 2026 23:59:59 +0000`.
pub(crate) fn date(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March, so that the day that is sometimes there comes last; eras have 400
    // years (the algorithm is Howard Hinnant's "civil from days").
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let of = |names: &[&'static str], at: u64| {
        let at = usize::try_from(at).unwrap_or_default();
        names.get(at).copied().unwrap_or_default()
    };
    let (month, year) = ((month + 2) % 12, year + era * 400 + u64::from(month > 9));
    format!(
        "{}, {date:02} {} {year} {:02}:{:02}:{:02} +0000",
        of(&DAYS, days % 7),
        of(&MONTHS, month),
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn known_days() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"),
            (951_868_799, "Tue, 29 Feb 2000 23:59:59 +0000"),
            (1_795_305_599, "Sat, 21 Nov 2026 23:59:59 +0000"),
            (1_798_761_600, "Fri, 01 Jan 2027 00:00:00 +0000"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 +0000"),
        ] {
            assert_eq!(date(seconds), text);
        }
    }
}
