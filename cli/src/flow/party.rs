//! An unlocked home: one party with its keys and the documents it knows.
//!
//! Who calls it: verbs that pack or open. What can go wrong: the passphrase; a kept document
//! that is damaged (told, not skipped).

use packmule_agent::did::{DidDoc, web_url};
use packmule_agent::keys::Keyring;
use packmule_agent::resolve::DocBook;
use packmule_node::{Home, PeerRecord};

use crate::fault::Fault;
use crate::ui::time::now;

/// How long the document of a did:web counts, in seconds: 180 days. Its keys may change, and
/// where there is no network nobody would tell us.
const MAX_AGE: u64 = 180 * 86_400;

/// A home with its keys in memory.
pub(crate) struct Party {
    pub(crate) home: Home,
    pub(crate) keys: Keyring,
    pub(crate) docs: DocBook,
}

impl Party {
    /// Opens the keys with the passphrase and gathers the documents of self and peers.
    pub(crate) fn unlock(home: Home, passphrase: &[u8]) -> Result<Self, Fault> {
        let keys = home.unlock(passphrase)?;
        Self::with_keys(home, keys)
    }

    /// The same, with keys that are open already.
    pub(crate) fn with_keys(home: Home, keys: Keyring) -> Result<Self, Fault> {
        let mut docs = DocBook::new().with_freshness(now(), MAX_AGE);
        docs.insert(home.identity().1.clone());
        docs.learn(home.did())?;
        learn_peers(&home, &mut docs)?;
        let mut party = Self { home, keys, docs };
        for (_, doc, fetched) in party.home.kept_docs()? {
            let doc = DidDoc::from_json(&doc)
                .map_err(|err| Fault::damaged(format!("a kept DID document is damaged: {err}")))?;
            party.keep(&doc, fetched)?;
        }
        Ok(party)
    }

    /// Takes a document into the book that was given to us at that time: a did:web's grows
    /// stale.
    pub(crate) fn keep(&mut self, doc: &DidDoc, fetched: u64) -> Result<(), Fault> {
        if web_url(&doc.id).is_ok() {
            let json = doc.to_json().to_string();
            self.docs.cache(&doc.id, json.as_bytes(), fetched)?;
        } else {
            self.docs.insert(doc.clone());
        }
        Ok(())
    }

    /// Takes in the peers that another process added since.
    pub(crate) fn refresh(&mut self) -> Result<(), Fault> {
        learn_peers(&self.home, &mut self.docs)
    }

    /// Our DID.
    pub(crate) fn did(&self) -> &str {
        self.home.did()
    }

    /// The peer with this DID; a did:peer:4 by its short form too, once its long one was seen.
    pub(crate) fn known(&self, did: &str) -> Result<Option<PeerRecord>, Fault> {
        let long = self.docs.long_form(did).unwrap_or(did);
        Ok(match self.home.find_peer(did)? {
            None if long != did => self.home.find_peer(long)?,
            found => found,
        })
    }

    /// Takes a peer's document into the book.
    pub(crate) fn learn(&mut self, did: &str, doc: DidDoc) -> Result<(), Fault> {
        self.docs.insert(doc);
        self.docs.learn(did)?;
        Ok(())
    }

    /// The peer with this name or DID.
    pub(crate) fn peer(&self, name_or_did: &str) -> Result<PeerRecord, Fault> {
        peer(&self.home, name_or_did)
    }
}

/// The peer with this name or DID.
pub(crate) fn peer(home: &Home, name_or_did: &str) -> Result<PeerRecord, Fault> {
    home.find_peer(name_or_did)?.ok_or_else(|| {
        Fault::not_found(format!("there is no peer {name_or_did:?}"))
            .hint("`packmule peers` lists them; `packmule accept` adds one")
    })
}

fn learn_peers(home: &Home, docs: &mut DocBook) -> Result<(), Fault> {
    for peer in home.peers()? {
        // What a did:web says may change: it counts only as kept, with its age.
        if web_url(&peer.did).is_err() {
            docs.insert(doc_of(&peer)?);
        }
        docs.learn(&peer.did)?;
    }
    Ok(())
}

fn doc_of(peer: &PeerRecord) -> Result<DidDoc, Fault> {
    DidDoc::from_json(&peer.doc)
        .map_err(|err| Fault::damaged(format!("the document of {} is damaged: {err}", peer.name)))
}
