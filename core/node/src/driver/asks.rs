//! What the bus asks of keys and disk, answered by two threads of their own.
//!
//! Called by the driver. A signature takes tens of microseconds and a body may take a disk's
//! time: neither holds up the bus, and a flood of claims to verify holds up claims only. What
//! can go wrong: no key signs for us (then there are no claims and receipts); a DID whose
//! document is not here (then nothing of it is believed).

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use packmule_agent::did::{DidDoc, did_of, same_did, short_form};
use packmule_agent::pack::{Limits, peek};
use packmule_agent::resolve::{Resolver, resolve_offline};
use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::{AskId, Claim, Input};
use packmule_bus::label::DidTag;
use packmule_bus::link::Role;
use packmule_bus::receipt::{Reason, Receipt};
use rusqlite::Connection;

use super::{Heard, Mouth};
use crate::HomeError;
use crate::bodies::{self, Shelf};
use crate::desk::Desk;
use crate::desk::address::tag_of;
use crate::desk::word::{self, fragment};

/// Documents kept parsed: of those who speak most.
const KEPT: usize = 256;

type Job = Box<dyn FnOnce() + Send>;

/// The threads, and what they need.
pub(crate) struct Keys {
    crypto: Sender<Job>,
    disk: Sender<Job>,
    speaker: Arc<Speaker>,
    store: Arc<Store>,
}

/// Who speaks for us, and whose words we can check.
struct Speaker {
    desk: Arc<Desk>,
    docs: Mutex<BTreeMap<String, Arc<DidDoc>>>,
}

struct Store {
    db: Mutex<Connection>,
    shelf: Shelf,
}

/// A statement that somebody is said to have signed.
pub(crate) struct Word {
    pub(crate) did: String,
    pub(crate) kid: String,
    pub(crate) statement: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl Keys {
    pub(crate) fn start(desk: &Arc<Desk>) -> Result<Self, HomeError> {
        let home = desk.home();
        let store = Store {
            db: Mutex::new(home.connect()?),
            shelf: home.shelf().clone(),
        };
        let speaker = Speaker {
            desk: Arc::clone(desk),
            docs: Mutex::default(),
        };
        Ok(Self {
            crypto: worker("packmule-keys")?,
            disk: worker("packmule-reader")?,
            speaker: Arc::new(speaker),
            store: Arc::new(store),
        })
    }

    /// Forgets documents that may have changed.
    pub(crate) fn forget_docs(&self) {
        self.speaker.lock().clear();
    }

    /// Claims for our DID over a link's handshake.
    pub(crate) fn prove(&self, ask: AskId, hash: [u8; 32], role: Role, mouth: Mouth) {
        let speaker = Arc::clone(&self.speaker);
        self.run(&self.crypto, move || {
            let claims = speaker.claim(&hash, role).into_iter().collect();
            mouth.tell(Input::Proven(ask, claims));
        });
    }

    pub(crate) fn verify(&self, ask: AskId, word: Word, mouth: Mouth) {
        let speaker = Arc::clone(&self.speaker);
        self.run(&self.crypto, move || {
            let holds = speaker.believes(&word);
            mouth.tell(Input::Verified(ask, holds));
        });
    }

    pub(crate) fn sign(
        &self,
        ask: AskId,
        by: DidTag,
        ids: Vec<EnvelopeId>,
        refused: Option<Reason>,
        at: u64,
        mouth: Mouth,
    ) {
        let speaker = Arc::clone(&self.speaker);
        self.run(&self.crypto, move || {
            let receipt = speaker.receipt(by, ids, refused, at);
            mouth.tell(Input::Signed(ask, receipt));
        });
    }

    /// The wire form of a body.
    pub(crate) fn fetch(&self, id: EnvelopeId, mouth: Mouth) {
        let store = Arc::clone(&self.store);
        self.run(&self.disk, move || {
            mouth.tell(Input::Fetched(id, store.wire(&id)));
        });
    }

    /// The DID of this tag, if the message names it as its recipient.
    pub(crate) fn recipient(&self, id: EnvelopeId, to: DidTag, mouth: Mouth) {
        let store = Arc::clone(&self.store);
        self.run(&self.disk, move || {
            let named = store.recipients(&id).into_iter();
            for did in named.filter(|did| tag_of(did) == to).take(1) {
                let _ = mouth.answers.send(Heard::Recipient(did));
            }
        });
    }

    #[expect(clippy::unused_self, reason = "one way to the threads")]
    fn run(&self, thread: &Sender<Job>, job: impl FnOnce() + Send + 'static) {
        // The threads end after this side is dropped only.
        let _ = thread.send(Box::new(job));
    }
}

impl Speaker {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<DidDoc>>> {
        self.docs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claim(&self, hash: &[u8; 32], role: Role) -> Option<Claim> {
        let (kid, key) = self.desk.own_key()?;
        // The long form: a stranger has to resolve it from itself.
        let did = self.desk.did().to_owned();
        let signature = key.sign(&Claim::statement(&did, hash, role))?;
        Some(Claim {
            kid: kid.clone(),
            did,
            signature,
        })
    }

