//! What two sessions say to each other, octet by octet.
//!
//! What is it: readers and writers of [`hello`], [`control`] messages (offers, answers,
//! receipts, claims), [`frame`]s (segments, pieces of the control stream, acks) and [`packet`]s
//! (what goes over a link that may lose). Numbers are LEB128 varints in their shortest form,
//! fixed ones big-endian. Who calls it: `session`. What can go wrong: all of it comes from
//! strangers; every reader is bounded, yields [`PduError`] and allocates no more than the bytes
//! that it was given justify.
//!
//! Later versions: a control message of an unknown type is skipped by its length; so is a frame
//! of type 0x40 or above; a frame of an unknown lower type ends the session; a packet of an
//! unknown kind is not looked at; what follows the known fields of a Hello is not read.

pub mod control;
pub mod frame;
pub mod hello;
pub mod packet;

/// Why octets were not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PduError {
    /// They end too soon.
    #[error("it ends too soon")]
    Truncated,
    /// They break a rule.
    #[error("{0}")]
    Malformed(&'static str),
}

/// Reads numbers and bytes from a slice; never past its end.
#[derive(Debug)]
pub(crate) struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn left(&self) -> usize {
        self.0.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], PduError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(PduError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) const fn rest(&mut self) -> &'a [u8] {
        let all = self.0;
        self.0 = &[];
        all
    }

    pub(crate) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], PduError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(PduError::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, PduError> {
        let [byte] = self.fixed()?;
        Ok(byte)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, PduError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(PduError::Malformed("a number beyond 64 bits"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(PduError::Malformed("a number not in its shortest form"));
                }
                return Ok(value);
            }
        }
        Err(PduError::Malformed("a number beyond 64 bits"))
    }

    /// A count of things that take at least `least` bytes each.
    pub(crate) fn count(&mut self, least: usize) -> Result<usize, PduError> {
        let count = usize::try_from(self.varint()?).map_err(|_| PduError::Truncated)?;
        match count.checked_mul(least) {
            Some(needed) if needed <= self.left() => Ok(count),
            _ => Err(PduError::Truncated),
        }
    }

    /// A length of at most `most`, and so many bytes.
    pub(crate) fn bytes(&mut self, most: usize) -> Result<&'a [u8], PduError> {
        let count = self.count(1)?;
        if count > most {
            return Err(PduError::Malformed("longer than allowed"));
        }
        self.take(count)
    }
}

/// Appends a number.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a length and so many bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// How many bytes a number takes.
pub(crate) const fn varint_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_has_one_form(value: u64, small in 0_u64..20_000, bytes: [u8; 11]) {
            for value in [value, small, value >> 32] {
                let mut out = Vec::new();
                put_varint(&mut out, value);
                prop_assert_eq!(out.len(), varint_len(value));
                prop_assert_eq!(Octets::new(&out).varint(), Ok(value));
            }
            let mut octets = Octets::new(&bytes);
            if let Ok(value) = octets.varint() {
                let mut out = Vec::new();
                put_varint(&mut out, value);
                prop_assert_eq!(&out[..], &bytes[..bytes.len() - octets.left()]);
            }
        }
    }
}
