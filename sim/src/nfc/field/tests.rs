//! Hosts talk to their chips, and chips to each other.

use super::*;

/// A frame of a host's.
fn frame(command: &[u8]) -> Vec<u8> {
    let mut body = vec![0xd4];
    body.extend_from_slice(command);
    let length = u8::try_from(body.len()).expect("short");
    let sum = body.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    let mut frame = vec![0, 0, 0xff, length, length.wrapping_neg()];
    frame.extend_from_slice(&body);
    frame.extend_from_slice(&[sum.wrapping_neg(), 0]);
    frame
}

struct Hosts {
    field: Field,
    now: Duration,
}

impl Hosts {
    fn new(setup: Setup) -> Self {
        Self {
            field: Field::new(setup),
            now: Duration::ZERO,
        }
    }

    /// Says a command; what every host hears of it.
    fn ask(&mut self, chip: usize, command: &[u8]) -> Vec<(usize, Vec<u8>)> {
        self.field.hear(self.now, chip, &frame(command));
        self.heard()
    }

    /// The bodies of frames, without ACKs.
    fn heard(&mut self) -> Vec<(usize, Vec<u8>)> {
        let mut heard = Vec::new();
        while let Some((chip, bytes)) = self.field.poll() {
            if bytes != ACK {
                let body = bytes.get(6..bytes.len() - 2).expect("a body");
                heard.push((chip, body.to_vec()));
            }
        }
        heard
    }

    fn later(&mut self, millis: u64) -> Vec<(usize, Vec<u8>)> {
        self.now += Duration::from_millis(millis);
        self.field.advance(self.now);
        self.heard()
    }
}

/// A card with APDUs, as a host asks for one.
fn be_card() -> Vec<u8> {
    let mut command = vec![0x8c, 5, 4, 0, 1, 2, 3, 0x20];
    command.extend_from_slice(&[0; 18 + 10]);
    command.extend_from_slice(&[0, 0]);
    command
}

const LOOK: [u8; 3] = [0x4a, 1, 0];

fn two() -> Hosts {
    let mut hosts = Hosts::new(Setup {
        chips: 2,
        ..Setup::default()
    });
    assert_eq!(hosts.ask(0, &[0x12, 0x14]), [(0, vec![0x13])]);
    hosts
}

#[test]
fn a_host_finds_out_what_it_has() {
    let mut hosts = two();
    assert_eq!(hosts.ask(0, &[2]), [(0, vec![3, 0x32, 1, 6, 7])]);
    assert_eq!(hosts.ask(0, &[0, 0, 9, 8]), [(0, vec![1, 0, 9, 8])]);
    hosts.ask(0, &[8, 0x63, 0x05, 7]);
    assert_eq!(hosts.ask(0, &[6, 0x63, 0x05]), [(0, vec![7, 7])]);
}

#[test]
fn a_reader_and_a_card_talk_until_the_reader_goes() {
    let mut hosts = two();
    assert_eq!(hosts.ask(1, &be_card()), []);
    let met = hosts.ask(0, &LOOK);
    assert_eq!(met[0], (1, vec![0x8d, 8, 0xe0, 0x50]));
    let target = vec![
        0x4b, 1, 1, 0, 4, 0x20, 4, 8, 1, 2, 3, 5, 0x75, 0x33, 0x92, 0,
    ];
    assert_eq!(met[1], (0, target));
    assert_eq!(hosts.ask(1, &[0x86]), []);
    assert_eq!(hosts.ask(0, &[0x40, 1, 0, 0xa4]), []);
    assert_eq!(hosts.later(1), [(1, vec![0x87, 0, 0, 0xa4])]);
    assert_eq!(hosts.ask(1, &[0x8e, 0x90, 0]), []);
    let said = hosts.later(1);
    assert_eq!(said, [(0, vec![0x41, 0, 0x90, 0]), (1, vec![0x8f, 0])]);
    assert_eq!(hosts.ask(1, &[0x86]), []);
    let gone = hosts.ask(0, &[0x52, 0]);
    assert_eq!(gone, [(1, vec![0x87, 0x29]), (0, vec![0x53, 0])]);
}

