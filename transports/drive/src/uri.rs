//! `file:` URIs (RFC 8089), the endpoint form of this transport.
//!
//! Called by [`crate::Folder`] and by whoever reads service endpoints. URIs come from strangers'
//! DID documents: anything that is not plainly a local absolute path is an error.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

/// Longest URI accepted, in bytes: Linux paths end at 4096, each byte may take three characters.
const MAX_URI: usize = 3 * 4096 + 32;

/// Why a text is not a `file:` URI of a local folder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// The scheme is another one.
    #[error("not a file: URI")]
    Scheme,
    /// The URI names another machine (RFC 8089 §2, `auth-path`).
    #[error("the folder lies on host {0:?}; mount it and use its local path")]
    Remote(String),
    /// There is no absolute path in it.
    #[error("no absolute path in the URI")]
    Relative,
    /// A query, a fragment, a bad percent escape or a NUL byte.
    #[error("malformed file: URI at byte {0}")]
    Malformed(usize),
    /// Longer than any path can be.
    #[error("the URI is longer than any path")]
    TooLong,
    /// The path to be written as a URI is not absolute.
    #[error("only an absolute path has a file: URI")]
    PathNotAbsolute,
}

/// The local path of a `file:` URI: `file:/p`, `file:///p` and `file://localhost/p`
/// (RFC 8089 §2 and appendix B). Percent escapes become bytes; the path needs not be UTF-8.
pub fn path_of_uri(uri: &str) -> Result<PathBuf, UriError> {
    if uri.len() > MAX_URI {
        return Err(UriError::TooLong);
    }
    let (scheme, rest) = uri.split_once(':').ok_or(UriError::Scheme)?;
    if !scheme.eq_ignore_ascii_case("file") {
        return Err(UriError::Scheme);
    }
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(with_host) => {
            let slash = with_host.find('/').ok_or(UriError::Relative)?;
            let (host, path) = with_host.split_at(slash);
            if !host.is_empty() && !host.eq_ignore_ascii_case("localhost") {
                return Err(UriError::Remote(host.to_owned()));
            }
            path
        }
    };
    if !path.starts_with('/') {
        return Err(UriError::Relative);
    }
    let offset = uri.len() - path.len();
    decode(path.as_bytes())
        .map(|bytes| PathBuf::from(OsString::from_vec(bytes)))
        .map_err(|at| UriError::Malformed(offset + at))
}

/// The URI of an absolute path, in the form `file:///…`.
pub fn uri_of_path(path: &Path) -> Result<String, UriError> {
    if !path.is_absolute() {
        return Err(UriError::PathNotAbsolute);
    }
    let mut uri = String::from("file://");
    for &byte in path.as_os_str().as_bytes() {
        if is_plain(byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(uri)
}

/// Bytes of a path that need no escape: `pchar` of RFC 3986 §3.3, and the slash.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte)
}

/// Undoes percent escapes; the error is the place of the first offence.
fn decode(text: &[u8]) -> Result<Vec<u8>, usize> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter().enumerate();
    while let Some((at, &byte)) = rest.next() {
        let decoded = match byte {
            b'%' => {
                let high = rest.next().and_then(|(_, digit)| hex(*digit)).ok_or(at)?;
                let low = rest.next().and_then(|(_, digit)| hex(*digit)).ok_or(at)?;
                high << 4 | low
            }
            b'?' | b'#' => return Err(at),
            other => other,
        };
        if decoded == 0 {
            return Err(at);
        }
        bytes.push(decoded);
    }
    Ok(bytes)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests;
