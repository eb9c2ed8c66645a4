//! What one controller remembers, and how it speaks to its host.
//!
//! Called by [`crate::Air`] and its commands. What can go wrong: a host that does not read: reports
//! are dropped then, and data are not taken from the air.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::codes::{event, le};
use crate::packet;

/// An address as the air has it: whether it is random (1) or public (0), and its octets, the
/// lowest one first.
pub(crate) type Address = (u8, [u8; 6]);

/// ACL packets that the host may have given and that have not gone yet.
pub(crate) const BUFFERS: usize = 16;
/// How many bytes each of them holds.
pub(crate) const BUFFER: usize = 251;
/// Packets that wait for the host, above which nothing more is taken from the air.
const WAITING: usize = 32;
/// Devices that the filter accept list holds.
pub(crate) const ACCEPT_LIST: usize = 16;
/// Connections of one controller.
pub(crate) const CONNECTIONS: usize = 8;
/// The payload of a data PDU before anybody asks for more, and at most.
pub(crate) const SHORT: u16 = 27;
pub(crate) const LONG: u16 = 251;
/// The scanner remembers so many reports, so as to tell of each only once.
const REMEMBERED: usize = 256;

/// How it advertises.
#[derive(Clone, Debug)]
pub(crate) struct Advertising {
    /// Microseconds between two of its events.
    pub(crate) interval: u64,
    /// `ADV_IND`, `ADV_SCAN_IND` or `ADV_NONCONN_IND`.
    pub(crate) kind: u8,
    pub(crate) own: u8,
    pub(crate) policy: u8,
    pub(crate) data: Vec<u8>,
    pub(crate) response: Vec<u8>,
    pub(crate) on: bool,
    /// Another one each time it is switched: what was planned before is over.
    pub(crate) round: u64,
}

impl Default for Advertising {
    fn default() -> Self {
        Self {
            interval: 1_280_000,
            kind: 0,
            own: 0,
            policy: 0,
            data: Vec::new(),
            response: Vec::new(),
            on: false,
            round: 0,
        }
    }
}

impl Advertising {
    pub(crate) const fn connectable(&self) -> bool {
        self.kind == 0
    }

    pub(crate) const fn scannable(&self) -> bool {
        matches!(self.kind, 0 | 2)
    }
}

/// How it scans.
#[derive(Clone, Debug)]
pub(crate) struct Scanning {
    pub(crate) active: bool,
    /// Microseconds from window to window, and how long one is.
    pub(crate) interval: u64,
    pub(crate) window: u64,
    pub(crate) own: u8,
    /// Only who is on the list.
    pub(crate) filtered: bool,
    pub(crate) on: bool,
    /// Each report only once.
    pub(crate) once: bool,
    pub(crate) told: BTreeSet<(Address, u8, Vec<u8>)>,
}

impl Default for Scanning {
    fn default() -> Self {
        Self {
            active: false,
            interval: 10_000,
            window: 10_000,
            own: 0,
            filtered: false,
            on: false,
            once: false,
            told: BTreeSet::new(),
        }
    }
}

/// A connection that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Initiating {
    pub(crate) interval: u64,
    pub(crate) window: u64,
    /// Nobody: whoever is on the list.
    pub(crate) peer: Option<Address>,
    pub(crate) own: u8,
    pub(crate) terms: Terms,
}

/// The parameters of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Terms {
    /// In steps of 1.25 ms.
    pub(crate) interval: u16,
    pub(crate) latency: u16,
    /// In steps of 10 ms.
    pub(crate) timeout: u16,
}

impl Terms {
    /// The connection interval in microseconds.
    pub(crate) const fn micros(self) -> u64 {
        self.interval as u64 * 1_250
    }

    /// The supervision time-out in microseconds.
    pub(crate) const fn patience(self) -> u64 {
        self.timeout as u64 * 10_000
    }
}

/// One controller.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) public: [u8; 6],
    pub(crate) random: Option<[u8; 6]>,
    mask: u64,
    le_mask: u64,
    pub(crate) advertising: Advertising,
    pub(crate) scanning: Scanning,
    pub(crate) initiating: Option<Initiating>,
    pub(crate) accept_list: BTreeSet<Address>,
    /// The payload of data PDUs that new connections begin with.
    pub(crate) octets: u16,
    /// Its connections: handle, which one, and which end of it.
    pub(crate) links: BTreeMap<u16, (u64, usize)>,
    next_handle: u16,
    pub(crate) out: VecDeque<Vec<u8>>,
    /// Its radio reaches nobody.
    pub(crate) away: bool,
}

