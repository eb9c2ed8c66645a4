//! The engine under everything that listens over HTTP.
//!
//! What is it: a server for three kinds of visitors at one address: who posts a packed message,
//! who asks for a page, and who changes over to a WebSocket. It keeps the bounds; what a visit
//! means is decided by a [`Reception`]. Who calls it: the listener of this transport, a gateway.
//! What can go wrong: strangers, in every way that `README.md` lists under Limits; each costs what
//! it has sent and its time, and ends nothing but its own connection.

mod accept;
mod body;
mod certificate;
mod guard;
mod limits;
mod proxies;
mod seats;
mod talk;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Bytes;
use hyper::{Request, Response};
use packmule_bus::link::{BoxFut, Port};
use tokio::net::{TcpListener, lookup_host};
use tokio::sync::OwnedSemaphorePermit;

pub use certificate::Certificate;
pub use limits::Limits;
pub use proxies::Network;
pub use talk::{nothing_here, plain};

use seats::Seats;

/// Who decides what a visit means.
pub trait Reception: Send + Sync + 'static {
    /// A packed message was posted. The answer says what became of it, so it must not come before
    /// the message is durable. When the visitor leaves first, the future is dropped where it waits;
    /// the visitor then knows nothing, and will send the message again.
    fn receive(&self, packed: Vec<u8>, visitor: Visitor) -> BoxFut<'_, Answer>;

    /// Anything else was asked, its body whole: [`nothing_here`], unless there are pages.
    fn page(&self, request: Request<Bytes>, visitor: Visitor) -> BoxFut<'_, Response<Bytes>> {
        Box::pin(async move { nothing_here(&request, &visitor) })
    }

    /// A visitor changed over to a WebSocket: a link for our own kind, otherwise a mailbox. The
    /// visitor's seat is given back when the port is dropped.
    fn socket(&self, port: Port, visitor: Visitor) -> BoxFut<'_, ()> {
        drop((port, visitor));
        Box::pin(async {})
    }
}

/// Who came, as far as the connection tells. Nothing of it proves anything.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The other end of the connection. Behind a proxy whose word is taken, whom that names, with
    /// port 0; behind any other, the proxy.
    pub address: SocketAddr,
    /// The connection is under TLS.
    pub secure: bool,
    /// The path that was asked is the one for messages.
    pub at_door: bool,
    /// The request's share of [`Limits::held`]: its body counts as long as somebody keeps this,
    /// also where the visitor has left and what it brought is still being worked on.
    pub share: Share,
}

/// A share of the memory that bodies may take.
#[derive(Clone, Default, Debug)]
pub struct Share {
    _permit: Option<Arc<OwnedSemaphorePermit>>,
}

impl Share {
    fn of(permit: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            _permit: permit.map(Arc::new),
        }
    }
}

/// What becomes of a posted message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It is durable here: 202.
    Accepted,
    /// The same, and this packed message goes back at once: 200. Only where the sender asked for
    /// it by `return_route`.
    Reply(Vec<u8>),
    /// It is not taken.
    Refused {
        /// An HTTP status: 4xx means never, 5xx and 429 perhaps later.
        status: u16,
        /// After how many seconds it is worth another try.
        retry_after: Option<u64>,
    },
}

/// What a server is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Host and port to listen on: `127.0.0.1:8080`, `[::]:443`, port 0 for any.
    pub at: String,
    /// Where messages are posted and WebSockets are asked for, from its first `/`.
    pub path: String,
    /// TLS, under this certificate.
    pub certificate: Option<Arc<Certificate>>,
    /// Bodies that call themselves `application/json` are taken for messages too.
    pub json_too: bool,
    /// Visitors may change over to WebSocket.
    pub sockets: bool,
    /// Pages from anywhere may post from within a browser (CORS). For servers that are meant for
    /// everybody; on a person's own machine it lets every page that they look at speak to it.
    pub browsers: bool,
    /// Reverse proxies whose word is taken for where a visitor comes from.
    pub proxies: Vec<Network>,
    /// What a visitor may cost.
    pub limits: Limits,
}

impl Config {
    /// At an address, with the path `/`, WebSockets, and everything else as it is by default.
    #[must_use]
    pub fn at(address: impl Into<String>) -> Self {
        Self {
            at: address.into(),
            path: "/".to_owned(),
            certificate: None,
            json_too: false,
            sockets: true,
            browsers: false,
            proxies: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// A server that is bound and does not answer yet.
#[derive(Debug)]
pub struct Server {
    socket: TcpListener,
    address: SocketAddr,
    config: Config,
    seats: Arc<Seats>,
}

impl Server {
    /// Binds an address.
    ///
    /// # Errors
    /// If the address is none, taken, or not ours to bind.
    pub async fn bind(config: Config) -> io::Result<Self> {
        let addresses: Vec<_> = lookup_host(&config.at).await?.collect();
        let socket = TcpListener::bind(addresses.as_slice()).await?;
        let seats = Seats::new(&config.limits, config.proxies.clone());
        Ok(Self {
            address: socket.local_addr()?,
            socket,
            config,
            seats: Arc::new(seats),
        })
    }

    /// Where it listens, with the port that the system chose.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is done, then lets those who are being answered finish, for as
    /// long as [`Limits::farewell`] says.
    pub async fn serve(
        self,
        reception: Arc<dyn Reception>,
        shutdown: impl Future<Output = ()> + Send,
    ) {
        accept::serve(self, reception, shutdown).await;
    }
}
