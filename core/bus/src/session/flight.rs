//! What is under way on a link that may lose: what was sent, what came of it, when to ask.
//!
//! What is it: [`Flight`]: packets without an ack, loss by later packets' acks or by time, and a
//! probe when nothing is heard; after RFC 9002, without its congestion control: links push back
//! themselves. Who calls it: the session. What can go wrong: acks of what was never sent: an
//! error that ends the session.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::pdu::frame::Sent;
use crate::ranges::Ranges;
use crate::time::Time;

/// Most bytes and packets without an ack.
const MOST_BYTES: usize = 2 << 20;
const MOST_PACKETS: usize = 16 << 10;
/// What is remembered of one takes about so many bytes.
const PACKET_COST: usize = 160;
/// A packet is lost once one so much later has arrived, on links that keep the order.
const THRESHOLD: u64 = 3;
/// The first guess of a round trip.
const INITIAL: Duration = Duration::from_millis(333);
/// No timer is finer than this.
const GRAIN: Duration = Duration::from_millis(5);
/// How long the other side may hold an ack back.
const ACK_DELAY: Duration = Duration::from_millis(25);
/// Probes are not further apart than this.
const SLOWEST: Duration = Duration::from_secs(60);
/// One packet goes to be acked after a silence, two after the next, up to 2 to the power of this.
const MOST_PROBES: u32 = 4;
/// So many packets are said again by the first probe, twice as many by the next, and so on.
const PROBE: usize = 2;
/// After so many probes without any answer, and nothing else heard, the other side is gone.
const PROBES: u32 = 20;
/// What is left of the probes' back-off once something is heard that is no ack: they live.
const HEARD: u32 = 3;

#[derive(Debug)]
struct Packet {
    at: Time,
    bytes: usize,
    what: Vec<Sent>,
}

/// What became of packets.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) arrived: Vec<Sent>,
    pub(super) lost: Vec<Sent>,
}

/// What is under way.
#[derive(Debug)]
pub(super) struct Flight {
    ordered: bool,
    packets: BTreeMap<u64, Packet>,
    next: u64,
    largest_acked: Option<u64>,
    bytes: usize,
    smoothed: Option<Duration>,
    variance: Duration,
    latest: Duration,
    last_sent: Time,
    loss_at: Option<Time>,
    probes: u32,
    /// Packets that are to go to be acked, whatever is in them.
    owed: u32,
}

impl Flight {
    pub(super) fn new(ordered: bool) -> Self {
        Self {
            ordered,
            packets: BTreeMap::new(),
            next: 0,
            largest_acked: None,
            bytes: 0,
            smoothed: None,
            variance: Duration::ZERO,
            latest: Duration::ZERO,
            last_sent: Time::default(),
            loss_at: None,
            probes: 0,
            owed: 0,
        }
    }

    /// New keys: packet numbers begin again, and whatever was under way is lost.
    pub(super) fn restart(&mut self, round_trip: Option<Duration>) -> Vec<Sent> {
        let packets = std::mem::take(&mut self.packets);
        *self = Self {
            smoothed: self.smoothed,
            variance: self.variance,
            latest: self.latest,
            ..Self::new(self.ordered)
        };
        if let Some(round_trip) = round_trip {
            self.measured(round_trip);
        }
        packets.into_values().flat_map(|p| p.what).collect()
    }

    pub(super) fn memory(&self) -> usize {
        self.packets.len() * PACKET_COST
    }

    /// Forgets which bytes of a message are under way: acks of them say nothing any more. Those.
    pub(super) fn disown(&mut self, of: u64) -> Vec<Sent> {
        let mut disowned = Vec::new();
        for packet in self.packets.values_mut() {
            let ours =
                |what: &mut Sent| matches!(what, Sent::Segment { handle, .. } if *handle == of);
            disowned.extend(packet.what.extract_if(.., ours));
        }
        disowned
    }

    /// May something be sent that wants an ack?
    pub(super) fn has_room(&self) -> bool {
        self.owed > 0 || (self.bytes < MOST_BYTES && self.packets.len() < MOST_PACKETS)
    }

    /// Is something to be sent, whatever it is, just to be acked?
    pub(super) fn probe_owed(&self) -> bool {
        self.owed > 0
    }

    /// Sends a ping if nothing else goes.
    pub(super) fn owe_probe(&mut self) {
        self.owed = self.owed.max(1);
    }

    /// The next packet's number, and the highest one that the other side is known to have.
    pub(super) fn number(&self) -> (u64, u64) {
        (self.next, self.largest_acked.unwrap_or(0))
    }

    /// Something came, whatever it was: the other side is there, and probes are worth their while.
    pub(super) fn heard(&mut self) {
        self.probes = self.probes.min(HEARD);
    }

