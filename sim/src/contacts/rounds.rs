//! Rounds of a timetable laid out over its days, and who meets whom because of them.

use packmule_bus::time::Time;

use super::names::Names;
use super::one::too_many;
use super::timetable::{DAY, Place, Round, Timetable, clock, fault, span, weekdays};
use super::{Contact, ContactsError, Limits};

/// Somebody is somewhere, in microseconds from the start.
pub(super) struct Stay<'a> {
    pub(super) who: &'a str,
    pub(super) at: &'a str,
    from: u64,
    to: u64,
}

/// Every stay of every round on every day.
pub(super) fn rounds<'a>(
    rounds: &'a [Round],
    table: &Timetable,
    limits: &Limits,
) -> Result<Vec<Stay<'a>>, ContactsError> {
    let mut stays = Vec::new();
    for round in rounds {
        let on = weekdays(&round.on)?;
        let mut stops = Vec::new();
        for (place, time, stay) in &round.stops {
            if !table.has(place) {
                return Err(fault(format!("{} stops at {place:?}, no place", round.who)));
            }
            stops.push((place.as_str(), clock(time)?, span(stay)?));
        }
        let Some((_, first, _)) = stops.first().copied() else {
            return Err(fault(format!("{} stops nowhere", round.who)));
        };
        let mut starts = vec![first];
        if let Some(every) = &round.every {
            let every = span(every)?;
            let until = round.until.as_deref().map_or(Ok(DAY), clock)?;
            let mut next = first + every;
            // A stop a minute is more than any bus makes.
            while next <= until && starts.len() < 1440 {
                starts.push(next);
                next += every;
            }
        }
        for day in (0..u64::from(table.days)).filter(|day| on.contains(&(day % 7))) {
            for start in &starts {
                for (at, time, stay) in &stops {
                    // A stop "before" the first one is after midnight.
                    let after = (time + DAY - first) % DAY;
                    let from = day * DAY + start + after;
                    stays.push(Stay {
                        who: &round.who,
                        at,
                        from,
                        to: from + stay,
                    });
                }
                if stays.len() > limits.contacts {
                    return Err(too_many(limits));
                }
            }
        }
    }
    Ok(stays)
}

/// At a place with a node, everybody meets that node; at one without, whoever is there meets
/// the others. All while it is open.
pub(super) fn meetings(
    place: &Place,
    open: &[(u64, u64)],
    here: &[&Stay<'_>],
    names: &mut Names,
    contacts: &mut Vec<Contact>,
    limits: &Limits,
) -> Result<(), ContactsError> {
    let mut meet = |a: u32, b: u32, from: u64, to: u64| {
        let first = open.partition_point(|(_, closes)| *closes <= from);
        for (opens, closes) in open.iter().skip(first) {
            if *opens >= to {
                break;
            }
            if contacts.len() >= limits.contacts {
                return Err(too_many(limits));
            }
            let (from, to) = (from.max(*opens), to.min(*closes));
            contacts.push(Contact::new(
                a,
                b,
                Time::from_micros(from),
                Time::from_micros(to),
            ));
        }
        Ok(())
    };
    let mut sorted: Vec<&Stay<'_>> = here.to_vec();
    sorted.sort_by_key(|stay| (stay.from, stay.to, stay.who));
    if place.node {
        let kiosk = names.number(place.name())?;
        for stay in sorted {
            meet(names.number(stay.who)?, kiosk, stay.from, stay.to)?;
        }
        return Ok(());
    }
    let mut pairs = 0_usize;
    for (n, one) in sorted.iter().enumerate() {
        for other in sorted.iter().skip(n + 1) {
            if other.from >= one.to {
                break;
            }
            // A crowd that stays for ever meets in squares, whether or not anything is open.
            pairs += 1;
            if pairs > limits.contacts {
                return Err(too_many(limits));
            }
            if one.who != other.who {
                let (a, b) = (names.number(one.who)?, names.number(other.who)?);
                meet(a, b, other.from, one.to.min(other.to))?;
            }
        }
    }
    Ok(())
}