#[test]
fn a_field_that_breaks_is_told_on_both_sides() {
    let mut hosts = two();
    hosts.field.until_break = Some(1);
    hosts.field.setup.breaks = Some((1, 1));
    hosts.ask(1, &be_card());
    hosts.ask(0, &LOOK);
    hosts.ask(1, &[0x86]);
    let cut = hosts.ask(0, &[0x40, 1, 0]);
    assert_eq!(cut, [(1, vec![0x87, 0x29]), (0, vec![0x41, 1])]);
    assert_eq!(hosts.field.tally(), (1, 1));
}

#[test]
fn whoever_is_told_to_stop_says_nothing_more() {
    let mut hosts = two();
    hosts.ask(1, &be_card());
    hosts.field.hear(hosts.now, 1, &ACK);
    hosts.ask(0, &[0x32, 5, 0, 1, 2]);
    assert_eq!(hosts.ask(0, &LOOK), []);
    assert_eq!(hosts.later(100), [(0, vec![0x4b, 0])]);
}

#[test]
fn a_sticker_is_found_and_read() {
    let mut hosts = Hosts::new(Setup {
        chips: 1,
        tags: vec![TagKind::Ntag215],
        rate: Some(Rate::Kbit106),
        ..Setup::default()
    });
    let found = hosts.ask(0, &LOOK);
    assert_eq!(found[0].1[..7], [0x4b, 1, 1, 0, 0x44, 0, 7]);
    assert_eq!(hosts.ask(0, &[0x40, 1, 0x30, 3]), []);
    let read = hosts.later(20);
    assert_eq!(read[0].1[..6], [0x41, 0, 0xe1, 0x10, 0x3e, 0]);
    hosts.ask(0, &[0x40, 1, 0xa2, 4, 1, 2, 3, 4]);
    assert_eq!(hosts.later(20), [(0, vec![0x41, 0])]);
    // With a checksum of the host's: GET_VERSION as libnfc's nfc-mfultralight asks for it.
    hosts.ask(0, &[8, 0x63, 2, 0]);
    hosts.ask(0, &[0x42, 0x60, 0xf8, 0x32]);
    let version = hosts.later(20);
    assert_eq!(version[0].1, [0x43, 0, 0, 4, 4, 2, 1, 0, 0x11, 3]);
    hosts.ask(0, &[0x42, 0x60, 0xf8, 0x33]);
    assert_eq!(hosts.later(20)[0].1, [0x43, 1]);
    hosts.ask(0, &[8, 0x63, 2, 0x80]);
    // With its checksum, where the host makes and checks them itself.
    hosts.ask(0, &[8, 0x63, 3, 0]);
    hosts.ask(0, &[0x42, 0x30, 4]);
    let raw = hosts.later(20);
    assert_eq!(
        (raw[0].1.len(), &raw[0].1[..6]),
        (20, &[0x43, 0, 1, 2, 3, 4][..])
    );
}

#[test]
fn any_bytes_of_a_host_are_answered_or_not_and_do_no_harm() {
    let mut dice = Dice::new(7, "host", "noise");
    let setup = Setup {
        chips: 3,
        tags: vec![TagKind::Ntag213],
        ..Setup::default()
    };
    let mut hosts = Hosts::new(setup);
    for _ in 0..20_000 {
        let length = usize::try_from(dice.below(40)).expect("small");
        let mut command: Vec<u8> = (0..length).map(|_| dice.any().to_le_bytes()[0]).collect();
        let codes = [
            0x40, 0x42, 0x4a, 0x52, 0x56, 0x60, 0x86, 0x8c, 0x8e, 0x94, 6, 8, 0,
        ];
        if let (Some(first), Some(code)) = (command.first_mut(), codes.get(dice.below(20) as usize))
        {
            *first = *code;
        }
        let chip = usize::try_from(dice.below(3)).expect("small");
        hosts.ask(chip, &command);
        hosts.later(dice.below(10));
    }
    assert!(hosts.field.due.len() < 100);
}
