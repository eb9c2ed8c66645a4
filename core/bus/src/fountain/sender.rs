//! The sending side: an object in, frames out, for as long as anyone looks.

use raptorq::{ObjectTransmissionInformation, SourceBlockEncoder};

use super::{Frame, Shape, ShapeError, TransferId};

/// ESIs are 24 bits wide.
const ESI_END: u32 = 1 << 24;

/// A sender of one object.
///
/// Building it solves the RaptorQ system once (about 1 ms for 100 symbols, 50 ms for 1000); frames
/// are cheap after that.
#[derive(Clone, Debug)]
pub struct Fountain {
    transfer: TransferId,
    shape: Shape,
    /// The object, zero-padded to whole symbols.
    padded: Vec<u8>,
    encoder: SourceBlockEncoder,
}

impl Fountain {
    /// Prepares `object` to be sent in symbols of `symbol` bytes.
    ///
    /// # Errors
    /// The object is empty or too large, or the symbol length is out of bounds.
    pub fn new(object: &[u8], symbol: usize) -> Result<Self, FountainError> {
        let shape = Shape::new(object.len(), symbol)?;
        let mut padded = object.to_vec();
        padded.resize(shape.source_count() as usize * symbol, 0);
        let encoder = SourceBlockEncoder::new(0, &transmission(shape), &padded);
        Ok(Self {
            transfer: TransferId::of(object),
            shape,
            padded,
            encoder,
        })
    }

    /// The transfer's name.
    #[must_use]
    pub fn transfer(&self) -> TransferId {
        self.transfer
    }

    /// How the object is cut.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// K: how many frames a receiver needs.
    #[must_use]
    pub fn source_count(&self) -> u32 {
        self.shape.source_count()
    }

    /// The frame with this symbol id.
    ///
    /// # Errors
    /// `esi` is 2^24 or more.
    pub fn frame(&self, esi: u32) -> Result<Vec<u8>, FountainError> {
        let source = self.source_count();
        if esi >= ESI_END {
            return Err(FountainError::Esi(esi));
        }
        let length = usize::from(self.shape.symbol_bytes());
        let repair;
        let symbol = if esi < source {
            self.padded.chunks_exact(length).nth(esi as usize)
        } else {
            repair = self.encoder.repair_packets(esi - source, 1);
            repair.first().map(raptorq::EncodingPacket::data)
        };
        Ok(Frame {
            transfer: self.transfer,
            shape: self.shape,
            esi,
            symbol: symbol.unwrap_or_default(),
        }
        .to_bytes())
    }

    /// Every frame there is: the object's own symbols, then repair that never repeats, up to 2^24.
    pub fn frames(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        (0..ESI_END).filter_map(|esi| self.frame(esi).ok())
    }

    /// How many frames a file that is shown in a loop (GIF, folder) should have: the first prime
    /// from K + max(8, K / 2) on.
    ///
    /// With a prime length a periodic loss (every second frame, say) falls on other frames in
    /// each round, so it cannot hide the same ones for ever.
    #[must_use]
    pub fn loop_length(&self) -> u32 {
        let source = self.source_count();
        let least = source + (source / 2).max(8);
        (least..).find(|n| is_prime(*n)).unwrap_or(least)
    }
}

/// RaptorQ's parameters for a shape: one block, no sub-blocks, byte alignment (RFC 6330 §4.3).
pub(super) fn transmission(shape: Shape) -> ObjectTransmissionInformation {
    ObjectTransmissionInformation::new(
        u64::from(shape.object_bytes()),
        shape.symbol_bytes(),
        1,
        1,
        1,
    )
}

fn is_prime(n: u32) -> bool {
    n > 1
        && (2..)
            .take_while(|d| d * d <= n)
            .all(|d| !n.is_multiple_of(d))
}

/// Why an object cannot be sent as frames, or a frame not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FountainError {
    /// The lengths are out of bounds.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Symbol ids are 24 bits wide.
    #[error("symbol id {0} is 2^24 or more")]
    Esi(u32),
}
