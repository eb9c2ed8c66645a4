//! The name of a message in mails: 26 characters of base32, cut from its [`EnvelopeId`].
//!
//! What is it: `Message-ID` and attachment of one message carry the same name, which says nothing
//! that the ciphertext does not, and tells two copies of one message by their headers alone. Who
//! calls it: writing, reading, and the look through a mailbox. What can go wrong: names of others,
//! which are none of ours and promise nothing.

use data_encoding::BASE32_NOPAD;
use packmule_bus::{EnvelopeId, Kind};

/// Characters of a name: 130 bits.
const LENGTH: usize = 26;

/// A message's name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Name(String);

impl Name {
    /// The name of a message.
    #[must_use]
    pub fn of(id: &EnvelopeId) -> Self {
        let mut text = BASE32_NOPAD.encode(id.as_bytes()).to_ascii_lowercase();
        text.truncate(LENGTH);
        Self(text)
    }

    /// The name that a text is, if it is one.
    fn parse(text: &str) -> Option<Self> {
        let lower = |b: u8| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b);
        (text.len() == LENGTH && text.bytes().all(lower)).then(|| Self(text.to_owned()))
    }

    /// From the name of a file: `name.dcem`.
    pub(crate) fn of_file(file: &str) -> Option<Self> {
        let (stem, extension) = file.rsplit_once('.')?;
        is_extension(extension).then(|| Self::parse(stem))?
    }

    /// From a Message-ID, with or without its angle brackets.
    #[must_use]
    pub fn of_message_id(id: &str) -> Option<Self> {
        let id = id.trim().trim_start_matches('<');
        Self::parse(id.split_once('@')?.0)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether files that are called so are messages: `dcem`, `dcsm`, `dcpm`.
pub(crate) fn is_extension(extension: &str) -> bool {
    [Kind::Encrypted, Kind::Signed, Kind::Plaintext]
        .into_iter()
        .any(|kind| kind.extension().eq_ignore_ascii_case(extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_a_file_and_in_a_message_id() {
        let name = Name::of(&EnvelopeId::from_bytes([7; 32]));
        assert_eq!(name.as_str().len(), LENGTH);
        let file = format!("{}.dcem", name.as_str());
        assert_eq!(Name::of_file(&file), Some(name.clone()));
        let id = format!("<{}@kiosk.test>", name.as_str());
        assert_eq!(Name::of_message_id(&id), Some(name));
    }

    #[test]
    fn names_of_others_are_none() {
        for file in [
            "message.dcem",
            "a.dcem",
            ".dcem",
            "1763769600--abc.dcem",
            "",
        ] {
            assert_eq!(Name::of_file(file), None, "{file}");
        }
        let long = "a".repeat(LENGTH);
        assert_eq!(Name::of_file(&format!("{long}.txt")), None);
        assert_eq!(Name::of_message_id(&long), None);
        assert_eq!(Name::of_message_id("<CAF+1@mail.example>"), None);
    }
}
