//! The text form of a frame: what one QR code says.

use packmule_bus::fountain::{Frame, FrameError};

use crate::{base45, dense};

/// What every frame's text begins with that we write.
pub const PREFIX: &str = "DCQ2";

/// What a frame's text begins with that is in the standard's base45.
pub const BASE45_PREFIX: &str = "DCQ1";

/// A frame as the text of one alphanumeric QR segment: [`PREFIX`], then thirteen bytes in every
/// nineteen characters.
#[must_use]
pub fn text_of_frame(frame: &[u8]) -> String {
    let mut text = String::with_capacity(PREFIX.len() + (frame.len() / 13 + 1) * 19);
    text.push_str(PREFIX);
    dense::encode_into(&mut text, frame);
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
    let frame = if let Some(encoded) = text.strip_prefix(PREFIX.as_bytes()) {
        dense::decode(encoded)
    } else if let Some(encoded) = text.strip_prefix(BASE45_PREFIX.as_bytes()) {
        base45::decode(encoded)
    } else {
        return Err(TextError::NotOurs);
    };
    let frame = frame.ok_or(TextError::Base45)?;
    Frame::parse(&frame)?;
    Ok(frame)
}

/// Why a text is not a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// It begins neither with [`PREFIX`] nor with [`BASE45_PREFIX`]: some other QR code.
    #[error("the text begins neither with {PREFIX} nor with {BASE45_PREFIX}")]
    NotOurs,
    /// What follows the prefix is no bytes in base 45.
    #[error("the text is not in base 45")]
    Base45,
    /// It is not a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use packmule_bus::fountain::Fountain;

    #[test]
    fn either_writing_of_a_frame_is_read() {
        let frame = Fountain::new(b"a letter", 16).expect("sender");
        let frame = frame.frame(0).expect("frame");
        let ours = text_of_frame(&frame);
        let mut standard = BASE45_PREFIX.to_owned();
        base45::encode_into(&mut standard, &frame);
        assert!(ours.len() < standard.len());
        assert_eq!(frame_of_text(&ours).as_ref(), Ok(&frame));
        assert_eq!(frame_of_text(&standard).as_ref(), Ok(&frame));
        let mixed = format!("{PREFIX}{}", &standard[4..]);
        assert!(frame_of_text(&mixed).is_err());
    }
}
