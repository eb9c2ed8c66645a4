//! Attachments (DIDComm v2.1 §3.3).

use base64_simd::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::MessageError;
use super::json::{number, take, text, texts};
use crate::jose::{Jws, Members, sign};
use crate::keys::{PublicKey, SecretKey};

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

    /// The content that the message itself carries, checked against `hash` if there is one;
    /// JSON as compact text. `None` when there are only links.
    ///
    /// # Errors
    /// [`AttachmentError::Base64`], [`AttachmentError::Mismatch`], [`AttachmentError::Hash`].
    pub fn bytes(&self) -> Result<Option<Vec<u8>>, AttachmentError> {
        let bytes = match (&self.data.base64, &self.data.json) {
            (Some(text), _) => unbase64(text)?,
            (None, Some(json)) => json.to_string().into_bytes(),
            (None, None) => return Ok(None),
        };
        // The hash of JSON would depend on how its writer spelled it.
        if self.data.base64.is_some() && self.data.hash.is_some() {
            self.check(&bytes)?;
        }
        Ok(Some(bytes))
    }

    /// Checks content fetched from a link against the hash in the message.
    ///
    /// # Errors
    /// [`AttachmentError::Hash`], [`AttachmentError::Mismatch`].
    pub fn check(&self, content: &[u8]) -> Result<(), AttachmentError> {
        let text = self.data.hash.as_deref().ok_or(AttachmentError::Hash)?;
        let expected = sha256_of_multihash(text).ok_or(AttachmentError::Hash)?;
        if Sha256::digest(content).as_slice() == expected {
            Ok(())
        } else {
            Err(AttachmentError::Mismatch)
        }
    }

    /// Signs the content; the signature is kept detached in `data.jws` (RFC 7515 appendix F).
    ///
    /// # Errors
    /// [`AttachmentError::Empty`]; [`AttachmentError::Signature`] for a key that cannot sign.
    pub fn sign(&mut self, kid: &str, key: &SecretKey) -> Result<(), AttachmentError> {
        let content = self.bytes()?.ok_or(AttachmentError::Empty)?;
        let jws = sign(&content, kid, key).map_err(|_| AttachmentError::Signature)?;
        let mut jws: Value =
            serde_json::from_slice(&jws).map_err(|_| AttachmentError::Signature)?;
        if let Some(map) = jws.as_object_mut() {
            map.shift_remove("payload");
        }
        self.data.jws = Some(jws);
        Ok(())
    }

    /// Checks the detached signature and gives the kid that made it. `key` finds the key of a
    /// kid; it decides whether that party may sign at all.
    ///
    /// # Errors
    /// [`AttachmentError::Empty`], [`AttachmentError::Signature`].
    pub fn verify(
        &self,
        key: impl Fn(&str) -> Option<PublicKey>,
    ) -> Result<String, AttachmentError> {
        let wrong = || AttachmentError::Signature;
        let content = self.bytes()?.ok_or(AttachmentError::Empty)?;
        let payload = json!(URL_SAFE_NO_PAD.encode_to_string(&content));
        let mut whole = match self.data.jws.as_ref().ok_or_else(wrong)? {
            Value::Object(map) => map.clone(),
            Value::String(compact) => {
                let mut parts = compact.split('.');
                let (protected, _, signature) = (parts.next(), parts.next(), parts.next());
                let mut map = Map::new();
                map.insert("protected".to_owned(), json!(protected.ok_or_else(wrong)?));
                map.insert("signature".to_owned(), json!(signature.ok_or_else(wrong)?));
                map
            }
            _ => return Err(wrong()),
        };
        whole.insert("payload".to_owned(), payload);
        let text = Value::Object(whole).to_string();
        let members = Members::parse(text.as_bytes()).map_err(|_| wrong())?;
        let jws = Jws::parse(&members).map_err(|_| wrong())?;
        let one = jws.signatures.first().ok_or_else(wrong)?;
        let kid = one.kid.clone();
        let key = key(&kid).ok_or_else(wrong)?;
        jws.verify(one, &key).map_err(|_| wrong())?;
        Ok(kid)
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
        out.insert("data".to_owned(), self.data.to_value());
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

/// A name under which a stranger's attachment may be saved in a folder: one path component,
/// no control or reserved characters, no leading dot, no device name of Windows, at most 120
/// bytes. `None` when nothing is left of it.
#[must_use]
pub fn safe_filename(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut clean: String = last
        .chars()
        .map(|c| match c {
            // Bidirectional overrides make `exe.txt` of `txt.exe`.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => '_',
            '<' | '>' | ':' | '"' | '|' | '?' | '*' => '_',
            c if c.is_control() => '_',
            c => c,
        })
        .collect();
    while clean.len() > 120 {
        clean.pop();
    }
    let clean = clean
        .trim_start_matches(['.', ' '])
        .trim_end_matches(['.', ' ']);
    if clean.is_empty() {
        return None;
    }
    let stem = clean
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_ascii_uppercase();
    let numbered = |device: &str| {
        stem.strip_prefix(device)
            .is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let device = ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str());
    Some(if device || numbered("COM") || numbered("LPT") {
        format!("_{clean}")
    } else {
        clean.to_owned()
    })
}

/// base64url is the rule (§3.3); padding and the standard alphabet occur, in the spec's own
/// examples too.
fn unbase64(text: &str) -> Result<Vec<u8>, AttachmentError> {
    let text = text.trim_end_matches('=');
    let standard = text.bytes().any(|b| b == b'+' || b == b'/');
    let codec = if standard {
        &STANDARD_NO_PAD
    } else {
        &URL_SAFE_NO_PAD
    };
    codec
        .decode_to_vec(text)
        .map_err(|_| AttachmentError::Base64)
}

/// The SHA-256 in a multihash: multibase base58btc, base64url or base16, or bare base58 or
/// hexadecimal as careless writers have it.
fn sha256_of_multihash(text: &str) -> Option<Vec<u8>> {
    if text.len() > 128 {
        return None;
    }
    let hex = |text: &str| {
        data_encoding::HEXLOWER_PERMISSIVE
            .decode(text.as_bytes())
            .ok()
    };
    let base58 = |text: &str| bs58::decode(text).into_vec().ok();
    let candidates = [
        text.strip_prefix('z').and_then(base58),
        text.strip_prefix('u')
            .and_then(|text| URL_SAFE_NO_PAD.decode_to_vec(text).ok()),
        text.strip_prefix('f').and_then(hex),
        base58(text),
        hex(text),
    ];
    let found = candidates
        .into_iter()
        .flatten()
        .find(|hash| hash.len() == 34 && hash.starts_with(&[0x12, 0x20]))?;
    found.get(2..).map(<[u8]>::to_vec)
}

fn keep(out: &mut Map<String, Value>, extra: &Map<String, Value>) {
    for (name, value) in extra {
        out.entry(name.as_str()).or_insert_with(|| value.clone());
    }
}
