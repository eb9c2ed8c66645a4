//! How a gateway stands, for who may read its home.
//!
//! What is it: a Unix socket in the home (mode 0600) where a line asks for one of the operators'
//! answers (`queues.json?after=DID`) and gets it as JSON; and [`ask`], which does so. Who calls it:
//! the gateway serves it, `packmule gateway queues` and the like ask. No token: whoever may open
//! the socket may read that, too. What can go wrong: no socket can be made: then it is told in the
//! log, and the operators' page has the same.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream as Caller;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use packmule_node::control::place::{Made, bind, socket};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::office::Office;

/// The file in the home.
const SOCKET: &str = "gateway.sock";
/// The longest question: a DID and some more.
const LONGEST: u64 = 8 << 10;
/// The longest answer that is read.
const ANSWER: u64 = 64 << 20;
/// Who asks at a time.
const CALLERS: usize = 8;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks the gateway that runs on a home.
///
/// # Errors
/// None runs there ([`io::ErrorKind::NotFound`], [`io::ErrorKind::ConnectionRefused`]), or it did not
/// answer.
pub fn ask(home: &Path, what: &str) -> io::Result<Value> {
    let mut stream = Caller::connect(socket(home, SOCKET)?)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    writeln!(stream, "/{what}")?;
    let mut answer = String::new();
    BufReader::new(stream).take(ANSWER).read_line(&mut answer)?;
    let answer: Value = serde_json::from_str(&answer)?;
    match answer.get("reason") {
        Some(reason) => Err(io::Error::other(reason.to_string())),
        None => Ok(answer),
    }
}

/// The socket, which is there until this is dropped.
pub(crate) struct Desk {
    listener: UnixListener,
    _made: Made,
}

impl Desk {
    /// Makes it, in a home whose node is this process.
    pub(crate) fn open(home: &Path) -> io::Result<Self> {
        let (made, listener) = bind(home, SOCKET)?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener: UnixListener::from_std(listener)?,
            _made: made,
        })
    }

    /// Answers until it is dropped.
    pub(crate) async fn serve(self, office: Arc<Office>) {
        let places = Arc::new(Semaphore::new(CALLERS));
        loop {
            let Ok(seat) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let Ok((stream, _)) = self.listener.accept().await else {
                // A want of descriptors: later is better.
                sleep(Duration::from_millis(50)).await;
                continue;
            };
            let office = Arc::clone(&office);
            tokio::spawn(async move {
                let _ = timeout(PATIENCE, talk(&office, stream)).await;
                drop(seat);
            });
        }
    }
}

async fn talk(office: &Office, mut stream: UnixStream) -> io::Result<()> {
    let (reads, mut writes) = stream.split();
    let mut asked = String::new();
    let mut reads = tokio::io::BufReader::new(reads.take(LONGEST));
    reads.read_line(&mut asked).await?;
    let answer = match asked.trim().parse() {
        Ok(uri) => office.told(&uri).await,
        Err(_) => None,
    };
    let answer = match answer {
        Some(Ok(answer)) => answer,
        Some(Err(fault)) => json!({ "reason": fault.to_string() }),
        None => json!({ "reason": "nothing-here" }),
    };
    writes.write_all(format!("{answer}\n").as_bytes()).await?;
    writes.shutdown().await
}
