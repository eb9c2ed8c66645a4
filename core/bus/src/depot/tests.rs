//! A small world of depots without links or bytes, for the tests of this room.

mod ask;
mod copies;
mod endings;
mod gossip;
mod hostile;
mod restart;
mod roads;

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::bus::io::{Arrived, Event, LinkId, NodeKey, Verdict, WireHash};
use crate::label::{Label, Priority};
use crate::receipt::{Reason, Receipt, Rung};

const ALICE: u8 = 1;
const BOB: u8 = 2;
const MULE: u8 = 3;
const KIOSK: u8 = 4;
const MALLORY: u8 = 5;

/// Where the wall clocks of the stories begin.
const DAWN: u64 = 1_000_000;

/// A depot with its disk, and what it said.
struct Party {
    who: u8,
    config: DepotConfig,
    depot: Depot,
    disk: BTreeMap<Key, Record>,
    now: Now,
    events: Vec<Event>,
    offers: Vec<(LinkId, Lot)>,
    withdrawn: Vec<EnvelopeId>,
    discarded: Vec<EnvelopeId>,
    told: Vec<Receipt>,
    signs: Vec<(DidTag, Vec<EnvelopeId>, Option<Reason>)>,
}

fn did(who: u8) -> String {
    format!("did:example:{who}")
}

fn tag(who: u8) -> DidTag {
    DidTag::of(&did(who))
}

fn key(who: u8) -> NodeKey {
    NodeKey([who; 32])
}

fn id(n: u8) -> EnvelopeId {
    EnvelopeId::from_bytes([n; 32])
}

fn letter(n: u8, to: u8) -> Meta {
    Meta {
        id: id(n),
        wire: WireHash([n; 16]),
        bytes: 1_000,
        label: Label {
            to: tag(to),
            expires: Some(DAWN + 10_000),
            priority: Priority::Normal,
            hops: 8,
            copies: 6,
        },
    }
}

fn receipt(by: u8, ids: &[u8], refused: Option<Reason>) -> Receipt {
    let ids: Vec<EnvelopeId> = ids.iter().map(|n| id(*n)).collect();
    let mut signature = vec![by, refused.map_or(0, |reason| reason as u8)];
    signature.extend(ids.iter().flat_map(|id| id.as_bytes().iter().take(2)));
    Receipt {
        ids,
        refused,
        at: DAWN,
        did: did(by),
        kid: format!("{}#1", did(by)),
        signature,
    }
}

impl Party {
    fn new(who: u8) -> Self {
        Self::with(who, DepotConfig::default())
    }

    fn with(who: u8, config: DepotConfig) -> Self {
        let mut depot = Depot::new(config.clone(), [who; 32]);
        depot.identity(vec![tag(who)]);
        let now = Now {
            time: Time::default(),
            wall: DAWN,
        };
        Self {
            who,
            config,
            depot,
            disk: BTreeMap::new(),
            now,
            events: Vec::new(),
            offers: Vec::new(),
            withdrawn: Vec::new(),
            discarded: Vec::new(),
            told: Vec::new(),
            signs: Vec::new(),
        }
    }

    /// Commits, then lets the effects happen, as the bus's gate does.
    fn commit(&mut self, turn: Turn) {
        for op in turn.ops {
            match op {
                Op::Put(record) => {
                    let put = record.key();
                    self.disk.insert(put.clone(), record);
                    if let Key::Held(id) | Key::Inbox(id) = put {
                        self.depot.durable(&id);
                    }
                }
                Op::Drop(key) => {
                    self.disk.remove(&key);
                }
                Op::Body(..) => panic!("a depot knows no bodies"),
            }
        }
        for effect in turn.effects {
            match effect {
                Effect::Offer { link, lot } => self.offers.push((link, lot)),
                Effect::Withdraw { id, .. } => self.withdrawn.push(id),
                Effect::Discard(id) => self.discarded.push(id),
                Effect::Tell { receipts, .. } => self.told.extend(receipts),
                Effect::Sign { by, ids, refused } => self.signs.push((by, ids, refused)),
                Effect::Event(event) => self.events.push(event),
            }
        }
        self.disk_is_what_ought_to_be();
    }

    /// `Depot::record` is what a failed batch is written again from: it must agree with the ops.
    fn disk_is_what_ought_to_be(&self) {
        for (key, record) in &self.disk {
            assert_eq!(self.depot.record(key).as_ref(), Some(record));
        }
    }

