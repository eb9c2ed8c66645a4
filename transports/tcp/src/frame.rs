//! A length before each PDU.
//!
//! What is it: an unsigned varint (as multiformats has it: little-endian base 128, shortest form
//! only) and so many bytes; pure functions. Who calls it: the halves of a link, the fuzzer. What
//! can go wrong: a stranger's length, which is refused at its last possible byte.

/// The longest PDU in bytes.
pub const MTU: usize = 65_535;

/// The longest prefix: 65,535 needs three groups of seven bits.
const MAX_PREFIX: usize = 3;

/// A length that was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prefix {
    /// Bytes that the length itself takes.
    pub header: usize,
    /// Bytes of the PDU behind it.
    pub body: usize,
}

/// Why a length cannot be right. The link must be closed: nobody knows where the next one is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// More than [`MTU`].
    #[error("a length above {MTU}")]
    TooLong,
    /// Not the shortest form of its number.
    #[error("a length that is not in its shortest form")]
    NotShortest,
}

/// Reads the length at the start of `bytes`; `None` if it needs more of them.
///
/// # Errors
/// If no bytes that may follow could make it right.
pub fn read_prefix(bytes: &[u8]) -> Result<Option<Prefix>, FrameError> {
    let mut body = 0;
    for (at, byte) in bytes.iter().take(MAX_PREFIX).enumerate() {
        body |= usize::from(byte & 0x7f) << (7 * at);
        if body > MTU {
            return Err(FrameError::TooLong);
        }
        if byte & 0x80 == 0 {
            if *byte == 0 && at > 0 {
                return Err(FrameError::NotShortest);
            }
            let header = at + 1;
            return Ok(Some(Prefix { header, body }));
        }
    }
    // Three groups, and a fourth is announced.
    if bytes.len() >= MAX_PREFIX {
        return Err(FrameError::TooLong);
    }
    Ok(None)
}

/// The length of a PDU as it goes before it: bytes of which the first `.1` count. `None` above
/// [`MTU`].
#[must_use]
pub fn prefix_of(body: usize) -> Option<([u8; 3], usize)> {
    let low = |shift: u32| u8::try_from(body >> shift & 0x7f).unwrap_or_default();
    match body {
        0..0x80 => Some(([low(0), 0, 0], 1)),
        0x80..0x4000 => Some(([low(0) | 0x80, low(7), 0], 2)),
        0x4000..=MTU => Some(([low(0) | 0x80, low(7) | 0x80, low(14)], 3)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_comes_back_in_its_shortest_form() {
        for body in 0..=MTU {
            let (bytes, header) = prefix_of(body).expect("within the MTU");
            let bytes = &bytes[..header];
            assert_eq!(read_prefix(bytes), Ok(Some(Prefix { header, body })));
            for cut in 0..header {
                assert_eq!(read_prefix(&bytes[..cut]), Ok(None), "{body}");
            }
        }
        assert_eq!(prefix_of(MTU + 1), None);
    }

    #[test]
    fn known_bytes() {
        assert_eq!(prefix_of(300), Some(([0xac, 0x02, 0], 2)));
        assert_eq!(prefix_of(65_535), Some(([0xff, 0xff, 0x03], 3)));
    }

    #[test]
    fn a_length_above_the_mtu_is_refused_as_soon_as_it_shows() {
        for bytes in [
            &[0x80, 0x80, 0x04][..],
            &[0xff, 0xff, 0x07],
            &[0xff, 0xff, 0xff],
            &[0x80, 0x80, 0x80],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        ] {
            assert_eq!(read_prefix(bytes), Err(FrameError::TooLong), "{bytes:?}");
        }
    }

    #[test]
    fn a_length_with_idle_groups_is_refused() {
        for bytes in [&[0x80, 0][..], &[0x81, 0], &[0x80, 0x80, 0]] {
            assert_eq!(
                read_prefix(bytes),
                Err(FrameError::NotShortest),
                "{bytes:?}"
            );
        }
    }
}
