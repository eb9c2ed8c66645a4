//! Blockchain Commons' Uniform Resources as a carrier: `ur:bytes` and `ur:x-…` with a packed
//! message inside, in one code or in any number (BCR-2020-005 and -006, BCR-2024-001).
//!
//! Called by the reader, and by whoever shows to strangers who know this convention and not ours.
//! What can go wrong: parts are a stranger's. Each has a checksum of its own; counts and lengths
//! are bounded before anything is allocated, a few messages are collected at once, and a message
//! whose checksum fails is dropped without harm to the others. CRC-32 is all that UR knows: it
//! catches accidents, not forgers. The envelope proves itself.

mod mixing;
mod part;
mod solve;
mod words;
mod writer;

pub use writer::Ur;

pub(crate) use part::{Part, PartError};

use mixing::Mixer;
use solve::Equations;

/// Messages collected at the same time.
const MAX_MESSAGES: usize = 4;

/// The most fragments of a message. With codes of the largest version that is some 4 MB.
const MAX_FRAGMENTS: usize = 2048;

/// The longest message, in bytes (4 MiB), as with our own frames.
const MAX_MESSAGE: usize = 4 << 20;

/// What a part led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Taken {
    /// It told something new.
    Fresh(Count),
    /// It told nothing new.
    Known(Count),
    /// What the message holds.
    Whole(Vec<u8>),
    /// The parts do not fit each other; all of this message were dropped.
    Spoiled,
}

/// How far a message of a foreign kind has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Count {
    /// What keeps it apart from others that are shown at the same time.
    pub name: u32,
    /// Parts that told something new.
    pub received: u32,
    /// Parts that suffice.
    pub needed: u32,
}

impl Count {
    pub(crate) fn new(name: u32, received: usize, needed: usize) -> Self {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            name,
            received: number(received),
            needed: number(needed),
        }
    }
}

/// Collects messages of several parts.
#[derive(Default)]
pub(crate) struct Collector {
    /// The one that was quiet longest comes first.
    messages: Vec<Message>,
    /// Messages that were whole, so that they are not begun again: kind, parts, length, checksum. A
    /// checksum alone is chosen by whoever likes to.
    done: Vec<(String, usize, usize, u32)>,
}

struct Message {
    kind: String,
    count: usize,
    length: usize,
    checksum: u32,
    fragment: usize,
    mixer: Mixer,
    equations: Equations,
}

impl Message {
    fn new(part: &Part) -> Self {
        Self {
            kind: part.kind.clone(),
            count: part.count,
            length: part.length,
            checksum: part.checksum,
            fragment: part.data.len(),
            mixer: Mixer::new(part.count),
            equations: Equations::new(part.count),
        }
    }

    fn is_of(&self, part: &Part) -> bool {
        self.kind == part.kind
            && self.count == part.count
            && self.length == part.length
            && self.checksum == part.checksum
            && self.fragment == part.data.len()
    }

    fn so_far(&self) -> Count {
        Count::new(self.checksum, self.equations.rank(), self.count)
    }
}

impl Collector {
    /// Takes in a part of a message of several.
    pub(crate) fn take(&mut self, part: &Part) -> Taken {
        let is_done = |(kind, count, length, checksum): &(String, usize, usize, u32)| {
            (kind, *count, *length, *checksum)
                == (&part.kind, part.count, part.length, part.checksum)
        };
        if self.done.iter().any(is_done) {
            return Taken::Known(Count::new(part.checksum, part.count, part.count));
        }
        let mut message = match self.messages.iter().position(|m| m.is_of(part)) {
            Some(place) => self.messages.remove(place),
            None => {
                self.make_room();
                Message::new(part)
            }
        };
        let fragments = message.mixer.fragments(part.number, part.checksum);
        let fresh = message.equations.add(&fragments, &part.data);
        let so_far = message.so_far();
        if message.equations.rank() < message.count {
            self.messages.push(message);
            return if fresh {
                Taken::Fresh(so_far)
            } else {
                Taken::Known(so_far)
            };
        }
        let Some(mut whole) = message.equations.solve() else {
            return Taken::Spoiled;
        };
        whole.truncate(message.length);
        if words::crc32(&whole) != message.checksum {
            return Taken::Spoiled;
        }
        let Message {
            kind,
            count,
            length,
            checksum,
            ..
        } = message;
        self.done.push((kind, count, length, checksum));
        if self.done.len() > 32 {
            self.done.remove(0);
        }
        // Some write what is no CBOR.
        Taken::Whole(part::bytes_in(&whole).unwrap_or(whole))
    }

