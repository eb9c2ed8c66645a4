//! URs from strangers, one after the other: nothing panics, what is collected stays bounded, and a
//! good message gets through beside them.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use packmule_qr::{Found, Reader, Ur};

/// What alice shows: JSON that is surely a message.
const PACKED: &[u8] = br#"{"payload":"eyJhIjoxfQ","signatures":[{"protected":"eyJhbGciOiJFZERTQSJ9","signature":"AAAA","header":{"kid":"did:example:a#1"}}]}"#;

/// The letters of every byte, off what our writer makes of it.
fn words() -> &'static Vec<String> {
    static WORDS: OnceLock<Vec<String>> = OnceLock::new();
    WORDS.get_or_init(|| {
        let word = |byte| {
            let text = Ur::of(&[byte], 9).expect("a UR").part(1);
            // After the kind and the head of a byte string.
            let body = text.strip_prefix("UR:X-DIDCOMM/").expect("our kind");
            body.get(2..4).expect("a word").to_owned()
        };
        (0..=255).map(word).collect()
    })
}

/// A part with its letters and the right checksum, so that the fuzzer gets past both.
fn worded(place: &str, cbor: &[u8]) -> String {
    let checksum = crc32(cbor).to_be_bytes();
    let letters = |byte: &u8| words()[usize::from(*byte)].clone();
    let body: String = cbor.iter().chain(&checksum).map(letters).collect();
    format!("ur:bytes/{place}/{body}")
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc: u32, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}

fuzz_target!(|data: &[u8]| {
    let mut bob = Reader::default();
    bob.take(data);
    let mut spoilt = 0;
    let ur = Ur::of(PACKED, 40).expect("a UR");
    let mut parts = (1..).map(|n| ur.part(n));
    for piece in data.split(|byte| *byte == b'\n').take(64) {
        bob.take(piece);
        // As the fields of a part, with the place that those fields name.
        let mut cbor = piece.to_vec();
        if let Some(first) = cbor.first_mut() {
            *first = 0x85;
        }
        let small = |n: usize| cbor.get(n).map_or(0, |byte| byte & 31).min(23);
        let place = format!("{}-{}", small(1), small(2));
        if let Found::Damaged(_) = bob.take(worded(&place, &cbor).as_bytes()) {
            spoilt += 1;
        }
        if let Some(part) = parts.next() {
            bob.take(part.as_bytes());
        }
        assert!(bob.foreign_progress().len() <= 8);
        for count in bob.foreign_progress() {
            assert!(count.received < count.needed);
        }
    }
    assert!(spoilt <= bob.tally().damaged);
});
