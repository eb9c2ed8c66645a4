//! GATT values <-> what they mean on a link of ours.
//!
//! What is it: [`Value`], borrowed from its octets, and its writer. Who calls it: [`crate::pipe`],
//! the fuzzer. What can go wrong: a stranger wrote it: [`ValueError`], after which the link ends,
//! because nothing that follows would be whole.
//!
//! ```text
//! value    = [grant] [piece] / opening / farewell
//! grant    = 1nnnnnnn                 n more pieces may be sent, 1 to 127
//! piece    = 0sssssss, bytes          s: which piece, modulo 128; the first one is 0
//! opening  = 80 01, version, tag 8, longest value u16, window u8, …    numbers big-endian
//! farewell = 80 02, end               I have left; `end` is the number after my last piece
//! ```
//! What else begins with 80 is of a later version and is passed over. Grants are added up, so
//! that it does not matter in which order they come.

/// The version of this framing that we speak.
pub const VERSION: u8 = 1;
/// How a device is named for the time of its present advertisement: random bytes.
pub type Tag = [u8; 8];
/// The widest window: with one more, a number could mean two pieces.
pub const MOST_WINDOW: u8 = 127;
/// No side may take fewer pieces than this: a PDU is never more.
pub const LEAST_WINDOW: u8 = 8;

/// Numbers of pieces go round after so many.
pub(crate) const ROUND: u64 = 128;

const CONTROL: u8 = 0x80;
const OPENING: u8 = 1;
const FAREWELL: u8 = 2;

/// One value's meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Pieces of PDUs, and leave to send more of them.
    Flow {
        /// How many more may come; 0: nothing is said of that.
        grant: u8,
        /// A number and bytes.
        piece: Option<(u8, &'a [u8])>,
    },
    /// The first value of a link in each direction.
    Opening(Opening),
    /// The last one of whoever leaves.
    Farewell {
        /// The number after the last piece.
        end: u8,
    },
    /// Of a later version.
    Later,
}

/// What each side says first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opening {
    /// The highest version that it speaks.
    pub version: u8,
    /// The tag under which it advertises.
    pub tag: Tag,
    /// The longest value that it can send and take.
    pub longest: u16,
    /// How many pieces it takes before the first grant.
    pub window: u8,
}

/// Why a value cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// It ends too early.
    #[error("a value that is cut short")]
    Short,
    /// A grant, and then not a piece.
    #[error("a grant with something else behind it")]
    NoPiece,
    /// An opening nobody can live with.
    #[error("an opening with {0}")]
    Opening(&'static str),
    /// A number above 127.
    #[error("a farewell after a piece that cannot be")]
    Farewell,
}

impl<'a> Value<'a> {
    /// Reads one.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(octets: &'a [u8]) -> Result<Self, ValueError> {
        let (first, rest) = octets.split_first().ok_or(ValueError::Short)?;
        match *first {
            CONTROL => match rest.split_first().ok_or(ValueError::Short)? {
                (&OPENING, body) => Opening::read(body).map(Self::Opening),
                (&FAREWELL, [end, ..]) if u64::from(*end) < ROUND => {
                    Ok(Self::Farewell { end: *end })
                }
                (&FAREWELL, [_, ..]) => Err(ValueError::Farewell),
                (&FAREWELL, []) => Err(ValueError::Short),
                _ => Ok(Self::Later),
            },
            0..CONTROL => Ok(Self::Flow {
                grant: 0,
                piece: Some((*first, rest)),
            }),
            _ => {
                let piece = match rest.split_first() {
                    Some((number, bytes)) if *number < CONTROL => Some((*number, bytes)),
                    Some(_) => return Err(ValueError::NoPiece),
                    None => None,
                };
                Ok(Self::Flow {
                    grant: first & !CONTROL,
                    piece,
                })
            }
        }
    }

    /// Writes it; of a grant above 127 and of numbers from 128 on only the low bits. `Later` and
    /// a flow without anything are nothing.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Flow { grant, piece } => {
                let mut out = Vec::new();
                if *grant > 0 {
                    out.push(CONTROL | grant);
                }
                if let Some((number, bytes)) = piece {
                    out.reserve(bytes.len() + 1);
                    out.push(number & !CONTROL);
                    out.extend_from_slice(bytes);
                }
                out
            }
            Self::Opening(opening) => {
                let mut out = vec![CONTROL, OPENING, opening.version];
                out.extend_from_slice(&opening.tag);
                out.extend_from_slice(&opening.longest.to_be_bytes());
                out.push(opening.window);
                out
            }
            Self::Farewell { end } => vec![CONTROL, FAREWELL, end & !CONTROL],
            Self::Later => Vec::new(),
        }
    }
}

