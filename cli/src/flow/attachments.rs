//! Attachments: files into a message, and out of one.
//!
//! Who calls it: `send`, `inbox`, the demo. What can go wrong: a file that is too large for a
//! message, data that is no base64, a hash that does not match (refused, nothing is written).

use std::path::{Path, PathBuf};

use packmule_agent::message::Attachment;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::flow::files;

/// A file as an attachment.
pub(crate) fn from_file(path: &Path) -> Result<Attachment, Fault> {
    let bytes = files::read_input(Some(path))?;
    let mut attachment = Attachment::base64(&bytes);
    attachment.filename = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    attachment.media_type = media_type(path).map(str::to_owned);
    Ok(attachment)
}

/// Saves every attachment that holds its data in `dir`. Returns what lies where.
pub(crate) fn save_all(attachments: &[Attachment], dir: &Path) -> Result<Vec<Saved>, Fault> {
    // All are decoded and checked before the first is written.
    let mut decoded = Vec::new();
    for (number, attachment) in attachments.iter().enumerate() {
        decoded.push((name_of(attachment, number), attachment.bytes()?));
    }
    files::make_dir(dir)?;
    let mut saved = Vec::new();
    for (name, bytes) in decoded {
        let path = match &bytes {
            Some(bytes) => Some(files::save_new(dir, &name, bytes)?),
            None => None,
        };
        saved.push(Saved {
            name,
            bytes: bytes.map(|b| b.len() as u64),
            path,
        });
    }
    Ok(saved)
}

/// What became of an attachment.
pub(crate) struct Saved {
    /// Its name, as its sender has it.
    pub(crate) name: String,
    /// Its size; `None` for one that is only links.
    pub(crate) bytes: Option<u64>,
    /// Where it lies; `None` for one that is only links.
    pub(crate) path: Option<PathBuf>,
}

/// An attachment for a list.
pub(crate) fn describe(attachment: &Attachment, number: usize) -> Value {
    json!({
        "id": attachment.id,
        "name": name_of(attachment, number),
        "media_type": attachment.media_type,
        "description": attachment.description,
        "bytes": attachment.bytes().ok().flatten().map(|b| b.len()),
        "links": attachment.data.links,
    })
}

fn name_of(attachment: &Attachment, number: usize) -> String {
    attachment
        .filename
        .clone()
        .or_else(|| attachment.id.clone())
        .unwrap_or_else(|| format!("attachment-{}", number + 1))
}

/// The media types of common files; the recipient decides by content anyway.
fn media_type(path: &Path) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    Some(match extension.as_str() {
        "txt" | "md" => "text/plain",
        "json" => "application/json",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "csv" => "text/csv",
        "zip" => "application/zip",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        _ => return None,
    })
}
