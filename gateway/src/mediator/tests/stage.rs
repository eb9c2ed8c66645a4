//! The people of the stories, and cloud's mediator with its keys.

use std::sync::Arc;

use packmule_agent::did::{Method, NewDid, Service, create};
use packmule_agent::keys::Keyring;
use packmule_agent::message::Message;
use packmule_agent::pack::{Jose, Limits as OpenLimits, PackPlan, Packer};
use packmule_agent::protocol::{basic_message, mediation, pickup, report_problem, routing};
use packmule_agent::resolve::DocBook;
use packmule_node::Home;
use packmule_node::desk::{Desk, Letter};
use tempfile::TempDir;

use super::shelf::Shelf;
use crate::mediator::{Heard, Mediator, Policy, Via, Visit};
use crate::store::{Limits, Moment};

/// When the stories begin.
pub(crate) const NOON: Moment = Moment::from_secs(1_795_000_000);

/// Somebody with keys.
pub(crate) struct Person {
    pub(crate) did: String,
    pub(crate) new: NewDid,
    keys: Keyring,
}

impl Person {
    pub(crate) fn new(method: Method) -> Self {
        Self::of(create(method, &[]).unwrap())
    }

    fn of(new: NewDid) -> Self {
        let mut keys = Keyring::new();
        for (kid, key) in &new.secrets {
            keys.insert(kid.clone(), key.clone());
        }
        let did = new.did.clone();
        Self { did, new, keys }
    }

    /// Authcrypt from this person; the message says so.
    pub(crate) fn pack(&self, message: Message, to: &str) -> Vec<u8> {
        let mut message = message;
        message.from = Some(self.did.clone());
        message.to = vec![to.to_owned()];
        self.pack_as_is(&message, to, true)
    }

    /// Whatever the message says, authenticated or not.
    pub(crate) fn pack_as_is(&self, message: &Message, to: &str, auth: bool) -> Vec<u8> {
        let plan = PackPlan {
            to: vec![to.to_owned()],
            from: auth.then(|| self.did.clone()),
            ..PackPlan::default()
        };
        let packed = Jose.pack(&message.to_json(), &plan, &self.keys, &DocBook::new());
        packed.unwrap().remove(0)
    }

    pub(crate) fn open(&self, packed: &[u8]) -> Message {
        let opened = Jose.open(packed, &self.keys, &DocBook::new(), &OpenLimits::default());
        Message::from_value(opened.unwrap().message).unwrap()
    }
}

/// Cloud: a desk to open with, and the mediator behind it.
pub(crate) struct Cloud {
    pub(crate) person: Person,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) mediator: Mediator,
    desk: Desk,
    pub(crate) now: Moment,
    _dir: TempDir,
}

impl Cloud {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default(), Policy::default())
    }

    pub(crate) fn with(limits: Limits, policy: Policy) -> Self {
        let new = create(Method::Peer2, &[Service::didcomm("https://cloud.example/")]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let cost = packmule_agent::keystore::Cost::TEST;
        let home = Home::create_with(&dir.path().join("home"), &new, b"mules", cost).unwrap();
        let person = Person::of(new);
        let desk = Desk::with_keys(home, person.keys.clone()).unwrap();
        let shelf = Arc::new(Shelf::with(limits));
        let mediator = Mediator::new(Arc::clone(&shelf) as _, &person.did, policy);
        Self {
            person,
            shelf,
            mediator,
            desk,
            now: NOON,
            _dir: dir,
        }
    }

    pub(crate) fn did(&self) -> &str {
        &self.person.did
    }

    pub(crate) fn opened(&self, packed: &[u8]) -> Result<Letter, (String, String)> {
        self.desk.open(packed)
    }

    /// A packed message comes by this door.
    pub(crate) async fn hears_by(&self, packed: &[u8], visit: &Visit) -> Heard {
        let letter = self.opened(packed).unwrap();
        self.mediator.hear(letter, visit, self.now).await
    }

    pub(crate) async fn hears(&self, packed: &[u8]) -> Heard {
        self.hears_by(packed, &Visit::by(Via::Http)).await
    }

    /// Somebody asks; the one answer, as it arrives there.
    pub(crate) async fn asked(&self, who: &Person, ask: Message) -> Message {
        let heard = self.hears(&who.pack(ask, self.did())).await;
        self.answer(who, heard)
    }

    /// The one answer in what was heard, through the encryption.
    pub(crate) fn answer(&self, to: &Person, heard: Heard) -> Message {
        assert_eq!(heard.replies.len(), 1, "{heard:?}");
        let reply = &heard.replies[0];
        assert_eq!(reply.from.as_deref(), Some(self.did()));
        to.open(&self.person.pack_as_is(reply, &to.did, true))
    }

    /// The problem code of the one answer.
    pub(crate) async fn problem(&self, who: &Person, ask: Message) -> String {
        code(&self.asked(who, ask).await)
    }

    pub(crate) async fn grants(&self, who: &Person) {
        let answer = self
            .asked(who, mediation::request(mediation::Version::V3))
            .await;
        let told = mediation::read_answer(&answer);
        assert_eq!(
            told,
            Some(mediation::Answer::Granted(vec![self.did().to_owned()]))
        );
    }

    pub(crate) async fn count(&self, who: &Person) -> u64 {
        let ask = pickup::status_request(pickup::Version::V3, None);
        match pickup::read_answer(&self.asked(who, ask).await) {
            Some(pickup::Answer::Status(status)) => status.count,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn updates(
        &self,
        who: &Person,
        changes: &[mediation::Change],
    ) -> Vec<mediation::Outcome> {
        let ask = mediation::update(mediation::Version::V3, changes);
        outcomes(&self.asked(who, ask).await)
    }

    /// What somebody is delivered: ids and packed messages.
    pub(crate) async fn delivers(&self, who: &Person, limit: u32) -> Vec<(String, Vec<u8>)> {
        let ask = pickup::delivery_request(pickup::Version::V4, limit, None);
        items(&self.asked(who, ask).await)
    }
}

pub(crate) fn outcomes(answer: &Message) -> Vec<mediation::Outcome> {
    match mediation::read_answer(answer) {
        Some(mediation::Answer::Updated(told)) => told.into_iter().map(|(_, one)| one).collect(),
        other => panic!("{other:?} {answer:?}"),
    }
}

pub(crate) fn items(answer: &Message) -> Vec<(String, Vec<u8>)> {
    match pickup::read_answer(answer) {
        Some(pickup::Answer::Delivery { items, .. }) => items
            .into_iter()
            .map(|one| (one.id.unwrap(), one.packed.unwrap()))
            .collect(),
        other => panic!("{other:?} {answer:?}"),
    }
}

pub(crate) fn code(answer: &Message) -> String {
    let report = report_problem::parse(answer).unwrap_or_else(|err| panic!("{err}: {answer:?}"));
    report.parsed().expect("our codes are codes");
    report.code
}

/// Words from one person to another, packed.
pub(crate) fn words(from: &Person, to: &Person, words: &str) -> Vec<u8> {
    from.pack(basic_message::message(words), &to.did)
}

/// The same in a forward, from nobody.
pub(crate) fn forwarded(packed: &[u8], next: &str, cloud: &Cloud) -> Vec<u8> {
    let keys = [cloud.did().to_owned()];
    routing::wrap(packed, next, &keys, &DocBook::new()).unwrap()
}
