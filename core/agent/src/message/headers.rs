//! Headers of extensions, read out of [`Message::extra`], where they stay as they came: `l10n`
//! and `received_orders` (advanced sequencing). Malformed parts are passed over: no protocol
//! of ours depends on them.

use serde_json::{Value, json};

use super::Message;

/// Most entries that are read of one header.
const MAX_ENTRIES: usize = 1024;

/// One entry of `l10n.inline` (l10n extension).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// Language tag, BCP 47.
    pub lang: String,
    /// What is translated: a path in `body`, with dots.
    pub field: String,
    /// The text in that language.
    pub text: String,
}

/// One entry of `received_orders` (advanced sequencing): what its sender has seen of a party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedOrder {
    /// The party's DID.
    pub id: String,
    /// The highest `sender_order` seen.
    pub last: u64,
    /// Those below it that are missing.
    pub gaps: Vec<u64>,
}

impl Message {
    /// The inline translations. `service` and `table` are reserved, and read by nobody yet.
    #[must_use]
    pub fn translations(&self) -> Vec<Translation> {
        let inline = self.extra.get("l10n").and_then(|l10n| l10n.get("inline"));
        let read = |triple: &Value| match triple.as_array()?.as_slice() {
            [
                Value::String(lang),
                Value::String(field),
                Value::String(text),
            ] => Some(Translation {
                lang: lang.clone(),
                field: field.clone(),
                text: text.clone(),
            }),
            _ => None,
        };
        entries(inline).filter_map(read).collect()
    }

    /// Adds inline translations to those that are there.
    pub fn translate(&mut self, translations: &[Translation]) {
        let mut all: Vec<Value> = Vec::new();
        let l10n = self.extra.entry("l10n").or_insert_with(|| json!({}));
        if !l10n.is_object() {
            *l10n = json!({});
        }
        if let Some(map) = l10n.as_object_mut() {
            if let Some(Value::Array(known)) = map.get_mut("inline") {
                all.append(known);
            }
            all.extend(
                translations
                    .iter()
                    .map(|one| json!([one.lang, one.field, one.text])),
            );
            map.insert("inline".to_owned(), Value::Array(all));
        }
    }

    /// The text of a field of the body (a path with dots) in the first of these languages
    /// that it is there in; else the body's own. A wish for `fr` is met by `fr-CA`, not the
    /// other way round (RFC 4647 §3.3.1, basic filtering).
    #[must_use]
    pub fn localized(&self, field: &str, wanted: &[&str]) -> Option<String> {
        let mut own = self.body.as_ref();
        for name in field.split('.') {
            own = own.and_then(|value| value.get(name));
        }
        let own = own.and_then(Value::as_str);
        let translations = self.translations();
        for wish in wanted {
            if own.is_some() && self.lang.as_deref().is_some_and(|lang| meets(lang, wish)) {
                break;
            }
            let found = translations
                .iter()
                .find(|one| one.field == field && meets(&one.lang, wish));
            if let Some(found) = found {
                return Some(found.text.clone());
            }
        }
        own.map(str::to_owned)
    }

    /// What the sender has seen of everyone in the thread.
    #[must_use]
    pub fn received_orders(&self) -> Vec<ReceivedOrder> {
        let read = |entry: &Value| {
            Some(ReceivedOrder {
                id: entry.get("id")?.as_str()?.to_owned(),
                last: entry.get("last")?.as_u64()?,
                gaps: entries(entry.get("gaps"))
                    .filter_map(Value::as_u64)
                    .collect(),
            })
        };
        entries(self.extra.get("received_orders"))
            .filter_map(read)
            .collect()
    }

    /// Sets `received_orders`.
    pub fn set_received_orders(&mut self, orders: &[ReceivedOrder]) {
        let list: Vec<Value> = orders
            .iter()
            .map(|one| json!({ "id": one.id, "last": one.last, "gaps": one.gaps }))
            .collect();
        self.extra
            .insert("received_orders".to_owned(), Value::Array(list));
    }
}

fn entries(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let list = value.and_then(Value::as_array);
    list.into_iter().flatten().take(MAX_ENTRIES)
}

fn meets(lang: &str, wish: &str) -> bool {
    let start = lang.get(..wish.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(wish))
        && matches!(lang.as_bytes().get(wish.len()), None | Some(b'-'))
}
