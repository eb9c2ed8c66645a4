//! Fountain frames, partials and texts of QR codes from strangers: nothing panics, memory stays
//! bounded, and whatever is called complete has the hash its transfer is named by.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packmule_bus::fountain::{Catcher, Caught, Frame, Limits, Partial, TransferId};
use packmule_qr::{Reader, frame_of_text, text_of_frame};

/// A catcher with little room, so that its bounds are reached.
fn small() -> Catcher {
    let mut limits = Limits::default();
    limits.memory = 1 << 20;
    limits.object = 64 << 10;
    Catcher::new(limits)
}

fn check(caught: Caught) {
    if let Caught::Complete { transfer, object } = caught {
        assert_eq!(TransferId::of(&object), transfer);
    }
}

/// The CRC of what stands before the last four bytes, so that the fuzzer gets past it.
fn seal(frame: &mut [u8]) {
    if let Some((body, checksum)) = frame.split_last_chunk_mut::<4>() {
        *checksum = crc32(body).to_be_bytes();
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc: u32, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}

fuzz_target!(|data: &[u8]| {
    let mut bob = small();
    if let Ok(frame) = Frame::parse(data) {
        let text = text_of_frame(data);
        assert_eq!(frame_of_text(&text).as_deref(), Ok(data));
        assert!(frame.symbol.len() == usize::from(frame.shape.symbol_bytes()));
    }
    // Many frames: the first byte is the length of each.
    if let Some((length, rest)) = data.split_first() {
        for piece in rest.chunks(usize::from(*length).max(31)) {
            let mut frame = piece.to_vec();
            if let Some(tag) = frame.first_mut() {
                *tag = 0x10;
            }
            seal(&mut frame);
            if let Ok(caught) = bob.catch(&frame) {
                check(caught);
            }
            assert!(bob.memory() <= 1 << 20);
        }
    }
    for partial in bob.partials() {
        assert_eq!(Partial::from_bytes(&partial.to_bytes()), Ok(partial));
    }
    let mut sealed = data.to_vec();
    seal(&mut sealed);
    if let Ok(partial) = Partial::from_bytes(&sealed) {
        assert_eq!(partial.to_bytes(), sealed);
        if let Ok(caught) = small().merge(&partial) {
            check(caught);
        }
    }
    Reader::default().take(data);
});
