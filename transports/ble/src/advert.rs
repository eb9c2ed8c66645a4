//! Being seen without being known, and who connects when two see each other.
//!
//! What is it: [`Advert`], what is on the air: our service and a random tag that lives a quarter of
//! an hour at most; and [`Meeting`], without IO: sightings and times in, whom to dial out. Who
//! calls it: [`crate::Ble`]'s scout, tests. What can go wrong: strangers show what they like; it
//! costs a dial and a place among [`MOST_SEEN`].
//!
//! Both sides compare tags, and the greater one dials. It may be that only one of them hears the
//! other, so the lesser one dials too after a while; and if two dials cross, the one of the greater
//! tag stays: in the openings both sides tell their tags. No key, no DID, no name, no counter:
//! whoever listens for an hour has heard some four devices, if the system changes its address too,
//! which should be done together with the tag. While a link is open the tag stays, or the other side would
//! see somebody new and dial: a connection can be followed on the air anyway.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use packmule_bus::time::Time;

use crate::plan;
use crate::radio::{Address, Sighting};
use crate::value::Tag;

/// A tag lives so long, and up to [`LIFE_SPREAD`] more; longer only while a link is open.
pub const LIFE: Duration = Duration::from_secs(600);
/// See [`LIFE`]; by chance, so that devices that started together do not change together.
pub const LIFE_SPREAD: Duration = Duration::from_secs(300);
/// Whoever has the lesser tag waits so long to be dialled, and up to as much again.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// After a dial that failed, or a link that ended, there is so long a pause; twice as long after
/// each further failure, up to 64 times.
pub const PAUSE: Duration = Duration::from_secs(1);
/// Who was not seen for so long is forgotten.
pub const FORGOTTEN: Duration = Duration::from_secs(300);
/// So many devices are remembered, the latest ones.
pub const MOST_SEEN: usize = 64;
/// Links that we dial at once: radios have some ten places.
pub const MOST_LINKS: usize = 6;

/// The high half of the first byte: how the rest is to be read.
const VERSION: u8 = 0x10;
/// Whoever shows it dials others too.
const DIALS: u8 = 1;
/// Types of advertisement data (Bluetooth Assigned Numbers, 2.3).
const FLAGS: u8 = 0x01;
const ALL_UUIDS_128: u8 = 0x07;
const SERVICE_DATA_128: u8 = 0x21;
/// General discoverable, no BR/EDR.
const LE_ONLY: u8 = 0x06;

/// What is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Advert {
    /// A name for some minutes.
    pub tag: Tag,
    /// Whoever shows it dials others too.
    pub dials: bool,
}

impl Advert {
    /// The data of the service, nine bytes.
    #[must_use]
    pub fn data(&self) -> Vec<u8> {
        let mut data = vec![VERSION | if self.dials { DIALS } else { 0 }];
        data.extend_from_slice(&self.tag);
        data
    }

    /// Reads the data of a service that was seen. `None`: of another version, or too short.
    #[must_use]
    pub fn read(data: &[u8]) -> Option<Self> {
        let (first, rest) = data.split_first()?;
        let tag = rest.first_chunk()?;
        (first & 0xf0 == VERSION).then_some(Self {
            tag: *tag,
            dials: first & DIALS != 0,
        })
    }

    /// The bytes that are advertised, at most 31: flags, and our service, which scans filter by.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        let mut out = vec![2, FLAGS, LE_ONLY, 17, ALL_UUIDS_128];
        out.extend_from_slice(&plan::OURS.uuid.to_air());
        out
    }

    /// The bytes of the answer to a scan, at most 31: the data of the service.
    #[must_use]
    pub fn response(&self) -> Vec<u8> {
        let data = self.data();
        let length = u8::try_from(17 + data.len()).unwrap_or(u8::MAX);
        let mut out = vec![length, SERVICE_DATA_128];
        out.extend_from_slice(&plan::OURS.uuid.to_air());
        out.extend_from_slice(&data);
        out
    }
}

/// Where tags come from: the system's randomness, or a seed. Whoever can guess the next tag can
/// follow a device.
pub type Draw = Box<dyn FnMut() -> Tag + Send>;

/// Somebody to dial.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dial {
    /// Where.
    pub to: Address,
    /// Our tag, to be said in the opening.
    pub tag: Tag,
}

/// What is to become of a link that came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Came {
    /// It stays. A dial to the same device that is under way is not wanted any more.
    Keep,
    /// It stays, and the link that we dialled to the same device goes. Nor is a dial wanted that is
    /// under way to the same device by another address.
    Instead(Address),
    /// It goes: the one that we dial, or dialled, stays.
    Refuse,
}

