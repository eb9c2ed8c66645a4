//! Readers and cards that break the rules.

use packmule_nfc::applet::Applet;
use packmule_nfc::pipe::{AID, End, Host, ReadError, Reader, Token};
use packmule_nfc::t4t::Type4;

/// Somebody with room for two PDUs, who never has anything to say.
#[derive(Default)]
struct Bob {
    came: Vec<Vec<u8>>,
    opened: u8,
    ended: bool,
}

impl End for Bob {
    fn has_room(&self) -> bool {
        self.came.len() < 2
    }

    fn give(&mut self, pdu: Vec<u8>) {
        self.came.push(pdu);
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        None
    }

    fn has_left(&self) -> bool {
        false
    }

    fn ended(&mut self) {
        self.ended = true;
    }
}

impl Host for Bob {
    fn open(&mut self) -> Option<Token> {
        self.opened += 1;
        (self.opened < 3).then_some([self.opened; 8])
    }

    fn end(&mut self) -> &mut dyn End {
        self
    }
}

fn select() -> Vec<u8> {
    [&[0, 0xa4, 4, 0, 9][..], AID, &[0]].concat()
}

fn open(token: u8) -> Vec<u8> {
    [&[0x80, 0xd0, 0, 0, 8][..], &[token; 8], &[0]].concat()
}

fn turn(number: u8, flags: u8, pdu: &[u8]) -> Vec<u8> {
    let mut command = vec![0x80, 0xd2, number, flags];
    if !pdu.is_empty() {
        command.push(pdu.len() as u8);
        command.extend_from_slice(pdu);
    }
    command.push(0);
    command
}

#[test]
fn a_card_says_what_is_wrong() {
    let mut bob = Bob::default();
    let mut card = Applet::new(Type4::default());
    let mut says = |command: &[u8], status: u16| {
        let answer = card.hear(command, &mut bob);
        let told = answer.last_chunk().map(|two| u16::from_be_bytes(*two));
        assert_eq!(told, Some(status), "{command:02x?}");
    };
    // Before anything is selected.
    says(&open(1), 0x6985);
    says(&turn(0, 1, b"x"), 0x6985);
    says(&[0, 0xb0, 0, 0, 2], 0x6985);
    says(&[0, 0xa4, 4, 0, 2, 0xa0, 0, 0], 0x6a82);
    says(&[0, 0xca, 0, 0, 0], 0x6d00);
    says(&[0xff, 0, 0, 0], 0x6e00);
    says(&[0, 0xa4], 0x6700);
    says(&select(), 0x9000);
    says(&turn(0, 1, b"x"), 0x6985);
    says(&[0x80, 0xd0, 0, 0, 2, 1, 2, 0], 0x6700);
    says(
        &[[0x80, 0xd0, 1, 0, 8].as_slice(), &[9; 8], &[0]].concat(),
        0x6985,
    );
    says(&open(1), 0x9000);
    // Out of turn, too long, in turn, again, and when there is no room.
    says(&turn(7, 1, b"x"), 0x6985);
    says(&turn(0, 1, &[7; 254]), 0x6700);
    says(&turn(0, 1, b"one"), 0x9000);
    says(&turn(0, 1, b"one"), 0x9000);
    says(&turn(1, 1, b"two"), 0x9000);
    says(&turn(2, 1, b"three"), 0x6700);
    says(&turn(2, 3, b""), 0x9000);
    says(&turn(3, 1, b""), 0x6985);
    // Whoever opens again and again is told that there is no room.
    says(&open(2), 0x9000);
    says(&open(3), 0x6a84);
    assert_eq!(bob.came, [b"one", b"two"]);
    assert!(bob.ended);
}

#[test]
fn a_reader_is_not_led_astray() {
    let ok = [0x90, 0];
    let with = |data: &[u8]| [data, &ok].concat();
    let live = |bob: &mut Bob| {
        let mut reader = Reader::new([7; 8]);
        for answer in [with(&[1]), with(&[0, 1, 1, 1, 1, 1, 1, 1, 1])] {
            reader.command(bob);
            reader.heard(&answer, bob).expect("it goes on");
        }
        assert!(reader.is_live());
        reader.command(bob);
        reader
    };
    for (answer, error) in [
        (vec![], ReadError::Odd("an answer that is none")),
        (with(&[0]), ReadError::Odd("a turn without a head")),
        (with(&[1, 1]), ReadError::Odd("the answer to another turn")),
        (
            with(&[&[0, 1][..], &[7; 254]].concat()),
            ReadError::Odd("a PDU for which there is no room"),
        ),
        (vec![0x69, 0x85], ReadError::Forgotten),
        (vec![0x67, 0], ReadError::Refused(0x6700)),
    ] {
        let mut bob = Bob::default();
        let mut reader = live(&mut bob);
        assert_eq!(reader.heard(&answer, &mut bob), Err(error), "{answer:02x?}");
        assert!(bob.came.is_empty());
        // The same command again, and then it goes on.
        reader
            .heard(&with(&[0, 1, 9]), &mut bob)
            .expect("it goes on");
        assert_eq!(bob.came, [[9]]);
    }
    let mut bob = Bob::default();
    let mut reader = Reader::new([7; 8]);
    assert_eq!(
        reader.heard(&[0x6a, 0x82], &mut bob),
        Err(ReadError::NotOurs(0x6a82))
    );
    // Another card in the field is not the one that was lost.
    let mut reader_2 = live(&mut bob);
    reader_2.lost();
    reader_2.command(&mut bob);
    reader_2.heard(&with(&[1]), &mut bob).expect("it goes on");
    let other = with(&[1, 2, 2, 2, 2, 2, 2, 2, 2]);
    assert_eq!(reader_2.heard(&other, &mut bob), Err(ReadError::Forgotten));
}

#[test]
fn answers_that_nobody_asked_for_do_no_harm() {
    // Every answer of up to three bytes, and every head of a command.
    let mut bob = Bob::default();
    for a in 0..=255 {
        for b in 0..=255 {
            let mut reader = Reader::new([7; 8]);
            let _ = reader.heard(&[a, b], &mut bob);
            let mut card = Applet::new(Type4::default());
            card.hear(&select(), &mut bob);
            card.hear(&[0x80, a, b, 0, 0], &mut bob);
            card.hear(&[a, b], &mut bob);
        }
    }
}
