//! The other end of the socket, for programs that wait: no runtime needed.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use super::{EventLine, MAX_LINE, Reply, Request, VERSION, line::line_of, place};

/// A node that hangs is told as such.
const PATIENCE: Duration = Duration::from_secs(30);

/// A conversation with the node of a home.
///
/// ```no_run
/// use packmule_node::control::{Client, Reply, Request};
///
/// let home = std::path::Path::new("/home/alice/.local/share/packmule");
/// let mut node = Client::connect(home)?;
/// if let Reply::Status(status) = node.ask(&Request::Status)? {
///     println!("{} messages, {} links", status.count, status.links.len());
/// }
/// # Ok::<(), packmule_node::control::ClientError>(())
/// ```
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    pid: u32,
    did: String,
}

/// Why a node did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// None runs on this home.
    #[error("no node runs on this home; start one with `packmule run`")]
    NoNode,
    /// It speaks another version.
    #[error("the node speaks version {0} of the control protocol, this program {VERSION}")]
    Version(u32),
    /// It said no.
    #[error("{0}")]
    Refused(String),
    /// It answered with something else than was asked for.
    #[error("the node's answer makes no sense: {0}")]
    Nonsense(String),
    /// It has not answered in time, and may yet do what was asked.
    #[error(
        "the node has not answered for {} s and may yet do what was asked: look with `packmule \
         outbox` before you ask again", PATIENCE.as_secs()
    )]
    Slow,
    /// It is gone, or the socket failed.
    #[error("the node does not answer: {0}")]
    Io(#[from] io::Error),
}

impl Client {
    /// Connects to the node that runs on this home.
    pub fn connect(home: &Path) -> Result<Self, ClientError> {
        let stream = place::socket(home, place::SOCKET).and_then(UnixStream::connect);
        let stream = stream.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NoNode,
            _ => error.into(),
        })?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut client = Self {
            stream: BufReader::new(stream),
            pid: 0,
            did: String::new(),
        };
        match client.read()? {
            Reply::Hello { version, pid, did } if version == VERSION => {
                client.pid = pid;
                client.did = did;
                Ok(client)
            }
            Reply::Hello { version, .. } => Err(ClientError::Version(version)),
            Reply::Error { why } => Err(ClientError::Refused(why)),
            other => Err(ClientError::Nonsense(format!("{other:?}"))),
        }
    }

    /// The node's process.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Whose node it is.
    #[must_use]
    pub fn did(&self) -> &str {
        &self.did
    }

    /// Asks, and waits for the answer. [`Reply::Error`] becomes [`ClientError::Refused`].
    pub fn ask(&mut self, request: &Request) -> Result<Reply, ClientError> {
        self.stream.get_mut().write_all(&line_of(request)?)?;
        match self.read()? {
            Reply::Error { why } => Err(ClientError::Refused(why)),
            reply => Ok(reply),
        }
    }

    /// Watches: each event as it happens, for as long as the node runs.
    pub fn watch(mut self) -> Result<Watch, ClientError> {
        self.ask(&Request::Watch)?;
        self.stream.get_mut().set_read_timeout(None)?;
        Ok(Watch(self))
    }

    fn read(&mut self) -> Result<Reply, ClientError> {
        let mut line = Vec::new();
        let mut bounded = self.stream.by_ref().take(MAX_LINE as u64);
        match bounded.read_until(b'\n', &mut line) {
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(ClientError::Slow);
            }
            Err(error) => return Err(error.into()),
        }
        serde_json::from_slice(&line).map_err(|error| ClientError::Nonsense(error.to_string()))
    }
}

/// The events of a node, until it ends.
#[derive(Debug)]
pub struct Watch(Client);

impl Iterator for Watch {
    type Item = Result<EventLine, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.0.read() {
            Ok(Reply::Event(event)) => Some(Ok(event)),
            Ok(Reply::Missed { events }) => Some(Ok(EventLine::Other {
                what: format!("{events} events were left out"),
            })),
            Ok(other) => Some(Err(ClientError::Nonsense(format!("{other:?}")))),
            Err(ClientError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => Some(Err(error)),
        }
    }
}