impl Opening {
    /// Later versions may say more behind it.
    fn read(body: &[u8]) -> Result<Self, ValueError> {
        let (version, body) = body.split_first().ok_or(ValueError::Short)?;
        let (tag, body) = body.split_first_chunk().ok_or(ValueError::Short)?;
        let (longest, body) = body.split_first_chunk().ok_or(ValueError::Short)?;
        let window = body.first().ok_or(ValueError::Short)?;
        let longest = u16::from_be_bytes(*longest);
        if *version < VERSION {
            return Err(ValueError::Opening("no version"));
        }
        if usize::from(longest) < crate::plan::LEAST_VALUE {
            return Err(ValueError::Opening("values shorter than any"));
        }
        if !(LEAST_WINDOW..=MOST_WINDOW).contains(window) {
            return Err(ValueError::Opening("a window out of bounds"));
        }
        Ok(Self {
            version: *version,
            tag: *tag,
            longest,
            window: *window,
        })
    }
}

/// Does a link begin with this value? For stacks that do not tell that a central has gone and
/// another one writes to the same place: what comes from here on is of another link.
#[must_use]
pub fn opens(octets: &[u8]) -> bool {
    matches!(octets, [CONTROL, OPENING, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let opening = Opening {
            version: 1,
            tag: *b"alice's!",
            longest: 182,
            window: 90,
        };
        for (value, octets) in [
            (
                Value::Opening(opening),
                &b"\x80\x01\x01alice's!\x00\xb6\x5a"[..],
            ),
            (Value::Farewell { end: 5 }, b"\x80\x02\x05"),
            (
                Value::Flow {
                    grant: 0,
                    piece: Some((127, b"abc")),
                },
                b"\x7fabc",
            ),
            (
                Value::Flow {
                    grant: 32,
                    piece: None,
                },
                b"\xa0",
            ),
            (
                Value::Flow {
                    grant: 127,
                    piece: Some((0, b"")),
                },
                b"\xff\x00",
            ),
        ] {
            assert_eq!(value.to_bytes(), octets);
            assert_eq!(Value::read(octets), Ok(value));
        }
        assert!(opens(&Value::Opening(opening).to_bytes()));
        assert!(octets_of_an_opening() <= crate::plan::LEAST_VALUE);
    }

    fn octets_of_an_opening() -> usize {
        let opening = Opening {
            version: VERSION,
            tag: [0; 8],
            longest: 20,
            window: LEAST_WINDOW,
        };
        Value::Opening(opening).to_bytes().len()
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for (octets, fault) in [
            (&b""[..], ValueError::Short),
            (b"\x80", ValueError::Short),
            (b"\x80\x02", ValueError::Short),
            (b"\x80\x02\x80", ValueError::Farewell),
            (b"\x85\x80", ValueError::NoPiece),
            (b"\x80\x01\x01alice's!\x00\xb6", ValueError::Short),
            (
                b"\x80\x01\x00alice's!\x00\xb6\x5a",
                ValueError::Opening("no version"),
            ),
            (
                b"\x80\x01\x01alice's!\x00\x13\x5a",
                ValueError::Opening("values shorter than any"),
            ),
            (
                b"\x80\x01\x01alice's!\x00\xb6\x07",
                ValueError::Opening("a window out of bounds"),
            ),
            (
                b"\x80\x01\x01alice's!\x00\xb6\x80",
                ValueError::Opening("a window out of bounds"),
            ),
        ] {
            assert_eq!(Value::read(octets), Err(fault), "{octets:02x?}");
        }
        assert_eq!(Value::read(b"\x80\x03 to come"), Ok(Value::Later));
    }
}
