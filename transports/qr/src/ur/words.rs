//! Bytewords in their minimal style (BCR-2020-012): two letters a byte, with a CRC-32 at the end.
//!
//! Called by the UR reader and writer. What can go wrong: letters that are no word, a checksum that
//! does not match; both are "no bytes".

/// The first and last letter of each of the 256 words, in their order.
const PAIRS: &[u8; 512] = b"aeadaoaxaaahamatayasbkbdbnbtbabsbebybgbwbbbzcmchcscfcycwcecackct\
    cxclcpcndkdadsdidedtdrdndwdpdmdldyeheyeoeeecenemetesftfrfnfsfmfh\
    fzfpfwfxfyfefgflfdgagegrgsgtglgwgdgygmgughgohfhghdhkhthphhhlhyhe\
    hnhsidiaieihiyioisinimjejzjnjtjljojsjpjkjykpkoktkskkknkgkekikblb\
    lalylflslrlplnltloldlelulklgmnmymhmemomumwmdmtmsmknlnyndnsntnnne\
    nboyoeotoxonolospdptpkpypspmplpepfpaprqdqzrerprlrorhrdrkrfryrnrs\
    rtsesasrssskswstspsosgsbsfsntotktitttdtetytltbtstptatnuyuoutueur\
    vtvyvovlvevwvavdvswlwdwmwpwewywswtwnwzwfwkykynylyaytzszoztzczezm";

/// The letters of `bytes` and their checksum.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let checksum = crc32(bytes).to_be_bytes();
    let mut text = String::with_capacity(2 * (bytes.len() + 4));
    for byte in bytes.iter().chain(&checksum) {
        let at = usize::from(*byte) * 2;
        text.extend(
            PAIRS
                .get(at..at + 2)
                .into_iter()
                .flatten()
                .map(|c| char::from(*c)),
        );
    }
    text
}

/// The bytes of letters in either case; none if they are not such, or damaged.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 2);
    for pair in text.chunks_exact(2) {
        let pair = pair.to_ascii_lowercase();
        let place = PAIRS.chunks_exact(2).position(|word| *word == *pair)?;
        bytes.push(u8::try_from(place).ok()?);
    }
    let (body, checksum) = bytes.split_last_chunk::<4>()?;
    let whole = crc32(body).to_be_bytes() == *checksum;
    let length = body.len();
    bytes.truncate(length);
    Some(bytes).filter(|_| whole)
}

/// The checksum of parts and of whole messages (IEEE).
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_words_are_told_apart_by_two_letters() {
        let mut seen: Vec<&[u8]> = PAIRS.chunks_exact(2).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 256);
        // BCR-2020-012: "able" 0, "acid" 1, "jade" 107 and "zoom" 255.
        let text = encode(&[0, 1, 107, 255]);
        assert!(text.starts_with("aeadjezm"), "{text}");
    }

    #[test]
    fn damaged_letters_are_no_bytes() {
        let text = encode(b"a letter");
        assert_eq!(
            decode(text.to_ascii_uppercase().as_bytes()).as_deref(),
            Some(&b"a letter"[..])
        );
        for n in 0..text.len() {
            let mut torn = text.clone().into_bytes();
            torn[n] = if torn[n] == b'q' { b'z' } else { b'q' };
            assert_eq!(decode(&torn), None, "letter {n}");
        }
        assert_eq!(decode(b""), None);
        assert_eq!(decode(b"ae"), None);
    }

    proptest! {
        #[test]
        fn reads_back_as_written(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(decode(encode(&bytes).as_bytes()), Some(bytes));
        }
    }
}
