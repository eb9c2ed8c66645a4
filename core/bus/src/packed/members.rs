//! The members of a JWE or JWS in JSON, as they come.
//!
//! What is it: one pass of serde_json over the text, borrowing the base64url strings.
//! Anything unknown, doubled, or of another type ends the pass at once: the message is then
//! carried raw. Who calls it: `packed::read`. What can go wrong: that end, as `None`.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::headers::{Headers, MAX_VALUES, ObjectSeed};
use crate::parts::MAX_RECIPIENTS;

/// Every member that RFC 7515 §7.2 and RFC 7516 §7.2 know at top level.
#[derive(Default)]
pub(super) struct Members<'a> {
    pub(super) protected: Option<Cow<'a, str>>,
    pub(super) unprotected: Option<Headers<'static>>,
    pub(super) header: Option<Headers<'static>>,
    pub(super) recipients: Option<Vec<Entry<'a>>>,
    pub(super) encrypted_key: Option<Cow<'a, str>>,
    pub(super) aad: Option<Cow<'a, str>>,
    pub(super) iv: Option<Cow<'a, str>>,
    pub(super) ciphertext: Option<Cow<'a, str>>,
    pub(super) tag: Option<Cow<'a, str>>,
    pub(super) payload: Option<Cow<'a, str>>,
    pub(super) signatures: Option<Vec<Entry<'a>>>,
    pub(super) signature: Option<Cow<'a, str>>,
}

/// One entry of `recipients` or `signatures`.
#[derive(Default)]
pub(super) struct Entry<'a> {
    pub(super) protected: Option<Cow<'a, str>>,
    pub(super) header: Option<Headers<'static>>,
    pub(super) encrypted_key: Option<Cow<'a, str>>,
    pub(super) signature: Option<Cow<'a, str>>,
}

/// Parses the whole text, or `None`.
pub(super) fn parse(packed: &[u8]) -> Option<Members<'_>> {
    let mut values = MAX_VALUES;
    let mut from = serde_json::Deserializer::from_slice(packed);
    let members = MembersSeed {
        values: &mut values,
        into: PhantomData,
    }
    .deserialize(&mut from)
    .ok()?;
    from.end().ok()?;
    Some(members)
}

/// A string, borrowed unless it holds escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(TextVisitor)
    }
}

/// Puts a value where none must be yet.
fn once<T, E: Error>(place: &mut Option<T>, value: T) -> Result<(), E> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::custom("a member twice")),
    }
}

struct MembersSeed<'b, 'a> {
    values: &'b mut usize,
    into: PhantomData<&'a ()>,
}

impl<'de> DeserializeSeed<'de> for MembersSeed<'_, 'de> {
    type Value = Members<'de>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MembersSeed<'_, 'de> {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JWE or JWS")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Members::default();
        while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
            let place = match name.as_ref() {
                "header" => {
                    let header = map.next_value_seed(ObjectSeed {
                        values: &mut *self.values,
                    })?;
                    once(&mut found.header, header)?;
                    continue;
                }
                "unprotected" => {
                    let header = map.next_value_seed(ObjectSeed {
                        values: &mut *self.values,
                    })?;
                    once(&mut found.unprotected, header)?;
                    continue;
                }
                "recipients" => {
                    let entries = map.next_value_seed(EntriesSeed {
                        values: &mut *self.values,
                        into: PhantomData,
                    })?;
                    once(&mut found.recipients, entries)?;
                    continue;
                }
                "signatures" => {
                    let entries = map.next_value_seed(EntriesSeed {
                        values: &mut *self.values,
                        into: PhantomData,
                    })?;
                    once(&mut found.signatures, entries)?;
                    continue;
                }
                "protected" => &mut found.protected,
                "encrypted_key" => &mut found.encrypted_key,
                "aad" => &mut found.aad,
                "iv" => &mut found.iv,
                "ciphertext" => &mut found.ciphertext,
                "tag" => &mut found.tag,
                "payload" => &mut found.payload,
                "signature" => &mut found.signature,
                _ => return Err(Error::custom("an unknown member")),
            };
            once(place, map.next_value::<Text<'de>>()?.0)?;
        }
        Ok(found)
    }
}

struct EntriesSeed<'b, 'a> {
    values: &'b mut usize,
    into: PhantomData<&'a ()>,
}

impl<'de> DeserializeSeed<'de> for EntriesSeed<'_, 'de> {
    type Value = Vec<Entry<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for EntriesSeed<'_, 'de> {
    type Value = Vec<Entry<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of recipients or signatures")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = seq.next_element_seed(EntrySeed {
            values: &mut *self.values,
            into: PhantomData,
        })? {
            if entries.len() == MAX_RECIPIENTS {
                return Err(Error::custom("too many recipients"));
            }
            entries.push(entry);
        }
        Ok(entries)
    }
}

struct EntrySeed<'b, 'a> {
    values: &'b mut usize,
    into: PhantomData<&'a ()>,
}

impl<'de> DeserializeSeed<'de> for EntrySeed<'_, 'de> {
    type Value = Entry<'de>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EntrySeed<'_, 'de> {
    type Value = Entry<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a recipient or signature")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Entry::default();
        while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
            let place = match name.as_ref() {
                "header" => {
                    let header = map.next_value_seed(ObjectSeed {
                        values: &mut *self.values,
                    })?;
                    once(&mut found.header, header)?;
                    continue;
                }
                "protected" => &mut found.protected,
                "encrypted_key" => &mut found.encrypted_key,
                "signature" => &mut found.signature,
                _ => return Err(Error::custom("an unknown member")),
            };
            once(place, map.next_value::<Text<'de>>()?.0)?;
        }
        Ok(found)
    }
}