/// Who was seen, and what is between us.
pub struct Meeting {
    draw: Draw,
    ours: Advert,
    until: Time,
    seen: BTreeMap<Address, Seen>,
    /// Tags of the links that came, and how many from each.
    inward: BTreeMap<Tag, usize>,
}

#[derive(Debug)]
struct Seen {
    heard: Option<Advert>,
    last: Time,
    /// Not dialled before.
    due: Time,
    faults: u32,
    stage: Stage,
}

/// What we have begun; with the tag that we had as we did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Idle,
    Dialling(Tag),
    Linked(Tag),
}

impl Meeting {
    /// Somebody who shows a tag of this draw, and dials others or only waits.
    #[must_use]
    pub fn new(now: Time, dials: bool, mut draw: Draw) -> Self {
        let tag = draw();
        let until = now + LIFE + share(&mut draw, LIFE_SPREAD);
        Self {
            draw,
            ours: Advert { tag, dials },
            until,
            seen: BTreeMap::new(),
            inward: BTreeMap::new(),
        }
    }

    /// What is to be shown now.
    #[must_use]
    pub const fn advert(&self) -> Advert {
        self.ours
    }

    /// Whether we dial others from now on; what is shown says so.
    pub fn dials(&mut self, dials: bool) {
        self.ours.dials = dials;
    }

