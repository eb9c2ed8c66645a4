//! The home of a gateway: found, or made when there is none.
//!
//! What is it: [`open`], which gives a home and its keys. Who calls it: `packmule gateway`, once
//! it is known where the server listens, since the DID of a new home names that. What can go
//! wrong: the disk; a home whose keys need a passphrase that nobody gave.

use std::path::Path;

use packmule_agent::did::{DidError, Method, Service, create};
use packmule_agent::keys::Keyring;
use packmule_node::{CreateError, Home, HomeError, UnlockError};

/// A home and its keys.
pub struct Founded {
    /// The home.
    pub home: Home,
    /// Its keys.
    pub keys: Keyring,
    /// It was made just now.
    pub new: bool,
    /// Its passphrase lies in it.
    pub unattended: bool,
}

/// Why there is no home.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FoundError {
    /// It was not made.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// Its keys were not opened.
    #[error(transparent)]
    Unlock(#[from] UnlockError),
    /// The disk.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// No DID could be made.
    #[error("cannot make a DID: {0}")]
    Did(#[from] DidError),
    /// Nobody could reach it under the DID that it would have for ever.
    #[error("{0} is every address of this machine and none that others can reach")]
    Nowhere(String),
    /// It has a passphrase, and none was given.
    #[error("the home {0} has a passphrase, and none was given")]
    NoPassphrase(String),
}

/// Opens the home in a folder, or makes one whose DID names `endpoints`, the best first: where it
/// is reached itself, or the DIDs of mediators that it collects from. Without a passphrase a
/// new home opens itself from then on, and an old one only if it was made so.
///
/// # Errors
/// [`FoundError`]; nothing was changed.
pub fn open(
    folder: &Path,
    endpoints: &[String],
    passphrase: Option<&[u8]>,
) -> Result<Founded, FoundError> {
    let (home, new) = match Home::open(folder) {
        Err(HomeError::NoHome(_)) => {
            if let Some(nowhere) = endpoints.iter().find(|it| is_nowhere(it)) {
                return Err(FoundError::Nowhere(nowhere.clone()));
            }
            let services: Vec<_> = endpoints.iter().map(|it| Service::didcomm(it)).collect();
            let did = create(Method::Peer2, &services)?;
            let home = match passphrase {
                Some(passphrase) => Home::create(folder, &did, passphrase)?,
                None => Home::create_unattended(folder, &did)?,
            };
            (home, true)
        }
        other => (other?, false),
    };
    let own = home.own_passphrase()?;
    // The one that lies in the home is its passphrase: whatever else was given is for others.
    let given = own.as_ref().map(|own| own.as_slice()).or(passphrase);
    let Some(given) = given else {
        return Err(FoundError::NoPassphrase(folder.display().to_string()));
    };
    let keys = home.unlock(given)?;
    Ok(Founded {
        unattended: own.is_some(),
        home,
        keys,
        new,
    })
}

/// An address to listen on, but none to go to.
fn is_nowhere(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    host.starts_with("0.0.0.0") || host.starts_with("[::]")
}

/// Where others are told to send, by the home's DID.
#[must_use]
pub fn endpoint(home: &Home) -> Option<&str> {
    let (_, doc) = home.identity();
    doc.services.first().map(|service| service.uri.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://127.0.0.1:7000/";

    fn at(url: &str) -> Vec<String> {
        vec![url.to_owned()]
    }

    #[test]
    fn a_home_without_a_passphrase_opens_itself_again_and_is_closed_to_others() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("kiosk");
        let made = open(&folder, &at(URL), None).unwrap();
        assert!(made.new && made.unattended);
        assert!(made.home.did().starts_with("did:peer:2"));
        assert_eq!(endpoint(&made.home), Some(URL));
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", entry.path().display());
        }
        let did = made.home.did().to_owned();
        drop(made);
        let found = open(&folder, &at("http://elsewhere/"), None).unwrap();
        assert!(!found.new && found.unattended);
        assert_eq!(found.home.did(), did);
        assert_eq!(endpoint(&found.home), Some(URL));
    }

    #[test]
    fn no_home_is_made_that_nobody_can_reach() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("kiosk");
        for url in ["http://0.0.0.0:8080/", "https://[::]:443/"] {
            let refused = open(&folder, &at(url), None);
            assert!(matches!(refused, Err(FoundError::Nowhere(_))));
            assert!(!folder.exists());
        }
    }

    #[test]
    fn a_home_with_a_passphrase_asks_for_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("kiosk");
        assert!(!open(&folder, &at(URL), Some(b"words")).unwrap().unattended);
        assert!(matches!(
            open(&folder, &at(URL), None),
            Err(FoundError::NoPassphrase(_))
        ));
        assert!(matches!(
            open(&folder, &at(URL), Some(b"others")),
            Err(FoundError::Unlock(_))
        ));
        assert!(!open(&folder, &at(URL), Some(b"words")).unwrap().new);
    }
    #[test]
    fn a_home_behind_mediators_names_them() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("kiosk");
        let cloud = create(Method::Peer2, &[Service::didcomm("https://cloud.example/")]);
        let upstreams = [cloud.unwrap().did, "did:web:second.example".to_owned()];
        let made = open(&folder, &upstreams, None).unwrap();
        assert_eq!(endpoint(&made.home), Some(upstreams[0].as_str()));
        let (_, doc) = made.home.identity();
        assert_eq!(doc.services[1].uri, upstreams[1]);
    }
}
