//! The office as the owner of an uplink: what waited for us, and for our accounts, at mediators.
//!
//! What is it: [`Patron`]. Who calls it: the uplink, with each message that it fetched, and to ask
//! for which DIDs else it is to fetch. What can go wrong: no room here: then the message stays at
//! its mediator. What makes no sense, or is for nobody here, is counted and taken, or it would be
//! fetched for ever.

use std::sync::Arc;
use std::time::Duration;

use packmule_bus::link::BoxFut;
use packmule_uplink::{Event, Later, Owner, UplinkStatus, What};
use tokio::sync::watch;

use super::{Office, Refused};
use crate::counters::{Count, Page};
use crate::mediator::{Via, Visit};
use crate::store::StoreError;

/// Accounts, or bindings of one, that are read at once.
const PAGE: u32 = 500;
/// How long a store is left alone that did not answer.
const AGAIN: Duration = Duration::from_secs(5);

/// The office, as the uplink sees it.
pub(crate) struct Patron(pub(crate) Arc<Office>);

impl Owner for Patron {
    fn take(&self, packed: Vec<u8>) -> BoxFut<'_, Result<(), Later>> {
        let office = Arc::clone(&self.0);
        Box::pin(async move {
            // A task of its own: dropped half way, a live push or an answer would be missing.
            let taken = tokio::spawn(async move { office.fetched(packed).await });
            taken.await.unwrap_or(Err(Later(AGAIN)))
        })
    }

    fn served(&self) -> BoxFut<'_, Result<Vec<String>, Later>> {
        Box::pin(async { self.0.served().await.map_err(|_| Later(AGAIN)) })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.mediator.changes()
    }

    fn tell(&self, event: &Event) {
        let log = &self.0.log;
        let upstream = &event.upstream;
        match &event.what {
            What::Up => log.info("upstream-up", &[("upstream", upstream)]),
            What::Live => log.info("upstream-live", &[("upstream", upstream)]),
            What::Collected(messages) => {
                let facts: [(&str, &dyn std::fmt::Display); 2] =
                    [("upstream", upstream), ("messages", messages)];
                log.info("collected", &facts);
            }
            What::Registered {
                added,
                removed,
                refused,
            } => {
                let facts: [(&str, &dyn std::fmt::Display); 4] = [
                    ("upstream", upstream),
                    ("added", added),
                    ("removed", removed),
                    ("refused", refused),
                ];
                log.info("registered", &facts);
            }
            What::Waiting { wait, why } => {
                let seconds = wait.as_secs();
                let facts: [(&str, &dyn std::fmt::Display); 3] =
                    [("upstream", upstream), ("seconds", &seconds), ("why", why)];
                log.warn("upstream-waits", &facts);
            }
            What::Moved => log.warn("upstream-moved", &[("upstream", upstream)]),
            _ => {}
        }
    }
}

impl Office {
    /// Takes a message that waited at a mediator. Durable when `Ok`, or nothing that ever makes
    /// sense.
    async fn fetched(self: &Arc<Self>, packed: Vec<u8>) -> Result<(), Later> {
        self.counters.one(Count::ByUplink);
        match self.take(packed, &Visit::by(Via::Uplink)).await {
            Ok(followed) => {
                for (to, reply) in followed.sender.iter().zip(followed.replies) {
                    self.answer_elsewhere(to, reply).await;
                }
                Ok(())
            }
            Err(Refused::TooMany(wait)) => Err(Later(wait)),
            Err(refused @ (Refused::Full | Refused::Fault)) => {
                let (_, seconds) = refused.status();
                Err(Later(Duration::from_secs(seconds.unwrap_or(60))))
            }
            // As often as it is fetched it will be the same.
            Err(Refused::Unopened | Refused::Denied | Refused::NoRecipient | Refused::TooLarge) => {
                Ok(())
            }
        }
    }

    /// Accounts, and the DIDs bound to them.
    async fn served(&self) -> Result<Vec<String>, StoreError> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.store.accounts(after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(all);
            };
            after = Some(last.did.clone());
            for account in page {
                let mut offset = 0;
                loop {
                    let listing = self.store.bindings(&account.did, PAGE, offset).await?;
                    let some = u32::try_from(listing.dids.len()).unwrap_or(u32::MAX);
                    offset = offset.saturating_add(some);
                    all.extend(listing.dids);
                    if some == 0 || listing.remaining == 0 {
                        break;
                    }
                }
                all.push(account.did);
            }
        }
    }

    /// How the mediators stand that we are a client of; none before they are called.
    pub(crate) fn upstreams(&self) -> Vec<UplinkStatus> {
        self.uplinks.get().map_or_else(Vec::new, |tell| tell())
    }

    /// From now on they can be told of.
    pub(crate) fn watch_upstreams(
        &self,
        tell: impl Fn() -> Vec<UplinkStatus> + Send + Sync + 'static,
    ) {
        // It is set once, when the gateway begins.
        let _ = self.uplinks.set(Box::new(tell));
    }

    /// Their numbers, for Prometheus. No label names one: they are counted as configured.
    pub(super) fn upstream_metrics(&self, page: &mut Page) {
        let all = self.upstreams();
        type Number = fn(&UplinkStatus) -> u64;
        let counters: [(&str, &str, Number); 4] = [
            (
                "collected_total",
                "Messages fetched from a mediator.",
                |it| it.collected,
            ),
            (
                "unread_total",
                "Messages of a mediator that were damaged.",
                |it| it.unread,
            ),
            ("failures_total", "Visits to a mediator that ended.", |it| {
                it.failures
            }),
            ("bytes_total", "Bytes to and from a mediator.", |it| {
                it.bytes
            }),
        ];
        let gauges: [(&str, &str, Number); 4] = [
            ("up", "Whether a mediator answers.", |it| {
                u64::from(it.state.is_up())
            }),
            ("seen_seconds", "When a mediator last answered.", |it| {
                it.last_seen.unwrap_or(0)
            }),
            ("registered", "DIDs that a mediator holds for.", |it| {
                it.registered
            }),
            ("refused", "DIDs that a mediator does not want.", |it| {
                it.refused
            }),
        ];
        let series = |name: &str, number: usize| {
            format!("packmule_upstream_{name}{{upstream=\"{}\"}}", number + 1)
        };
        for (name, help, value) in counters {
            for (number, one) in all.iter().enumerate() {
                page.counter(&series(name, number), help, value(one));
            }
        }
        for (name, help, value) in gauges {
            for (number, one) in all.iter().enumerate() {
                page.gauge(&series(name, number), help, value(one));
            }
        }
    }
}