    /// Ends the process without a word and starts another on the same disk.
    fn crash(&mut self) {
        self.depot = Depot::new(self.config.clone(), [self.who; 32]);
        self.depot.identity(vec![tag(self.who)]);
        for record in self.disk.values() {
            self.depot.restore(record);
        }
        self.offers.clear();
        self.signs.clear();
        let mut turn = Turn::default();
        self.depot.resume(self.now, &mut turn);
        self.commit(turn);
    }

    fn wait(&mut self, seconds: u64) {
        self.now.time = self.now.time + Duration::from_secs(seconds);
        self.now.wall += seconds;
        self.act(|depot, now, turn| depot.timeout(now, turn));
    }

    fn act<T>(&mut self, act: impl FnOnce(&mut Depot, Now, &mut Turn) -> T) -> T {
        let mut turn = Turn::default();
        let said = act(&mut self.depot, self.now, &mut turn);
        self.commit(turn);
        said
    }

    fn submit(&mut self, meta: Meta) -> Result<(), Reason> {
        self.act(|depot, now, turn| depot.submit(now, meta, Vec::new(), turn))
    }

    /// Meets somebody who proves who it is.
    fn meet(&mut self, other: u8, link: u64) {
        let link = LinkId(link);
        self.depot.contact(self.now, key(other), link, "mem", None);
        self.depot.proved(link, tag(other));
        self.depot.introduced(link);
    }

    fn part(&mut self, link: u64) {
        self.depot.parted(self.now, LinkId(link));
    }

    /// All that is to be offered on a link now, after the commit of what it promises.
    fn offer(&mut self, link: u64) -> Vec<Meta> {
        let lots = self.act(|depot, now, turn| depot.offers(now, LinkId(link), 100, turn));
        let promised = self.offers.drain(..).map(|(_, lot)| lot);
        lots.into_iter()
            .chain(promised)
            .map(|lot| lot.meta)
            .collect()
    }

    fn judge(&mut self, from: u8, meta: &Meta) -> Judgement {
        self.act(|depot, now, turn| depot.judge(now, key(from), &[tag(from)], meta, turn))
    }

    fn arrive(&mut self, from: u8, meta: &Meta) -> Arrival {
        let source = Source::Node {
            key: key(from),
            transport: "mem".into(),
        };
        self.act(|depot, now, turn| depot.arrived(now, &source, meta, turn))
    }

    fn taken(&mut self, link: u64, n: u8) {
        self.act(|depot, now, turn| depot.taken(now, LinkId(link), &id(n), turn));
    }

    fn refused(&mut self, link: u64, n: u8, reason: Reason) {
        self.act(|depot, now, turn| depot.refused(now, LinkId(link), &id(n), reason, turn));
    }

    fn hear(&mut self, receipt: Receipt) {
        self.act(|depot, now, turn| depot.receipt(now, receipt, None, turn));
    }

    /// The agent keeps all that came, and receipts are signed.
    fn acknowledge(&mut self, n: u8) {
        self.act(|depot, now, turn| depot.acknowledge(now, &id(n), Verdict::Kept, turn));
        for (by, ids, refused) in std::mem::take(&mut self.signs) {
            let short: Vec<u8> = ids.iter().map(|id| id.as_bytes()[0]).collect();
            let signed = Some(receipt(self.who, &short, refused));
            self.act(|depot, now, turn| depot.signed(now, by, &ids, refused, signed, turn));
        }
    }

    fn held(&self, n: u8) -> Option<&Held> {
        self.depot.held().find(|held| held.id == id(n))
    }

    fn copies(&self, n: u8) -> Option<u16> {
        self.held(n).map(|held| held.label.copies)
    }

    fn rung(&self, n: u8) -> Option<Rung> {
        self.depot.why(self.now, &id(n)).map(|why| why.rung)
    }

    fn received(&self) -> Vec<Arrived> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::Received(arrived) => Some(arrived.clone()),
                _ => None,
            })
            .collect()
    }
}

/// Two meet; everything that one offers is taken by the other, if it wants it.
fn visit(from: &mut Party, to: &mut Party, link: u64) -> Vec<u8> {
    from.meet(to.who, link);
    let mut gone = Vec::new();
    for meta in from.offer(link) {
        let n = meta.id.as_bytes()[0];
        match to.judge(from.who, &meta) {
            Judgement::Want => {
                let arrival = to.arrive(from.who, &meta);
                assert!(matches!(arrival, Arrival::Inbox | Arrival::Carry));
                from.taken(link, n);
                gone.push(n);
            }
            Judgement::Have => {
                from.act(|depot, now, turn| depot.had(now, LinkId(link), &id(n), turn));
            }
            Judgement::Refuse(reason) => from.refused(link, n, reason),
            Judgement::Coming => panic!("nothing else is under way"),
        }
    }
    from.part(link);
    gone
}
