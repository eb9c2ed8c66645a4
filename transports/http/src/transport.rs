//! The transports `http` and `https`.
//!
//! What is it: dialling and listening, from a way to a port. Who calls it: the node's driver. What
//! can go wrong: a way that is none, nobody there, an address that is taken, TLS without a
//! certificate.

use std::sync::Arc;

use packmule_bus::link::{BoxFut, Listener, OpenError, Port, Probe, Transport, Way};
use packmule_ws::tls::Trust;
use packmule_ws::url::Url;
use tokio::net::TcpListener;

use crate::client::{Caller, Outlet};
use crate::listener::Listening;
use crate::server::{Certificate, Config, Limits, Server};

/// Messages over HTTP without TLS.
#[derive(Clone, Debug, Default)]
pub struct Http {
    limits: Limits,
    trust: Arc<Trust>,
}

impl Http {
    /// Visitors may cost so much; messages that are sent, and what comes back, may be as long as
    /// those that are taken. A redirect may lead to servers that `trust` knows.
    #[must_use]
    pub const fn new(limits: Limits, trust: Arc<Trust>) -> Self {
        Self { limits, trust }
    }
}

/// Messages over HTTP under TLS.
#[derive(Clone, Debug, Default)]
pub struct Https {
    plain: Http,
    certificate: Option<Arc<Certificate>>,
}

impl Https {
    /// As [`Http::new`]; to listen, a certificate is needed.
    #[must_use]
    pub const fn new(
        limits: Limits,
        trust: Arc<Trust>,
        certificate: Option<Arc<Certificate>>,
    ) -> Self {
        Self {
            plain: Http::new(limits, trust),
            certificate,
        }
    }
}

impl Http {
    async fn dial(&self, transport: &'static str, to: &Way) -> Result<Port, OpenError> {
        let url = Url::of_way(transport, to)?;
        let trust = Arc::clone(&self.trust);
        let caller = Caller::new(to.as_str(), trust, self.limits.message);
        let caller = caller.ok_or_else(|| OpenError::BadWay {
            transport,
            way: to.clone(),
            why: format!("{} is no path", url.path),
        })?;
        match caller.greet().await {
            Ok(()) => Ok(Port::Mailbox(Box::new(Outlet::new(caller)))),
            Err(fault) => Err(OpenError::NoAnswer(format!("{to}: {fault}"))),
        }
    }

    async fn host(
        &self,
        transport: &'static str,
        at: &Way,
        certificate: Option<Arc<Certificate>>,
    ) -> Result<Box<dyn Listener>, OpenError> {
        let url = Url::of_way(transport, at)?;
        let config = Config {
            path: url.bare_path().to_owned(),
            certificate,
            limits: self.limits,
            ..Config::at(format!("{}:{}", bracketed(url.host), url.port))
        };
        let server = Server::bind(config).await?;
        Ok(Box::new(Listening::new(
            transport,
            server,
            url.bare_path(),
        )?))
    }
}

impl Transport for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn probe(&self) -> BoxFut<'_, Probe> {
        Box::pin(async {
            let socket = TcpListener::bind(("127.0.0.1", 0)).await;
            let ready = "sockets can be opened here";
            Probe::tried(socket, ready, "no socket can be opened here")
        })
    }

    fn open<'a>(&'a self, to: &'a Way) -> BoxFut<'a, Result<Port, OpenError>> {
        Box::pin(self.dial(self.name(), to))
    }

    fn listen<'a>(&'a self, at: &'a Way) -> BoxFut<'a, Result<Box<dyn Listener>, OpenError>> {
        Box::pin(self.host(self.name(), at, None))
    }
}

impl Transport for Https {
    fn name(&self) -> &'static str {
        "https"
    }

    fn probe(&self) -> BoxFut<'_, Probe> {
        Box::pin(async {
            let found = self.plain.trust.authorities();
            let ready = "TLS can be dialled: the system knows authorities";
            let missing = "no authority is known (Debian: ca-certificates)";
            Probe::tried(found, ready, missing)
        })
    }

    fn open<'a>(&'a self, to: &'a Way) -> BoxFut<'a, Result<Port, OpenError>> {
        Box::pin(self.plain.dial(self.name(), to))
    }

    fn listen<'a>(&'a self, at: &'a Way) -> BoxFut<'a, Result<Box<dyn Listener>, OpenError>> {
        Box::pin(async move {
            let Some(certificate) = self.certificate.clone() else {
                let why = "to listen on https takes a certificate: a gateway is given one, a node \
                           listens on http behind a proxy that has one";
                return Err(OpenError::Unavailable(why.to_owned()));
            };
            self.plain.host(self.name(), at, Some(certificate)).await
        })
    }
}

/// A host as an address has it before its port.
fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}