impl Device {
    pub(crate) fn new(public: [u8; 6]) -> Self {
        Self {
            public,
            random: None,
            mask: 0x1fff_ffff_ffff,
            le_mask: 0x1f,
            advertising: Advertising::default(),
            scanning: Scanning::default(),
            initiating: None,
            accept_list: BTreeSet::new(),
            octets: SHORT,
            links: BTreeMap::new(),
            next_handle: 0x40,
            out: VecDeque::new(),
            away: false,
        }
    }

    /// As it was when it was switched on; its connections are the caller's matter.
    pub(crate) fn reset(&mut self) {
        let fresh = Self {
            away: self.away,
            advertising: Advertising {
                round: self.advertising.round + 1,
                ..Advertising::default()
            },
            ..Self::new(self.public)
        };
        *self = fresh;
    }

    pub(crate) const fn masks(&mut self) -> (&mut u64, &mut u64) {
        (&mut self.mask, &mut self.le_mask)
    }

    /// Its address of this kind, if it has one.
    pub(crate) const fn address(&self, kind: u8) -> Option<Address> {
        match (kind, self.random) {
            (0, _) => Some((0, self.public)),
            (_, Some(random)) => Some((1, random)),
            (_, None) => None,
        }
    }

    /// A handle that none of its connections has.
    pub(crate) fn handle(&mut self) -> u16 {
        loop {
            let handle = self.next_handle;
            self.next_handle = if handle >= 0x0eff { 0x40 } else { handle + 1 };
            if !self.links.contains_key(&handle) {
                return handle;
            }
        }
    }

    /// Can it take data from the air?
    pub(crate) fn has_room(&self) -> bool {
        self.out.len() < WAITING
    }

    /// Tells the host of an event, if it wants to hear of it.
    pub(crate) fn tell(&mut self, code: u8, parameters: &[u8]) {
        let bit = match code {
            event::COMMAND_COMPLETE | event::COMMAND_STATUS | event::COMPLETED_PACKETS => None,
            event::LE_META => Some(61),
            _ => Some(code - 1),
        };
        if bit.is_some_and(|bit| self.mask >> bit & 1 == 0) {
            return;
        }
        let length = u8::try_from(parameters.len()).unwrap_or(u8::MAX);
        let mut out = vec![packet::EVENT, code, length];
        out.extend_from_slice(parameters);
        self.out.push_back(out);
    }

    /// Would the host hear of this event of Bluetooth LE?
    pub(crate) const fn hears(&self, subevent: u8) -> bool {
        self.le_mask >> (subevent - 1) & 1 == 1
    }

    /// Tells the host of an event of Bluetooth LE, if it wants to hear of it.
    pub(crate) fn tell_le(&mut self, subevent: u8, parameters: &[u8]) {
        if self.hears(subevent) {
            self.tell(event::LE_META, &[&[subevent], parameters].concat());
        }
    }

    /// An ACL packet of this connection has gone.
    pub(crate) fn completed(&mut self, handle: u16) {
        let [low, high] = handle.to_le_bytes();
        self.tell(event::COMPLETED_PACKETS, &[1, low, high, 1, 0]);
    }

    /// Data came: the payload of one data PDU.
    pub(crate) fn came(&mut self, handle: u16, first: bool, payload: &[u8]) {
        let boundary = if first { 0x2000 } else { 0x1000 };
        let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
        let mut out = vec![packet::ACL];
        out.extend_from_slice(&(handle | boundary).to_le_bytes());
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(payload);
        self.out.push_back(out);
    }

    /// The scanner heard something.
    pub(crate) fn heard(&mut self, from: Address, kind: u8, data: &[u8]) {
        let listed = !self.scanning.filtered || self.accept_list.contains(&from);
        if !listed || !self.has_room() {
            return;
        }
        if self.scanning.once {
            let told = &mut self.scanning.told;
            if told.len() >= REMEMBERED {
                told.clear();
            }
            if !told.insert((from, kind, data.to_vec())) {
                return;
            }
        }
        let length = u8::try_from(data.len()).unwrap_or(u8::MAX);
        let mut report = vec![1, kind, from.0];
        report.extend_from_slice(&from.1);
        report.push(length);
        report.extend_from_slice(data);
        // As strong as across a table: -50 dBm.
        report.push(0xce);
        self.tell_le(le::ADVERTISING_REPORT, &report);
    }
}
