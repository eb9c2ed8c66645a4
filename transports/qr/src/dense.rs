//! Bytes as text of the 45 characters that a QR code packs densest, thirteen bytes in nineteen
//! characters.
//!
//! Called by the text form of a frame. Base45 (RFC 9285) spends three characters on two bytes,
//! 3 % more than byte mode; thirteen bytes fill nineteen characters to 0.3 %, and still fit a
//! machine integer. Reading is strict: a stranger's text either is the one writing of some bytes
//! or it is refused.

use crate::base45::{ALPHABET, digit};

/// Bytes of a whole group.
const GROUP: usize = 13;

/// Characters that the last n bytes take: as many as 256^n needs in base 45.
const CHARACTERS: [usize; GROUP + 1] = [0, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18, 19];

/// How many bytes fit `characters`.
pub(crate) const fn bytes_in(characters: usize) -> usize {
    let rest = characters % 19;
    let mut last = GROUP - 1;
    while CHARACTERS[last] > rest {
        last -= 1;
    }
    characters / 19 * GROUP + last
}

/// Appends the text of `bytes`, the most significant character first.
pub(crate) fn encode_into(text: &mut String, bytes: &[u8]) {
    for group in bytes.chunks(GROUP) {
        let mut value = group.iter().fold(0u128, |n, b| n << 8 | u128::from(*b));
        let length = CHARACTERS.get(group.len()).copied().unwrap_or_default();
        let mut digits = [b'0'; 19];
        for place in digits.iter_mut().take(length).rev() {
            let remainder = usize::try_from(value % 45).unwrap_or_default();
            *place = ALPHABET.get(remainder).copied().unwrap_or_default();
            value /= 45;
        }
        text.extend(digits.iter().take(length).map(|c| char::from(*c)));
    }
}

/// The bytes of a text; none if it is not the writing of any.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 19 * GROUP + GROUP);
    for group in text.chunks(19) {
        let length = CHARACTERS.iter().position(|n| *n == group.len())?;
        let mut value = 0u128;
        for character in group {
            value = value * 45 + u128::from(digit(*character)?);
        }
        if value >> (8 * length) != 0 {
            return None;
        }
        bytes.extend(value.to_be_bytes().iter().skip(16 - length));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(bytes: &[u8]) -> String {
        let mut text = String::new();
        encode_into(&mut text, bytes);
        text
    }

    #[test]
    fn known_texts_stay_as_they_are() {
        assert_eq!(encode(b""), "");
        assert_eq!(encode(b"\0"), "00");
        assert_eq!(encode(b"\xff"), "5U");
        assert_eq!(encode(b"AB"), "8BB");
        assert_eq!(encode(&[0xff; 13]), "ZJ32L*CD%XN9EB9EESU");
        assert_eq!(encode(b"thirteen and!x"), "G4%ETO QEB1DF* VIKO2U");
    }

    #[test]
    fn each_length_takes_the_fewest_characters() {
        for (n, characters) in CHARACTERS.iter().enumerate().skip(1) {
            let bits = 8.0 * n as f64;
            assert_eq!(*characters, (bits / 45f64.log2()).ceil() as usize, "{n}");
        }
        for characters in 0..4300 {
            let fits = bytes_in(characters);
            assert!(encode(&vec![255; fits]).len() <= characters, "{characters}");
            let more = encode(&vec![255; fits + 1]).len();
            assert!(more > characters, "{characters}");
        }
    }

    #[test]
    fn what_no_bytes_are_written_as_is_refused() {
        for text in ["0", "0000", "5V", "::", "8bB", ":::::", "00\u{e9}"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
        assert_eq!(decode(&[b':'; 19]), None, "beyond 13 bytes");
        assert_eq!(decode(b"5U"), Some(vec![0xff]));
    }

    proptest! {
        #[test]
        fn reads_back_as_written(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(decode(encode(&bytes).as_bytes()), Some(bytes));
        }

        #[test]
        fn a_text_that_decodes_is_the_writing_of_what_it_decodes_to(text in "[0-9A-Z $%*+./:-]{0,60}") {
            if let Some(bytes) = decode(text.as_bytes()) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
