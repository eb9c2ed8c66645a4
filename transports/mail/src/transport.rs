//! The transports `mailto`, which sends, and `imap`, `lmtp` and `smtp`, which receive.
//!
//! What is it: from ways to ports and listeners. Who calls it: the node's driver. What can go
//! wrong: a way that is none; a server that is not there or will not have us, which is tried again
//! by whoever asked.

use std::net::SocketAddr;
use std::sync::Arc;

use packmule_bus::link::{BoxFut, Listener, OpenError, Port, Probe, Transport, Way};

use crate::account::{Account, Watching};
use crate::address::recipients;
use crate::inbound::{Door, Inbound, Tongue};
use crate::outbox::{Drop, Outbox};

/// Mails by a submission server, to whomever a `mailto:` names.
pub struct Mailto(Arc<Outbox>);

impl Mailto {
    /// By this outbox.
    #[must_use]
    pub const fn new(outbox: Arc<Outbox>) -> Self {
        Self(outbox)
    }
}

impl Transport for Mailto {
    fn name(&self) -> &'static str {
        "mailto"
    }

    fn probe(&self) -> BoxFut<'_, Probe> {
        Box::pin(async {
            let place = self.0.server().place();
            match self.0.greet().await {
                Ok(()) => Probe {
                    ready: true,
                    finding: format!("{place} takes mails from us"),
                },
                Err(why) => Probe {
                    ready: false,
                    finding: format!("{place} takes no mails from us: {why}"),
                },
            }
        })
    }

    fn open<'a>(&'a self, to: &'a Way) -> BoxFut<'a, Result<Port, OpenError>> {
        Box::pin(async move {
            let to = recipients(to.as_str()).ok_or_else(|| OpenError::BadWay {
                transport: "mailto",
                way: to.clone(),
                why: "it should be mailto:ADDRESS, or several with commas between them".to_owned(),
            })?;
            self.0.greet().await.map_err(OpenError::NoAnswer)?;
            let outbox = Arc::clone(&self.0);
            Ok(Port::Mailbox(Box::new(Drop { outbox, to })))
        })
    }

    fn listen<'a>(&'a self, _: &'a Way) -> BoxFut<'a, Result<Box<dyn Listener>, OpenError>> {
        Box::pin(async { Err(OpenError::Unsupported("mailto")) })
    }
}

/// Mails from an account.
pub struct Imap(Account);

impl Imap {
    /// From this account.
    #[must_use]
    pub const fn new(account: Account) -> Self {
        Self(account)
    }

    /// The way that is listened on: it names the server and no person.
    #[must_use]
    pub fn way(&self) -> Option<Way> {
        Way::parse(&format!("imap://{}", self.0.server.place()))
    }
}

impl Transport for Imap {
    fn name(&self) -> &'static str {
        "imap"
    }

    fn probe(&self) -> BoxFut<'_, Probe> {
        Box::pin(async {
            let place = self.0.server.place();
            match self.0.greet().await {
                Ok(able) => Probe {
                    ready: true,
                    finding: format!("{place} lets us in; it {able}"),
                },
                Err(why) => Probe {
                    ready: false,
                    finding: format!("{place} does not let us in: {why}"),
                },
            }
        })
    }

    fn open<'a>(&'a self, _: &'a Way) -> BoxFut<'a, Result<Port, OpenError>> {
        Box::pin(async { Err(OpenError::Unsupported("imap")) })
    }

    /// Whatever is wrong with the server is told when somebody waits for mails of it, and tried
    /// again then.
    fn listen<'a>(&'a self, at: &'a Way) -> BoxFut<'a, Result<Box<dyn Listener>, OpenError>> {
        Box::pin(async move {
            if Some(at) != self.way().as_ref() {
                return Err(OpenError::BadWay {
                    transport: "imap",
                    way: at.clone(),
                    why: "the account is set up in the section [mail.imap]".to_owned(),
                });
            }
            let listener = Watching::new(at.clone(), self.0.clone());
            Ok(Box::new(listener) as Box<dyn Listener>)
        })
    }
}

/// Mails that a mail server hands over by LMTP.
pub struct Lmtp(Inbound);

/// Mails that others bring by SMTP.
pub struct Smtp(Inbound);

impl Lmtp {
    /// Takes these mails.
    #[must_use]
    pub const fn new(inbound: Inbound) -> Self {
        Self(inbound)
    }
}

impl Smtp {
    /// Takes these mails.
    #[must_use]
    pub const fn new(inbound: Inbound) -> Self {
        Self(inbound)
    }
}

async fn wait_at(
    transport: &'static str,
    tongue: Tongue,
    at: &Way,
    inbound: &Inbound,
) -> Result<Box<dyn Listener>, OpenError> {
    let rest = at.as_str().strip_prefix(transport);
    let address = rest.and_then(|rest| rest.strip_prefix("://"));
    let address: Option<SocketAddr> = address.and_then(|address| address.parse().ok());
    let address = address.ok_or_else(|| OpenError::BadWay {
        transport,
        way: at.clone(),
        why: format!("it should be {transport}://IP:PORT"),
    })?;
    if inbound.taken.is_empty() {
        let why = "whose mails are taken is not told: [mail] address, or [mail.inbound] for";
        return Err(OpenError::Unavailable(why.to_owned()));
    }
    let door = Door::open(tongue, address, inbound.clone()).await?;
    Ok(Box::new(door))
}

fn sockets() -> BoxFut<'static, Probe> {
    Box::pin(async {
        let socket = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
        let ready = "sockets can be opened here";
        Probe::tried(socket, ready, "no socket can be opened here")
    })
}

impl Transport for Lmtp {
    fn name(&self) -> &'static str {
        "lmtp"
    }

    fn probe(&self) -> BoxFut<'_, Probe> {
        sockets()
    }

    fn open<'a>(&'a self, _: &'a Way) -> BoxFut<'a, Result<Port, OpenError>> {
        Box::pin(async { Err(OpenError::Unsupported("lmtp")) })
    }

    fn listen<'a>(&'a self, at: &'a Way) -> BoxFut<'a, Result<Box<dyn Listener>, OpenError>> {
        Box::pin(wait_at("lmtp", Tongue::Lmtp, at, &self.0))
    }
}

impl Transport for Smtp {
    fn name(&self) -> &'static str {
        "smtp"
    }

    fn probe(&self) -> BoxFut<'_, Probe> {
        sockets()
    }

    fn open<'a>(&'a self, _: &'a Way) -> BoxFut<'a, Result<Port, OpenError>> {
        Box::pin(async { Err(OpenError::Unsupported("smtp")) })
    }

    fn listen<'a>(&'a self, at: &'a Way) -> BoxFut<'a, Result<Box<dyn Listener>, OpenError>> {
        Box::pin(wait_at("smtp", Tongue::Smtp, at, &self.0))
    }
}
