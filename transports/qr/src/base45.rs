//! Base45 (RFC 9285): bytes as text of the 45 characters that a QR code packs densest.
//!
//! Called by the text form of a frame, to read what others write by the standard; we write a denser
//! form of the same alphabet. Reading is strict: a stranger's text either is the one
//! encoding of some bytes or it is refused.

pub(crate) const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/// Appends the text of `bytes`: three characters for two bytes, two for a last single one.
#[cfg(test)]
pub(crate) fn encode_into(text: &mut String, bytes: &[u8]) {
    let mut put = |digit: usize| text.extend(ALPHABET.get(digit % 45).map(|c| char::from(*c)));
    for pair in bytes.chunks(2) {
        let value = pair.iter().fold(0, |n, b| n << 8 | usize::from(*b));
        put(value);
        put(value / 45);
        if pair.len() == 2 {
            put(value / 2025);
        }
    }
}

/// The bytes of a text; none if it is not the encoding of any (RFC 9285 §6).
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 3 * 2 + 1);
    for group in text.chunks(3) {
        let mut value = 0;
        for character in group.iter().rev() {
            value = value * 45 + digit(*character)?;
        }
        match group.len() {
            3 => bytes.extend(u16::try_from(value).ok()?.to_be_bytes()),
            2 => bytes.push(u8::try_from(value).ok()?),
            _ => return None,
        }
    }
    Some(bytes)
}

pub(crate) fn digit(character: u8) -> Option<u32> {
    let place = ALPHABET.iter().position(|c| *c == character)?;
    u32::try_from(place).ok()
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
    fn the_rfcs_examples_come_out_as_printed() {
        // RFC 9285 §4.3 and §4.4.
        for (bytes, text) in [
            ("AB", "BB8"),
            ("Hello!!", "%69 VD92EX0"),
            ("base-45", "UJCLQE7W581"),
            ("ietf!", "QED8WEX0"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(bytes.as_bytes()));
        }
    }

    #[test]
    fn what_no_bytes_encode_to_is_refused() {
        // A lone character, lower case, FFFF + 1 ("GGW" is 65536 - 1 + 1), and 256 in two.
        for text in ["A", "BB8A", "bb8", "GGX", ":::", "V5", "::", "B\u{e9}"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
        assert_eq!(decode(b"FGW"), Some(vec![0xff, 0xff]));
        assert_eq!(decode(b"U5"), Some(vec![0xff]));
        assert_eq!(decode(b"GGW"), None);
        assert_eq!(decode(b""), Some(vec![]));
    }

    proptest! {
        #[test]
        fn reads_back_as_written(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(decode(encode(&bytes).as_bytes()), Some(bytes));
        }

        #[test]
        fn a_text_that_decodes_is_the_encoding_of_what_it_decodes_to(text in "[0-9A-Z $%*+./:-]{0,60}") {
            if let Some(bytes) = decode(text.as_bytes()) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
