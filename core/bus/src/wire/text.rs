//! The plain JSON of protected headers and JWKs.
//!
//! What is it: a reader for one flat object whose strings hold no escapes, written either
//! without white space or in Python's default style (`", "` and `": "`); which of both is kept,
//! so that the text can be rendered byte for byte. Who calls it: `protected`, `jwk`. What can
//! go wrong: anything else yields `None`, and the caller carries the text as it is.

/// A member's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// What stands between the quotation marks.
    Text(&'a str),
    /// An object, with its braces.
    Object(&'a str),
}

/// The members of an object, and whether it is written in the spaced style.
pub(super) fn members(text: &str) -> Option<(Vec<(&str, Value<'_>)>, bool)> {
    let spaced = text.contains("\": ");
    let mut found = Vec::new();
    let mut rest = text.strip_prefix('{')?;
    if rest == "}" {
        return Some((found, spaced));
    }
    loop {
        let name;
        (name, rest) = string(rest)?;
        rest = rest.strip_prefix(if spaced { ": " } else { ":" })?;
        let value;
        if rest.starts_with('{') {
            let end = rest.find('}')? + 1;
            let (object, after) = rest.split_at_checked(end)?;
            (value, rest) = (Value::Object(object), after);
        } else {
            let (inner, after) = string(rest)?;
            (value, rest) = (Value::Text(inner), after);
        }
        found.push((name, value));
        if found.len() > 16 {
            return None;
        }
        if rest == "}" {
            return Some((found, spaced));
        }
        rest = rest.strip_prefix(if spaced { ", " } else { "," })?;
    }
}

/// A string without escapes at the start of `text`, and what follows it.
fn string(text: &str) -> Option<(&str, &str)> {
    let (inner, rest) = text.strip_prefix('"')?.split_once('"')?;
    if inner.bytes().any(|byte| byte < 0x20 || byte == b'\\') {
        return None;
    }
    Some((inner, rest))
}

/// An object being rendered in one of the two styles.
pub(super) struct Object {
    text: String,
    spaced: bool,
}

impl Object {
    pub(super) fn new(spaced: bool) -> Self {
        Self {
            text: String::from("{"),
            spaced,
        }
    }

    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.text.push('"');
        self.text.push_str(value);
        self.text.push('"');
    }

    pub(super) fn object(&mut self, name: &str, value: &str) {
        self.name(name);
        self.text.push_str(value);
    }

    pub(super) fn done(mut self) -> String {
        self.text.push('}');
        self.text
    }

    fn name(&mut self, name: &str) {
        if self.text.len() > 1 {
            self.text.push_str(if self.spaced { ", " } else { "," });
        }
        self.text.push('"');
        self.text.push_str(name);
        self.text.push_str(if self.spaced { "\": " } else { "\":" });
    }
}
