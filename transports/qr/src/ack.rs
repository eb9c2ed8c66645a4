//! What a reader shows back: how far a transfer is, in a code so small that any camera reads it.
//!
//! Called by both sides of two that show and scan at the same time: [`Reader`](crate::Reader)
//! keeps what it would tell, [`Swap`](crate::Swap) shows it and hears the other's. What can go
//! wrong: anybody may show one. That a message is whole is only believed with eight bytes of its
//! hash that no frame tells: who shows them has had all of it. Even so an ack only ever ends a
//! show; that a message arrived is told by its recipient's agent.

use packmule_bus::fountain::{Progress, Shape, TransferId};
use sha2::{Digest as _, Sha256};

use crate::dense;
use crate::picture::{DrawError, Picture};

/// What an ack's text begins with.
const PREFIX: &str = "DCQA";

const VERSION: u8 = 1;

/// Version, transfer, F, T, received, beyond, proof.
const FIELDS: usize = 1 + 4 + 3 + 2 + 3 + 3 + 8;

/// The largest version an ack needs: 47 characters.
const LARGEST: u8 = 2;

/// How far a reader is with a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ack {
    /// Which transfer.
    pub transfer: TransferId,
    /// How it is cut: the same message in other codes is counted for itself.
    pub shape: Shape,
    /// Different symbols that arrived; as many as are needed once the message is whole.
    pub received: u32,
    /// Symbols from this id on are all new to the reader.
    pub beyond: u32,
    /// Bytes 4 .. 12 of the object's hash, once it is whole.
    pub proof: Option<[u8; 8]>,
}

impl Ack {
    /// Of a transfer that goes on; none for what no frame could have told of.
    pub(crate) fn of(progress: &Progress) -> Option<Self> {
        let symbol = usize::from(progress.symbol_bytes);
        let shape = Shape::new(progress.object_bytes as usize, symbol).ok()?;
        Some(Self {
            transfer: progress.transfer,
            shape,
            // All of them and yet not whole happens, rarely: one more is wanted.
            received: progress
                .received
                .min(shape.source_count().saturating_sub(1)),
            beyond: progress.beyond,
            proof: None,
        })
    }

    /// Of a transfer that is whole.
    pub(crate) fn whole(object: &[u8], shape: Shape) -> Self {
        Self {
            transfer: TransferId::of(object),
            shape,
            received: shape.source_count(),
            beyond: 0,
            proof: Some(proof(object)),
        }
    }

    /// Whether the reader has all of the object; what it says of another one is not believed.
    pub(crate) fn proves(&self, object: &[u8]) -> bool {
        self.proof == Some(proof(object))
    }

    /// Whether it says that the reader has the message.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.proof.is_some()
    }

    /// The code to show.
    ///
    /// # Errors
    /// None in practice: its text has one length, which fits.
    pub fn picture(&self) -> Result<Picture, DrawError> {
        Picture::alphanumeric(&self.text(), LARGEST)
    }

    /// What the code says.
    #[must_use]
    pub fn text(&self) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(self.transfer.to_bytes());
        bytes.extend(self.shape.object_bytes().to_be_bytes().iter().skip(1));
        bytes.extend(self.shape.symbol_bytes().to_be_bytes());
        bytes.extend(self.received.to_be_bytes().iter().skip(1));
        bytes.extend(self.beyond.to_be_bytes().iter().skip(1));
        bytes.extend(self.proof.unwrap_or_default());
        let checksum = crc32fast::hash(&bytes);
        bytes.extend(checksum.to_be_bytes());
        let mut text = PREFIX.to_owned();
        dense::encode_into(&mut text, &bytes);
        text
    }

    /// Reads a text; none if it is no ack.
    pub(crate) fn read(text: &[u8]) -> Option<Result<Self, &'static str>> {
        let encoded = text.strip_prefix(PREFIX.as_bytes())?;
        Some(Self::fields(encoded).ok_or("an acknowledgement that is damaged"))
    }

    fn fields(encoded: &[u8]) -> Option<Self> {
        let bytes = dense::decode(encoded)?;
        let (body, checksum) = bytes.split_last_chunk::<4>()?;
        if crc32fast::hash(body) != u32::from_be_bytes(*checksum) {
            return None;
        }
        let fields: [u8; FIELDS] = body.try_into().ok()?;
        let [
            version,
            i0,
            i1,
            i2,
            i3,
            f0,
            f1,
            f2,
            t0,
            t1,
            r0,
            r1,
            r2,
            b0,
            b1,
            b2,
            proof @ ..,
        ] = fields;
        let object = u32::from_be_bytes([0, f0, f1, f2]) as usize;
        let symbol = usize::from(u16::from_be_bytes([t0, t1]));
        let shape = Shape::new(object, symbol).ok()?;
        let received = u32::from_be_bytes([0, r0, r1, r2]);
        let whole = received >= shape.source_count();
        (version == VERSION).then_some(Self {
            transfer: TransferId::from_bytes([i0, i1, i2, i3]),
            shape,
            received: received.min(shape.source_count()),
            beyond: u32::from_be_bytes([0, b0, b1, b2]),
            proof: whole.then_some(proof),
        })
    }
}

