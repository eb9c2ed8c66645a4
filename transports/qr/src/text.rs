//! The text form of a frame: what one QR code says.

use packmule_bus::fountain::{Frame, FrameError};

use crate::base45;

/// What every frame's text begins with.
pub const PREFIX: &str = "DCQ1";

/// A frame as the text of one alphanumeric QR segment: [`PREFIX`] and base45.
#[must_use]
pub fn text_of_frame(frame: &[u8]) -> String {
    let mut text = String::with_capacity(PREFIX.len() + frame.len() / 2 * 3 + 2);
    text.push_str(PREFIX);
    base45::encode_into(&mut text, frame);
    text
}

/// The frame in a text, checked.
///
/// # Errors
/// The text is not ours, or is ours and damaged.
pub fn frame_of_text(text: &str) -> Result<Vec<u8>, TextError> {
    frame_of_bytes(text.as_bytes())
}

/// The same for what a decoder gives: bytes, perhaps not even text.
pub(crate) fn frame_of_bytes(text: &[u8]) -> Result<Vec<u8>, TextError> {
    let encoded = text
        .strip_prefix(PREFIX.as_bytes())
        .ok_or(TextError::NotOurs)?;
    let frame = base45::decode(encoded).ok_or(TextError::Base45)?;
    Frame::parse(&frame)?;
    Ok(frame)
}

/// Why a text is not a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// It does not begin with [`PREFIX`]: some other QR code.
    #[error("the text does not begin with {PREFIX}")]
    NotOurs,
    /// What follows the prefix is not base45.
    #[error("the text is not base45")]
    Base45,
    /// It is not a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
}
