//! A gateway from its start to its end.
//!
//! What is it: [`Gateway::start`] binds the server, finds or makes the home, opens the mailboxes,
//! starts the node; [`Gateway::run`] serves until it is told to end. Who calls it: `packmule
//! gateway`, and programs that embed one. What can go wrong: [`StartError`], before anybody is
//! served; afterwards only the node's own end.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use packmule_agent::message::Message;
use packmule_bus::link::{Transport, Way};
use packmule_http::server::{self, Certificate, Server};
use packmule_node::{Node, NodeConfig, Seek};
use packmule_uplink::{Owner, Uplink, Upstream};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::admin::Desk;
use crate::config::{Config, ConfigError};
use crate::founding::{self, FoundError, Founded};
use crate::mediator::{Admits, Mediator, Policy};
use crate::office::pages::socket_url;
use crate::office::{Door, Kept, Near, Office, Patron};
use crate::reload::Reins;
use crate::store::{Limits, MailboxStore, Moment, SqliteStore, StoreError, canonical};
use crate::token::{Token, TokenError};
use crate::web::web;

/// The mailboxes' file in the home.
const MAILBOXES: &str = "mailboxes.sqlite";
/// A clock that is so far ahead of what has passed has leapt …
const LEAP: Duration = Duration::from_secs(3_600);
/// … and is believed after so long.
const DOUBT: Duration = Duration::from_secs(24 * 3_600);
/// How often what has expired is ended.
const SWEEP: Duration = Duration::from_secs(60);

/// What a gateway is started with.
pub struct Plan {
    /// How it is to run.
    pub config: Config,
    /// Its home, which is made if there is none.
    pub home: PathBuf,
    /// The passphrase of the home.
    pub passphrase: Option<Vec<u8>>,
    /// What its node is reached by besides the web.
    pub transports: Vec<Arc<dyn Transport>>,
    /// Mailboxes that are shared with other gateways; else it has its own, in the home. Opened
    /// with [`limits`].
    pub mailboxes: Option<Arc<dyn MailboxStore>>,
}

