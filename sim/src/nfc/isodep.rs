//! The blocks of ISO/IEC 14443-4, as a card has to speak them to a reader who cuts them itself.
//!
//! What is it: [`Blocks`], the card's side of chaining, acknowledgements and asking for time. Who
//! calls it: the field, for hosts that leave the blocks to themselves (nfcpy), instead of to their
//! chip. What can go wrong: blocks out of order, which have no answer, as the standard has it.

/// Data of a block in a frame of 64 bytes, less head and checksum.
const MOST: usize = 61;
/// The longest command: what the chip takes.
const LONGEST: usize = 264;

/// What a block leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Answer with this block.
    Say(Vec<u8>),
    /// A whole command has come; [`Blocks::answer`] when there is an answer.
    Command(Vec<u8>),
    /// It lets the card go; answer with this.
    Gone(Vec<u8>),
    /// Nothing is answered.
    Nothing,
}

/// A card that was selected by RATS.
#[derive(Clone, Debug, Default)]
pub struct Blocks {
    number: u8,
    /// Pieces of a command.
    heard: Vec<u8>,
    /// What is left of an answer.
    rest: Vec<u8>,
    last: Vec<u8>,
    /// The most data in a block to the reader.
    most: usize,
}

impl Blocks {
    /// After RATS, whose parameter tells how long the reader's frames may be.
    #[must_use]
    pub fn new(parameter: u8) -> Self {
        let sizes = [16, 24, 32, 40, 48, 64, 96, 128, 256];
        let most = sizes.get(usize::from(parameter >> 4)).unwrap_or(&256) - 3;
        Self {
            // The first block of a card follows the reader's number.
            number: 1,
            most: most.min(MOST),
            ..Self::default()
        }
    }

    /// A block came, without its checksum.
    pub fn hear(&mut self, block: &[u8]) -> Step {
        let Some((pcb, data)) = block.split_first() else {
            return Step::Nothing;
        };
        match pcb {
            // I-block, perhaps with more to come; no card or node numbers here.
            0x02 | 0x03 | 0x12 | 0x13 => {
                self.number = pcb & 1;
                if self.heard.len() + data.len() > LONGEST {
                    self.heard.clear();
                    return Step::Nothing;
                }
                self.heard.extend_from_slice(data);
                if pcb & 0x10 != 0 {
                    return self.say(vec![0xa2 | self.number]);
                }
                Step::Command(std::mem::take(&mut self.heard))
            }
            // R(ACK) of the other number: the next piece. R(NAK) of it: we are here.
            0xa2 | 0xa3 if pcb & 1 != self.number => {
                self.number = pcb & 1;
                self.next_piece()
            }
            0xb2 | 0xb3 if pcb & 1 != self.number => self.say(vec![0xa2 | self.number]),
            0xa2 | 0xa3 | 0xb2 | 0xb3 if !self.last.is_empty() => Step::Say(self.last.clone()),
            0xc2 => Step::Gone(vec![0xc2]),
            // It gives us the time we asked for; nothing to say yet.
            _ => Step::Nothing,
        }
    }

    /// Asks for more time.
    #[must_use]
    pub fn more_time() -> Vec<u8> {
        vec![0xf2, 1]
    }

    /// The answer to a command is there: the first block of it.
    pub fn answer(&mut self, answer: &[u8]) -> Vec<u8> {
        self.rest = answer.to_vec();
        match self.next_piece() {
            Step::Say(block) => block,
            _ => Vec::new(),
        }
    }

    fn next_piece(&mut self) -> Step {
        let rest = self.rest.split_off(self.rest.len().min(self.most));
        let piece = std::mem::replace(&mut self.rest, rest);
        let more = if self.rest.is_empty() { 0 } else { 0x10 };
        let mut block = vec![0x02 | more | self.number];
        block.extend_from_slice(&piece);
        self.say(block)
    }

    fn say(&mut self, block: Vec<u8>) -> Step {
        self.last.clone_from(&block);
        Step::Say(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_command_and_a_long_answer() {
        let mut card = Blocks::new(0x50);
        assert_eq!(card.hear(&[2, 0, 0xb0]), Step::Command(vec![0, 0xb0]));
        let first = card.answer(&[7; 130]);
        assert_eq!((first[0], first.len()), (0x12, 62));
        let Step::Say(second) = card.hear(&[0xa3]) else {
            panic!("no second piece");
        };
        assert_eq!((second[0], second.len()), (0x13, 62));
        // It was lost: again the same.
        assert_eq!(card.hear(&[0xb3]), Step::Say(second));
        let Step::Say(last) = card.hear(&[0xa2]) else {
            panic!("no last piece");
        };
        assert_eq!((last[0], last.len()), (0x02, 9));
        assert_eq!(card.hear(&[0xc2]), Step::Gone(vec![0xc2]));
    }

    #[test]
    fn a_command_in_pieces() {
        let mut card = Blocks::new(0x80);
        assert_eq!(card.hear(&[0x12, 1, 2]), Step::Say(vec![0xa2]));
        assert_eq!(card.hear(&[0x03, 3]), Step::Command(vec![1, 2, 3]));
        assert_eq!(card.answer(b"ok"), [0x03, b'o', b'k']);
    }

    #[test]
    fn a_command_without_end_is_none() {
        let mut card = Blocks::new(0x80);
        for n in 0..100_u8 {
            card.hear(&[0x12 | (n & 1), 7, 7, 7, 7, 7, 7]);
            assert!(card.heard.len() <= LONGEST);
        }
        assert_eq!(card.hear(&[]), Step::Nothing);
        assert_eq!(card.hear(&[0x55, 1]), Step::Nothing);
    }
}
