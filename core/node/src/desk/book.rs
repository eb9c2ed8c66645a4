//! The documents that a desk knows: its own, its peers', and those that were kept.
//!
//! Who calls it: [`Desk`], when it opens and before it judges. What can go wrong: a kept document
//! that is damaged.

use std::sync::Arc;

use packmule_agent::did::{DidDoc, DidError, short_form, web_url};
use packmule_agent::resolve::{DocBook, ResolveError, Resolver};

use super::Desk;
use crate::home::now;
use crate::{Home, HomeError, PeerRecord};

/// How long the document of a did:web counts, in seconds: 180 days. Its keys may change, and
/// where there is no network nobody would tell us.
const MAX_AGE: u64 = 180 * 86_400;

/// Why a document did not get into the book.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BookError {
    /// The document of a peer is not what was written.
    #[error("the document of {name} is damaged: {source}")]
    Peer {
        /// The peer's name.
        name: String,
        /// What is wrong.
        source: DidError,
    },
    /// A document that was kept is not what was written.
    #[error("a kept DID document is damaged: {0}")]
    Kept(#[source] DidError),
    /// A DID or a did:web document makes no sense.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The disk.
    #[error(transparent)]
    Home(#[from] HomeError),
}

/// The documents, and how the store stood when they were read.
pub(super) struct Book {
    pub(super) docs: DocBook,
    read: [i64; 5],
}

/// Everything that the home knows.
pub(super) fn fill(home: &Home) -> Result<Book, BookError> {
    // Before the documents: what comes in between is read again next time.
    let read = standing(home)?;
    let mut docs = DocBook::new().with_freshness(now(), MAX_AGE);
    docs.insert(home.identity().1.clone());
    docs.learn(home.did())?;
    for peer in home.peers()? {
        // What a did:web says may change: it counts only as kept, with its age.
        if web_url(&peer.did).is_err() {
            docs.insert(doc_of(&peer)?);
        }
        docs.learn(&peer.did)?;
    }
    for (_, doc, fetched) in home.kept_docs()? {
        let doc = DidDoc::from_json(&doc).map_err(BookError::Kept)?;
        keep(&mut docs, &doc, fetched)?;
    }
    Ok(Book { docs, read })
}

impl Desk {
    /// Takes a document into the book that was given to us at that time: a did:web's grows
    /// stale.
    pub fn keep(&self, doc: &DidDoc, fetched: u64) -> Result<(), BookError> {
        keep(&mut self.book_mut().docs, doc, fetched)
    }

    /// Takes a peer's document into the book.
    pub fn learn(&self, did: &str, doc: impl Into<Arc<DidDoc>>) -> Result<(), BookError> {
        let mut book = self.book_mut();
        book.docs.insert(doc);
        book.docs.learn(did)?;
        Ok(())
    }

    /// Remembers the long form of a did:peer:4, so that its short form resolves.
    pub fn learn_form(&self, did: &str) -> Result<(), BookError> {
        self.book_mut().docs.learn(did)?;
        Ok(())
    }

    /// The same for good, a new start included. What of it can be known from the DID is nothing to
    /// remember.
    pub fn remember_form(&self, did: &str) -> Result<(), BookError> {
        let Some(short) = short_form(did).filter(|short| *short != did) else {
            return Ok(());
        };
        if self.book().docs.long_form(short).is_some() {
            return Ok(());
        }
        self.learn_form(did)?;
        let doc = self.resolve(short)?;
        self.home.keep_doc(short, &doc, now())?;
        Ok(())
    }

    /// Takes in the peers and documents that others, in this process or another, added since.
    pub fn refresh(&self) -> Result<(), BookError> {
        let standing = standing(&self.home)?;
        let mut book = self.book_mut();
        if book.read != standing {
            *book = fill(&self.home)?;
        }
        // A node lives long: what was fresh when it began grows old.
        let docs = std::mem::take(&mut book.docs);
        book.docs = docs.with_freshness(now(), MAX_AGE);
        Ok(())
    }
}

fn keep(docs: &mut DocBook, doc: &DidDoc, fetched: u64) -> Result<(), BookError> {
    if web_url(&doc.id).is_ok() {
        let json = doc.to_json().to_string();
        docs.cache(&doc.id, json.as_bytes(), fetched)?;
    } else {
        docs.insert(doc.clone());
    }
    Ok(())
}

fn doc_of(peer: &PeerRecord) -> Result<DidDoc, BookError> {
    DidDoc::from_json(&peer.doc).map_err(|source| BookError::Peer {
        name: peer.name.clone(),
        source,
    })
}

/// Numbers that change with every peer, every DID of one, and every document that is kept:
/// reading all of them for each message that comes would be slow with thousands of peers.
fn standing(home: &Home) -> Result<[i64; 5], HomeError> {
    let sql = "SELECT (SELECT count(*) FROM peers), (SELECT coalesce(max(peer), 0) FROM peers),
                      (SELECT count(*) FROM aliases), (SELECT count(*) FROM docs),
                      (SELECT coalesce(max(fetched), 0) FROM docs)";
    let db = home.db();
    Ok(db.prepare_cached(sql)?.query_row([], |row| {
        Ok([
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
        ])
    })?)
}
