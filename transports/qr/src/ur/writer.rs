//! A message as URs of the kind `x-didcomm`, without end.
//!
//! Called by whoever shows to readers of that convention. Many senders stop after the plain parts
//! and begin anew; this one never does: beyond the plain parts come mixed ones, for ever. What can
//! go wrong: a message too long, fragments too short.

use super::mixing::Mixer;
use super::part::{Part, byte_string};
use super::{MAX_FRAGMENTS, MAX_MESSAGE, words};

/// The kind of our URs: BCR-2020-006 leaves names that begin with `x-` to anybody.
const KIND: &str = "x-didcomm";

/// A sender of one message.
#[derive(Clone, Debug)]
pub struct Ur {
    /// The CBOR byte string.
    message: Vec<u8>,
    checksum: u32,
    fragment: usize,
    mixer: Mixer,
}

impl Ur {
    /// Prepares a packed message to be sent in fragments of at most `fragment` bytes; none if it
    /// is too long for that, or has nothing in it.
    #[must_use]
    pub fn of(packed: &[u8], fragment: usize) -> Option<Self> {
        let message = byte_string(packed);
        let count = message.len().div_ceil(fragment.max(1));
        if packed.is_empty() || message.len() > MAX_MESSAGE || count > MAX_FRAGMENTS {
            return None;
        }
        Some(Self {
            checksum: words::crc32(&message),
            fragment: message.len().div_ceil(count),
            message,
            mixer: Mixer::new(count),
        })
    }

    /// How many parts a reader needs at least.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.message.len().div_ceil(self.fragment)).unwrap_or(u32::MAX)
    }

    /// How many parts a file that is shown in a loop should have: a prime number, as with our own
    /// frames, and more of them, since some readers need nearly twice as many as suffice.
    pub(crate) fn loop_length(&self) -> u32 {
        let least = 2 * self.count() + 8;
        let is_prime = |n: &u32| {
            (2..)
                .take_while(|d| d * d <= *n)
                .all(|d| !n.is_multiple_of(d))
        };
        (least..).find(is_prime).unwrap_or(least)
    }

    /// The part of this number, from 1, in capitals as a QR code packs them best. A message of one
    /// part is written whole, without number.
    #[must_use]
    pub fn part(&self, number: u32) -> String {
        let count = self.count();
        let text = if count == 1 {
            format!("ur:{KIND}/{}", words::encode(&self.message))
        } else {
            let mut data = vec![0; self.fragment];
            for place in self.mixer.fragments(number.max(1), self.checksum) {
                let piece = self.message.chunks(self.fragment).nth(place);
                for (mixed, byte) in data.iter_mut().zip(piece.unwrap_or_default()) {
                    *mixed ^= byte;
                }
            }
            let part = Part {
                kind: KIND.into(),
                number: number.max(1),
                count: count as usize,
                length: self.message.len(),
                checksum: self.checksum,
                data,
            };
            let body = words::encode(&part.fields());
            format!("ur:{KIND}/{}-{count}/{body}", part.number)
        };
        text.to_ascii_uppercase()
    }
}

#[cfg(test)]
mod tests {
    use super::super::part::bytes_in;
    use super::*;

    #[test]
    fn a_short_message_is_one_ur_without_number() {
        let ur = Ur::of(b"{\"a\":1}", 100).expect("a UR");
        assert_eq!(ur.count(), 1);
        let text = ur.part(1);
        assert!(text.starts_with("UR:X-DIDCOMM/"), "{text}");
        assert!(!text.contains('-') || text.matches('/').count() == 1);
        assert_eq!(ur.part(7), text);
        let part = Part::read(text.as_bytes()).expect("a UR").expect("whole");
        assert_eq!(bytes_in(&part.data).as_deref(), Some(&b"{\"a\":1}"[..]));
    }

    #[test]
    fn it_never_stops_and_never_repeats() {
        let ur = Ur::of(&[5; 1000], 50).expect("a UR");
        let mut texts: Vec<String> = (1..500).map(|number| ur.part(number)).collect();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 499);
        let count = ur.loop_length();
        assert!(count >= 2 * ur.count() && (2..count).all(|d| !count.is_multiple_of(d)));
        let capitals = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || "/:-".contains(c);
        assert!(texts.iter().all(|text| text.chars().all(capitals)));
    }

    #[test]
    fn what_is_too_long_is_refused() {
        assert!(Ur::of(b"", 100).is_none());
        assert!(Ur::of(&[0; 5000], 2).is_none());
        assert!(Ur::of(&vec![0; MAX_MESSAGE], 4000).is_none());
    }
}
