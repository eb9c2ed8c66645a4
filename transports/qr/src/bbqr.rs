//! BBQr, Coinkite's row of codes (bbqr.org, version 1.0.1): read, not written.
//!
//! Called by the reader. A part is `B$`, the encoding, the kind, how many parts and which one this
//! is, and a piece of the text. BBQr has neither a name for a message nor a checksum: parts that
//! contradict each other belong to different messages, and what comes of them is only believed if
//! it is an envelope. What can go wrong: parts out of bounds, pieces that are no text of their
//! encoding, a compressed text that would burst; all are refused.

use data_encoding::{BASE32_NOPAD, HEXUPPER_PERMISSIVE};

use crate::ur::Count;

/// Messages collected at the same time.
const MAX_MESSAGES: usize = 4;

/// The longest message, in bytes (4 MiB), as with our own frames.
const MAX_MESSAGE: usize = 4 << 20;

/// The most parts (two digits in base 36).
const MAX_PARTS: usize = 36 * 36 - 1;

/// The longest text of one code.
const MAX_TEXT: usize = 4296;

/// What a part led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Taken {
    /// It was not here before.
    Fresh(Count),
    /// It was.
    Known(Count),
    /// What the message holds.
    Whole(Vec<u8>),
    /// It cannot be used, or the whole cannot.
    Damaged(&'static str),
}

/// Collects messages.
#[derive(Default)]
pub(crate) struct Collector {
    /// The one that was quiet longest comes first.
    messages: Vec<Message>,
    /// Numbers the messages, so that they can be told apart by whoever looks on.
    begun: u32,
}

struct Message {
    name: u32,
    encoding: u8,
    kind: u8,
    parts: Vec<Option<Vec<u8>>>,
}

impl Message {
    /// Whether this part may belong to it: nothing it holds contradicts.
    fn is_of(&self, part: &Part<'_>) -> bool {
        let same = |at: usize| match self.parts.get(at) {
            Some(Some(held)) => held == part.text,
            Some(None) => true,
            None => false,
        };
        // All parts but the last one are equally long.
        let length = |at: usize| (at + 1 < part.total).then_some(part.text.len());
        let held = self.parts.iter().enumerate().find_map(|(at, held)| {
            let held = held.as_ref()?;
            (at + 1 < part.total).then_some(held.len())
        });
        let fits = match (held, length(part.index)) {
            (Some(held), Some(new)) => held == new,
            (Some(held), None) => part.text.len() <= held,
            _ => true,
        };
        self.encoding == part.encoding
            && self.kind == part.kind
            && self.parts.len() == part.total
            && fits
            && same(part.index)
    }

    fn so_far(&self) -> Count {
        Count::new(
            self.name,
            self.parts.iter().flatten().count(),
            self.parts.len(),
        )
    }

    fn bytes(&self) -> Result<Vec<u8>, &'static str> {
        let mut bytes = Vec::new();
        for part in self.parts.iter().flatten() {
            let piece = match self.encoding {
                b'H' => HEXUPPER_PERMISSIVE.decode(part),
                _ => BASE32_NOPAD.decode(part),
            };
            bytes.extend(piece.map_err(|_| "a part's text is not of its encoding")?);
            if bytes.len() > MAX_MESSAGE {
                return Err("the message is too long");
            }
        }
        if self.encoding == b'Z' {
            miniz_oxide::inflate::decompress_to_vec_with_limit(&bytes, MAX_MESSAGE)
                .map_err(|_| "what was compressed is damaged or too long")
        } else {
            Ok(bytes)
        }
    }
}

/// One code.
struct Part<'a> {
    encoding: u8,
    kind: u8,
    total: usize,
    index: usize,
    text: &'a [u8],
}

