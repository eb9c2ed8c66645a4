//! A mail from a stranger: whatever is in it, reading ends, what is called a message is one, and
//! a message that was found comes out of a mail of our own as it went in. And an address that is
//! taken can be neither a command nor a header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packmule_bus::{Envelope, Kind};
use packmule_mail::{Address, Limits, Name, compose, read, recipients};

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        for address in recipients(text).into_iter().flatten() {
            let text = address.as_str();
            assert!(
                text.bytes()
                    .all(|b| b.is_ascii_graphic() && !b"<>,;:\"()".contains(&b) || b == b':')
            );
        }
        let _ = Name::of_message_id(text);
    }
    let alice = Address::parse("alice@kiosk.test").expect("an address");
    let bob = [Address::parse("bob@edge.test").expect("an address")];
    for found in read(data, &Limits::default()).messages() {
        let envelope = match Envelope::decode(found) {
            Ok(envelope) => envelope,
            Err(_) => Envelope::from_packed(found).expect("a message"),
        };
        assert_ne!(envelope.kind(), Kind::Other);
        let letter = compose(found, &alice, &bob, 0).expect("it is a message");
        assert!(letter.bytes.is_ascii());
        assert!(
            letter
                .bytes
                .split(|b| *b == b'\n')
                .all(|line| line.len() < 999)
        );
        assert_eq!(read(&letter.bytes, &Limits::default()).messages(), [found]);
    }
});
