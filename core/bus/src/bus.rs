//! One node without its body: the bus.
//!
//! What is it: [`Bus`], a state machine that joins the sessions of all links with the depot of
//! what is held, and keeps the law of durability. Inputs go in with a time, outputs come out and
//! have to be drained; [`io`] has both. Who calls it: drivers: `core/node` in life, `sim` by a
//! seed. What can go wrong: the driver stops answering (then things wait), the disk refuses
//! (then offers are refused with a reason until it has room), links and peers do anything at
//! all (then it costs them, and bounded memory here).
//!
//! | phase | file |
//! |---|---|
//! | what an input means | `hear`, `answers` |
//! | serving a link: events, offers, PDUs | `serve` |
//! | messages on their way here | `judge`, `take`, `arriving` |
//! | bodies on their way out | `bodies` |
//! | claims, receipts, signatures | `asks` |
//! | what may be said when | `gate`, and how: `say` |
//!
//! ```
//! use packmule_bus::bus::io::{Input, Output};
//! use packmule_bus::bus::{Bus, Config};
//! use packmule_bus::time::Now;
//!
//! let mut bus = Bus::restore([], Config::new([7; 32], [9; 32]), Now::default());
//! for output in bus.handle(Now::default(), Input::Timeout) {
//!     if let Output::Transmit(link, pdu) = output {
//!         println!("{} bytes for {link:?}", pdu.len());
//!     }
//! }
//! ```

mod answers;
mod arriving;
mod asks;
mod bodies;
mod config;
mod gate;
mod hear;
pub mod io;
mod judge;
mod line;
mod outputs;
pub(crate) mod sabotage;
mod say;
mod serve;
mod take;
mod view;

use std::collections::VecDeque;
use std::time::Duration;

use sha2::{Digest, Sha256};

use self::arriving::Arriving;
use self::asks::Asks;
use self::bodies::Shelf;
pub use self::config::Config;
use self::gate::{Disk, Gate, Said};
use self::io::{Input, Key, Op, Output, Record};
use self::line::Lines;
pub use self::outputs::Outputs;
pub use self::sabotage::Sabotage;
pub use self::view::{LinkStatus, Status};
use crate::depot::{Depot, Turn};
use crate::time::{Now, Time};

/// A node: all of its state, and none of its body.
#[derive(Debug)]
pub struct Bus {
    config: Config,
    now: Now,
    epoch: u64,
    depot: Depot,
    lines: Lines,
    arriving: Arriving,
    shelf: Shelf,
    asks: Asks,
    gate: Gate,
    disk: Disk,
    /// What this input changes, and what the depot wants said about it.
    turn: Turn,
    /// What the bus itself wants said.
    said: Vec<Said>,
    identity: Vec<crate::label::DidTag>,
    /// The depot may have ways to dial or messages for mailboxes.
    routes: bool,
    outputs: VecDeque<Output>,
}

impl Bus {
    /// Takes up where the last life ended: `records` are all that is in the store, in any
    /// order. What the application has not acknowledged is said again. `config.seed` must be
    /// another one in every life.
    #[must_use]
    pub fn restore(records: impl IntoIterator<Item = Record>, config: Config, now: Now) -> Self {
        let sabotage = config.sabotage;
        let mut depot_config = config.depot.clone();
        depot_config.sabotage = sabotage;
        let epoch = derive(&config.seed, "epoch", 0);
        let mut bus = Self {
            now,
            epoch: u64::from_be_bytes(epoch.first_chunk().copied().unwrap_or_default()),
            depot: Depot::new(depot_config, derive(&config.seed, "depot", 0)),
            lines: Lines::default(),
            arriving: Arriving::new(config.arriving, config.partial_checkpoint),
            shelf: Shelf::new(config.body_cache),
            asks: Asks::default(),
            gate: Gate::new(sabotage.ack_before_commit),
            disk: Disk::default(),
            turn: Turn::default(),
            said: Vec::new(),
            identity: Vec::new(),
            routes: true,
            outputs: VecDeque::new(),
            config,
        };
        for record in records {
            bus.remember(record);
        }
        bus.depot.resume(now, &mut bus.turn);
        bus
    }

    fn remember(&mut self, record: Record) {
        match record {
            Record::Seen(..) if self.config.sabotage.forget_dedup => {}
            Record::Partial(partial) => {
                let (name, key) = (partial.wire, Key::Partial(partial.wire));
                let trial = name == gate::TRIAL;
                let record = Record::Partial(partial);
                if !trial {
                    self.depot.restore(&record);
                }
                let Record::Partial(partial) = record else {
                    return;
                };
                let id = partial.id;
                if trial {
                    self.turn.ops.push(Op::Drop(key));
                } else if !self.arriving.restore(partial, self.now) {
                    self.depot.abandon(&id);
                    self.turn.ops.push(Op::Drop(key));
                }
            }
            record => self.depot.restore(&record),
        }
    }

    /// Takes one input. The outputs have to be carried out, all of them and in order, before
    /// the next input.
    pub fn handle(&mut self, now: Now, input: Input) -> Outputs<'_> {
        self.now = now;
        self.hear(input);
        self.finish();
        Outputs {
            queue: &mut self.outputs,
        }
    }

    /// The same for several inputs that are there already: what follows from them goes to the
    /// disk as one batch, and onto links in as few PDUs as it fits in.
    pub fn handle_all(&mut self, now: Now, inputs: impl IntoIterator<Item = Input>) -> Outputs<'_> {
        self.now = now;
        for input in inputs {
            // What a link brought counts before the news that it is gone.
            let ends = matches!(input, Input::LinkDown(_) | Input::Leave);
            if ends {
                self.finish();
            }
            self.hear(input);
        }
        self.finish();
        Outputs {
            queue: &mut self.outputs,
        }
    }

    /// When [`Input::Timeout`] is due, if nothing happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        if !self.turn.ops.is_empty() || !self.turn.effects.is_empty() {
            return Some(self.now.time);
        }
        let (depot, wall) = self.depot.deadline();
        let wall = wall.map(|wall| {
            let wait = wall.saturating_sub(self.now.wall);
            self.now.time + Duration::from_secs(wait)
        });
        let lines = self.lines.deadline();
        let others = [
            depot,
            wall,
            lines,
            self.disk.deadline(),
            self.arriving.deadline(),
        ];
        others.into_iter().flatten().min()
    }
}

/// A number that nobody guesses, for one purpose.
fn derive(seed: &[u8; 32], purpose: &str, number: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed);
    hash.update(purpose.as_bytes());
    hash.update(number.to_be_bytes());
    hash.finalize().into()
}
