//! Explains a message byte for byte.

/// A stretch of a form.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Part {
    /// What it is.
    pub name: String,
    /// Where it begins in the wire form, in bytes; `None` inside something compressed.
    pub offset: Option<usize>,
    /// Its length in bytes.
    pub bytes: usize,
    /// Its meaning.
    pub note: String,
}
