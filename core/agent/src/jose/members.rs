//! The top level of a message, read once, whatever it turns out to be.
//!
//! A JWE's or JWS's big members are borrowed from the input; a plaintext's go straight into a
//! map. Only at the end is it known which of the three it was.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::JoseError;

/// What a JSON text is, told by its members and not by any `typ`: peers lie or err there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Encrypted,
    Signed,
    Plain,
}

/// The members of one JSON object.
#[derive(Default)]
pub(crate) struct Members<'a> {
    pub(crate) protected: Option<Text<'a>>,
    pub(crate) iv: Option<Text<'a>>,
    pub(crate) ciphertext: Option<Text<'a>>,
    pub(crate) tag: Option<Text<'a>>,
    pub(crate) aad: Option<Text<'a>>,
    pub(crate) encrypted_key: Option<Text<'a>>,
    pub(crate) payload: Option<Text<'a>>,
    pub(crate) signature: Option<Text<'a>>,
    pub(crate) header: Option<&'a RawValue>,
    pub(crate) recipients: Option<&'a RawValue>,
    pub(crate) signatures: Option<&'a RawValue>,
    pub(crate) rest: Map<String, Value>,
}

/// A member that is a string in JOSE, but may be anything in a plaintext.
pub(crate) enum Text<'a> {
    Str(Cow<'a, str>),
    Other(Value),
}

impl<'a> Members<'a> {
    /// Reads one JSON object. Duplicate members are refused at the top level (RFC 7516 §4
    /// and RFC 7515 §4 ask for it; in a plaintext they would let two readers see two
    /// different `from`s). Nesting beyond 128 levels is refused by serde_json.
    pub(crate) fn parse(json: &'a [u8]) -> Result<Self, JoseError> {
        let text = std::str::from_utf8(json).map_err(|_| JoseError::Malformed("not UTF-8"))?;
        serde_json::from_str(text).map_err(|error| {
            if error.to_string().starts_with(DUPLICATE) {
                JoseError::Malformed("a member appears twice")
            } else {
                JoseError::Malformed("not a JSON object")
            }
        })
    }

    pub(crate) fn shape(&self) -> Shape {
        if self.ciphertext.is_some() && self.protected.is_some() {
            Shape::Encrypted
        } else if self.payload.is_some() && (self.signatures.is_some() || self.signature.is_some())
        {
            Shape::Signed
        } else {
            Shape::Plain
        }
    }

    /// The whole as a JSON object; for plaintexts.
    pub(crate) fn into_object(self) -> Result<Map<String, Value>, JoseError> {
        let mut object = self.rest;
        let texts = [
            ("protected", self.protected),
            ("iv", self.iv),
            ("ciphertext", self.ciphertext),
            ("tag", self.tag),
            ("aad", self.aad),
            ("encrypted_key", self.encrypted_key),
            ("payload", self.payload),
            ("signature", self.signature),
        ];
        for (name, text) in texts {
            match text {
                Some(Text::Str(text)) => object.insert(name.into(), text.into_owned().into()),
                Some(Text::Other(value)) => object.insert(name.into(), value),
                None => None,
            };
        }
        let raws = [
            ("header", self.header),
            ("recipients", self.recipients),
            ("signatures", self.signatures),
        ];
        for (name, raw) in raws {
            if let Some(raw) = raw {
                let value = serde_json::from_str(raw.get())
                    .map_err(|_| JoseError::Malformed("nested too deep"))?;
                object.insert(name.into(), value);
            }
        }
        Ok(object)
    }
}

/// A string member that must be there.
pub(crate) fn required<'a, 'b>(
    text: Option<&'b Text<'a>>,
    what: &'static str,
) -> Result<&'b Cow<'a, str>, JoseError> {
    match text {
        Some(Text::Str(text)) => Ok(text),
        _ => Err(JoseError::Malformed(what)),
    }
}

const DUPLICATE: &str = "twice: ";

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members::default();
        while let Some(Key(key)) = map.next_key()? {
            let slot = match key.as_ref() {
                "protected" => &mut members.protected,
                "iv" => &mut members.iv,
                "ciphertext" => &mut members.ciphertext,
                "tag" => &mut members.tag,
                "aad" => &mut members.aad,
                "encrypted_key" => &mut members.encrypted_key,
                "payload" => &mut members.payload,
                "signature" => &mut members.signature,
                other => {
                    let raw = match other {
                        "header" => &mut members.header,
                        "recipients" => &mut members.recipients,
                        "signatures" => &mut members.signatures,
                        _ => {
                            let value = map.next_value()?;
                            if members.rest.insert(key.into_owned(), value).is_some() {
                                return Err(A::Error::custom(DUPLICATE));
                            }
                            continue;
                        }
                    };
                    if raw.replace(map.next_value()?).is_some() {
                        return Err(A::Error::custom(DUPLICATE));
                    }
                    continue;
                }
            };
            if slot.replace(map.next_value()?).is_some() {
                return Err(A::Error::custom(DUPLICATE));
            }
        }
        Ok(members)
    }
}

/// A borrowed key where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Text::deserialize(deserializer)? {
            Text::Str(text) => Ok(Self(text)),
            Text::Other(_) => Err(D::Error::custom("a key is a string")),
        }
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text::Str(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text::Str(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Text::Other(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Text::Other(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Text::Other(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Text::Other(value.into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Text::Other(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(seq)).map(Text::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(map)).map(Text::Other)
    }
}
