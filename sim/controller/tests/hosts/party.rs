//! A party with a session on each link: what it offers, and what has come of what others offer.
//!
//! What is it: [`Party`], a node without its disk; what is held of a message stays when a link
//! ends, as a store would keep it. Who calls it: the stories. What can go wrong: the link ends.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use packmule_bus::bus::io::WireHash;
use packmule_bus::label::{DidTag, Label, Priority};
use packmule_bus::link::{Link, LinkError};
use packmule_bus::ranges::Ranges;
use packmule_bus::session::{Answer, Bodies, Event, Offer, Session, SessionConfig};
use packmule_bus::time::Time;
use packmule_bus::{Envelope, EnvelopeId};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};

/// Somebody; every clone is the same one.
#[derive(Clone)]
pub(crate) struct Party {
    name: u8,
    inner: Rc<RefCell<Inner>>,
    news: Rc<Notify>,
    /// There is more to say on the link that is open.
    more: Rc<Notify>,
}

#[derive(Default)]
struct Inner {
    lives: u8,
    /// What it wants to have said: wire forms.
    outbox: Shelf,
    /// What others know of it.
    settled: Vec<EnvelopeId>,
    partial: BTreeMap<EnvelopeId, (Ranges, Vec<u8>)>,
    came: BTreeMap<EnvelopeId, Envelope>,
    /// Bytes of messages that came, however often.
    bytes: u64,
}

#[derive(Default)]
struct Shelf(BTreeMap<EnvelopeId, Vec<u8>>);

impl Bodies for Shelf {
    fn body(&mut self, id: &EnvelopeId) -> Option<&[u8]> {
        self.0.get(id).map(Vec::as_slice)
    }
}

impl Party {
    pub(crate) fn new(name: u8) -> Self {
        Self {
            name,
            inner: Rc::default(),
            news: Rc::default(),
            more: Rc::default(),
        }
    }

    /// It has a packed message for whoever it meets.
    pub(crate) fn has(&self, packed: &[u8]) -> EnvelopeId {
        let envelope = Envelope::from_packed(packed).expect("a message");
        let id = envelope.id();
        self.inner
            .borrow_mut()
            .outbox
            .0
            .insert(id, envelope.to_wire());
        id
    }

    /// What came under this name, once it is whole.
    pub(crate) fn got(&self, id: &EnvelopeId) -> Option<Envelope> {
        self.inner.borrow().came.get(id).cloned()
    }

    /// So many bytes of messages have come.
    pub(crate) fn bytes(&self) -> u64 {
        self.inner.borrow().bytes
    }

    /// Everything that it wanted to have said is durable elsewhere.
    pub(crate) fn is_done(&self) -> bool {
        let inner = self.inner.borrow();
        inner.outbox.0.keys().all(|id| inner.settled.contains(id))
    }

    /// What it has is offered on the link that is open, too.
    pub(crate) fn speak(&self) {
        self.more.notify_one();
    }

    /// Waits for this.
    pub(crate) async fn until(&self, holds: impl Fn(&Self) -> bool) {
        while !holds(self) {
            self.news.notified().await;
        }
    }

