//! A server whose reception keeps everything, and visitors who speak by bytes.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use packmule_bus::link::BoxFut;
use packmule_http::server::{Answer, Config, Limits, Reception, Server, Share, Visitor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Longer than anything here takes; only ends what hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const ENCRYPTED: &str = "application/didcomm-encrypted+json";

/// Keeps what it is sent, and answers as it was told.
pub(crate) struct Desk {
    pub(crate) came: Mutex<Vec<Vec<u8>>>,
    pub(crate) answer: Answer,
    /// Who came. Kept, they count as being worked on.
    pub(crate) visitors: Mutex<Vec<Visitor>>,
    pub(crate) keeps: AtomicBool,
}

impl Reception for Desk {
    fn receive(&self, packed: Vec<u8>, mut visitor: Visitor) -> BoxFut<'_, Answer> {
        self.came.lock().expect("unpoisoned").push(packed);
        if !self.keeps.load(Ordering::Relaxed) {
            visitor.share = Share::default();
        }
        self.visitors.lock().expect("unpoisoned").push(visitor);
        let answer = self.answer.clone();
        Box::pin(async { answer })
    }
}

/// A running server; dropped, it ends.
pub(crate) struct Kiosk {
    pub(crate) desk: Arc<Desk>,
    pub(crate) address: SocketAddr,
    _serving: JoinSet<()>,
}

impl Kiosk {
    pub(crate) async fn open(limits: Limits) -> Self {
        let config = Config {
            path: "/didcomm".to_owned(),
            limits,
            ..Config::at("127.0.0.1:0")
        };
        Self::with(config, Answer::Accepted).await
    }

    pub(crate) async fn with(config: Config, answer: Answer) -> Self {
        let server = Server::bind(config).await.expect("binds");
        let address = server.addr();
        let desk = Arc::new(Desk {
            came: Mutex::default(),
            answer,
            visitors: Mutex::default(),
            keeps: AtomicBool::new(false),
        });
        let reception: Arc<Desk> = Arc::clone(&desk);
        let mut serving = JoinSet::new();
        serving.spawn(server.serve(reception, std::future::pending()));
        Self {
            desk,
            address,
            _serving: serving,
        }
    }

    pub(crate) fn came(&self) -> usize {
        self.desk.came.lock().expect("unpoisoned").len()
    }

    pub(crate) async fn visitor(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connects")
    }

    /// Says something, and hears everything until the other side closes.
    pub(crate) async fn hears(&self, words: impl AsRef<[u8]>) -> String {
        let mut raw = self.visitor().await;
        // The other side may have hung up before it heard everything.
        let _ = raw.write_all(words.as_ref()).await;
        to_end(&mut raw).await
    }
}

pub(crate) async fn to_end(raw: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    let end = raw.read_to_end(&mut heard);
    let _ = timeout(PATIENCE, end).await.expect("closed in time");
    String::from_utf8_lossy(&heard).into_owned()
}

/// A POST of a message, the connection closed behind it.
pub(crate) fn post(more: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /didcomm HTTP/1.1\r\nHost: kiosk\r\nConnection: close\r\nContent-Length: {length}\r\n\
         Content-Type: {ENCRYPTED}\r\n{more}\r\n{body}"
    )
}