impl<'a> Part<'a> {
    /// Reads the eight letters before the text.
    fn read(code: &'a [u8]) -> Result<Self, &'static str> {
        let (head, text) = code.split_first_chunk::<8>().ok_or("it is cut short")?;
        let [_, _, encoding, kind, t1, t2, i1, i2] = *head;
        let number = |a: u8, b: u8| {
            let digit = |c: u8| {
                char::from(c)
                    .to_digit(36)
                    .filter(|_| !c.is_ascii_lowercase())
            };
            Some((digit(a)? * 36 + digit(b)?) as usize)
        };
        let (Some(total), Some(index)) = (number(t1, t2), number(i1, i2)) else {
            return Err("its numbers are none");
        };
        if !(1..=MAX_PARTS).contains(&total) || index >= total {
            return Err("its numbers make no sense");
        }
        if text.is_empty() || text.len() > MAX_TEXT {
            return Err("its length makes no sense");
        }
        Ok(Self {
            encoding,
            kind,
            total,
            index,
            text,
        })
    }
}

/// Whether a code is a part of something that may hold an envelope: JSON, CBOR, text or bytes, and
/// no wallet's transaction.
pub(crate) fn is_part(code: &[u8]) -> bool {
    matches!(
        code,
        [
            b'B',
            b'$',
            b'H' | b'2' | b'Z',
            b'J' | b'C' | b'U' | b'B',
            ..
        ]
    )
}

impl Collector {
    /// Takes in a code that begins as a part does.
    pub(crate) fn take(&mut self, code: &[u8]) -> Taken {
        let part = match Part::read(code) {
            Ok(part) => part,
            Err(why) => return Taken::Damaged(why),
        };
        // The one that was fed last, where it may belong to several.
        let place = self.messages.iter().rposition(|m| m.is_of(&part));
        let mut message = match place {
            Some(place) => self.messages.remove(place),
            None => self.begin(&part),
        };
        let slot = message.parts.get_mut(part.index);
        let fresh = slot.is_some_and(|slot| slot.replace(part.text.to_vec()).is_none());
        let so_far = message.so_far();
        if so_far.received < so_far.needed {
            self.messages.push(message);
            return if fresh {
                Taken::Fresh(so_far)
            } else {
                Taken::Known(so_far)
            };
        }
        match message.bytes() {
            Ok(bytes) => Taken::Whole(bytes),
            Err(why) => Taken::Damaged(why),
        }
    }

    /// How far the unfinished ones are.
    pub(crate) fn counts(&self) -> Vec<Count> {
        self.messages.iter().map(Message::so_far).collect()
    }

