//! Frames to and from a PN532 (NXP UM0701-02, 6.2).
//!
//! What is it: a writer of commands, and a parser of what the chip says, without IO. Who calls it:
//! the driver, the fuzzer. What can go wrong: noise on the line is skipped; a frame whose sums are
//! wrong is none; no more is kept than one frame.

/// The most bytes in a command or an answer, its code included.
pub const MAX: usize = 265;

/// "I have heard you", in both directions; while a command runs, the host stops it by this.
pub const ACK: [u8; 6] = [0, 0, 0xff, 0, 0xff, 0];

/// The direction to the chip, and from it.
const TO_CHIP: u8 = 0xd4;
const FROM_CHIP: u8 = 0xd5;

/// What the chip said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said {
    /// It has heard the command.
    Ack,
    /// It has not: again.
    Nack,
    /// The answer to the command with this code.
    Answer(u8, Vec<u8>),
    /// It knows no such command.
    Error,
}

/// A command's frame; `None` if it is too long.
#[must_use]
pub fn command(command: &[u8]) -> Option<Vec<u8>> {
    if command.is_empty() || command.len() > MAX {
        return None;
    }
    let length = command.len() + 1;
    let mut frame = vec![0, 0, 0xff];
    match u8::try_from(length) {
        Ok(short) if short < 0xff => frame.extend_from_slice(&[short, short.wrapping_neg()]),
        _ => {
            let [high, low] = u16::try_from(length).ok()?.to_be_bytes();
            let sum = high.wrapping_add(low).wrapping_neg();
            frame.extend_from_slice(&[0xff, 0xff, high, low, sum]);
        }
    }
    frame.push(TO_CHIP);
    frame.extend_from_slice(command);
    let sum = command.iter().fold(TO_CHIP, |sum, b| sum.wrapping_add(*b));
    frame.extend_from_slice(&[sum.wrapping_neg(), 0]);
    Some(frame)
}

/// Bytes that came and make no frame yet.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    bytes: Vec<u8>,
}

impl Parser {
    /// One more byte came; perhaps it ends a frame.
    pub fn feed(&mut self, byte: u8) -> Option<Said> {
        self.bytes.push(byte);
        loop {
            match self.look() {
                Look::Wait => return None,
                Look::Noise(count) => {
                    self.bytes.drain(..count.min(self.bytes.len()));
                }
                Look::Frame(count, said) => {
                    self.bytes.drain(..count.min(self.bytes.len()));
                    return Some(said);
                }
            }
        }
    }

    /// Forgets what came.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    fn look(&self) -> Look {
        let (head, length) = match *self.bytes {
            []
            | [0]
            | [0, 0xff]
            | [0, 0xff, _]
            | [0, 0xff, 0xff, 0xff]
            | [0, 0xff, 0xff, 0xff, _]
            | [0, 0xff, 0xff, 0xff, _, _] => return Look::Wait,
            [0, 0xff, 0, 0xff, ..] => return Look::Frame(4, Said::Ack),
            [0, 0xff, 0xff, 0, ..] => return Look::Frame(4, Said::Nack),
            [0, 0xff, 0xff, 0xff, high, low, sum, ..]
                if high.wrapping_add(low).wrapping_add(sum) == 0 =>
            {
                (7, usize::from(u16::from_be_bytes([high, low])))
            }
            [0, 0xff, length, sum, ..] if length.wrapping_add(sum) == 0 => (4, usize::from(length)),
            _ => return Look::Noise(1),
        };
        if length > MAX + 1 || length == 0 {
            return Look::Noise(2);
        }
        let Some(body) = self.bytes.get(head..=head + length) else {
            return Look::Wait;
        };
        let sum = body.iter().fold(0_u8, |sum, b| sum.wrapping_add(*b));
        let Some((_, body)) = body.split_last().filter(|_| sum == 0) else {
            return Look::Noise(2);
        };
        let said = match body {
            [FROM_CHIP, code, data @ ..] => Said::Answer(code.wrapping_sub(1), data.to_vec()),
            [0x7f] => Said::Error,
            _ => return Look::Noise(2),
        };
        Look::Frame(head + length + 1, said)
    }
}

enum Look {
    /// More has to come.
    Wait,
    /// So many bytes are nothing.
    Noise(usize),
    /// So many bytes are this.
    Frame(usize, Said),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<Said> {
        let mut parser = Parser::default();
        bytes.iter().filter_map(|byte| parser.feed(*byte)).collect()
    }

    #[test]
    fn a_chip_tells_its_firmware() {
        // As the manual has it, behind noise and an ACK.
        let bytes = b"\xaa\0\0\0\xff\0\xff\0\0\0\xff\x06\xfa\xd5\x03\x32\x01\x06\x07\xe8\0";
        let answer = Said::Answer(2, vec![0x32, 1, 6, 7]);
        assert_eq!(all(bytes), [Said::Ack, answer]);
        assert_eq!(
            command(&[2]).as_deref(),
            Some(&b"\0\0\xff\x02\xfe\xd4\x02\x2a\0"[..])
        );
        assert_eq!(all(b"\0\0\xff\x01\xff\x7f\x81\0"), [Said::Error]);
        assert_eq!(all(b"\0\0\xff\xff\0\0"), [Said::Nack]);
    }

    #[test]
    fn long_frames_are_understood_by_the_virtual_chip() {
        for length in [1, 253, 254, 255, 256, 264, MAX] {
            let ours = vec![7; length];
            let frame = command(&ours).expect("it goes");
            let mut chip = packmule_sim::nfc::frame::Parser::default();
            let heard = packmule_sim::nfc::frame::Heard::Command(ours);
            assert_eq!(chip.feed(&frame), [heard], "{length}");
            let answer = packmule_sim::nfc::frame::answer(0x40, &vec![9; length - 1]);
            assert_eq!(all(&answer), [Said::Answer(0x40, vec![9; length - 1])]);
        }
        assert_eq!(command(&[7; MAX + 1]), None);
        assert_eq!(command(&[]), None);
    }

    #[test]
    fn noise_is_no_frame_and_costs_no_memory() {
        for byte in 0..=255 {
            let mut parser = Parser::default();
            for _ in 0..2000 {
                parser.feed(byte);
            }
            assert!(parser.bytes.len() <= MAX + 9, "{byte}");
        }
        let good = b"\0\0\xff\x02\xfe\xd5\x03\x28\0";
        for at in 3..8 {
            let mut bad = good.to_vec();
            bad[at] ^= 0x10;
            bad.extend_from_slice(&[0; 300]);
            bad.extend_from_slice(good);
            assert_eq!(all(&bad).last(), Some(&Said::Answer(2, vec![])), "{at}");
        }
    }
}
