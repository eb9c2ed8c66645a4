//! Contacts that become links, and the PDUs on them.

use std::collections::VecDeque;

use packmule_bus::bus::io::{Input, LinkId};
use packmule_bus::link::{Role, Way};

use super::node::{Dark, Node};
use super::{Ev, Sim, Span};
use crate::dice::Dice;
use crate::marks::Kind;
use crate::medium::{End, LinkSpec, Medium};
use crate::scenario::Scenario;
use crate::world::Micros;

/// How long after one side closed a link the other two ends may try again.
const AFTER_CLOSE: Micros = 3_000_000;
/// How long a bus may take a link for one that is up after the last sign of life on it: two
/// minutes for a handshake, one after that, and clocks that are slow.
const SILENCE: Micros = 125_000_000;

/// Two nodes in reach of each other for a while.
pub(super) struct Meet {
    pub(super) ends: [usize; 2],
    pub(super) names: [String; 2],
    pub(super) link: String,
    pub(super) from: Micros,
    pub(super) to: Micros,
    /// Bytes carried.
    pub(super) bytes: u64,
    spec: LinkSpec,
    dial: bool,
    open: bool,
    ups: u32,
    live: Option<Live>,
}

/// A link that is up, at least for one of them.
struct Live {
    medium: Medium,
    ids: [Option<LinkId>; 2],
    /// When what each adapter holds will be gone.
    queued: [VecDeque<Micros>; 2],
    waking: [bool; 2],
    under_way: u64,
}

impl Meet {
    /// All contacts of those who exist.
    pub(super) fn all(scenario: &Scenario, nodes: &[Node]) -> Vec<Self> {
        let find = |name: &String| nodes.iter().position(|node| node.name == *name);
        let contacts = scenario.contacts.iter();
        contacts
            .filter_map(|contact| {
                Some(Self {
                    ends: [find(&contact.a)?, find(&contact.b)?],
                    names: [contact.a.clone(), contact.b.clone()],
                    spec: scenario.links.get(&contact.link)?.clone(),
                    link: contact.link.clone(),
                    from: contact.from_ms * 1000,
                    to: contact.to_ms.min(scenario.ends_ms) * 1000,
                    bytes: 0,
                    dial: contact.dial,
                    open: false,
                    ups: 0,
                    live: None,
                })
            })
            .filter(|meet| meet.ends.first() != meet.ends.last())
            .collect()
    }

    pub(super) fn span(self) -> Span {
        Span {
            ends: self.ends,
            from: self.from,
            to: self.to,
            rate: self.spec.channel.rate.max(self.spec.channel.rate_back),
            names: self.names,
            link: self.link,
            bytes: self.bytes,
        }
    }

    pub(super) const fn node(&self, end: End) -> usize {
        let [dialer, listener] = self.ends;
        match end {
            End::Dialer => dialer,
            End::Listener => listener,
        }
    }
}

