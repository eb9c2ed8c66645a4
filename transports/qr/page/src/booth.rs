//! One side of two that show and scan, as a page has it: bytes and JSON in and out.
//!
//! Called by the exported functions. What can go wrong: pictures and codes of strangers, which
//! `packmule-qr` bounds and counts; a file that is no message, which the answer says.

use std::collections::VecDeque;

use packmule_bus::Envelope;
use packmule_qr::{Found, Going, Grey, Heard, Picture, Profile, Reader, Swap, scan_quickly};
use serde_json::{Value, json};

/// Whole messages that wait to be fetched; a page fetches each at once.
const WAITING: usize = 16;

/// What a page scans and shows.
pub struct Booth {
    reader: Reader,
    swap: Swap,
    whole: VecDeque<Envelope>,
}

impl Default for Booth {
    fn default() -> Self {
        Self {
            reader: Reader::default(),
            swap: Swap::new(Profile::default()),
            whole: VecDeque::new(),
        }
    }
}

/// What the codes say in a picture of four bytes a pixel (red, green, blue, alpha).
#[must_use]
pub fn codes_in(rgba: &[u8], width: u32, height: u32) -> Vec<Vec<u8>> {
    let grey = rgba.as_chunks::<4>().0.iter().map(|[r, g, b, _]| {
        // BT.601, as cameras mean it.
        let sum = 77 * u32::from(*r) + 150 * u32::from(*g) + 29 * u32::from(*b);
        u8::try_from(sum >> 8).unwrap_or(u8::MAX)
    });
    match Grey::new(width, height, grey.collect()) {
        Ok(picture) => scan_quickly(&picture),
        Err(_) => Vec::new(),
    }
}

impl Booth {
    /// Takes in what a code says.
    pub fn take(&mut self, code: &[u8]) -> Value {
        match self.reader.take(code) {
            Found::Envelope(envelope) => {
                let id = envelope.id().to_string();
                let new = !self.whole.contains(&envelope);
                if new && self.whole.len() < WAITING {
                    self.whole.push_back(envelope);
                }
                json!({ "found": "whole", "id": id })
            }
            Found::Fresh(progress) | Found::Duplicate(progress) => json!({
                "found": "frame",
                "transfer": progress.transfer.to_string(),
                "received": progress.received,
                "needed": progress.needed,
                "bytes": progress.object_bytes,
            }),
            Found::Part(count) => json!({
                "found": "frame",
                "transfer": count.name.to_string(),
                "received": count.received,
                "needed": count.needed,
            }),
            Found::Again(_) => json!({ "found": "again" }),
            Found::Invitation(url) => json!({ "found": "invitation", "url": url }),
            Found::Foreign(_) => json!({ "found": "foreign" }),
            Found::Ack(ack) => match self.swap.hear(&ack) {
                Heard::Done(transfer) => {
                    json!({ "found": "done", "transfer": transfer.to_string() })
                }
                Heard::Going(_) | Heard::Nothing => json!({ "found": "ack" }),
            },
            Found::Damaged(why) => json!({ "found": "damaged", "why": why }),
            // A forged frame among them, or what a newer reader knows: it goes on.
            _ => json!({ "found": "damaged" }),
        }
    }

    /// A message that has come whole, packed, the oldest first.
    pub fn message(&mut self) -> Option<Vec<u8>> {
        Some(self.whole.pop_front()?.to_json())
    }

    /// Adds a message, packed or in our compact form, to what is shown.
    pub fn offer(&mut self, file: &[u8]) -> Value {
        let envelope = Envelope::decode(file).or_else(|_| Envelope::from_packed(file));
        let Ok(envelope) = envelope else {
            return json!({ "offered": false, "reason": "unopened" });
        };
        match self.swap.offer(&envelope) {
            Ok(transfer) => json!({
                "offered": true,
                "id": envelope.id().to_string(),
                "transfer": transfer.to_string(),
            }),
            Err(_) => json!({ "offered": false, "reason": "too-large" }),
        }
    }

    /// The code to show now, a byte a module with the quiet zone; a side of 0 for nothing.
    pub fn next_code(&mut self) -> (u32, Vec<u8>) {
        self.swap.answer(self.reader.acks());
        match self.swap.next_code() {
            Ok(Some(picture)) => modules(&picture),
            Ok(None) | Err(_) => (0, Vec::new()),
        }
    }

