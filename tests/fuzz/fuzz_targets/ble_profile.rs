//! didcomm-bluetooth: hostile values into the assembler, and any message out in chunks and back.
//! No more is held than is taken, a message that is told is what came between two ends, and
//! what was cut comes together again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packmule_ble::profile::{Assembler, END, chunks};

const MOST: usize = 4_000;

fuzz_target!(|data: &[u8]| {
    let mut kiosk = Assembler::new(MOST);
    let (mut rest, mut since) = (data, Vec::new());
    while let Some((&length, after)) = rest.split_first() {
        let (value, after) = after.split_at(usize::from(length).min(after.len()));
        rest = after;
        match kiosk.heard(value) {
            Ok(Some(message)) => {
                assert_eq!(value, END);
                assert_eq!(message, since);
                assert!(message.len() <= MOST && !message.is_empty());
            }
            Ok(None) | Err(_) => {}
        }
        if value == END {
            since.clear();
        } else {
            since.extend_from_slice(value);
        }
        assert!(kiosk.held() <= MOST);
    }
    let Some((&longest, message)) = data.split_first() else {
        return;
    };
    let longest = usize::from(longest) * 2;
    let Ok(values) = chunks(message, longest) else {
        assert!(longest < 20 || message.is_empty() || message == END);
        return;
    };
    let mut bob = Assembler::new(message.len());
    let mut came: Vec<Vec<u8>> = Vec::new();
    for value in values {
        assert!(value.len() <= longest.min(512) && !value.is_empty());
        came.extend(bob.heard(value).expect("our own"));
    }
    assert_eq!(came, [message], "one message, and the same");
});
