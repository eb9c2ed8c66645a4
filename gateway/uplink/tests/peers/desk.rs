//! A mediator's keys, and its mailbox: what all shapes have in common.

use std::collections::{BTreeMap, BTreeSet};

use packmule_agent::did::{Method, NewDid, Service, create};
use packmule_agent::keys::Keyring;
use packmule_agent::message::{Message, Rotation};
use packmule_agent::pack::{Jose, Limits, PackPlan, Packer};
use packmule_agent::protocol::basic_message;
use packmule_agent::resolve::DocBook;

/// Somebody with keys.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) new: NewDid,
    keys: Keyring,
}

impl Person {
    pub(crate) fn at(services: &[Service]) -> Self {
        let new = create(Method::Peer2, services).unwrap();
        let keys = new.secrets.iter().cloned().collect();
        Self { new, keys }
    }

    pub(crate) fn did(&self) -> &str {
        &self.new.did
    }

    /// Authcrypt from this person.
    pub(crate) fn pack(&self, mut message: Message, to: &str) -> Vec<u8> {
        message.from = Some(self.did().to_owned());
        message.to = vec![to.to_owned()];
        let plan = PackPlan {
            to: vec![to.to_owned()],
            from: Some(self.did().to_owned()),
            ..PackPlan::default()
        };
        let packed = Jose.pack(&message.to_json(), &plan, &self.keys, &DocBook::new());
        packed.unwrap().remove(0)
    }

    /// The message, and who authenticated it.
    pub(crate) fn open(&self, packed: &[u8]) -> Option<(Message, String)> {
        let opened = Jose.open(packed, &self.keys, &DocBook::new(), &Limits::default());
        let opened = opened.ok()?;
        Some((Message::from_value(opened.message).ok()?, opened.sender?))
    }

    /// A letter with these words.
    pub(crate) fn letter(&self, to: &str, words: &str) -> Vec<u8> {
        self.pack(basic_message::message(words), to)
    }

    /// A rotation from this DID to another.
    pub(crate) fn leaves_for(&self, new: &Self) -> Rotation {
        let (kid, key) = self
            .new
            .secrets
            .iter()
            .find(|(kid, _)| kid.ends_with("#key-2"))
            .unwrap();
        Rotation::begin(self.did(), Some(new.did()), 1_795_000_000, kid, key).unwrap()
    }
}

/// What a mediator holds for the one client it has.
#[derive(Default)]
pub(crate) struct Mailbox {
    next: u64,
    /// By name, in the order in which they came.
    letters: BTreeMap<String, Vec<u8>>,
    pub(crate) granted: bool,
    pub(crate) account: String,
    /// It does not delete what was acknowledged.
    pub(crate) deaf: bool,
    /// It neither reads nor writes on its sockets.
    pub(crate) mute: bool,
    /// Sockets that were asked for.
    pub(crate) asked: u32,
    pub(crate) dids: BTreeSet<String>,
    /// How often each letter was given out.
    pub(crate) given: BTreeMap<String, u32>,
    pub(crate) token: Option<String>,
    pub(crate) logins: u32,
}

impl Mailbox {
    pub(crate) fn put(&mut self, packed: Vec<u8>) {
        self.next += 1;
        self.letters
            .insert(format!("letter-{:06}", self.next), packed);
    }

    pub(crate) fn len(&self) -> usize {
        self.letters.len()
    }

    pub(crate) fn page(&mut self, limit: usize) -> Vec<(String, Vec<u8>)> {
        let page: Vec<_> = self
            .letters
            .iter()
            .take(limit)
            .map(|(id, packed)| (id.clone(), packed.clone()))
            .collect();
        for (id, _) in &page {
            *self.given.entry(id.clone()).or_default() += 1;
        }
        page
    }

    pub(crate) fn ack(&mut self, ids: &[String]) {
        for id in ids.iter().filter(|_| !self.deaf) {
            self.letters.remove(id);
        }
    }
}
