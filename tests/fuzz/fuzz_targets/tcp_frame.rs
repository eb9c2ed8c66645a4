//! Lengths before PDUs on a TCP connection, from strangers: a verdict never changes when more
//! bytes come, a length is within the MTU, and every length has one form only.
//!
//! The reader is taken by its path: the crate around it would bring a runtime into the fuzzer.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../../transports/tcp/src/frame.rs"]
mod frame;

use frame::{MTU, prefix_of, read_prefix};

fuzz_target!(|data: &[u8]| {
    // One length, seen byte by byte.
    let whole = read_prefix(data);
    for cut in 0..data.len().min(12) {
        match read_prefix(&data[..cut]) {
            Ok(None) => assert!(cut < 3, "three bytes are enough for a verdict"),
            verdict => assert_eq!(verdict, whole, "more bytes changed the verdict"),
        }
    }
    // A whole stream: whatever is cut from it goes back into the same bytes.
    let (mut rest, mut again) = (data, Vec::new());
    while let Ok(Some(prefix)) = read_prefix(rest) {
        assert!(prefix.body <= MTU && prefix.header <= 3);
        let Some(pdu) = rest.get(prefix.header..prefix.header + prefix.body) else {
            break;
        };
        let (bytes, length) = prefix_of(pdu.len()).expect("within the MTU");
        again.extend_from_slice(&bytes[..length]);
        again.extend_from_slice(pdu);
        rest = &rest[prefix.header + prefix.body..];
    }
    assert_eq!(data.strip_suffix(rest), Some(&again[..]));
});
