//! didcomm-bluetooth: a packed message in chunks, then `EOM`.
//!
//! What is it: the DIF's draft, for agents that are not ours, without IO: [`chunks`] for what goes
//! and [`Assembler`] for what comes, the same in both roles. The central writes to one
//! characteristic, the peripheral notifies by the other ([`plan::DIDCOMM`]).
//! Who calls it: back ends that serve strangers, the fuzzer. What can go wrong: there are no
//! numbers: a chunk that is lost or overtaken spoils the message, which then does not parse or does
//! not open. Chunks go with response or one bearer at a time, and nothing is acknowledged but by
//! a message.
//!
//! Source: `decentralized-identity/didcomm-bluetooth`, spec.md of February 2021, "Chunking".

use crate::plan;

/// The value that ends a message.
pub const END: &[u8] = b"EOM";

/// Why a message cannot go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is nothing to send.
    #[error("an empty message")]
    Empty,
    /// No packed message is as short as the mark, and this one reads as it.
    #[error("a message that is its own end")]
    Mark,
    /// Values shorter than any connection has.
    #[error("values of {0} bytes")]
    Values(usize),
}

/// Why what came is no message. What follows the next [`END`] may be one again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// Longer than is taken. What is left of it is passed over.
    #[error("a message above {0} bytes")]
    TooLong(usize),
    /// An end, and nothing before it.
    #[error("the end of nothing")]
    Nothing,
}

/// The values of a message, in their order, [`END`] the last one; of at most so many bytes each, as
/// [`plan::value`] tells from the lesser of both MTUs.
///
/// # Errors
/// If the message cannot go this way.
pub fn chunks(message: &[u8], longest: usize) -> Result<impl Iterator<Item = &[u8]>, SendError> {
    if message.is_empty() {
        return Err(SendError::Empty);
    }
    if message == END {
        return Err(SendError::Mark);
    }
    if longest < plan::LEAST_VALUE {
        return Err(SendError::Values(longest));
    }
    let mut rest = message;
    let mut ended = false;
    Ok(std::iter::from_fn(move || {
        if rest.is_empty() {
            return (!std::mem::replace(&mut ended, true)).then_some(END);
        }
        let mut take = rest.len().min(longest.min(plan::MOST_VALUE));
        // What is left must not read as the end: then it begins a byte earlier.
        if rest.get(take..) == Some(END) {
            take -= 1;
        }
        let (chunk, after) = rest.split_at(take);
        rest = after;
        Some(chunk)
    }))
}

/// Puts the chunks of one side of one connection together.
#[derive(Debug)]
pub struct Assembler {
    message: Vec<u8>,
    most: usize,
    /// The message became too long: nothing is kept until its end.
    skips: bool,
}

impl Assembler {
    /// Takes messages up to so many bytes.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self {
            message: Vec::new(),
            most,
            skips: false,
        }
    }

    /// A value came; a message, if it ends one. An empty value says nothing.
    ///
    /// # Errors
    /// If it makes the message too long, once; if it ends nothing.
    pub fn heard(&mut self, value: &[u8]) -> Result<Option<Vec<u8>>, ReceiveError> {
        if value == END {
            if std::mem::take(&mut self.skips) {
                return Ok(None);
            }
            let message = std::mem::take(&mut self.message);
            return if message.is_empty() {
                Err(ReceiveError::Nothing)
            } else {
                Ok(Some(message))
            };
        }
        if self.skips {
            return Ok(None);
        }
        if value.len() > self.most - self.message.len() {
            self.skips = true;
            self.message = Vec::new();
            return Err(ReceiveError::TooLong(self.most));
        }
        self.message.extend_from_slice(value);
        Ok(None)
    }

    /// Bytes held of a message that has not ended.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.message.len()
    }
}

#[cfg(test)]
mod tests {
    use packmule_conformance::Dice;

    use super::*;

    fn values(message: &[u8], longest: usize) -> Vec<&[u8]> {
        chunks(message, longest).expect("goes").collect()
    }

    #[test]
    fn a_message_goes_as_the_draft_says() {
        let message = br#"{"protected":"eyJ0","ciphertext":"x"}"#;
        assert_eq!(
            values(message, 20),
            [
                &br#"{"protected":"eyJ0","#[..],
                br#""ciphertext":"x"}"#,
                b"EOM"
            ]
        );
        assert_eq!(values(message, 182), [&message[..], b"EOM"]);
        let long = vec![b'a'; 1_024];
        let lengths: Vec<usize> = values(&long, 514).iter().map(|v| v.len()).collect();
        assert_eq!(lengths, [512, 512, 3], "no value is longer than 512");
    }

    #[test]
    fn every_message_comes_back_whatever_the_values_hold() {
        let mut dice = Dice::new(7);
        let mut bob = Assembler::new(10_000);
        for longest in [20, 21, 182, 244, 512] {
            for length in (1..140).chain([511, 512, 513, 1_024, 9_999, 10_000]) {
                let message = dice.bytes(length);
                let mut came = None;
                for value in values(&message, longest) {
                    assert!(came.is_none() && value.len() <= longest);
                    came = bob.heard(value).expect("good");
                }
                assert!(came == Some(message), "{length} in {longest}");
                assert_eq!(bob.held(), 0);
            }
        }
    }

    #[test]
    fn a_message_that_ends_as_the_mark_does_is_cut_elsewhere() {
        for before in [1, 19, 20, 21, 40, 57, 60] {
            let mut message = vec![b'E'; before];
            message.extend_from_slice(END);
            let parts = values(&message, 20);
            let marks = parts.iter().filter(|part| **part == END).count();
            assert_eq!(marks, 1, "{before}");
            assert_eq!(parts.concat(), [&message[..], END].concat());
        }
        // In the middle: three bytes are a value of their own only at the end.
        let mut message = b"EOM".repeat(40);
        message.push(b'}');
        assert_eq!(
            values(&message, 21).iter().filter(|p| **p == END).count(),
            1
        );
    }

    #[test]
    fn what_cannot_go_is_said() {
        let fault = |message: &[u8], longest| chunks(message, longest).map(|_| ()).err();
        assert_eq!(fault(b"", 20), Some(SendError::Empty));
        assert_eq!(fault(b"EOM", 20), Some(SendError::Mark));
        assert_eq!(fault(b"{}", 19), Some(SendError::Values(19)));
    }

    #[test]
    fn mallory_neither_fills_memory_nor_spoils_the_next_message() {
        let mut kiosk = Assembler::new(1_000);
        let mut told = 0;
        for _ in 0..100_000 {
            told += usize::from(kiosk.heard(&[b'x'; 500]).is_err());
            assert!(kiosk.held() <= 1_000);
        }
        assert_eq!(told, 1);
        assert_eq!(
            kiosk.heard(END),
            Ok(None),
            "the end of what was passed over"
        );
        assert_eq!(kiosk.heard(END), Err(ReceiveError::Nothing));
        assert_eq!(kiosk.heard(b""), Ok(None));
        assert_eq!(kiosk.heard(b"{}"), Ok(None));
        assert_eq!(kiosk.heard(END), Ok(Some(b"{}".to_vec())));
    }
}
