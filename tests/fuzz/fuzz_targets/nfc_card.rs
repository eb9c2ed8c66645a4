//! A hostile reader at our card, and a hostile card at our reader: pieces of the input, each with a
//! length before it, are commands to an applet and answers to a reader. No more PDUs come out than
//! there was room for, none is longer than the MTU, and a repeated command has the same answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packmule_nfc::apdu::{Command, MAX_RESPONSE, Response};
use packmule_nfc::applet::Applet;
use packmule_nfc::pipe::{AID, End, Host, MTU, Reader, Token};
use packmule_nfc::t4t::Type4;

#[derive(Default)]
struct Bob {
    came: usize,
    said: u8,
}

impl End for Bob {
    fn has_room(&self) -> bool {
        self.came < 8
    }

    fn give(&mut self, pdu: Vec<u8>) {
        assert!(self.has_room(), "a PDU for which there was no room");
        assert!(!pdu.is_empty() && pdu.len() <= MTU);
        self.came += 1;
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        self.said = self.said.wrapping_add(1);
        (self.said % 3 != 0).then(|| vec![self.said; MTU])
    }

    fn has_left(&self) -> bool {
        self.said > 200
    }

    fn ended(&mut self) {}
}

impl Host for Bob {
    fn open(&mut self) -> Option<Token> {
        Some([self.said; 8])
    }

    fn end(&mut self) -> &mut dyn End {
        self
    }
}

fuzz_target!(|data: &[u8]| {
    let mut pieces = Vec::new();
    let mut rest = data;
    while let Some((length, more)) = rest.split_first() {
        let (piece, more) = more.split_at(more.len().min(usize::from(*length)));
        pieces.push(piece);
        rest = more;
    }
    let mut bob = Bob::default();
    let mut card = Applet::new(Type4::default());
    let select = Command {
        class: 0,
        ins: 0xa4,
        p1: 4,
        p2: 0,
        data: AID,
        expected: 256,
    };
    card.hear(&select.to_bytes().expect("short"), &mut bob);
    for piece in &pieces {
        if let Ok(command) = Command::read(piece) {
            let bytes = command.to_bytes().expect("as short as it came");
            assert_eq!(Command::read(&bytes), Ok(command));
        }
        let answer = card.hear(piece, &mut bob);
        assert!(answer.len() <= MAX_RESPONSE && Response::read(&answer).is_ok());
        let turn = piece.len() >= 5 && piece[..2] == [0x80, 0xd2] && answer.ends_with(&[0x90, 0]);
        if turn {
            assert_eq!(card.hear(piece, &mut bob), answer, "a repeated turn");
        }
    }
    let mut alice = Bob::default();
    let mut reader = Reader::new([7; 8]);
    for piece in &pieces {
        let command = reader.command(&mut alice);
        assert!(Command::read(&command).is_ok());
        if reader.heard(piece, &mut alice).is_err() {
            reader.lost();
        }
    }
});
