//! Message to JSON and back. Written by hand, because a derive could not keep the promise
//! that every header survives and that a wrong one is named.

use serde_json::{Map, Value, json};

use super::{Attachment, Message, MessageError, posix_of};

/// Bounds on lists; no honest message comes near.
const MAX_LIST: usize = 4096;
const MAX_ATTACHMENTS: usize = 1024;

impl Message {
    /// Reads a plaintext message.
    ///
    /// Forgiven: no body, `typ` in short form or absent, one string where a list belongs,
    /// whole numbers written as `1.0`, times as text (RFC 3339, as Veramo has them, or digits),
    /// attachments without hash or data (see
    /// [`Message::warnings`]).
    ///
    /// # Errors
    /// Any [`MessageError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, MessageError> {
        Self::from_value(serde_json::from_slice(bytes).map_err(|_| MessageError::NotJson)?)
    }

    /// Reads a message that is JSON already.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn from_value(value: Value) -> Result<Self, MessageError> {
        let Value::Object(mut map) = value else {
            return Err(MessageError::NotAnObject);
        };
        if map.contains_key("@type") || map.contains_key("@id") {
            return Err(MessageError::Version1);
        }
        let map = &mut map;
        Ok(Self {
            id: text(map, "id")?.ok_or(MessageError::Missing("id"))?,
            type_uri: text(map, "type")?.ok_or(MessageError::Missing("type"))?,
            typ: text(map, "typ")?,
            to: texts(map, "to")?,
            from: text(map, "from")?,
            thid: text(map, "thid")?,
            pthid: text(map, "pthid")?,
            created_time: time(map, "created_time")?,
            expires_time: time(map, "expires_time")?,
            body: match take(map, "body") {
                None => None,
                Some(body @ Value::Object(_)) => Some(body),
                Some(_) => {
                    return Err(MessageError::Header {
                        header: "body",
                        must: "an object",
                    });
                }
            },
            attachments: attachments(map)?,
            from_prior: text(map, "from_prior")?,
            please_ack: texts(map, "please_ack")?,
            ack: texts(map, "ack")?,
            lang: text(map, "lang")?,
            accept_lang: texts(map, "accept-lang")?,
            return_route: text(map, "return_route")?,
            return_route_thread: text(map, "return_route_thread")?,
            sender_order: number(map, "sender_order")?,
            sent_count: number(map, "sent_count")?,
            extra: std::mem::take(map),
        })
    }

    /// The message as JSON; headers that are empty are left out.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut out = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                out.insert(name.to_owned(), value);
            }
        };
        let texts = |list: &[String]| (!list.is_empty()).then(|| json!(list));
        let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
        let number = |number: Option<u64>| number.map(|number| json!(number));
        put("id", Some(json!(self.id)));
        put("type", Some(json!(self.type_uri)));
        put("typ", text(&self.typ));
        put("from", text(&self.from));
        put("to", texts(&self.to));
        put("thid", text(&self.thid));
        put("pthid", text(&self.pthid));
        put("created_time", number(self.created_time));
        put("expires_time", number(self.expires_time));
        put("from_prior", text(&self.from_prior));
        put("please_ack", texts(&self.please_ack));
        put("ack", texts(&self.ack));
        put("lang", text(&self.lang));
        put("accept-lang", texts(&self.accept_lang));
        put("return_route", text(&self.return_route));
        put("return_route_thread", text(&self.return_route_thread));
        put("sender_order", number(self.sender_order));
        put("sent_count", number(self.sent_count));
        put("body", self.body.clone());
        let attachments: Vec<Value> = self.attachments.iter().map(Attachment::to_value).collect();
        put(
            "attachments",
            (!attachments.is_empty()).then_some(Value::Array(attachments)),
        );
        for (name, value) in &self.extra {
            out.entry(name.as_str()).or_insert_with(|| value.clone());
        }
        Value::Object(out)
    }

    /// The message as JSON text, ready to be packed.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        self.to_value().to_string().into_bytes()
    }
}

/// Takes a header out. `null` counts as absent, as some writers put it for every empty one,
/// and so does an empty list; they stay in the map, end in `extra`, and are written
/// again, so that nothing of a message is lost on its way through us.
pub(super) fn take(map: &mut Map<String, Value>, name: &str) -> Option<Value> {
    match map.get(name)? {
        Value::Null => None,
        Value::Array(list) if list.is_empty() => None,
        _ => map.shift_remove(name),
    }
}

pub(super) fn text(
    map: &mut Map<String, Value>,
    header: &'static str,
) -> Result<Option<String>, MessageError> {
    match take(map, header) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(MessageError::Header {
            header,
            must: "a string",
        }),
    }
}

pub(super) fn texts(
    map: &mut Map<String, Value>,
    header: &'static str,
) -> Result<Vec<String>, MessageError> {
    let wrong = MessageError::Header {
        header,
        must: "a list of strings",
    };
    match take(map, header) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text]),
        Some(Value::Array(list)) if list.len() > MAX_LIST => Err(MessageError::TooMany(header)),
        Some(Value::Array(list)) => list
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                _ => Err(wrong.clone()),
            })
            .collect(),
        Some(_) => Err(wrong),
    }
}

/// A whole number that is not negative; `1516269022.0` is one too.
pub(super) fn number(
    map: &mut Map<String, Value>,
    header: &'static str,
) -> Result<Option<u64>, MessageError> {
    let Some(value) = take(map, header) else {
        return Ok(None);
    };
    // 2^53: beyond it a float names no certain whole number.
    let whole =
        |float: &f64| float.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(float);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be whole and within 0..2^53"
    )]
    let read = value
        .as_u64()
        .or_else(|| value.as_f64().filter(whole).map(|float| float as u64));
    let must = "a whole number that is not negative (for times: UTC seconds since 1970)";
    read.map(Some).ok_or(MessageError::Header { header, must })
}

/// A time; one written as text is written again as a number.
fn time(map: &mut Map<String, Value>, header: &'static str) -> Result<Option<u64>, MessageError> {
    let told = map.get(header).and_then(Value::as_str);
    let Some(time) = told.and_then(|text| text.parse().ok().or_else(|| posix_of(text))) else {
        return number(map, header);
    };
    map.shift_remove(header);
    Ok(Some(time))
}

fn attachments(map: &mut Map<String, Value>) -> Result<Vec<Attachment>, MessageError> {
    let header = "attachments";
    match take(map, header) {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) if list.len() > MAX_ATTACHMENTS => {
            Err(MessageError::TooMany(header))
        }
        Some(Value::Array(list)) => list.into_iter().map(Attachment::from_value).collect(),
        Some(_) => Err(MessageError::Header {
            header,
            must: "a list of objects",
        }),
    }
}
