//! Out-of-band 2.0 (§9.5): invitations, as messages and as URLs.

use base64_simd::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::did::{DIDCOMM_V2, Did, did_of};
use crate::message::{Message, MessageError};

/// Protocol identifier.
pub const PIURI: &str = "https://didcomm.org/out-of-band/2.0";

/// Longest URL or text that is looked at, in bytes.
const MAX_TEXT: usize = 256 * 1024;

/// Why a text holds no invitation, or cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvitationError {
    /// No `_oob` parameter, and no JSON.
    #[error("there is no invitation in it (no \"_oob\" parameter)")]
    None,
    /// A short URL (`_oobid`): its message must be fetched first.
    #[error("this is a short link; open it online to get the invitation itself")]
    ShortLink,
    /// The parameter is neither base64url nor percent-encoded JSON.
    #[error("the invitation's text is damaged")]
    Damaged,
    /// Larger than we read.
    #[error("the invitation is too large")]
    TooLarge,
    /// The message inside is broken.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// Another type of message.
    #[error("this is not an out-of-band 2.0 invitation")]
    Type,
    /// `from` is missing or no DID.
    #[error("the invitation does not say who it is from")]
    From,
    /// `accept` is there, without `didcomm/v2`.
    #[error("the inviter does not accept DIDComm v2")]
    Accept,
    /// The base of the URL cannot carry it.
    #[error("the address for invitations must be an http(s) URL without fragment")]
    Base,
}

/// An invitation from `from`. Its id becomes the `pthid` of answers.
#[must_use]
pub fn invitation(from: &str, goal_code: Option<&str>, goal: Option<&str>) -> Message {
    let mut body = Map::new();
    for (name, value) in [("goal_code", goal_code), ("goal", goal)] {
        if let Some(value) = value {
            body.insert(name.to_owned(), json!(value));
        }
    }
    body.insert("accept".to_owned(), json!([DIDCOMM_V2]));
    let mut message = Message::new("https://didcomm.org/out-of-band/2.0/invitation");
    message.from = Some(from.to_owned());
    message.with_body(Value::Object(body))
}

/// The invitation as URL: `base?_oob=<base64url of its JSON>`. Whoever sees it can read it.
///
/// # Errors
/// [`InvitationError::Base`].
pub fn to_url(invitation: &Message, base: &str) -> Result<String, InvitationError> {
    let scheme = base.starts_with("https://") || base.starts_with("http://");
    if !scheme || base.contains(['#', ' ']) {
        return Err(InvitationError::Base);
    }
    let join = if base.contains('?') { '&' } else { '?' };
    let text = URL_SAFE_NO_PAD.encode_to_string(invitation.to_json());
    Ok(format!("{base}{join}_oob={text}"))
}

/// Reads an invitation: a URL of any scheme with `_oob` (base64url, base64, or
/// percent-encoded JSON), or the JSON itself.
///
/// # Errors
/// Any [`InvitationError`] but `Base`.
pub fn parse(text: &str) -> Result<Message, InvitationError> {
    let text = text.trim();
    if text.len() > MAX_TEXT {
        return Err(InvitationError::TooLarge);
    }
    if text.starts_with('{') {
        return check(Message::parse(text.as_bytes())?);
    }
    let (_, query) = text.split_once('?').ok_or(InvitationError::None)?;
    let query = query.split('#').next().unwrap_or_default();
    let value = |name| {
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    };
    let Some(value) = value("_oob") else {
        let short = value("_oobid").is_some();
        return Err(if short {
            InvitationError::ShortLink
        } else {
            InvitationError::None
        });
    };
    let bytes = percent_decode(value).ok_or(InvitationError::Damaged)?;
    if bytes.first() == Some(&b'{') {
        return check(Message::parse(&bytes)?);
    }
    let text = String::from_utf8(bytes).map_err(|_| InvitationError::Damaged)?;
    // A form decoder turns `+` into a space on its way.
    let text = text.replace(' ', "+");
    let text = text.trim_end_matches('=');
    let codec = if text.contains(['+', '/']) {
        &STANDARD_NO_PAD
    } else {
        &URL_SAFE_NO_PAD
    };
    let json = codec
        .decode_to_vec(text)
        .map_err(|_| InvitationError::Damaged)?;
    check(Message::parse(&json)?)
}

fn check(message: Message) -> Result<Message, InvitationError> {
    if !message.is(PIURI, "invitation") {
        return Err(InvitationError::Type);
    }
    let from = message.from.as_deref().ok_or(InvitationError::From)?;
    Did::parse(did_of(from)).map_err(|_| InvitationError::From)?;
    let accept = message
        .body
        .as_ref()
        .and_then(|body| body.get("accept")?.as_array());
    if accept.is_some_and(|list| !list.is_empty() && !list.contains(&json!(DIDCOMM_V2))) {
        return Err(InvitationError::Accept);
    }
    Ok(message)
}

fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            let (pair, tail) = rest.split_at_checked(2)?;
            out.extend(data_encoding::HEXLOWER_PERMISSIVE.decode(pair).ok()?);
            rest = tail;
        } else {
            out.push(*first);
        }
    }
    Some(out)
}