    /// From now on in codes up to this version, where anything fits such.
    pub fn resize(&mut self, largest: u32) -> bool {
        let largest = u8::try_from(largest).ok().filter(|v| (1..=40).contains(v));
        largest.is_some_and(|largest| self.swap.resize(largest).is_ok())
    }

    /// Codes a second from now on; 0 leaves it. What they are then.
    pub fn speed(&mut self, codes_per_second: u32) -> u32 {
        if let Ok(wanted @ 1..) = u16::try_from(codes_per_second) {
            self.swap.set_speed(wanted);
        }
        u32::from(self.swap.speed())
    }

    /// How everything stands.
    #[must_use]
    pub fn state(&self) -> Value {
        let going = |g: Going| {
            json!({
                "transfer": g.transfer.to_string(),
                "shown": g.shown,
                "received": g.received,
                "needed": g.needed,
            })
        };
        let coming = self.reader.progress();
        let coming = coming.iter().map(|p| {
            json!({
                "transfer": p.transfer.to_string(),
                "received": p.received,
                "needed": p.needed,
                "bytes": p.object_bytes,
            })
        });
        let tally = self.reader.tally();
        json!({
            "going": self.swap.going().map(going).collect::<Vec<_>>(),
            "coming": coming.collect::<Vec<_>>(),
            "speed": self.swap.speed(),
            "largest": self.swap.largest(),
            "codes": tally.codes,
            "foreign": tally.foreign,
            "damaged": tally.damaged,
        })
    }

    /// Shows nothing any more.
    pub fn stop(&mut self) {
        self.swap.clear();
    }
}

fn modules(picture: &Picture) -> (u32, Vec<u8>) {
    let side = picture.full_width();
    let row = |y| (0..side).map(move |x| u8::from(picture.is_dark(x, y)));
    let modules = (0..side).flat_map(row).collect();
    (u32::try_from(side).unwrap_or_default(), modules)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a canvas shows and a camera gives back: 3 pixels a module, red as paper is not white.
    fn photographed((side, modules): (u32, Vec<u8>)) -> Vec<Vec<u8>> {
        let wide = side * 3;
        let pixel = |i: u32| {
            let (x, y) = (i % wide / 3, i / wide / 3);
            match modules[(y * side + x) as usize] {
                1 => [20, 0, 0, 255],
                _ => [250, 200, 200, 255],
            }
        };
        let rgba: Vec<u8> = (0..wide * wide).flat_map(pixel).collect();
        codes_in(&rgba, wide, wide)
    }

    fn letter(length: usize) -> Vec<u8> {
        (0..length).map(|n| (n * n / 7 + n) as u8).collect()
    }

    #[test]
    fn two_pages_exchange_letters() {
        let (mut alice, mut bob) = (Booth::default(), Booth::default());
        assert_eq!(alice.next_code().0, 0, "nothing to show yet");
        assert!(alice.resize(10) && !alice.resize(0) && !alice.resize(41));
        assert_eq!(alice.offer(&letter(1_500))["offered"], true);
        assert_eq!(bob.offer(&letter(400))["offered"], true);
        for _ in 0..60 {
            let (from_alice, from_bob) = (alice.next_code(), bob.next_code());
            for code in photographed(from_alice) {
                bob.take(&code);
            }
            for code in photographed(from_bob) {
                alice.take(&code);
            }
        }
        assert_eq!(bob.message(), Some(letter(1_500)));
        assert_eq!(alice.message(), Some(letter(400)));
        assert_eq!((alice.message(), bob.message()), (None, None));
        for side in [&alice, &bob] {
            assert_eq!(side.state()["going"], json!([]), "the other side told");
            assert_eq!(side.state()["coming"], json!([]));
        }
    }

    #[test]
    fn what_is_none_is_told_so() {
        let mut booth = Booth::default();
        assert_eq!(booth.offer(b"")["offered"], false);
        assert_eq!(booth.take(b"https://a.example/")["found"], "foreign");
        assert_eq!(booth.take(b"DCQ2x")["found"], "damaged");
        let url = "https://a.example/?_oob=eyJ0";
        assert_eq!(booth.take(url.as_bytes())["url"], url);
        assert_eq!(
            (booth.state()["foreign"].as_u64(), booth.message()),
            (Some(1), None)
        );
    }

    #[test]
    fn a_picture_that_lies_of_its_size_has_no_codes() {
        for (width, height) in [(0, 0), (3, 3), (u32::MAX, u32::MAX), (1, 5)] {
            assert!(codes_in(&[0; 16], width, height).is_empty());
        }
    }
}
