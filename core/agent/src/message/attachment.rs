//! Attachments (DIDComm v2.1 §3.3): the model; what is in them, who signed it, and under
//! which name it may be saved are its children.

mod content;
mod filename;
mod signature;
#[cfg(test)]
mod tests;

pub use filename::safe_filename;

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::MessageError;
use super::json::{number, take, text, texts};

/// Something attached to a message.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Attachment {
    /// `id`: referred to as `#id`.
    pub id: Option<String>,
    /// `description`, for people.
    pub description: Option<String>,
    /// `filename`, as its sender has it: never a path to write to (see [`safe_filename`]).
    pub filename: Option<String>,
    /// `media_type`.
    pub media_type: Option<String>,
    /// `format`, when the media type does not say enough.
    pub format: Option<String>,
    /// `lastmod_time`, POSIX seconds.
    pub lastmod_time: Option<u64>,
    /// `byte_count`, as claimed.
    pub byte_count: Option<u64>,
    /// `data`.
    pub data: AttachmentData,
    /// Members we do not know, unchanged.
    pub extra: Map<String, Value>,
}

/// Where an attachment's content is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AttachmentData {
    /// `base64`: the content; see [`Attachment::bytes`].
    pub base64: Option<String>,
    /// `json`: the content.
    pub json: Option<Value>,
    /// `links`: where to fetch the content.
    pub links: Vec<String>,
    /// `hash`: multihash of the content; must be there with links.
    pub hash: Option<String>,
    /// `jws`: a detached signature, as it came: object or compact string.
    pub jws: Option<Value>,
    /// Members we do not know, unchanged.
    pub extra: Map<String, Value>,
}

/// Why an attachment's content cannot be had or trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachmentError {
    /// `base64` is neither base64url nor base64.
    #[error("the attachment's data is not base64")]
    Base64,
    /// The content has another hash than the message says.
    #[error("the attachment's content does not match its hash")]
    Mismatch,
    /// `hash` is missing where links are used, damaged, or of an algorithm other than
    /// SHA-256.
    #[error("the attachment's hash is missing or of a kind we cannot check")]
    Hash,
    /// There is no content in the message itself to sign or verify.
    #[error("the attachment holds no content")]
    Empty,
    /// The detached signature is missing, malformed or wrong.
    #[error("the attachment's signature is missing or wrong")]
    Signature,
}

impl Attachment {
    /// Bytes as an attachment, with their count.
    #[must_use]
    pub fn base64(bytes: &[u8]) -> Self {
        Self {
            byte_count: Some(bytes.len() as u64),
            data: AttachmentData {
                base64: Some(URL_SAFE_NO_PAD.encode_to_string(bytes)),
                ..AttachmentData::default()
            },
            ..Self::with_id()
        }
    }

    /// JSON as an attachment.
    #[must_use]
    pub fn json(value: Value) -> Self {
        Self {
            media_type: Some("application/json".to_owned()),
            data: AttachmentData {
                json: Some(value),
                ..AttachmentData::default()
            },
            ..Self::with_id()
        }
    }

    /// Content to be fetched elsewhere, bound by its SHA-256 (multihash, base58btc multibase).
    #[must_use]
    pub fn links(links: Vec<String>, sha256: [u8; 32]) -> Self {
        let mut multihash = vec![0x12, 0x20];
        multihash.extend_from_slice(&sha256);
        let hash = Some(format!("z{}", bs58::encode(multihash).into_string()));
        Self {
            data: AttachmentData {
                links,
                hash,
                ..AttachmentData::default()
            },
            ..Self::with_id()
        }
    }

    fn with_id() -> Self {
        Self {
            id: Some(uuid::Uuid::new_v4().to_string()),
            ..Self::default()
        }
    }

    pub(super) fn from_value(value: Value) -> Result<Self, MessageError> {
        let Value::Object(mut map) = value else {
            let must = "a list of objects";
            return Err(MessageError::Header {
                header: "attachments",
                must,
            });
        };
        let map = &mut map;
        Ok(Self {
            id: text(map, "id")?,
            description: text(map, "description")?,
            filename: text(map, "filename")?,
            media_type: text(map, "media_type")?,
            format: text(map, "format")?,
            lastmod_time: number(map, "lastmod_time")?,
            byte_count: number(map, "byte_count")?,
            data: match take(map, "data") {
                None => AttachmentData::default(),
                Some(Value::Object(data)) if data.is_empty() => {
                    map.insert("data".to_owned(), Value::Object(data));
                    AttachmentData::default()
                }
                Some(Value::Object(data)) => AttachmentData::from_map(data)?,
                Some(_) => {
                    let must = "an object";
                    return Err(MessageError::Header {
                        header: "attachments.data",
                        must,
                    });
                }
            },
            extra: std::mem::take(map),
        })
    }

    pub(super) fn to_value(&self) -> Value {
        let mut out = Map::new();
        for (name, value) in [
            ("id", &self.id),
            ("description", &self.description),
            ("filename", &self.filename),
            ("media_type", &self.media_type),
            ("format", &self.format),
        ] {
            if let Some(value) = value {
                out.insert(name.to_owned(), json!(value));
            }
        }
        for (name, value) in [
            ("lastmod_time", self.lastmod_time),
            ("byte_count", self.byte_count),
        ] {
            if let Some(value) = value {
                out.insert(name.to_owned(), json!(value));
            }
        }
        if self.data != AttachmentData::default() {
            out.insert("data".to_owned(), self.data.to_value());
        }
        keep(&mut out, &self.extra);
        Value::Object(out)
    }
}

impl AttachmentData {
    fn from_map(mut map: Map<String, Value>) -> Result<Self, MessageError> {
        let map = &mut map;
        Ok(Self {
            base64: text(map, "base64")?,
            // Here null is content like any other.
            json: map.shift_remove("json"),
            links: texts(map, "links")?,
            hash: text(map, "hash")?,
            jws: take(map, "jws"),
            extra: std::mem::take(map),
        })
    }

    fn to_value(&self) -> Value {
        let mut out = Map::new();
        for (name, value) in [
            ("base64", self.base64.as_ref().map(|text| json!(text))),
            ("json", self.json.clone()),
            ("links", (!self.links.is_empty()).then(|| json!(self.links))),
            ("hash", self.hash.as_ref().map(|text| json!(text))),
            ("jws", self.jws.clone()),
        ] {
            if let Some(value) = value {
                out.insert(name.to_owned(), value);
            }
        }
        keep(&mut out, &self.extra);
        Value::Object(out)
    }
}

fn keep(out: &mut Map<String, Value>, extra: &Map<String, Value>) {
    for (name, value) in extra {
        out.entry(name.as_str()).or_insert_with(|| value.clone());
    }
}