    /// A new message. Where there are too many, the one that was quiet longest goes, but never the
    /// one that has most.
    fn begin(&mut self, part: &Part<'_>) -> Message {
        if self.messages.len() >= MAX_MESSAGES {
            let most = self.counts().iter().map(|c| c.received).max();
            let gone = self.counts().iter().position(|c| Some(c.received) < most);
            self.messages.remove(gone.unwrap_or_default());
        }
        self.begun = self.begun.wrapping_add(1);
        Message {
            name: self.begun,
            encoding: part.encoding,
            kind: part.kind,
            parts: vec![None; part.total],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    /// Cuts a text as Coinkite's library does: pieces of whole groups of eight letters.
    fn cut(encoding: char, kind: char, text: &str, letters: usize) -> Vec<String> {
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(letters).collect();
        let two = |n: usize| [DIGITS[n / 36], DIGITS[n % 36]].map(char::from);
        let head = |n: usize| {
            let ([a, b], [c, d]) = (two(pieces.len()), two(n));
            format!("B${encoding}{kind}{a}{b}{c}{d}")
        };
        pieces
            .iter()
            .enumerate()
            .map(|(n, piece)| head(n) + std::str::from_utf8(piece).expect("text"))
            .collect()
    }

    fn message(length: usize, seed: usize) -> Vec<u8> {
        (0..length).map(|n| (n * n / 5 + n * seed) as u8).collect()
    }

    #[test]
    fn each_encoding_is_read_from_any_part_on() {
        let sent = message(1000, 3);
        let deflated = miniz_oxide::deflate::compress_to_vec(&sent, 6);
        for (encoding, text) in [
            ('H', HEXUPPER_PERMISSIVE.encode(&sent)),
            ('2', BASE32_NOPAD.encode(&sent)),
            ('Z', BASE32_NOPAD.encode(&deflated)),
        ] {
            let codes = cut(encoding, 'B', &text, 320);
            let mut collector = Collector::default();
            let mut last = Taken::Damaged("none");
            for n in 0..codes.len() {
                // Backwards from the middle, each twice.
                let code = &codes[(codes.len() * 3 / 2 - n) % codes.len()];
                last = collector.take(code.as_bytes());
                if n + 1 < codes.len() {
                    assert!(matches!(last, Taken::Fresh(c) if c.received as usize == n + 1));
                    assert!(matches!(collector.take(code.as_bytes()), Taken::Known(_)));
                }
            }
            assert_eq!(last, Taken::Whole(sent.clone()), "{encoding}");
        }
    }

    #[test]
    fn parts_that_contradict_are_of_two_messages() {
        let texts = [message(600, 1), message(600, 2)].map(|m| BASE32_NOPAD.encode(&m));
        let [first, second] = texts.map(|text| cut('2', 'J', &text, 160));
        let mut collector = Collector::default();
        let mut whole = 0;
        collector.take(first[0].as_bytes());
        collector.take(second[0].as_bytes());
        assert_eq!(collector.counts().len(), 2);
        for code in first.iter().skip(1) {
            whole += usize::from(matches!(collector.take(code.as_bytes()), Taken::Whole(_)));
        }
        assert_eq!(whole, 1);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for code in ["B$", "B$2", "B$XJ0100AA", "B$2P0100AA", "b$2J0100AA"] {
            assert!(!is_part(code.as_bytes()), "{code}");
        }
        for code in [
            "B$2J01",
            "B$2J0100",
            "B$2J0000AA",
            "B$2J0101AA",
            "B$2J0102AA",
            "B$2J-100AA",
            "B$2Jzz00AA",
            "B$2J01\u{e9}AA",
        ] {
            assert!(is_part(code.as_bytes()), "{code}");
            let taken = Collector::default().take(code.as_bytes());
            assert!(matches!(taken, Taken::Damaged(_)), "{code}: {taken:?}");
        }
        for code in ["B$2J01001", "B$HJ0100XY", "B$ZJ0100AAAA"] {
            let taken = Collector::default().take(code.as_bytes());
            assert!(matches!(taken, Taken::Damaged(_)), "{code}: {taken:?}");
        }
    }

    #[test]
    fn a_compressed_bomb_does_not_go_off() {
        let bomb = miniz_oxide::deflate::compress_to_vec(&vec![0; 64 << 20], 9);
        let codes = cut('Z', 'U', &BASE32_NOPAD.encode(&bomb), 4288);
        let mut collector = Collector::default();
        let last = codes
            .iter()
            .map(|code| collector.take(code.as_bytes()))
            .last();
        assert!(matches!(last, Some(Taken::Damaged(_))));
        assert!(collector.counts().is_empty());
    }

    #[test]
    fn made_up_messages_do_not_push_out_a_good_one() {
        let codes = cut('2', 'J', &BASE32_NOPAD.encode(&message(600, 1)), 160);
        let mut collector = Collector::default();
        for code in codes.iter().skip(1) {
            collector.take(code.as_bytes());
        }
        for n in 10..60 {
            collector.take(format!("B$2J{n}00AAAAAAAA").as_bytes());
            assert!(collector.messages.len() <= MAX_MESSAGES);
        }
        let end = collector.take(codes[0].as_bytes());
        assert!(matches!(end, Taken::Whole(_)), "{end:?}");
    }
}
