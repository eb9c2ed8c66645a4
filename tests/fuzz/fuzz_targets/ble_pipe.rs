//! A hostile device at our end of a GATT link: pieces of the input, each with a byte of length
//! before it, are values. What is read writes back to the same octets, no PDU is empty or longer
//! than the MTU, no more is held than the window lets in, and never two values to send are too long.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packmule_ble::pipe::{Pipe, window};
use packmule_ble::plan;
use packmule_ble::value::{Value, opens};
use packmule_bus::link::Role;

fuzz_target!(|data: &[u8]| {
    let Some((&first, mut rest)) = data.split_first() else {
        return;
    };
    let role = if first & 1 == 0 {
        Role::Dialer
    } else {
        Role::Listener
    };
    let longest = [20, 182, 244, 512][usize::from(first >> 1 & 3)];
    let reads = first & 8 == 0;
    let mut pipe = Pipe::new(role, longest, *b"our side").expect("long enough");
    let (mut held, mut was_open) = (0_usize, false);
    if role == Role::Dialer {
        assert!(opens(&pipe.say().expect("an opening")));
    }
    while let Some((&length, after)) = rest.split_first() {
        // The longest piece of data is more than a value may have.
        let length = usize::from(length) * if first & 16 == 0 { 1 } else { 3 };
        let (value, after) = after.split_at(length.min(after.len()));
        rest = after;
        if let Ok(read @ (Value::Flow { .. } | Value::Farewell { .. })) = Value::read(value) {
            let again = read.to_bytes();
            assert!(value.starts_with(&again), "it reads as what it is not");
        }
        let before = pipe.is_over();
        if pipe.heard(value).is_err() {
            return;
        }
        assert!(!before || pipe.is_over(), "what was over goes on");
        let facts = pipe.facts();
        if pipe.is_open() && !was_open {
            was_open = true;
            assert!(pipe.tag().is_some());
        }
        held += 1;
        if reads {
            while let Some(pdu) = pipe.take() {
                assert!(!pdu.is_empty() && pdu.len() <= facts.mtu);
                held = 0;
            }
        } else if !matches!(Value::read(value), Ok(Value::Flow { piece: Some(_), .. })) {
            held -= 1;
        } else {
            let most = usize::from(window(plan::fitting(longest)));
            assert!(held <= most, "{held} pieces are held");
        }
        if pipe.is_open() && pipe.has_room() {
            assert!(pipe.give(vec![7; facts.mtu]));
        }
        for said in 0.. {
            let Some(value) = pipe.say() else { break };
            assert!(
                value.len() <= pipe.longest().max(14),
                "a value of {}",
                value.len()
            );
            assert!(said < 300, "it says too much");
        }
    }
    pipe.leave();
    while pipe.say().is_some() {}
    assert!(pipe.has_left() || !was_open);
});