    /// When [`Meeting::timeout`] or [`Meeting::dial`] may have something new, if nothing happens
    /// before.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let due = self.waiting().map(|(_, seen)| seen.due).min();
        let until = (!self.is_busy()).then_some(self.until);
        due.into_iter().chain(until).min()
    }

    /// Is a link open, or being opened?
    fn is_busy(&self) -> bool {
        let begun = |seen: &Seen| seen.stage != Stage::Idle;
        !self.inward.is_empty() || self.seen.values().any(begun)
    }

    /// Time went by. `true`: there is another advertisement to show.
    pub fn timeout(&mut self, now: Time) -> bool {
        let idle = |seen: &Seen| seen.stage == Stage::Idle;
        self.seen
            .retain(|_, seen| !idle(seen) || now.since(seen.last) < FORGOTTEN);
        let old = now >= self.until && !self.is_busy();
        if old {
            self.ours.tag = (self.draw)();
            self.until = now + LIFE + share(&mut self.draw, LIFE_SPREAD);
        }
        old
    }

    /// A device was seen.
    pub fn saw(&mut self, now: Time, sighting: &Sighting) {
        let heard = Advert::read(&sighting.data);
        if heard.is_some_and(|heard| heard.tag == self.ours.tag) {
            return;
        }
        // Whom we are linked to has told its tag itself.
        let open = |seen: &Seen| matches!(seen.stage, Stage::Linked(_));
        let known = self.seen.get(&sighting.address);
        let news = known.is_none_or(|seen| heard.is_some() && seen.heard != heard && !open(seen));
        if news {
            let due = now + self.wait(heard);
            self.make_room(&sighting.address);
            let seen = self.seen.entry(sighting.address.clone()).or_insert(Seen {
                heard,
                last: now,
                due,
                faults: 0,
                stage: Stage::Idle,
            });
            seen.heard = heard;
            // Not sooner than a pause that is kept; what is known now may allow it before the
            // time that was set when nothing was known.
            seen.due = if seen.faults > 0 {
                seen.due.max(due)
            } else {
                due
            };
        }
        if let Some(seen) = self.seen.get_mut(&sighting.address) {
            seen.last = now;
        }
    }

    /// How long to wait for the other side to dial.
    fn wait(&mut self, heard: Option<Advert>) -> Duration {
        match heard {
            Some(theirs) if !theirs.dials || theirs.tag < self.ours.tag => Duration::ZERO,
            _ => PATIENCE + share(&mut self.draw, PATIENCE),
        }
    }

    /// The one not seen for the longest goes, if there are too many and it is not dialled.
    fn make_room(&mut self, newcomer: &Address) {
        if self.seen.len() < MOST_SEEN || self.seen.contains_key(newcomer) {
            return;
        }
        let idle = self.seen.iter().filter(|(_, s)| s.stage == Stage::Idle);
        let oldest = idle.min_by_key(|(_, s)| s.last).map(|(a, _)| a.clone());
        if let Some(oldest) = oldest {
            self.seen.remove(&oldest);
        }
    }

    /// Those whom we may dial at some time.
    fn waiting(&self) -> impl Iterator<Item = (&Address, &Seen)> {
        let busy = |seen: &Seen| matches!(seen.stage, Stage::Dialling(_));
        let begun = self.seen.values().filter(|s| s.stage != Stage::Idle);
        // One after the other: a radio connects to one at a time.
        let may = self.ours.dials && begun.count() < MOST_LINKS && !self.seen.values().any(busy);
        let tags: BTreeSet<Tag> = self
            .seen
            .values()
            .filter(|seen| seen.stage != Stage::Idle)
            .filter_map(|seen| Some(seen.heard?.tag))
            .collect();
        self.seen.iter().filter(move |(_, seen)| {
            let tag = seen.heard.map(|heard| heard.tag);
            let linked =
                tag.is_some_and(|tag| self.inward.contains_key(&tag) || tags.contains(&tag));
            may && seen.stage == Stage::Idle && !linked
        })
    }

    /// Whom to dial now. Afterwards say [`Meeting::dialled`].
    pub fn dial(&mut self, now: Time) -> Option<Dial> {
        let due = self.waiting().filter(|(_, seen)| seen.due <= now);
        let (to, _) = due.min_by_key(|(_, seen)| seen.due)?;
        let to = to.clone();
        let tag = self.ours.tag;
        self.seen.get_mut(&to)?.stage = Stage::Dialling(tag);
        Some(Dial { to, tag })
    }

    /// What became of a dial: the other side's tag, if a link was opened. `true`: keep the link;
    /// `false`: there is none, or it goes, because theirs came and stays.
    pub fn dialled(&mut self, now: Time, dial: &Dial, opened: Option<Tag>) -> bool {
        // By an older address we may have reached somebody whom we reached before.
        let twice = opened.is_some_and(|theirs| {
            let same = |seen: &Seen| seen.heard.is_some_and(|heard| heard.tag == theirs);
            let linked = |seen: &Seen| matches!(seen.stage, Stage::Linked(_)) && same(seen);
            self.seen.values().any(linked)
        });
        let Some(seen) = self.seen.get_mut(&dial.to) else {
            return false;
        };
        if seen.stage != Stage::Dialling(dial.tag) {
            return false;
        }
        let Some(theirs) = opened else {
            seen.pause(now);
            return false;
        };
        // It may have changed since it was seen.
        let dials = seen.heard.is_none_or(|heard| heard.dials);
        seen.heard = Some(Advert { tag: theirs, dials });
        seen.faults = 0;
        let crossed = self.inward.contains_key(&theirs);
        let stays = !twice && theirs != dial.tag && (!crossed || dial.tag > theirs);
        seen.stage = if stays {
            Stage::Linked(dial.tag)
        } else {
            Stage::Idle
        };
        stays
    }

    /// A link came from the device with this tag.
    pub fn came(&mut self, tag: Tag) -> Came {
        if tag == self.ours.tag {
            return Came::Refuse;
        }
        let same = |seen: &Seen| seen.heard.is_some_and(|heard| heard.tag == tag);
        let stays = |seen: &Seen| match seen.stage {
            Stage::Dialling(ours) | Stage::Linked(ours) => ours > tag,
            Stage::Idle => false,
        };
        if self.seen.values().any(|seen| same(seen) && stays(seen)) {
            return Came::Refuse;
        }
        let mut instead = None;
        for (address, seen) in self.seen.iter_mut().filter(|(_, seen)| same(seen)) {
            if matches!(seen.stage, Stage::Linked(_)) {
                instead = Some(address.clone());
            }
            seen.stage = Stage::Idle;
            seen.faults = 0;
        }
        *self.inward.entry(tag).or_default() += 1;
        instead.map_or(Came::Keep, Came::Instead)
    }

    /// A link that had come is over.
    pub fn left(&mut self, now: Time, tag: Tag) {
        if let Some(count) = self.inward.get_mut(&tag) {
            *count -= 1;
            if *count > 0 {
                return;
            }
            self.inward.remove(&tag);
        }
        for seen in self.seen.values_mut() {
            if seen.heard.is_some_and(|heard| heard.tag == tag) && seen.stage == Stage::Idle {
                // They dialled, and will again if they can.
                seen.due = now + PATIENCE;
            }
        }
    }

    /// A link that we dialled is over.
    pub fn ended(&mut self, now: Time, dial: &Dial) {
        if let Some(seen) = self.seen.get_mut(&dial.to)
            && seen.stage == Stage::Linked(dial.tag)
        {
            seen.pause(now);
        }
    }

    /// How many devices are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.seen.len()
    }
}

impl std::fmt::Debug for Meeting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meeting")
            .field("ours", &self.ours)
            .field("seen", &self.seen)
            .field("inward", &self.inward)
            .finish_non_exhaustive()
    }
}

impl Seen {
    fn pause(&mut self, now: Time) {
        self.stage = Stage::Idle;
        self.due = now + PAUSE * (1 << self.faults.min(6));
        self.faults += 1;
    }
}

/// A part of a duration, by chance.
fn share(draw: &mut Draw, of: Duration) -> Duration {
    let [high, low, ..] = draw();
    of * u32::from(u16::from_be_bytes([high, low])) / 0x1_0000
}

#[cfg(test)]
mod tests;
