//! Messages to and fro, and what strangers write.

use super::*;

#[test]
fn an_invitation_and_a_letter_on_one_tag() {
    let records = [
        Record::of_uri("https://example.org/?_oob=eyJ0"),
        Record::of_mime("application/didcomm-encrypted+json", &[b'{'; 300]),
    ];
    let bytes = write(&records).expect("they make a message");
    // Bytes as the forum's documents have them: MB, SR, a well-known type; "https://" is 4.
    assert_eq!(&bytes[..6], b"\x91\x01\x17U\x04e");
    let read = read(&bytes).expect("a message");
    assert_eq!(read, records);
    assert_eq!(
        read[0].uri().as_deref(),
        Some("https://example.org/?_oob=eyJ0")
    );
    let (kind, body) = read[1].mime().expect("of a MIME type");
    assert_eq!(
        (&*kind, body.len()),
        ("application/didcomm-encrypted+json", 300)
    );
}

#[test]
fn lengths_around_a_byte_and_the_longest() {
    for length in [0, 1, 254, 255, 256, 257, 4000, 60_000] {
        let records = [Record::of_mime("a/b", &vec![7; length])];
        let bytes = write(&records).expect("it goes");
        assert_eq!(read(&bytes).as_deref(), Ok(&records[..]), "{length}");
    }
    let record = Record::of_mime("a/b", &[7; MAX_MESSAGE]);
    assert_eq!(write(&[record]), Err(NdefError::Large));
    let many = vec![Record::of_uri("x:"); MAX_RECORDS + 1];
    assert_eq!(write(&many), Err(NdefError::Large));
}

#[test]
fn a_record_in_pieces_is_one() {
    // "a/b" in three pieces of two bytes.
    let bytes = b"\xb2\x03\x02a/b12\x36\x00\x0234\x56\x00\x0256";
    let records = read(bytes).expect("a message");
    assert_eq!(records, [Record::of_mime("a/b", b"123456")]);
}

#[test]
fn a_record_with_a_name_of_its_own() {
    let mut record = Record::of_mime("a/b", b"x");
    record.id = b"one".to_vec();
    let bytes = write(std::slice::from_ref(&record)).expect("it goes");
    assert_eq!(read(&bytes), Ok(vec![record]));
}

#[test]
fn an_empty_message_is_one_empty_record() {
    let records = read(&[0xd0, 0, 0]).expect("a message");
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].names, records[0].uri()), (Names::Empty, None));
}

#[test]
fn what_strangers_write_is_refused() {
    for (bytes, why) in [
        (&b""[..], NdefError::Short),
        (b"\xd1", NdefError::Short),
        (b"\xd1\x01\x05U\x04e", NdefError::Short),
        (b"\xc1\x01\xff\xff\xff\xffU", NdefError::Short),
        (b"\x51\x01\x01U\x04", NdefError::Bounds),
        (b"\xd1\x01\x01U\x04\x00", NdefError::Bounds),
        (b"\x91\x01\x01U\x04", NdefError::Short),
        (b"\x91\x01\x01U\x04\xd1\x01\x01U\x04", NdefError::Bounds),
        (b"\xd7\x01\x01U\x04", NdefError::Names),
        (b"\xd6\x00\x01\x04", NdefError::Pieces),
        (b"\xf2\x03\x02a/b12", NdefError::Pieces),
        (b"\xb2\x03\x02a/b12\x52\x03\x02a/b34", NdefError::Pieces),
        (b"\xd0\x00\x01x", NdefError::Names),
        (b"\xd5\x01\x00x", NdefError::Names),
        (b"\xd2\x00\x00", NdefError::Names),
    ] {
        assert_eq!(read(bytes), Err(why), "{bytes:02x?}");
    }
}

#[test]
fn a_tag_full_of_tiny_records_is_too_much() {
    let mut bytes = vec![0x91, 1, 0, b'U'];
    for _ in 0..MAX_RECORDS {
        bytes.extend_from_slice(&[0x11, 1, 0, b'U']);
    }
    bytes.extend_from_slice(&[0x51, 1, 0, b'U']);
    assert_eq!(read(&bytes), Err(NdefError::Large));
}

#[test]
fn uris_of_every_prefix_come_back_and_codes_to_come_are_read_as_none() {
    for prefix in PREFIXES {
        let uri = format!("{prefix}rest");
        let record = Record::of_uri(&uri);
        assert_eq!(record.uri(), Some(uri));
    }
    assert_eq!(Record::of_uri("https://www.x").payload, b"\x02x");
    let mut record = Record::of_uri("x:y");
    record.payload[0] = 99;
    assert_eq!(record.uri().as_deref(), Some("x:y"));
    record.payload = vec![4, 0xff];
    assert_eq!(record.uri(), None);
}