    /// The packet with the next number goes. `what` is empty for a ping; `None`: it wants no ack.
    pub(super) fn sent(&mut self, now: Time, bytes: usize, what: Option<Vec<Sent>>) {
        if let Some(what) = what {
            self.bytes += bytes;
            self.last_sent = now;
            self.owed = self.owed.saturating_sub(1);
            let packet = Packet {
                at: now,
                bytes,
                what,
            };
            self.packets.insert(self.next, packet);
        }
        self.next += 1;
    }

    /// The other side has these. `None`: they were never sent.
    pub(super) fn acked(&mut self, now: Time, numbers: &Ranges, delay: Duration) -> Option<News> {
        let largest = numbers.last()?.end - 1;
        if largest >= self.next {
            return None;
        }
        let mut news = News::default();
        let mut fresh = false;
        for range in numbers.iter() {
            let found: Vec<u64> = self.packets.range(range).map(|(n, _)| *n).collect();
            for number in found {
                let Some(packet) = self.packets.remove(&number) else {
                    continue;
                };
                self.bytes -= packet.bytes;
                fresh = true;
                if number == largest {
                    let taken = now.since(packet.at);
                    self.measured(taken.saturating_sub(delay.min(ACK_DELAY)));
                }
                news.arrived.extend(packet.what);
            }
        }
        self.largest_acked = self.largest_acked.max(Some(largest));
        if fresh {
            self.probes = 0;
            self.owed = 0;
        }
        news.lost = self.lost(now);
        Some(news)
    }

    /// What is lost by now: it leaves the flight.
    fn lost(&mut self, now: Time) -> Vec<Sent> {
        self.loss_at = None;
        let Some(largest) = self.largest_acked else {
            return Vec::new();
        };
        let wait = self.loss_delay();
        let mut gone = Vec::new();
        for (number, packet) in self.packets.range(..largest) {
            let overtaken = self.ordered && number + THRESHOLD <= largest;
            if overtaken || packet.at + wait <= now {
                gone.push(*number);
            } else {
                // Those sent later are due later.
                self.loss_at = Some(packet.at + wait);
                break;
            }
        }
        let mut lost = Vec::new();
        for number in gone {
            if let Some(packet) = self.packets.remove(&number) {
                self.bytes -= packet.bytes;
                lost.extend(packet.what);
            }
        }
        lost
    }

    fn measured(&mut self, taken: Duration) {
        self.latest = taken;
        match self.smoothed {
            None => {
                self.smoothed = Some(taken);
                self.variance = taken / 2;
            }
            Some(smoothed) => {
                self.variance = (self.variance * 3 + smoothed.abs_diff(taken)) / 4;
                self.smoothed = Some((smoothed * 7 + taken) / 8);
            }
        }
    }

    /// How long after a packet another one's ack makes it lost.
    fn loss_delay(&self) -> Duration {
        let usual = self.smoothed.unwrap_or(INITIAL).max(self.latest);
        let slack = if self.ordered {
            usual / 8
        } else {
            // What is overtaken by much is late, not lost.
            usual / 4 + self.variance * 4
        };
        usual + slack.max(GRAIN)
    }

    fn probe_at(&self) -> Option<Time> {
        if self.packets.is_empty() {
            return None;
        }
        let wait = match self.smoothed {
            Some(smoothed) => smoothed + (self.variance * 4).max(GRAIN) + ACK_DELAY,
            None => INITIAL * 3,
        };
        // Twice as long after every second probe: links push back themselves, so that this is not
        // for the sake of others; and a link that loses most of what it is given has nothing else.
        let doubled = wait.saturating_mul(1 << (self.probes.saturating_sub(1) / 2).min(16));
        Some(self.last_sent + doubled.min(SLOWEST.max(wait)))
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        if self.loss_at.is_some() {
            return self.loss_at;
        }
        // A probe that waits for room on the link is not asked for again.
        self.probe_at().filter(|_| self.owed == 0)
    }

    /// What has to be sent again by now: lost, or in doubt. `None`: the other side is gone.
    pub(super) fn timeout(&mut self, now: Time) -> Option<Vec<Sent>> {
        if self.loss_at.is_some_and(|at| at <= now) {
            return Some(self.lost(now));
        }
        if self.loss_at.is_none() && self.owed == 0 && self.probe_at().is_some_and(|at| at <= now) {
            self.probes += 1;
            self.owed = 1 << (self.probes - 1).min(MOST_PROBES);
            if self.probes > PROBES {
                return None;
            }
            // The longer nothing is heard, the more is lost on the way, and the more is said again.
            let count = PROBE << self.probes.min(6);
            let oldest = self.packets.values().take(count);
            let mut again: Vec<Sent> = oldest.flat_map(|p| p.what.clone()).collect();
            // What is said matters more than what is sent: without it nothing goes on.
            let said = self.packets.values().flat_map(|p| &p.what);
            let said = said.filter(|what| matches!(what, Sent::Control(_)));
            again.extend(said.take(count).cloned());
            return Some(again);
        }
        Some(Vec::new())
    }
}