/// Why a gateway was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The server's address.
    #[error("cannot listen on {at}: {source}")]
    Listen {
        /// Which.
        at: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The certificate or its key.
    #[error("cannot use the certificate {}: {source}", path.display())]
    Certificate {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The configuration, which whoever called did not check.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The home.
    #[error(transparent)]
    Found(#[from] FoundError),
    /// The operators' token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The mailboxes.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node.
    #[error(transparent)]
    Node(#[from] packmule_node::StartError),
}

/// A gateway that is ready to serve.
pub struct Gateway {
    office: Arc<Office>,
    server: Server,
    door: Arc<Door>,
    closing: watch::Sender<bool>,
    new: bool,
    unattended: bool,
    url: String,
    upstreams: Vec<Upstream>,
    config: Config,
    /// None: no socket could be made.
    admin: Option<Desk>,
}

impl Gateway {
    /// Starts it: when this returns it is bound, and what it holds is there. Nobody is served
    /// before [`Self::run`].
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(plan: Plan) -> Result<Self, StartError> {
        let Plan {
            config,
            home,
            passphrase,
            mut transports,
            mailboxes,
        } = plan;
        let server = bind(&config).await?;
        let scheme = if config.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let own = || format!("{scheme}://{}/", server.addr());
        let url = config.public_url.clone().unwrap_or_else(&own);
        let upstreams = config.upstreams()?;
        // Strangers reach a gateway behind others there, unless it is on the internet itself.
        let endpoints: Vec<String> = if config.public_url.is_some() || upstreams.is_empty() {
            vec![url.clone(), socket_url(&url)]
        } else {
            upstreams.iter().map(|one| one.did.clone()).collect()
        };
        let Founded {
            home,
            keys,
            new,
            unattended,
        } = founding::open(&home, &endpoints, passphrase.as_deref())?;
        let told = founding::endpoint(&home).map(str::to_owned);
        let token = Token::of(home.dir())?;
        let store: Arc<dyn MailboxStore> = match mailboxes {
            Some(shared) => shared,
            None => Arc::new(SqliteStore::open(
                &home.dir().join(MAILBOXES),
                limits(&config),
            )?),
        };
        let (web, way, links) = web();
        transports.push(Arc::new(web));
        let mailer = match &config.mail {
            Some(mail) => mail
                .build(home.dir())
                .map_err(|why| ConfigError::Value { key: "mail", why })?,
            None => packmule_mail::Mailer::default(),
        };
        transports.extend(mailer.transports);
        let mut listen: Vec<Way> = config
            .links
            .iter()
            .filter_map(|it| Way::parse(it))
            .collect();
        listen.extend(way);
        listen.extend(mailer.listen);
        let mut node = NodeConfig {
            listen,
            scout: config.discover,
            seek: if config.strangers.forward {
                Seek::Everybody
            } else {
                Seek::Nobody
            },
            doors: [vec![url.clone(), own()], mailer.doors].concat(),
            ..NodeConfig::default()
        };
        node.depot.policy.carry_for_strangers = config.strangers.carry;
        node.depot.quotas.strangers_bytes = config.strangers.total;
        node.depot.quotas.max_message = config.limits.max_message;
        let node = Node::start(Arc::new(home), keys, transports, node).await?;
        let did = node.desk().did().to_owned();
        let mut mediator = Mediator::new(Arc::clone(&store), &did, policy(&config));
        // What the DID says is what strangers do, whatever is configured today.
        if let Some(upstream) = told.as_ref().filter(|told| told.starts_with("did:")) {
            mediator = mediator.behind(upstream);
        }
        let (closing, closes) = watch::channel(false);
        let near = Near::of(node.desk().home()).map_err(FoundError::from)?;
        let kept = Kept { near, token };
        let office = Office::new(node, mediator, store, kept, &config, url.clone(), closes);
        let office = Arc::new(office);
        if told.as_ref() != endpoints.first() {
            office.log.warn("did-names-another-endpoint", &[]);
            let none = || "nowhere".to_owned();
            let told: &dyn std::fmt::Display = &told.unwrap_or_else(none);
            let here = endpoints.join(" ");
            office
                .log
                .debug("endpoint", &[("did", told), ("here", &here)]);
        }
        // Before anybody is told that we are ready, who may ask at once.
        let admin = Desk::open(office.node.desk().home().dir())
            .inspect_err(|fault| office.log.warn("no-admin-socket", &[("why", fault)]))
            .ok();
        Ok(Self {
            door: Arc::new(Door::new(Arc::clone(&office), links)),
            office,
            server,
            closing,
            new,
            unattended,
            url,
            upstreams,
            config,
            admin,
        })
    }

    /// Its DID: the node's, the mediator's, and the routing DID of its accounts.
    #[must_use]
    pub fn did(&self) -> &str {
        self.office.mediator.did()
    }

    /// Where messages are posted.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where WebSockets are asked for.
    #[must_use]
    pub fn socket_url(&self) -> String {
        socket_url(&self.url)
    }

    /// Where the server listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Its home was made just now.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.new
    }

    /// The passphrase of its home lies in the home.
    #[must_use]
    pub const fn is_unattended(&self) -> bool {
        self.unattended
    }

    /// An invitation to ask for a mailbox.
    #[must_use]
    pub fn invitation(&self) -> Message {
        self.office.mediator.invitation()
    }

    /// What of the node does not work, for people.
    #[must_use]
    pub fn troubles(&self) -> &[String] {
        self.office.node.troubles()
    }

    /// To tell it of another configuration while it runs.
    #[must_use]
    pub fn reins(&self) -> Reins {
        Reins::new(Arc::clone(&self.office), self.config.clone())
    }

    /// Serves until `told` is done or the node has ended; then lets those who are being answered
    /// finish, and ends the node gracefully.
    pub async fn run(self, told: impl Future<Output = ()> + Send) {
        let Self {
            office,
            server,
            door,
            closing,
            upstreams,
            admin,
            ..
        } = self;
        office
            .log
            .info("serving", &[("port", &server.addr().port())]);
        let links = tokio::spawn(Arc::clone(&office).serve_links());
        let near = tokio::spawn(Arc::clone(&office).serve_near());
        let sweep = tokio::spawn(sweep(Arc::clone(&office)));
        let meeting = Arc::clone(&office);
        let contacts = tokio::spawn(async move { meeting.contacts.follow(&meeting.node).await });
        let news = tokio::spawn(Arc::clone(&office).hear_news());
        let asked = Arc::clone(&office);
        let admin = tokio::spawn(async move {
            if let Some(desk) = admin {
                desk.serve(asked).await;
            }
        });
        let node = office.node.clone();
        let patron: Arc<dyn Owner> = Arc::new(Patron(Arc::clone(&office)));
        let uplink = Uplink::start(&node, &patron, upstreams);
        office.watch_upstreams(uplink.statuses());
        let ends = async {
            tokio::select! {
                () = told => {}
                () = node.ended() => {}
            }
            // WebSockets end too, not only those who wait for an answer.
            closing.send_replace(true);
        };
        server.serve(door, ends).await;
        office.log.info("ending", &[]);
        sweep.abort();
        contacts.abort();
        news.abort();
        admin.abort();
        // Its socket goes with it.
        let _ = admin.await;
        uplink.stop().await;
        node.stop().await;
        let _ = links.await;
        let _ = near.await;
        office.traces.end().await;
    }
}

async fn bind(config: &Config) -> Result<Server, StartError> {
    let mut at = server::Config::at(config.listen.to_string());
    if let Some(tls) = &config.tls {
        let certificate = Certificate::from_files(&tls.certificate, &tls.key);
        let wrong = |source| StartError::Certificate {
            path: tls.certificate.clone(),
            source,
        };
        at.certificate = Some(Arc::new(certificate.map_err(wrong)?));
    }
    // Wallets in browsers are visitors like others.
    at.browsers = true;
    at.proxies = config.trusted_proxies.iter().map(|one| one.0).collect();
    let limits = &config.limits;
    at.limits.message = usize::try_from(limits.max_message).unwrap_or(usize::MAX);
    // Messages are dropped on a page, too.
    at.limits.page = at.limits.message;
    at.limits.connections = limits.connections;
    at.limits.per_address = limits.connections_per_address;
    at.limits.head_time = limits.idle;
    let bound = Server::bind(at).await;
    bound.map_err(|source| StartError::Listen {
        at: config.listen,
        source,
    })
}

/// The file of the mailboxes in this home, where they are not in a database of their own.
#[must_use]
pub fn mailboxes(home: &Path) -> PathBuf {
    home.join(MAILBOXES)
}

/// How much the mailboxes take on.
#[must_use]
pub fn limits(config: &Config) -> Limits {
    let usual = Limits::default();
    Limits {
        accounts: config.accounts.most,
        bindings: config.accounts.bindings,
        letter_bytes: config.limits.max_message,
        account_letters: config.mailboxes.account_messages,
        account_bytes: config.mailboxes.account,
        pair_letters: config.mailboxes.sender_messages,
        total_letters: config.mailboxes.messages,
        total_bytes: config.mailboxes.total,
        // What was asked for on a stick may be as old as mail is kept, and is done once.
        seen_for: usual.seen_for.max(config.mailboxes.keep),
        ..usual
    }
}

pub(crate) fn policy(config: &Config) -> Policy {
    let names = |dids: &[String]| dids.iter().map(|did| canonical(did).to_owned()).collect();
    let accounts = &config.accounts;
    let mut policy = Policy::default().with_max_receive_bytes(config.limits.max_message);
    policy.admits = if accounts.open {
        Admits::Everyone
    } else {
        Admits::Only(names(&accounts.allow))
    };
    policy.denied = names(&accounts.deny);
    policy.new_accounts = accounts.new_per_address;
    policy.carries_strays = config.strangers.carry;
    policy.keep_for = config.mailboxes.keep;
    policy.fresh_for = Limits::default().seen_for;
    policy
}

/// Ends what has expired, now and then. What ends is gone, so a clock that leaps ahead is not
/// believed at once: a machine in the field may have got a wrong time, and get the right one back.
/// Expired messages are not given out meanwhile.
async fn sweep(office: Arc<Office>) {
    let mut ticks = interval(SWEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut wall, mut steady) = (Moment::now(), Instant::now());
    let mut doubted: Option<Instant> = None;
    loop {
        ticks.tick().await;
        let (now, passed) = (Moment::now(), steady.elapsed());
        if leapt(wall, now, passed) {
            office.log.warn("clock-leapt", &[]);
            doubted = Some(Instant::now() + DOUBT);
        }
        (wall, steady) = (now, Instant::now());
        if doubted.is_some_and(|until| Instant::now() < until) {
            continue;
        }
        match office.store.expire(Moment::now()).await {
            Ok(0) => {}
            Ok(ended) => office.log.info("expired", &[("messages", &ended)]),
            Err(fault) => office.log.warn("mailboxes", &[("fault", &fault)]),
        }
    }
}

/// Did the clock go further than time did?
fn leapt(before: Moment, now: Moment, passed: Duration) -> bool {
    now.since(before) > passed + LEAP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_leaps_ahead_is_told_from_one_that_goes_on() {
        let then = Moment::from_secs(1_800_000_000);
        let later = |seconds| then + Duration::from_secs(seconds);
        let minute = Duration::from_secs(60);
        assert!(!leapt(then, later(60), minute));
        assert!(
            !leapt(then, later(3_000), minute),
            "an hour may be daylight saving"
        );
        assert!(leapt(then, later(8 * 86_400), minute));
        assert!(
            !leapt(later(8 * 86_400), then, minute),
            "backwards ends nothing"
        );
    }
}
