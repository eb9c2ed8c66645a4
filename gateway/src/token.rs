//! The word that opens the operators' side.
//!
//! What is it: [`Token`], 256 random bits in a file of the home that only its owner can read.
//! Who calls it: the gateway makes it at its first start, `packmule gateway token` shows it, the
//! office asks it about each request of an operator. What can go wrong: the disk; a file that
//! holds no token, which is told and never replaced. Remove the file and restart for a new one.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use packmule_agent::keys::{Curve, SecretKey};
use packmule_http::hyper::header::{AUTHORIZATION, HeaderMap};
use sha2::{Digest, Sha256};

/// The file in the home.
const FILE: &str = "operator-token";
/// Its length as text.
const LETTERS: usize = 64;

/// Opens the operators' side to who says it.
pub struct Token {
    text: String,
    digest: [u8; 32],
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the operators' token {}: {source}", path.display())]
pub struct TokenError {
    path: PathBuf,
    source: io::Error,
}

impl Token {
    /// The one of a home; made where there is none.
    ///
    /// # Errors
    /// The disk, or the file holds something else.
    pub fn of(home: &Path) -> Result<Self, TokenError> {
        let path = home.join(FILE);
        let text = read(&path).or_else(|error| match error.kind() {
            ErrorKind::NotFound => make(home, &path),
            _ => Err(error),
        });
        let wrong = |source| TokenError { path, source };
        text.map(Self::new).map_err(wrong)
    }

    fn new(text: String) -> Self {
        let digest = Sha256::digest(text.as_bytes()).into();
        Self { text, digest }
    }

    /// For whoever keeps the home.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Is it in the one place where it is looked for, `Authorization: Bearer …`? How long that
    /// takes tells nothing about the token: hashes are compared, and all of them.
    #[must_use]
    pub(crate) fn opens(&self, headers: &HeaderMap) -> bool {
        let said = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
        let (scheme, said) = said
            .unwrap_or_default()
            .split_at_checked(7)
            .unwrap_or_default();
        let digest: [u8; 32] = Sha256::digest(said.trim_ascii()).into();
        let other = self.digest.iter().zip(&digest);
        let other = other.fold(0, |all, (a, b)| std::hint::black_box(all | (a ^ b)));
        scheme.eq_ignore_ascii_case(b"bearer ") & (other == 0)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(4096).read_to_string(&mut text)?;
    let text = text.trim();
    let whole = text.len() == LETTERS && text.bytes().all(|letter| letter.is_ascii_hexdigit());
    match whole {
        true => Ok(text.to_owned()),
        false => Err(io::Error::new(
            ErrorKind::InvalidData,
            "it is not 64 hexadecimal digits; remove it to have a new one made",
        )),
    }
}

/// Whole or not at all: written beside its place, then linked there. Two who make one at a time
/// end up with the same.
fn make(home: &Path, path: &Path) -> io::Result<String> {
    // A fresh key is as good as any other 32 bytes of the system's randomness.
    let random = SecretKey::generate(Curve::X25519).map_err(io::Error::other)?;
    let text: String = random
        .raw()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let beside = home.join(format!(".{FILE}.{}", std::process::id()));
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(format!("{text}\n").as_bytes())?;
    file.sync_all()?;
    let placed = std::fs::hard_link(&beside, path);
    std::fs::remove_file(&beside)?;
    File::open(home)?.sync_all()?;
    match placed {
        Ok(()) => Ok(text),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read(path),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use packmule_http::hyper::header::HeaderValue;

    use super::*;

    fn says(token: &Token, header: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(header).unwrap());
        token.opens(&headers)
    }

    #[test]
    fn it_is_made_once_and_for_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let token = Token::of(home.path()).unwrap();
        assert_eq!(token.text().len(), LETTERS);
        let mode = home
            .path()
            .join(FILE)
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(Token::of(home.path()).unwrap().text(), token.text());
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(Token::of(other.path()).unwrap().text(), token.text());
        assert!(!format!("{token:?}").contains(token.text()));
    }

    #[test]
    fn only_the_whole_token_in_its_place_opens() {
        let home = tempfile::tempdir().unwrap();
        let token = Token::of(home.path()).unwrap();
        let text = token.text().to_owned();
        assert!(says(&token, &format!("Bearer {text}")));
        assert!(says(&token, &format!("bearer  {text} ")));
        for wrong in [
            String::new(),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            text.clone(),
            format!("Basic {text}"),
            format!("Bearer {}", &text[1..]),
            format!("Bearer {text}0"),
            format!("Bearer {}", text.to_uppercase() + "x"),
            format!("Bearer {}", "0".repeat(LETTERS)),
        ] {
            assert!(!says(&token, &wrong), "{wrong}");
        }
        assert!(!token.opens(&HeaderMap::new()));
        let mut odd = HeaderMap::new();
        odd.insert(
            AUTHORIZATION,
            HeaderValue::from_bytes(b"Bearer \xff\xfe\xfd").unwrap(),
        );
        assert!(!token.opens(&odd));
    }

    #[test]
    fn what_is_no_token_is_told_and_left_alone() {
        let home = tempfile::tempdir().unwrap();
        for text in [&b""[..], b"short", b"\xff\xfe", &[b'z'; LETTERS]] {
            std::fs::write(home.path().join(FILE), text).unwrap();
            Token::of(home.path()).unwrap_err();
            assert_eq!(std::fs::read(home.path().join(FILE)).unwrap(), text);
        }
    }
}
