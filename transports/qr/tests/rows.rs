//! Bob's scan of a foreign row of codes ends in the middle, and another one goes on with it.

#![expect(clippy::expect_used, reason = "a step that fails fails the test")]

use data_encoding::BASE32_NOPAD;
use packmule_bus::Envelope;
use packmule_qr::{Count, Found, Parts, Reader, Ur};

fn letter(bytes: usize) -> Vec<u8> {
    let text: String = (0..bytes)
        .map(|n| char::from(b'A' + (n * n / 7 % 26) as u8))
        .collect();
    let head = r#"{"protected":"e30","recipients":[],"iv":"AAAA","tag":"AAAA","ciphertext":""#;
    format!("{head}{text}\"}}").into_bytes()
}

/// As Coinkite's library writes it, uncompressed.
fn bbqr(message: &[u8], letters: usize) -> Vec<String> {
    let text = BASE32_NOPAD.encode(message);
    let pieces: Vec<&str> = text
        .as_bytes()
        .chunks(letters)
        .map(|piece| std::str::from_utf8(piece).expect("letters"))
        .collect();
    let total = pieces.len();
    assert!(total < 10);
    let part = |(n, piece): (usize, &&str)| format!("B$2J0{total}0{n}{piece}");
    pieces.iter().enumerate().map(part).collect()
}

/// The first reader takes these codes; what a store kept of it, as bytes.
fn first_day(codes: &[String]) -> (Vec<Vec<u8>>, Vec<Count>) {
    let mut reader = Reader::default();
    for code in codes.iter().chain(codes) {
        reader.take(code.as_bytes());
    }
    let kept = reader.parts().iter().map(Parts::to_bytes).collect();
    (kept, reader.foreign_progress())
}

fn next_day(kept: &[Vec<u8>]) -> (Reader, Vec<Option<Count>>) {
    let mut reader = Reader::default();
    let counts = kept
        .iter()
        .map(|bytes| reader.resume_parts(&Parts::from_bytes(bytes)))
        .collect();
    assert_eq!(
        reader.tally().codes,
        0,
        "they were counted on the first day"
    );
    (reader, counts)
}

#[test]
fn what_was_read_of_urs_and_bbqrs_is_not_shown_again() {
    let (one, other) = (letter(4_000), letter(900));
    let ur = Ur::of(&one, 100).expect("a UR");
    let row = bbqr(&other, 200);
    // Mixed parts, from somewhere behind the plain ones; the last code of the other row is missing.
    let early: Vec<String> = (ur.count() + 5..).take(25).map(|n| ur.part(n)).collect();
    let mut codes = early;
    codes.extend(row.iter().take(row.len() - 1).cloned());
    let (kept, counts) = first_day(&codes);
    assert_eq!((kept.len(), counts.len()), (2, 2));
    let (mut reader, resumed) = next_day(&kept);
    let received = |counts: &[Count]| counts.iter().map(|c| c.received).collect::<Vec<_>>();
    assert_eq!(received(&counts), received(&reader.foreign_progress()));
    assert!(resumed.iter().all(Option::is_some));
    assert_eq!(counts[1].received as usize, row.len() - 1);
    let Found::Envelope(envelope) = reader.take(row[row.len() - 1].as_bytes()) else {
        panic!("one code was missing");
    };
    assert_eq!(envelope, Envelope::from_packed(&other).expect("a message"));
    let mut more = 0;
    for n in ur.count() + 50.. {
        more += 1;
        if let Found::Envelope(envelope) = reader.take(ur.part(n).as_bytes()) {
            assert_eq!(envelope, Envelope::from_packed(&one).expect("a message"));
            break;
        }
        assert!(more < ur.count(), "nothing was kept");
    }
    assert!(more <= ur.count() - counts[0].received + 8, "{more} more");
    assert!(reader.parts().is_empty(), "nothing is unfinished");
}

#[test]
fn what_is_damaged_on_the_disk_costs_a_code_and_nothing_else() {
    let row = bbqr(&letter(900), 200);
    let (kept, _) = first_day(&row[..4]);
    let mut bytes = kept[0].clone();
    bytes[3] = b'?';
    bytes.extend(b"\n\nur:bytes/1-2/zzzz\nB$\n\xff\xfe");
    let (reader, _) = next_day(&[bytes]);
    assert_eq!(reader.foreign_progress().len(), 1);
    assert_eq!(reader.foreign_progress()[0].received, 3);
}
