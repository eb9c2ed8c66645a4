//! Frames between a host and a PN532 (NXP UM0701-02, 6.2): on HSU, as bytes in a row.
//!
//! What is it: a parser of what a host sends, and writers of what the chip says. Who calls it:
//! the field, the fuzzer. What can go wrong: anything may be in the bytes; noise is skipped
//! up to the next start, lengths above [`MAX`] are none, and no more is kept than one frame.

/// The most bytes in a frame, its direction included: the chip takes 264 and a head.
pub const MAX: usize = 266;

/// The direction to the chip, and from it.
const TO_CHIP: u8 = 0xd4;
const FROM_CHIP: u8 = 0xd5;

/// What a host said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    /// It has heard us; while a command runs: stop it.
    Ack,
    /// It has not understood: again.
    Nack,
    /// A command: its code and what is behind it.
    Command(Vec<u8>),
    /// A frame whose sums are wrong, or that is for nobody here.
    Spoilt,
}

/// Bytes that came and make no frame yet.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    bytes: Vec<u8>,
}

impl Parser {
    /// More bytes came; the frames in them.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Heard> {
        let mut heard = Vec::new();
        for byte in bytes {
            self.bytes.push(*byte);
            // Every frame ends with some byte: it is seen when that one comes.
            if let Some(one) = self.next() {
                heard.push(one);
            }
        }
        heard
    }

    /// How many bytes are kept.
    #[must_use]
    pub const fn kept(&self) -> usize {
        self.bytes.len()
    }

    fn next(&mut self) -> Option<Heard> {
        let start = self.bytes.windows(2).position(|two| two == [0, 0xff]);
        let Some(start) = start else {
            // The first half of a start may be the last byte.
            let keep = usize::from(self.bytes.last() == Some(&0));
            self.bytes.drain(..self.bytes.len() - keep);
            return None;
        };
        self.bytes.drain(..start);
        let (head, length) = match *self.bytes.get(2..)? {
            [0, 0xff, ..] => return self.done(4, Heard::Ack),
            [0xff, 0, ..] => return self.done(4, Heard::Nack),
            [0xff, 0xff, high, low, sum, ..] => {
                let length = usize::from(u16::from_be_bytes([high, low]));
                if high.wrapping_add(low).wrapping_add(sum) != 0 || length > MAX {
                    return self.done(2, Heard::Spoilt);
                }
                (7, length)
            }
            [0xff, 0xff, ..] | [_] | [] => return None,
            [length, sum, ..] => {
                if length.wrapping_add(sum) != 0 {
                    return self.done(2, Heard::Spoilt);
                }
                (4, usize::from(length))
            }
        };
        let body = self.bytes.get(head..head + length + 1)?;
        let sum = body.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        let heard = match body.split_last() {
            Some((_, [TO_CHIP, command @ ..])) if sum == 0 && !command.is_empty() => {
                Heard::Command(command.to_vec())
            }
            _ => Heard::Spoilt,
        };
        self.done(head + length + 1, heard)
    }

    fn done(&mut self, used: usize, heard: Heard) -> Option<Heard> {
        self.bytes.drain(..used.min(self.bytes.len()));
        Some(heard)
    }
}

/// The chip has heard a command.
pub const ACK: [u8; 6] = [0, 0, 0xff, 0, 0xff, 0];
/// The chip knows no such command.
pub const ERROR: [u8; 8] = [0, 0, 0xff, 1, 0xff, 0x7f, 0x81, 0];

/// A frame of the chip's: the answer to the command `code`, with this behind it.
#[must_use]
pub fn answer(code: u8, data: &[u8]) -> Vec<u8> {
    let mut body = vec![FROM_CHIP, code.wrapping_add(1)];
    body.extend_from_slice(data);
    let mut frame = vec![0, 0, 0xff];
    match u8::try_from(body.len()) {
        Ok(length) if length < 0xff => frame.extend_from_slice(&[length, length.wrapping_neg()]),
        _ => {
            let [high, low] = u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes();
            let sum = high.wrapping_add(low).wrapping_neg();
            frame.extend_from_slice(&[0xff, 0xff, high, low, sum]);
        }
    }
    let sum = body.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    frame.extend_from_slice(&body);
    frame.extend_from_slice(&[sum.wrapping_neg(), 0]);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libnfc_says_first() {
        // A long row of wake-up bytes, then SAMConfiguration, as its driver has it.
        let bytes = b"\x55\x55\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
            \x00\x00\xff\x03\xfd\xd4\x14\x01\x17\x00";
        let mut parser = Parser::default();
        let heard: Vec<Heard> = bytes
            .iter()
            .flat_map(|byte| parser.feed(&[*byte]))
            .collect();
        assert_eq!(heard, [Heard::Command(vec![0x14, 1])]);
        assert_eq!(parser.feed(&ACK), [Heard::Ack]);
        assert_eq!(parser.feed(b"\0\0\xff\xff\0\0"), [Heard::Nack]);
    }

    #[test]
    fn long_frames_have_the_long_form() {
        for length in [1, 252, 253, 254, 255, 262] {
            let frame = answer(0x86, &vec![7; length]);
            let mut turned = frame.clone();
            let at = turned
                .iter()
                .position(|byte| *byte == 0xd5)
                .expect("a direction");
            turned[at] = 0xd4;
            let sum = turned.len() - 2;
            turned[sum] = turned[sum].wrapping_add(1);
            let heard = Parser::default().feed(&turned);
            let mut command = vec![0x87];
            command.resize(length + 1, 7);
            assert_eq!(heard, [Heard::Command(command)], "{length}");
        }
    }

    #[test]
    fn noise_costs_no_memory_and_no_frame_behind_it() {
        let mut parser = Parser::default();
        for byte in 0..=255 {
            parser.feed(&[byte; 100]);
            assert!(parser.kept() <= MAX + 9, "{byte}: {}", parser.kept());
        }
        let mut parser = Parser::default();
        assert_eq!(parser.feed(b"\0\0\xff\x03\xfe"), [Heard::Spoilt]);
        assert_eq!(
            parser.feed(b"\0\0\xff\xff\xff\xff\xff\x02"),
            [Heard::Spoilt]
        );
        let mut good = b"\0\0\xff\x02\xfe\xd4\x02\x2a\0".to_vec();
        assert_eq!(parser.feed(&good), [Heard::Command(vec![2])]);
        good[7] ^= 1;
        assert_eq!(parser.feed(&good), [Heard::Spoilt]);
    }
}
