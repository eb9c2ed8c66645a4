//! BBQr codes from strangers, one after the other: nothing panics, what is collected stays bounded,
//! and whatever counts as a message is one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packmule_bus::Kind;
use packmule_qr::{Found, Reader};

fuzz_target!(|data: &[u8]| {
    let mut bob = Reader::default();
    for piece in data.split(|byte| *byte == b'\n').take(200) {
        for encoding in ["", "B$HJ", "B$2U", "B$ZB"] {
            let mut code = encoding.as_bytes().to_vec();
            code.extend(piece);
            if let Found::Envelope(envelope) = bob.take(&code) {
                let whole = envelope.kind() != Kind::Other || !piece.starts_with(b"{");
                assert!(whole, "{piece:?}");
            }
        }
        assert!(bob.foreign_progress().len() <= 8);
        for count in bob.foreign_progress() {
            assert!(count.received < count.needed && count.needed <= 1295);
        }
    }
    assert!(bob.tally().codes > 0);
});