/// What nobody knows from a frame, which tells the first four bytes of the hash alone.
fn proof(object: &[u8]) -> [u8; 8] {
    let mut proof = [0; 8];
    let rest = Sha256::digest(object).into_iter().skip(4);
    proof.iter_mut().zip(rest).for_each(|(to, from)| *to = from);
    proof
}

/// What a reader would tell of the transfers it met, the latest last.
#[derive(Default)]
pub(crate) struct Acks(Vec<Ack>);

/// More transfers than this are met by nobody at the same time.
const KEPT: usize = 16;

impl Acks {
    /// A transfer went on, or is whole.
    pub(crate) fn note(&mut self, ack: Ack) {
        self.0
            .retain(|a| a.transfer != ack.transfer || a.shape != ack.shape);
        self.0.push(ack);
        if self.0.len() > KEPT {
            self.0.remove(0);
        }
    }

    /// Frames of a transfer that was whole before are shown still: its sender does not know.
    pub(crate) fn again(&mut self, transfer: TransferId) {
        let whole = |a: &Ack| a.transfer == transfer && a.is_whole();
        if let Some(place) = self.0.iter().rposition(whole) {
            let ack = self.0.remove(place);
            self.0.push(ack);
        }
    }

    pub(crate) fn all(&self) -> &[Ack] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LETTER: &[u8] = &[7; 5_000];

    fn ack() -> Ack {
        Ack {
            transfer: TransferId::of(LETTER),
            shape: Shape::new(5_000, 1_250).expect("a shape"),
            received: 3,
            beyond: 9,
            proof: None,
        }
    }

    #[test]
    fn an_ack_is_one_small_code() {
        let whole = Ack::whole(LETTER, ack().shape);
        for ack in [ack(), whole] {
            assert_eq!(ack.picture().expect("a code").version(), 2);
            assert_eq!(Ack::read(ack.text().as_bytes()), Some(Ok(ack)));
        }
        assert!(!ack().is_whole() && !ack().proves(LETTER));
        assert!(whole.is_whole() && whole.proves(LETTER));
    }

    #[test]
    fn who_has_only_seen_frames_proves_nothing() {
        let forged = Ack {
            received: 4,
            proof: Some([0; 8]),
            ..ack()
        };
        let Some(Ok(read)) = Ack::read(forged.text().as_bytes()) else {
            panic!("it reads as one");
        };
        assert!(read.is_whole() && !read.proves(LETTER));
    }

    #[test]
    fn a_damaged_ack_is_told_from_a_strangers_code() {
        let text = ack().text().into_bytes();
        for n in PREFIX.len()..text.len() {
            let mut torn = text.clone();
            torn[n] = if torn[n] == b'7' { b'8' } else { b'7' };
            assert!(matches!(Ack::read(&torn), Some(Err(_))), "letter {n}");
        }
        assert!(matches!(Ack::read(b"DCQA"), Some(Err(_))));
        assert!(matches!(Ack::read(b"DCQA00"), Some(Err(_))));
        assert_eq!(Ack::read(b"DCQ2"), None);
    }
}
