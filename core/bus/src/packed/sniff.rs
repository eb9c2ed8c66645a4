//! What kind of message raw bytes are.
//!
//! What is it: a look at the names of the top-level members, nothing more; the agent judges
//! the rest. Who calls it: `packed::read` for what is carried raw, and `identity` and `wire` to
//! check the kind that a form claims. What can go wrong: nothing; what is not a DIDComm message
//! in JSON is [`Kind::Other`].

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::envelope::Kind;

/// The kind of a packed message that is carried raw.
pub(super) fn kind(packed: &[u8]) -> Kind {
    let starts_as_object = packed
        .iter()
        .find(|byte| !byte.is_ascii_whitespace())
        .is_some_and(|byte| *byte == b'{');
    if !starts_as_object {
        return Kind::Other;
    }
    match serde_json::from_slice::<Seen>(packed) {
        Ok(seen) => seen.kind(),
        Err(_) => Kind::Other,
    }
}

#[derive(Default)]
struct Seen {
    ciphertext: bool,
    protected: bool,
    recipients: bool,
    payload: bool,
    signature: bool,
    message_type: bool,
}

impl Seen {
    fn kind(&self) -> Kind {
        if self.ciphertext && (self.protected || self.recipients) {
            Kind::Encrypted
        } else if self.payload && self.signature {
            Kind::Signed
        } else if self.message_type {
            Kind::Plaintext
        } else {
            Kind::Other
        }
    }
}

/// Whether a value is a string; everything else is skipped.
struct IsString(bool);

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct SeenVisitor;
        impl<'de> Visitor<'de> for SeenVisitor {
            type Value = Seen;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Seen, A::Error> {
                let mut seen = Seen::default();
                while let Some(name) = map.next_key::<Name>()? {
                    match name {
                        Name::Ciphertext => seen.ciphertext = true,
                        Name::Protected => seen.protected = true,
                        Name::Recipients => seen.recipients = true,
                        Name::Payload => seen.payload = true,
                        Name::Signature => seen.signature = true,
                        Name::Type => {
                            seen.message_type = map.next_value::<IsString>()?.0;
                            continue;
                        }
                        Name::Unknown => {}
                    }
                    map.next_value::<IgnoredAny>()?;
                }
                Ok(seen)
            }
        }
        from.deserialize_map(SeenVisitor)
    }
}

enum Name {
    Ciphertext,
    Protected,
    Recipients,
    Payload,
    Signature,
    Type,
    Unknown,
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl Visitor<'_> for NameVisitor {
            type Value = Name;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Name, E> {
                Ok(match name {
                    "ciphertext" => Name::Ciphertext,
                    "protected" => Name::Protected,
                    "recipients" | "encrypted_key" => Name::Recipients,
                    "payload" => Name::Payload,
                    "signature" | "signatures" => Name::Signature,
                    "type" => Name::Type,
                    _ => Name::Unknown,
                })
            }
        }
        from.deserialize_str(NameVisitor)
    }
}

impl<'de> Deserialize<'de> for IsString {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        /// `serde_json::Value` would build the whole tree; this skips what is no string.
        struct AnyVisitor;
        impl<'de> Visitor<'de> for AnyVisitor {
            type Value = IsString;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_str<E: Error>(self, _: &str) -> Result<IsString, E> {
                Ok(IsString(true))
            }
            fn visit_bool<E: Error>(self, _: bool) -> Result<IsString, E> {
                Ok(IsString(false))
            }
            fn visit_u64<E: Error>(self, _: u64) -> Result<IsString, E> {
                Ok(IsString(false))
            }
            fn visit_i64<E: Error>(self, _: i64) -> Result<IsString, E> {
                Ok(IsString(false))
            }
            fn visit_f64<E: Error>(self, _: f64) -> Result<IsString, E> {
                Ok(IsString(false))
            }
            fn visit_unit<E: Error>(self) -> Result<IsString, E> {
                Ok(IsString(false))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut a: A,
            ) -> Result<IsString, A::Error> {
                while a.next_element::<IgnoredAny>()?.is_some() {}
                Ok(IsString(false))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut a: A) -> Result<IsString, A::Error> {
                while a.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(IsString(false))
            }
        }
        from.deserialize_any(AnyVisitor)
    }
}
