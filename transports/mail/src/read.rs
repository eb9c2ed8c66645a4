//! Reading mails: the messages in them, and nothing else.
//!
//! What is it: parts by media type, then by extension, in their order, as the e-mail transport
//! extension says. Who calls it: the look through an IMAP account, and whoever hands mails over.
//! What can go wrong: mails come from strangers and through software that adds, folds and
//! re-encodes. Every limit is one of [`Limits`]; what is no message is told as [`Found::Damaged`],
//! what is none of our business is not mentioned.

use mail_parser::{Message, MessageParser, MimeHeaders, PartType};
use packmule_bus::{DecodeError, Envelope, Kind, MAX_ENVELOPE};
use serde::de::IgnoredAny;
use serde_json::Deserializer;

use crate::compose::COMPACT;
use crate::name::{Name, is_extension};
use crate::scan::is_bearable;

/// Mails within mails are looked into so deep.
const DEPTH: usize = 3;
/// Lines of heads for each part that a mail may have.
const LINES: usize = 64;

/// What is read of a mail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of a mail: what holds a message of the longest kind, as base64.
    pub mail: usize,
    /// Bytes of a message.
    pub message: usize,
    /// Messages of one mail.
    pub messages: usize,
    /// Parts of one mail, of all kinds.
    pub parts: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            mail: MAX_ENVELOPE / 2 * 3,
            message: MAX_ENVELOPE,
            messages: 256,
            parts: 1024,
        }
    }
}

/// What a part is that says it is a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// A packed message.
    Message(Vec<u8>),
    /// None, and why; for people.
    Damaged(&'static str),
}

/// What was found in a mail.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Mail {
    /// In the order in which they are to be read.
    pub found: Vec<Found>,
}

impl Mail {
    /// Nothing in it is for us.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.found.is_empty()
    }

    /// The messages that are whole.
    #[must_use]
    pub fn messages(&self) -> Vec<&[u8]> {
        let all = self.found.iter();
        all.filter_map(|found| match found {
            Found::Message(bytes) => Some(bytes.as_slice()),
            Found::Damaged(_) => None,
        })
        .collect()
    }

    /// Why the first one that is not whole is not.
    #[must_use]
    pub fn damage(&self) -> Option<&'static str> {
        self.found.iter().find_map(|found| match found {
            Found::Damaged(why) => Some(*why),
            Found::Message(_) => None,
        })
    }

    fn only(why: &'static str) -> Self {
        Self {
            found: vec![Found::Damaged(why)],
        }
    }
}

/// Reads a mail.
#[must_use]
pub fn read(bytes: &[u8], limits: &Limits) -> Mail {
    if bytes.len() > limits.mail {
        return Mail::only("the mail is too long");
    }
    if !is_bearable(bytes, limits.parts.saturating_mul(LINES)) {
        return Mail::only("the mail has more heads than a mail has");
    }
    let Some(parsed) = MessageParser::new().with_mime_headers().parse(bytes) else {
        return Mail::default();
    };
    let mut reading = Reading {
        limits,
        parts: limits.parts,
        mail: Mail::default(),
    };
    if !reading.take(&parsed, DEPTH) {
        reading
            .mail
            .found
            .push(Found::Damaged("there are too many parts in it"));
    }
    reading.mail
}

/// Whether a mail with these headers may hold a message, and the name that its Message-ID tells.
/// What it says is looked at again when the mail is read.
pub(crate) fn may_hold(head: &[u8]) -> (bool, Option<Name>) {
    let parser = MessageParser::new().with_mime_headers().with_message_ids();
    let Some(parsed) = parser.parse_headers(head) else {
        return (false, None);
    };
    let part = parsed.root_part();
    let boxed = part.content_type().is_some_and(|content_type| {
        let of = |kind: &str| content_type.c_type.eq_ignore_ascii_case(kind);
        of("multipart") || of("message")
    });
    let name = parsed.message_id().and_then(Name::of_message_id);
    (boxed || is_ours(part), name)
}

struct Reading<'a> {
    limits: &'a Limits,
    /// Parts that may still come.
    parts: usize,
    mail: Mail,
}

impl Reading<'_> {
    /// Looks at each part. False: there are too many.
    fn take(&mut self, message: &Message<'_>, depth: usize) -> bool {
        for part in &message.parts {
            let Some(left) = self.parts.checked_sub(1) else {
                return false;
            };
            self.parts = left;
            if let PartType::Message(inner) = &part.body {
                if depth > 0 && !self.take(inner, depth - 1) {
                    return false;
                }
                continue;
            }
            if matches!(part.body, PartType::Multipart(_)) || !is_ours(part) {
                continue;
            }
            if self.mail.found.len() >= self.limits.messages {
                return false;
            }
            let name = part.attachment_name().and_then(Name::of_file);
            let found = match judge(part.contents(), name.as_ref(), self.limits) {
                Ok(bytes) => Found::Message(bytes),
                Err(why) => Found::Damaged(why),
            };
            self.mail.found.push(found);
        }
        true
    }
}

/// Whether a part says that it is a message: by its media type, or by the name of its file.
fn is_ours(part: &mail_parser::MessagePart<'_>) -> bool {
    let typed = part.content_type().is_some_and(|content_type| {
        content_type.c_type.eq_ignore_ascii_case("application")
            && content_type.subtype().is_some_and(is_media_type)
    });
    let extension = || part.attachment_name()?.rsplit_once('.').map(|(_, ext)| ext);
    typed || extension().is_some_and(is_extension)
}

fn is_media_type(subtype: &str) -> bool {
    let kinds = [Kind::Encrypted, Kind::Signed, Kind::Plaintext];
    kinds
        .iter()
        .map(|kind| kind.media_type())
        .chain([COMPACT])
        .filter_map(|known| known.split_once('/'))
        .any(|(_, known)| known.eq_ignore_ascii_case(subtype))
}

/// The packed message that a part holds.
fn judge(bytes: &[u8], name: Option<&Name>, limits: &Limits) -> Result<Vec<u8>, &'static str> {
    // What is written by hand may begin with a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let bytes = bytes.trim_ascii();
    if bytes.first() == Some(&b'{') {
        // Lists write footers behind the text of a part, too: the message ends where its JSON does.
        let mut values = Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
        if !matches!(values.next(), Some(Ok(_))) {
            return Err("it is no JSON");
        }
        let whole = bytes.get(..values.byte_offset()).unwrap_or(bytes);
        return packed(whole, name, limits);
    }
    packed(bytes, name, limits)
}

fn packed(bytes: &[u8], name: Option<&Name>, limits: &Limits) -> Result<Vec<u8>, &'static str> {
    if bytes.len() > limits.message {
        return Err("the message is too long");
    }
    let envelope = match Envelope::decode(bytes) {
        Err(DecodeError::NotAnEnvelope) => Envelope::from_packed(bytes).ok(),
        other => other.ok(),
    };
    let envelope = envelope.filter(|envelope| envelope.kind() != Kind::Other);
    let envelope = envelope.ok_or("it is no DIDComm message")?;
    // The name that we write commits to what the message is.
    if name.is_some_and(|name| *name != Name::of(&envelope.id())) {
        return Err("it is not the message that its name tells");
    }
    Ok(bytes.to_vec())
}