impl Sim<'_> {
    pub(super) fn open(&mut self, m: usize) {
        let Some(meet) = self.meets.get_mut(m) else {
            return;
        };
        meet.open = true;
        if !meet.dial {
            let wait = connect_time(meet);
            self.world.after(wait, Ev::Connect(m, None));
        }
    }

    pub(super) fn close(&mut self, m: usize) {
        if let Some(meet) = self.meets.get_mut(m) {
            meet.open = false;
        }
        self.cut(m);
    }

    /// Somebody dials: is the other one in reach, over a link that waits for that?
    pub(super) fn dial(&mut self, n: usize, way: Way) {
        let other = way
            .as_str()
            .strip_prefix("sim:")
            .and_then(|name| self.node_of(name));
        let found = self.meets.iter().position(|meet| {
            let [a, b] = meet.ends;
            meet.open && meet.dial && meet.live.is_none() && (a, Some(b)) == (n, other)
        });
        match found.and_then(|m| Some((m, self.meets.get(m)?))) {
            Some((m, meet)) => {
                let wait = connect_time(meet);
                self.world.after(wait, Ev::Connect(m, Some(way)));
            }
            None => {
                self.fired.hit(Kind::DialFailed);
                let why = "nobody there".to_owned();
                self.tell_later(n, 20_000, Input::DialFailed(way, why));
            }
        }
    }

    pub(super) fn connect(&mut self, m: usize, way: Option<Way>) {
        let now = self.world.now();
        let Some(meet) = self.meets.get_mut(m) else {
            return;
        };
        let [a, b] = meet.ends;
        let both = [a, b]
            .iter()
            .all(|n| self.nodes.get(*n).is_some_and(Node::is_up));
        if !meet.open || meet.live.is_some() || !both {
            if let Some(way) = way {
                let why = "gone again".to_owned();
                self.tell_later(a, 0, Input::DialFailed(way, why));
            }
            return;
        }
        meet.ups += 1;
        if now > meet.from {
            self.fired.hit(Kind::ConnectTime);
        }
        let before = meet.ups as usize - 1;
        let channel = &meet.spec.channel;
        if before > 0 && channel.mtu_of(before) != channel.mtu_of(before - 1) {
            self.fired.hit(Kind::MtuChange);
        }
        let name = format!("{} {} {}", meet.names.join("-"), meet.link, meet.from);
        if let Some(life) = channel.life.filter(|_| now < self.scenario.calm_ms * 1000) {
            let mut dice = Dice::new(self.scenario.seed, &name, &format!("life {before}"));
            let wait = exponential(&mut dice, life.as_micros());
            self.world.after(wait, Ev::Break(m, meet.ups));
        }
        meet.live = Some(Live {
            medium: Medium::new(meet.spec.clone(), self.scenario.seed, &name, before),
            ids: [None, None],
            queued: [VecDeque::new(), VecDeque::new()],
            waking: [false, false],
            under_way: 0,
        });
        self.raise(m, End::Dialer, way);
        self.raise(m, End::Listener, None);
    }

    /// One end learns of the link.
    fn raise(&mut self, m: usize, end: End, way: Option<Way>) {
        let Some(meet) = self.meets.get_mut(m) else {
            return;
        };
        let n = meet.node(end);
        let (Some(live), Some(node)) = (&mut meet.live, self.nodes.get_mut(n)) else {
            return;
        };
        node.next_link += 1;
        let link = LinkId(node.next_link);
        node.links.insert(link, (m, end));
        if let Some(id) = live.ids.get_mut(end as usize) {
            *id = Some(link);
        }
        let facts = meet.spec.facts(meet.ups as usize - 1);
        let queue = meet.spec.queue;
        let up = Input::LinkUp {
            link,
            facts,
            role: match end {
                End::Dialer => Role::Dialer,
                End::Listener => Role::Listener,
            },
            transport: "sim".to_owned(),
            way,
        };
        self.feed(n, up);
        if self.port(n, link).is_some() {
            self.feed(n, Input::Room(link, queue));
        }
    }

    /// Takes a PDU from a node and puts it on its way.
    pub(super) fn transmit(&mut self, n: usize, link: LinkId, pdu: Vec<u8>) {
        let now = self.world.now();
        let Some((m, end)) = self.port(n, link) else {
            return;
        };
        let Some(meet) = self.meets.get_mut(m) else {
            return;
        };
        let mtu = meet.spec.facts((meet.ups as usize).saturating_sub(1)).mtu;
        let Some(live) = &mut meet.live else {
            return;
        };
        let (Some(queued), Some(waking)) = (
            live.queued.get_mut(end as usize),
            live.waking.get_mut(end as usize),
        ) else {
            return;
        };
        let too_many = queued.len() >= meet.spec.queue;
        let length = pdu.len();
        // The medium would not take it from anybody; of a bus it is a mistake.
        if length > mtu {
            if self.nodes.get(n).is_some_and(|node| !node.spec.mallory) {
                self.accuse(
                    "mtu",
                    n,
                    format!("{length} bytes on a link that takes {mtu}"),
                );
            }
            return;
        }
        self.trace.number(length as u64);
        self.trace
            .bytes(pdu.get(..pdu.len().min(64)).unwrap_or(&pdu));
        meet.bytes += length as u64;
        let sent = live.medium.send(now, end, pdu, &mut self.fired);
        // An adapter is a queue: nobody leaves before those in front.
        let gone_at = queued
            .back()
            .map_or(sent.gone_at, |last| sent.gone_at.max(*last));
        queued.push_back(gone_at);
        if !*waking {
            *waking = true;
            self.world.at(gone_at, Ev::Room(m, meet.ups, end));
        }
        live.under_way += sent.arrivals.len() as u64;
        for (at, pdu) in sent.arrivals {
            self.world.at(at, Ev::Arrive(m, meet.ups, end.other(), pdu));
        }
        if too_many {
            self.accuse("room", n, "sent more than there is room for".to_owned());
        }
    }

    pub(super) fn room(&mut self, m: usize, up: u32, end: End) {
        let now = self.world.now();
        let Some(meet) = self.meets.get_mut(m).filter(|meet| meet.ups == up) else {
            return;
        };
        let n = meet.node(end);
        let Some(live) = &mut meet.live else {
            return;
        };
        let (Some(queued), Some(waking)) = (
            live.queued.get_mut(end as usize),
            live.waking.get_mut(end as usize),
        ) else {
            return;
        };
        let mut free = 0;
        while queued.front().is_some_and(|at| *at <= now) {
            queued.pop_front();
            free += 1;
        }
        *waking = !queued.is_empty();
        // Adapters tell of room in lumps: half of what waits has to go.
        if let Some(at) = queued.get(queued.len() / 2) {
            self.world.at(*at, Ev::Room(m, up, end));
        }
        let id = live.ids.get(end as usize).copied().flatten();
        if let Some(link) = id.filter(|_| free > 0) {
            self.feed(n, Input::Room(link, free));
        }
    }

    pub(super) fn arrive(&mut self, m: usize, up: u32, to: End, pdu: Vec<u8>) {
        let Some(meet) = self.meets.get_mut(m).filter(|meet| meet.ups == up) else {
            return;
        };
        let n = meet.node(to);
        let Some(live) = &mut meet.live else {
            return;
        };
        live.under_way = live.under_way.saturating_sub(1);
        if let Some(link) = live.ids.get(to as usize).copied().flatten() {
            self.feed(n, Input::Pdu(link, pdu));
        }
    }

    pub(super) fn break_link(&mut self, m: usize, up: u32) {
        if self
            .meets
            .get(m)
            .is_some_and(|meet| meet.ups == up && meet.live.is_some())
        {
            self.fired.hit(Kind::Cut);
            self.cut(m);
            self.world.after(200_000, Ev::Connect(m, None));
        }
    }

    /// The link is gone for both.
    pub(super) fn cut(&mut self, m: usize) {
        let Some(meet) = self.meets.get_mut(m) else {
            return;
        };
        let Some(live) = meet.live.take() else {
            return;
        };
        if live.under_way > 0 {
            self.fired.hit(Kind::CutInFlight);
        }
        for (n, id) in meet.ends.into_iter().zip(live.ids) {
            let Some(link) = id else {
                continue;
            };
            if let Some(node) = self.nodes.get_mut(n) {
                node.links.remove(&link);
            }
            self.tell_later(n, 0, Input::LinkDown(link));
        }
    }

    /// A bus closed a link.
    pub(super) fn close_link(&mut self, n: usize, link: LinkId) {
        if let Some(node) = self.nodes.get_mut(n) {
            node.silent.remove(&link);
        }
        if let Some((m, _)) = self.port(n, link) {
            self.cut(m);
            if self.meets.get(m).is_some_and(|meet| !meet.dial) {
                self.world.after(AFTER_CLOSE, Ev::Connect(m, None));
            }
        }
    }

    /// All links of a node break, and come back after a while if their contacts last.
    pub(super) fn cut_all(&mut self, n: usize, wait: Micros) {
        let ports: Vec<usize> = match self.nodes.get(n) {
            Some(node) => node.links.values().map(|(m, _)| *m).collect(),
            None => return,
        };
        for m in ports {
            self.fired.hit(Kind::Cut);
            self.cut(m);
            if self.meets.get(m).is_some_and(|meet| !meet.dial) {
                self.world.after(wait, Ev::Connect(m, None));
            }
        }
    }

    /// Its power is gone. Reliable links break, or stay up for the neighbour and bring nothing any
    /// more; on others it may notice nothing.
    pub(super) fn links_of_the_dead(&mut self, n: usize, dark: Dark) {
        let Some(node) = self.nodes.get_mut(n) else {
            return;
        };
        let ports = std::mem::take(&mut node.links);
        for (m, end) in ports.into_values() {
            let Some(meet) = self.meets.get_mut(m) else {
                continue;
            };
            let facts = meet.spec.facts(0);
            if dark.silent && facts.reliable && facts.ordered {
                self.fall_silent(m, end.other());
            } else if dark.unnoticed && !facts.reliable {
                if let Some(live) = &mut meet.live {
                    let at = end as usize;
                    // What waited in its adapter is gone with it.
                    if let (Some(id), Some(queued)) =
                        (live.ids.get_mut(at), live.queued.get_mut(at))
                    {
                        *id = None;
                        queued.clear();
                    }
                }
                self.fired.hit(Kind::CrashUnnoticed);
            } else {
                self.cut(m);
            }
        }
    }

    /// Nobody is at the other end any more, and this one does not learn it: what it sends fills
    /// its adapter and no more. The two may come to another link.
    fn fall_silent(&mut self, m: usize, survivor: End) {
        let now = self.world.now();
        let Some(meet) = self.meets.get_mut(m) else {
            return;
        };
        let n = meet.node(survivor);
        let live = meet.live.take();
        let id = live.and_then(|live| live.ids.get(survivor as usize).copied().flatten());
        if let (Some(link), Some(node)) = (id, self.nodes.get_mut(n)) {
            node.links.remove(&link);
            node.silent.insert(link, now);
            self.fired.hit(Kind::SilentDeath);
        }
    }

    /// No bus may believe for ever in a link that is silent.
    pub(super) fn check_silent(&mut self) {
        let now = self.world.now();
        for n in 0..self.nodes.len() {
            let Some(node) = self.nodes.get(n).filter(|node| !node.spec.mallory) else {
                continue;
            };
            let old = node.silent.values().find(|at| **at + SILENCE < now);
            if let Some(at) = old {
                let text = format!("a link that is silent since {} s is up", at / 1_000_000);
                self.accuse("silence", n, text);
            }
        }
    }

    /// It is back: its contacts become links again.
    pub(super) fn links_of_the_reborn(&mut self, n: usize) {
        for m in 0..self.meets.len() {
            let Some(meet) = self.meets.get(m).filter(|meet| meet.open) else {
                continue;
            };
            let end = match meet.ends {
                [a, _] if a == n => End::Dialer,
                [_, b] if b == n => End::Listener,
                _ => continue,
            };
            match &meet.live {
                Some(live) if live.ids.get(end as usize).copied().flatten().is_none() => {
                    self.raise(m, end, None);
                }
                None if !meet.dial => {
                    let wait = connect_time(meet);
                    self.world.after(wait, Ev::Connect(m, None));
                }
                _ => {}
            }
        }
    }
}

fn connect_time(meet: &Meet) -> Micros {
    u64::try_from(meet.spec.channel.connect.as_micros()).unwrap_or(0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a float to integer cast saturates; a life need not be exact"
)]
fn exponential(dice: &mut Dice, mean: u128) -> Micros {
    dice.exponential(mean as f64) as Micros
}