    /// A word of the DID that it is asked of: another of ours has a document, and keys, that its
    /// carriers cannot resolve, and its receipt would end nothing.
    fn receipt(
        &self,
        by: DidTag,
        ids: Vec<EnvelopeId>,
        refused: Option<Reason>,
        at: u64,
    ) -> Option<Receipt> {
        if tag_of(self.desk.did()) != by {
            return None;
        }
        word::receipt(&self.desk, ids, refused, at)
    }

    fn believes(&self, word: &Word) -> bool {
        if !same_did(did_of(&word.kid), &word.did) {
            return false;
        }
        let Some(doc) = self.doc(&word.did) else {
            return false;
        };
        let named = |id: &str| id == word.kid || fragment(id) == fragment(&word.kid);
        doc.authentication_keys()
            .any(|(id, key)| named(id) && key.verify(&word.statement, &word.signature))
    }

    /// The document of a DID, from itself or from what we know. The form that says all is kept
    /// under its short name too: receipts come under that.
    fn doc(&self, did: &str) -> Option<Arc<DidDoc>> {
        if let Some(doc) = self.lock().get(did) {
            return Some(Arc::clone(doc));
        }
        let doc = match resolve_offline(did) {
            Ok(doc) => Arc::new(doc),
            Err(_) => self.desk.resolve(did).ok()?,
        };
        let mut docs = self.lock();
        if docs.len() + 2 > KEPT {
            docs.clear();
        }
        for name in [Some(did), short_form(did)].into_iter().flatten() {
            docs.insert(name.to_owned(), Arc::clone(&doc));
        }
        Some(doc)
    }
}

impl Store {
    fn wire(&self, id: &EnvelopeId) -> Option<Vec<u8>> {
        let db = self.db.lock().unwrap_or_else(PoisonError::into_inner);
        bodies::wire(&db, &self.shelf, id).ok().flatten()
    }
}

impl Store {
    /// The DIDs that a message names as its recipients.
    fn recipients(&self, id: &EnvelopeId) -> Vec<String> {
        let db = self.db.lock().unwrap_or_else(PoisonError::into_inner);
        let envelope = bodies::envelope(&db, &self.shelf, id).ok().flatten();
        drop(db);
        let seen = envelope.and_then(|it| peek(&it.to_json(), &Limits::default()).ok());
        let named = seen.map(|seen| seen.to.unwrap_or(seen.recipient_kids));
        let dids = named.unwrap_or_default().into_iter();
        dids.map(|named| did_of(&named).to_owned()).collect()
    }
}

/// A thread that does one job after the other until nobody can ask any more.
fn worker(name: &str) -> Result<Sender<Job>, HomeError> {
    let (asks, jobs) = channel::<Job>();
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            for job in jobs {
                // What a stranger's DID may do to one job ends no other.
                let _ = catch_unwind(AssertUnwindSafe(job));
            }
        })?;
    Ok(asks)
}
