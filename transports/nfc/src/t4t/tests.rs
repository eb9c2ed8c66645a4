//! A phone reads and writes the tag that a card of ours shows; tags that lie.

use super::*;
use crate::applet::Applet;
use crate::pipe::{End, Host, Token};

/// A card that carries no link.
struct Aloof;

impl Host for Aloof {
    fn open(&mut self) -> Option<Token> {
        None
    }

    fn end(&mut self) -> &mut dyn End {
        panic!("nothing was opened")
    }
}

struct Field(Applet);

impl ApduLink for Field {
    fn exchange(&mut self, command: &[u8], _: Duration) -> Result<Vec<u8>, ChipError> {
        Ok(self.0.hear(command, &mut Aloof))
    }
}

#[test]
fn bobs_phone_reads_what_the_kiosk_shows() {
    for length in [0, 1, 2, 251, 252, 253, 254, 255, 256, 4000, MAX_MESSAGE] {
        let message: Vec<u8> = (0..=255).cycle().take(length).collect();
        let kiosk = Applet::new(Type4::showing(&message).expect("it goes"));
        let mut field = Field(kiosk);
        assert_eq!(read(&mut field).expect("read"), message, "{length}");
        assert!(matches!(write(&mut field, b"x"), Err(TagError::Locked)));
    }
    assert!(Type4::showing(&[0; MAX_MESSAGE + 1]).is_err());
}

/// A blank tag that anybody can write on: a card of 600 bytes and two.
struct Blank {
    chosen: u16,
    file: Vec<u8>,
}

impl Blank {
    fn new() -> Self {
        Self {
            chosen: 0,
            file: vec![0; 602],
        }
    }
}

impl ApduLink for Blank {
    fn exchange(&mut self, command: &[u8], _: Duration) -> Result<Vec<u8>, ChipError> {
        const ROOM: &[u8] = b"\x00\x0f\x20\x00\xfd\x00\xfd\x04\x06\xe1\x04\x02\x5a\x00\x00";
        let command = Command::read(command).expect("a command");
        let at = usize::from(u16::from_be_bytes([command.p1, command.p2]));
        let file = if self.chosen == CC { ROOM } else { &self.file };
        match (command.ins, command.p1, command.data) {
            (0xa4, 4, _) => {}
            (0xa4, _, name) => self.chosen = u16::from_be_bytes(name.try_into().expect("a name")),
            (0xb0, ..) => {
                let end = file.len().min(at + usize::from(command.expected));
                return Ok(reply(&file[at..end]));
            }
            (_, _, data) => self.file[at..at + data.len()].copy_from_slice(data),
        }
        Ok(apdu::status(apdu::OK))
    }
}

#[test]
fn bob_writes_on_a_blank_tag() {
    let mut tag = Blank::new();
    assert_eq!(read(&mut tag).expect("read"), b"");
    let message = [7; 600];
    write(&mut tag, &message).expect("written");
    assert_eq!(read(&mut tag).expect("read"), message);
    match write(&mut tag, &[7; 601]) {
        Err(TagError::Full {
            bytes: 601,
            room: 600,
        }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_write_that_is_torn_leaves_an_empty_tag() {
    let mut tag = Blank::new();
    write(&mut tag, &[7; 300]).expect("written");
    let mut torn = Torn(tag, 5);
    assert!(write(&mut torn, &[8; 500]).is_err());
    assert_eq!(read(&mut torn.0).expect("read"), b"");
}

/// The field is lost after so many exchanges.
struct Torn(Blank, u32);

impl ApduLink for Torn {
    fn exchange(&mut self, command: &[u8], wait: Duration) -> Result<Vec<u8>, ChipError> {
        self.1 = self.1.checked_sub(1).ok_or(ChipError::Lost)?;
        self.0.exchange(command, wait)
    }
}

/// A tag that answers by heart.
struct Mallory(Vec<&'static [u8]>);

impl ApduLink for Mallory {
    fn exchange(&mut self, _: &[u8], _: Duration) -> Result<Vec<u8>, ChipError> {
        if self.0.is_empty() {
            return Err(ChipError::Lost);
        }
        Ok(self.0.remove(0).to_vec())
    }
}

#[test]
fn tags_that_lie_are_told_from_tags() {
    const CC: &[u8] = b"\x00\x0f\x20\x00\xfd\x00\xfd\x04\x06\xe1\x04\x00\x10\x00\x00\x90\x00";
    const NO_SIZE: &[u8] = b"\x00\x0f\x20\x00\xfd\x00\xfd\x04\x06\xe1\x04\x00\x00\x00\x00\x90\x00";
    let ok: &[u8] = b"\x90\x00";
    for answers in [
        vec![],
        vec![&b""[..]],
        vec![b"\x6a\x82"],
        vec![ok, ok, b"\x90"],
        vec![ok, ok, b"\x00\x0f\x90\x00"],
        vec![ok, ok, NO_SIZE],
        // A message longer than its file; half a length; no bytes; too many.
        vec![ok, ok, CC, ok, b"\xff\xff\x90\x00"],
        vec![ok, ok, CC, ok, b"\x00\x90\x00"],
        vec![ok, ok, CC, ok, b"\x00\x05\x90\x00", ok],
        vec![ok, ok, CC, ok, b"\x00\x05\x90\x00", b"123456\x90\x00"],
    ] {
        let told = format!("{answers:02x?}");
        assert!(read(&mut Mallory(answers)).is_err(), "{told}");
    }
}
