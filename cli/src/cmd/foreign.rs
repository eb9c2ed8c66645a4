//! Keys and documents for `pack` and `unpack`: a home's, or anybody's from files.

use std::path::Path;

use packmule_agent::did::DidDoc;
use packmule_agent::keys::Keyring;
use packmule_agent::resolve::DocBook;
use serde_json::Value;

use crate::args::{Foreign, Globals};
use crate::fault::Fault;
use crate::flow::files;
use crate::flow::party::Party;

/// Whose keys a pipe works with.
pub(crate) struct Desk {
    pub(crate) keys: Keyring,
    pub(crate) docs: DocBook,
    /// The home, when no `--secrets` were given.
    pub(crate) party: Option<Party>,
}

impl Desk {
    /// From `--secrets`, or from the home; with `needs_keys` false, whatever is there without
    /// a passphrase.
    pub(crate) fn open(
        globals: &Globals,
        foreign: &Foreign,
        needs_keys: bool,
    ) -> Result<Self, Fault> {
        let mut desk = if !foreign.secrets.is_empty() {
            let mut keys = Keyring::new();
            for path in &foreign.secrets {
                let secrets = json(path)?;
                let ring = Keyring::from_secrets_json(&secrets)
                    .map_err(|err| Fault::damaged(format!("{}: {err}", path.display())))?;
                keys.extend(ring.iter().map(|(kid, key)| (kid.to_owned(), key.clone())));
            }
            Self {
                keys,
                docs: DocBook::new(),
                party: None,
            }
        } else if needs_keys {
            let party = crate::home::unlock(globals).map_err(|fault| match fault.exit {
                crate::exit::Exit::NotFound => {
                    fault.hint("make a home with `packmule init`, or give keys with --secrets FILE")
                }
                _ => fault,
            })?;
            Self {
                keys: party.keys().clone(),
                docs: party.docs(),
                party: Some(party),
            }
        } else if crate::home::dir(globals).is_ok_and(|dir| dir.join("identity.json").exists()) {
            // Names and documents of peers need no passphrase.
            let party = Party::with_keys(crate::home::open(globals)?, Keyring::new())?;
            Self {
                keys: Keyring::new(),
                docs: party.docs(),
                party: Some(party),
            }
        } else {
            Self {
                keys: Keyring::new(),
                docs: DocBook::new(),
                party: None,
            }
        };
        for path in &foreign.did_doc {
            for doc in docs_in(path)? {
                desk.docs.insert(doc);
            }
        }
        Ok(desk)
    }
}

/// One document, or an array of them.
pub(crate) fn docs_in(path: &Path) -> Result<Vec<DidDoc>, Fault> {
    let value = json(path)?;
    let list = match &value {
        Value::Array(list) => list.iter().collect(),
        one => vec![one],
    };
    list.into_iter()
        .map(|doc| {
            // The result of a resolver has the document one level down.
            let doc = doc.get("didDocument").unwrap_or(doc);
            DidDoc::from_json(doc)
                .map_err(|err| Fault::damaged(format!("{}: {err}", path.display())))
        })
        .collect()
}

fn json(path: &Path) -> Result<Value, Fault> {
    let bytes = files::read_input(Some(path))?;
    serde_json::from_slice(&bytes)
        .map_err(|err| Fault::damaged(format!("{} is no JSON: {err}", path.display())))
}
