//! Out-of-band invitations, found in whatever form they come.
//!
//! Who calls it: `accept`, the demo. What can go wrong: a text that holds none, a
//! picture without one, an invitation whose DID we cannot resolve.

use std::path::{Path, PathBuf};

use packmule_agent::message::Message;
use packmule_agent::protocol::out_of_band;

use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::partials::Held;
use crate::flow::{files, pictures};

/// What was accepted.
pub(crate) enum Found {
    /// An invitation message.
    Invitation(Box<Message>),
    /// Only a DID.
    Did(String),
}

/// Finds an invitation in a URL, a file, a picture, standard input (`-`), or takes a bare DID.
pub(crate) fn find(source: &str) -> Result<Found, Fault> {
    if source.starts_with("did:") {
        return Ok(Found::Did(source.to_owned()));
    }
    if source.contains("://") && !Path::new(source).exists() {
        return in_text(source);
    }
    let path = PathBuf::from(source);
    let picture = path
        .extension()
        .and_then(|e| e.to_str())
        .is_some_and(|e| ["png", "jpg", "jpeg", "gif"].contains(&e.to_ascii_lowercase().as_str()));
    if source == "-" || (!picture && path.is_file()) {
        let bytes = files::read_input(Some(&path))?;
        let text = String::from_utf8(bytes).map_err(|_| {
            nothing("the input is no text").hint("pictures must be called .png, .jpg or .gif")
        })?;
        return in_text(text.trim());
    }
    if !path.exists() {
        return Err(
            Fault::not_found(format!("{source} is no URL, no DID, and no file"))
                .hint("quote the URL: it holds characters that shells use"),
        );
    }
    let gathered = pictures::read(&[path], &Held::default(), true)?;
    if let Some((_, why)) = gathered.unreadable.first() {
        return Err(nothing(&format!("cannot read the picture: {why}")));
    }
    match gathered.invitations.as_slice() {
        [url] => in_text(url),
        [] => Err(nothing("there is no invitation in this picture")
            .hint("a picture of a message is read by `packmule qr read`")),
        _ => Err(nothing("there are several invitations in this picture")
            .hint("cut the picture, or paste the URL of one")),
    }
}

fn in_text(text: &str) -> Result<Found, Fault> {
    if text.starts_with("did:") {
        return Ok(Found::Did(text.to_owned()));
    }
    let invitation = out_of_band::parse(text)?;
    Ok(Found::Invitation(Box::new(invitation)))
}

fn nothing(what: &str) -> Fault {
    Fault::new(Exit::Damaged, what)
}
