//! Compact envelopes: any bytes as a form, and any bytes as a packed message.
//!
//! Whatever decodes is a message like any other: packing it again from its JSON gives the same
//! id, and its wire form gives it back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packmule_bus::{Envelope, inspect};

fuzz_target!(|data: &[u8]| {
    let _ = inspect(data);
    if let Ok(envelope) = Envelope::decode(data) {
        check(&envelope);
        let again = Envelope::from_packed(&envelope.to_json()).expect("its own JSON");
        assert_eq!(again.id(), envelope.id());
    }
    if let Ok(envelope) = Envelope::from_packed(data) {
        check(&envelope);
        let again = Envelope::from_packed(&envelope.to_json()).expect("its own JSON");
        assert_eq!(again, envelope);
    }
});

fn check(envelope: &Envelope) {
    let wire = envelope.to_wire();
    assert!(wire.len() <= envelope.identity().len());
    assert_eq!(
        &Envelope::decode(&wire).expect("its own wire form"),
        envelope
    );
    assert_eq!(
        &Envelope::decode(envelope.identity()).expect("its own identity form"),
        envelope
    );
}
