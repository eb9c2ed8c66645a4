//! The life of one upstream: called, registered at, collected from, waited for.
//!
//! What is it: [`Keeper`], a loop of visits. A visit lasts as long as the mediator answers; its end
//! is a [`Fault`], which says when the next may begin. Who calls it: the uplink, one task for each
//! upstream. What can go wrong: everything far away; nothing ends this loop. A visit may be cut
//! anywhere, by the end of the hours at which its mediator is called or by the end of the program:
//! what was not acknowledged comes again.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use packmule_agent::did::same_did;
use packmule_node::Node;
use packmule_ws::tls::Trust;
use tokio::time::{sleep, timeout};

use crate::collect::Batch;
use crate::fault::Fault;
use crate::memory::Memory;
use crate::pace::{Breaker, Budget, Verdict, closes_in, opens_in};
use crate::place::{self, place};
use crate::register::Roll;
use crate::status::{Row, State, posix};
use crate::{Kind, Owner, Upstream};

/// As long as anybody waits.
const DAY: Duration = Duration::from_secs(86_400);

/// Whoever looks after one upstream.
pub(crate) struct Keeper {
    pub(crate) node: Node,
    pub(crate) owner: Arc<dyn Owner>,
    pub(crate) upstream: Upstream,
    pub(crate) row: Row,
    pub(crate) memory: Memory,
    /// As it is on the disk.
    pub(crate) kept: Memory,
    /// One for each address that it was ever found at.
    pub(crate) breakers: Vec<(String, Breaker)>,
    pub(crate) budget: Budget,
    /// Read once: the system's list is long.
    pub(crate) trust: Arc<Trust>,
    pub(crate) batch: Batch,
    /// DIDs that it holds messages for, and those that it will not.
    pub(crate) roll: Roll,
    /// It granted mediation in this life.
    pub(crate) granted: bool,
}

impl Keeper {
    pub(crate) fn new(
        node: Node,
        owner: Arc<dyn Owner>,
        upstream: Upstream,
        trust: Arc<Trust>,
        row: Row,
    ) -> Self {
        Self {
            node,
            owner,
            budget: Budget::new(upstream.rate),
            batch: Batch::new(upstream.batch),
            upstream,
            trust,
            row,
            memory: Memory::default(),
            kept: Memory::default(),
            breakers: Vec::new(),
            roll: Roll::default(),
            granted: false,
        }
    }

    /// Looks after it for ever.
    pub(crate) async fn run(mut self) {
        if self.upstream.kind == Kind::PushOnly {
            return;
        }
        if same_did(&self.upstream.did, self.node.desk().did()) {
            return self.row.waits(DAY, "it is this node itself");
        }
        self.memory = Memory::recall(&self.node, &self.upstream.did).await;
        self.kept = self.memory.clone();
        loop {
            let opens = opens_in(&self.upstream.calls, posix());
            if !opens.is_zero() {
                self.row.waits(opens, "it is not called at this hour");
                sleep(opens).await;
                // The clock of the day and the one of sleeps may differ.
                continue;
            }
            let closes = closes_in(&self.upstream.calls, posix());
            match closes {
                Some(left) => drop(timeout(left, self.visit()).await),
                None => self.visit().await,
            }
        }
    }

    /// One visit, and the wait after it.
    async fn visit(&mut self) {
        let (address, fault) = match self.find().await {
            Ok((found, address)) => {
                self.row.state(State::Connecting);
                let fault = self.call(&found, &address).await;
                (address, fault)
            }
            Err(fault) => {
                self.breakers.retain(|(known, _)| known.is_empty());
                (String::new(), fault)
            }
        };
        self.row.change(|row| row.failures += 1);
        let mut verdict = fault.verdict();
        if matches!(fault, Fault::Refused(_) | Fault::Problem(_) | Fault::Denied) {
            // It knew us, and may have lost its memory: then it need only be asked again.
            if std::mem::take(&mut self.granted) {
                verdict = Verdict::Soon;
            }
        }
        let draw = draw();
        let longest = self.upstream.retry;
        let breaker = self.breaker(&address);
        breaker.failed(verdict, Instant::now(), longest, draw);
        // Another of its addresses may answer at once.
        let wait = self.shortest_wait();
        self.row.waits(wait, &fault.to_string());
        sleep(wait).await;
    }

    /// Where to call: the first address that may be tried.
    async fn find(&mut self) -> Result<(place::Place, String), Fault> {
        let did = self.did().to_owned();
        let (node, upstream) = (self.node.clone(), self.upstream.clone());
        let found = tokio::task::spawn_blocking(move || {
            let desk = node.desk();
            let _ = desk.refresh();
            let _ = desk.learn_form(&did);
            place(&upstream, &did, &desk.docs())
        });
        let found = found
            .await
            .map_err(|_| Fault::Nowhere("it ends".into()))??;
        let now = Instant::now();
        // Addresses that it had once are none any more.
        self.breakers
            .retain(|(known, _)| found.http.contains(known));
        let mut waits: Vec<Duration> = Vec::new();
        for address in &found.http {
            waits.push(self.breaker(address).wait(now));
        }
        // The first of those that are ready, else the one that is ready first.
        let soonest = found.http.iter().zip(waits).min_by_key(|(_, wait)| *wait);
        let address = soonest.map(|(address, _)| address.clone());
        Ok((found, address.unwrap_or_default()))
    }

    pub(crate) fn did(&self) -> &str {
        self.memory.moved.as_deref().unwrap_or(&self.upstream.did)
    }

    pub(crate) fn breaker(&mut self, address: &str) -> &mut Breaker {
        let at = self.breakers.iter().position(|(known, _)| known == address);
        let at = at.unwrap_or_else(|| {
            self.breakers.push((address.to_owned(), Breaker::default()));
            self.breakers.len() - 1
        });
        // Found or pushed just now.
        #[expect(
            clippy::indexing_slicing,
            reason = "the index was found or made just above"
        )]
        &mut self.breakers[at].1
    }

    fn shortest_wait(&self) -> Duration {
        let now = Instant::now();
        let waits = self.breakers.iter().map(|(_, breaker)| breaker.wait(now));
        waits.min().unwrap_or_default()
    }
}

/// A number that nobody can foresee. The standard library seeds every hasher from the system.
pub(crate) fn draw() -> u64 {
    RandomState::new().build_hasher().finish()
}
