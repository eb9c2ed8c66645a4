//! Another configuration while the gateway runs.
//!
//! What is it: [`Reins`], which take over what may change without a new start. Who calls it:
//! `packmule gateway` on SIGHUP, with a configuration that was read and checked as at the start.
//! What can go wrong: nothing here; what cannot change now is named, and holds from the next
//! start.

use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Config;
use crate::office::Office;
use crate::running::policy;

/// Holds on to a gateway that runs.
pub struct Reins {
    office: Arc<Office>,
    /// What holds now.
    config: Mutex<Config>,
}

impl Reins {
    pub(crate) fn new(office: Arc<Office>, config: Config) -> Self {
        Self {
            office,
            config: Mutex::new(config),
        }
    }

    /// Takes over what may change: who may have a mailbox, rates, metrics, the log's level.
    /// Answers the keys and sections of which more was changed, and logs them.
    pub fn reload(&self, wanted: &Config) -> Vec<&'static str> {
        let mut config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let next = mixed(&config, wanted);
        self.office.adopt(&next);
        self.office.mediator.adopt(policy(&next));
        *config = next;
        let left = differences(&config, wanted);
        let log = &self.office.log;
        log.info("reloaded", &[]);
        if !left.is_empty() {
            log.warn("holds-from-the-next-start", &[("keys", &left.join(" "))]);
        }
        left
    }

    /// There is no other configuration, for this reason: all stays as it is.
    pub fn keep(&self, why: &dyn std::fmt::Display) {
        self.office.log.error("not-reloaded", &[("why", &why)]);
    }
}

/// The present one with what may change taken from the other.
fn mixed(present: &Config, wanted: &Config) -> Config {
    let mut mixed = present.clone();
    mixed.metrics = wanted.metrics;
    mixed.log.level = wanted.log.level;
    let (accounts, limits) = (&wanted.accounts, &wanted.limits);
    mixed.accounts.open = accounts.open;
    mixed.accounts.allow.clone_from(&accounts.allow);
    mixed.accounts.deny.clone_from(&accounts.deny);
    mixed.accounts.new_per_address = accounts.new_per_address;
    mixed.limits.rate_per_address = limits.rate_per_address;
    mixed.limits.burst_per_address = limits.burst_per_address;
    mixed.limits.rate_per_sender = limits.rate_per_sender;
    mixed.limits.burst_per_sender = limits.burst_per_sender;
    mixed
}

/// Where two of them differ.
fn differences(a: &Config, b: &Config) -> Vec<&'static str> {
    // Whoever adds a key has to say here whether it may change.
    let Config {
        listen,
        public_url,
        trusted_proxies,
        links,
        discover,
        metrics,
        scan,
        tls,
        accounts,
        mailboxes,
        limits,
        strangers,
        upstream,
        mail,
        log,
        traces,
    } = a;
    [
        ("listen", *listen != b.listen),
        ("public-url", *public_url != b.public_url),
        ("trusted-proxies", *trusted_proxies != b.trusted_proxies),
        ("links", *links != b.links),
        ("discover", *discover != b.discover),
        ("metrics", *metrics != b.metrics),
        ("scan", *scan != b.scan),
        ("[tls]", *tls != b.tls),
        ("[accounts]", *accounts != b.accounts),
        ("[mailboxes]", *mailboxes != b.mailboxes),
        ("[limits]", *limits != b.limits),
        ("[strangers]", *strangers != b.strangers),
        ("[[upstream]]", *upstream != b.upstream),
        ("[mail]", *mail != b.mail),
        ("[log]", *log != b.log),
        ("[traces]", *traces != b.traces),
    ]
    .into_iter()
    .filter_map(|(key, differs)| differs.then_some(key))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_change_does_and_what_may_not_is_named() {
        let present = Config::default();
        let mut wanted = Config::default();
        wanted.accounts.open = false;
        wanted.accounts.deny = vec!["did:example:mallory".to_owned()];
        wanted.limits.rate_per_sender = 7;
        wanted.log.level = crate::config::LogLevel::Debug;
        wanted.metrics = false;
        assert_eq!(mixed(&present, &wanted), wanted);

        wanted.accounts.most = 5;
        wanted.limits.connections = 7;
        wanted.links = vec!["tcp://0.0.0.0:4460".to_owned()];
        let next = mixed(&present, &wanted);
        assert!(!next.accounts.open && next.accounts.most == 10_000);
        let left = differences(&next, &wanted);
        assert_eq!(left, ["links", "[accounts]", "[limits]"]);
    }
}
