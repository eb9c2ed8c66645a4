//! Acknowledgements from strangers, to a side that shows two messages: nothing panics, none ends a
//! show without a proof, and the speed stays within bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packmule_bus::Envelope;
use packmule_bus::fountain::{Shape, TransferId};
use packmule_qr::{Ack, Found, Heard, Profile, Reader, Swap};

/// Fields of one acknowledgement, as the fuzzer wrote them.
fn fields(piece: &[u8; 16], ours: &[TransferId]) -> Option<Ack> {
    let [
        which,
        f0,
        f1,
        t0,
        t1,
        r0,
        r1,
        r2,
        b0,
        b1,
        b2,
        proof,
        p0,
        p1,
        p2,
        p3,
    ] = *piece;
    let shape = Shape::new(
        usize::from(u16::from_be_bytes([f0, f1])),
        usize::from(u16::from_be_bytes([t0, t1])),
    );
    Some(Ack {
        transfer: *ours.get(usize::from(which) % (ours.len() + 1))?,
        shape: shape.ok()?,
        received: u32::from_be_bytes([0, r0, r1, r2]),
        beyond: u32::from_be_bytes([0, b0, b1, b2]),
        proof: (proof & 1 == 1).then_some([p0, p1, p2, p3, p0, p1, p2, p3]),
    })
}

fuzz_target!(|data: &[u8]| {
    let mut swap = Swap::new(Profile::Robust);
    let letters = [vec![7; 900], vec![9; 2_000]];
    let ours: Vec<TransferId> = letters
        .iter()
        .map(|letter| {
            let letter = Envelope::from_packed(letter).expect("an envelope");
            swap.offer(&letter).expect("offered")
        })
        .collect();
    let mut reader = Reader::default();
    let mut code = b"DCQA".to_vec();
    code.extend(data);
    reader.take(&code);
    for piece in data.as_chunks::<16>().0.iter().take(32) {
        let Some(ack) = fields(piece, &ours) else {
            continue;
        };
        let Found::Ack(read) = reader.take(ack.text().as_bytes()) else {
            panic!("an acknowledgement is none");
        };
        assert!(!matches!(swap.hear(&read), Heard::Done(_)), "{read:?}");
        swap.answer(&[read]);
        swap.next_code().expect("a code");
        assert!((2..=30).contains(&swap.speed()));
    }
    assert!(!swap.is_done());
});