    /// Lives on a link until it ends; why.
    pub(crate) async fn live(&self, link: Link) -> String {
        let Link {
            facts,
            role,
            mut tx,
            mut rx,
            ..
        } = link;
        let began = Instant::now();
        let now =
            || Time::from_micros(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
        let life = {
            let mut inner = self.inner.borrow_mut();
            inner.lives += 1;
            inner.lives
        };
        let config = SessionConfig {
            epoch: u64::from(self.name),
            ..SessionConfig::default()
        };
        let seed = [self.name * 16 + life; 32];
        let mut session = Session::new(now(), facts, role, &[self.name; 32], seed, config);
        let (go, mut goes) = mpsc::channel::<Vec<u8>>(1);
        let speaks = async {
            while let Some(pdu) = goes.recv().await {
                tx.send(pdu).await?;
            }
            Ok::<(), LinkError>(())
        };
        let mut speaks = std::pin::pin!(speaks);
        let mut hungry = true;
        loop {
            if let Some(why) = self.listen(&mut session) {
                return why;
            }
            let due = session
                .deadline()
                .map(|due| began + Duration::from_micros(due.as_micros()));
            tokio::select! {
                biased;
                ended = &mut speaks => return format!("cannot send: {ended:?}"),
                pdu = rx.recv() => match pdu {
                    Ok(pdu) => {
                        session.receive(now(), &pdu);
                        hungry = true;
                    }
                    Err(why) => return format!("nothing comes: {why}"),
                },
                Ok(room) = go.reserve(), if hungry => {
                    let mut inner = self.inner.borrow_mut();
                    match session.transmit(now(), &mut inner.outbox) {
                        Some(pdu) => room.send(pdu),
                        None => hungry = false,
                    }
                }
                () = self.more.notified() => {
                    self.offer(&mut session);
                    hungry = true;
                }
                () = sleep_until(due.unwrap_or(began)), if due.is_some() => {
                    session.timeout(now());
                    hungry = true;
                }
            }
        }
    }

    /// Offers what nobody has yet.
    fn offer(&self, session: &mut Session) {
        let inner = self.inner.borrow();
        let unsaid = inner
            .outbox
            .0
            .iter()
            .filter(|(id, _)| !inner.settled.contains(id));
        for (id, wire) in unsaid {
            session.offer(offer(*id, wire));
        }
    }

    /// What a bus would do with what a session tells; why it is over, if it is.
    fn listen(&self, session: &mut Session) -> Option<String> {
        while let Some(event) = session.poll() {
            if matches!(event, Event::Up { .. }) {
                self.offer(session);
                continue;
            }
            let mut inner = self.inner.borrow_mut();
            match event {
                Event::Offered(offers) => {
                    for offer in offers {
                        if inner.came.contains_key(&offer.id) {
                            session.answer(&offer.id, Answer::Have);
                            continue;
                        }
                        let length = usize::try_from(offer.bytes).expect("it fits");
                        let fresh = || (Ranges::new(), vec![0; length]);
                        let (got, _) = inner.partial.entry(offer.id).or_insert_with(fresh);
                        session.answer(&offer.id, Answer::Want(got.missing(0..offer.bytes)));
                    }
                }
                Event::Data { id, offset, bytes } => {
                    inner.bytes += bytes.len() as u64;
                    let (got, body) = inner.partial.get_mut(&id).expect("it was offered");
                    let from = usize::try_from(offset).expect("it fits");
                    body.get_mut(from..from + bytes.len())
                        .expect("within the message")
                        .copy_from_slice(&bytes);
                    got.insert(offset..offset + bytes.len() as u64);
                    if got.covers(0..body.len() as u64) {
                        let whole = Envelope::decode(body).expect("a whole wire form");
                        assert_eq!(whole.id(), id, "a message under another's name");
                        inner.partial.remove(&id);
                        inner.came.insert(id, whole);
                        session.stored(&id);
                    }
                    self.news.notify_waiters();
                }
                Event::Custody(id) | Event::Have(id) => {
                    inner.settled.push(id);
                    self.news.notify_waiters();
                }
                Event::Refused(id, why) => panic!("{id:?} was refused: {why:?}"),
                Event::Broken(why) => return Some(why),
                _ => {}
            }
        }
        None
    }
}

fn offer(id: EnvelopeId, wire: &[u8]) -> Offer {
    Offer {
        id,
        wire: WireHash::of(wire),
        bytes: wire.len() as u64,
        label: Label {
            to: DidTag::of("did:example:bob"),
            expires: None,
            priority: Priority::Normal,
            hops: 4,
            copies: 1,
        },
        age: 1,
    }
}