    /// How far the unfinished ones are.
    pub(crate) fn counts(&self) -> Vec<Count> {
        self.messages.iter().map(Message::so_far).collect()
    }

    /// Makes room for one more: the one that was quiet longest goes, but never the one that has
    /// most, so that made-up messages do not push out a good one.
    fn make_room(&mut self) {
        if self.messages.len() < MAX_MESSAGES {
            return;
        }
        let most = self.messages.iter().map(|m| m.equations.rank()).max();
        let gone = self
            .messages
            .iter()
            .position(|m| Some(m.equations.rank()) < most);
        self.messages.remove(gone.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(body: &[u8], fragment: usize) -> Ur {
        Ur::of(body, fragment).expect("a UR")
    }

    fn take(collector: &mut Collector, text: &str) -> Taken {
        match Part::read(text.as_bytes()) {
            Some(Ok(part)) => collector.take(&part),
            other => panic!("{text:.60}: {other:?}"),
        }
    }

    fn body(length: usize, seed: usize) -> Vec<u8> {
        (0..length).map(|n| (n * n / 7 + n * seed) as u8).collect()
    }

    #[test]
    fn any_parts_in_any_order_bring_the_message() {
        let sent = body(5000, 1);
        let ur = parts(&sent, 100);
        let count = ur.count();
        assert_eq!(count, 51);
        // From the middle of the plain parts on, every third lost.
        let mut collector = Collector::default();
        let mut shown = 0;
        for number in 30.. {
            if number % 3 == 0 {
                continue;
            }
            shown += 1;
            match take(&mut collector, &ur.part(number)) {
                Taken::Whole(got) => {
                    assert_eq!(got, sent);
                    break;
                }
                Taken::Fresh(_) | Taken::Known(_) => {}
                Taken::Spoiled => panic!("spoiled"),
            }
            assert!(shown < 2 * count, "{:?}", collector.counts());
        }
        assert!(matches!(take(&mut collector, &ur.part(1)), Taken::Known(_)));
    }

    #[test]
    fn a_forged_part_spoils_its_message_and_no_other() {
        let (first, second) = (body(1000, 1), body(1000, 2));
        let (ours, other) = (parts(&first, 100), parts(&second, 100));
        let mut collector = Collector::default();
        assert!(matches!(
            take(&mut collector, &other.part(1)),
            Taken::Fresh(_)
        ));
        // Right in every field but the bytes, with a checksum that fits them.
        let Some(Ok(mut forged)) = Part::read(ours.part(1).as_bytes()) else {
            panic!("no part");
        };
        forged.data[5] ^= 1;
        collector.take(&forged);
        let mut spoiled = 0;
        let mut got = Vec::new();
        for number in 2..60 {
            match take(&mut collector, &ours.part(number)) {
                Taken::Whole(bytes) => got.push(bytes),
                Taken::Spoiled => spoiled += 1,
                _ => {}
            }
        }
        assert_eq!((spoiled, got), (1, vec![first]));
        assert_eq!(collector.counts().len(), 1, "the other goes on");
    }

    #[test]
    fn what_was_whole_hides_no_other_message_of_its_checksum() {
        let ur = parts(&body(500, 4), 100);
        let mut collector = Collector::default();
        for number in 1..=ur.count() {
            take(&mut collector, &ur.part(number));
        }
        let Some(Ok(same)) = Part::read(ur.part(1).as_bytes()) else {
            panic!("no part");
        };
        assert!(matches!(collector.take(&same), Taken::Known(_)));
        let longer = Part {
            length: same.length + 1,
            ..same
        };
        assert!(matches!(collector.take(&longer), Taken::Fresh(_)));
    }

    #[test]
    fn made_up_messages_do_not_push_out_a_good_one() {
        let ur = parts(&body(1000, 3), 100);
        let mut collector = Collector::default();
        for number in 1..ur.count() {
            take(&mut collector, &ur.part(number));
        }
        for seed in 0..50 {
            take(&mut collector, &parts(&body(700, seed), 100).part(1));
            assert!(collector.messages.len() <= MAX_MESSAGES);
        }
        let end = take(&mut collector, &ur.part(ur.count()));
        assert!(matches!(end, Taken::Whole(_)), "{end:?}");
    }
}
