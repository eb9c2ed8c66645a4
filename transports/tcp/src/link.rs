//! The two halves of a connection.
//!
//! What is it: writes of a length and a PDU in one call to the system; a buffer that cuts what
//! comes into PDUs. Who calls it: the node's driver. What can go wrong: the other side goes, or
//! sends what is no frame; both end the link.

use std::io::{self, ErrorKind, IoSlice};

use packmule_bus::link::{BoxFut, Link, LinkError, LinkFacts, LinkRx, LinkTx, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::frame::{MTU, prefix_of, read_prefix};

/// What a link over TCP is like.
pub const FACTS: LinkFacts = LinkFacts {
    mtu: MTU,
    ordered: true,
    reliable: true,
    half_duplex: false,
    sealed: false,
    rate: None,
};

/// What the buffer reads for at first: somebody who sends nothing costs this much.
const FIRST_READ: usize = 4 << 10;

/// And at most, once reads come back full.
const MAX_READ: usize = 256 << 10;

pub(crate) fn link(stream: TcpStream, role: Role, with: String) -> Link {
    // Fails only if the other side has gone already, which the first use will tell.
    let _ = stream.set_nodelay(true);
    let (read, write) = stream.into_split();
    Link {
        facts: FACTS,
        role,
        with,
        tx: Box::new(Tx {
            write,
            going: Going::default(),
            ended: false,
        }),
        rx: Box::new(Rx {
            read,
            buffer: Vec::new(),
            start: 0,
            chunk: FIRST_READ,
            ended: false,
        }),
    }
}

struct Tx {
    write: OwnedWriteHalf,
    going: Going,
    ended: bool,
}

/// The PDU that is being written. It outlives its future: half of it may have gone already.
#[derive(Default)]
struct Going {
    prefix: [u8; 3],
    header: usize,
    pdu: Vec<u8>,
    written: usize,
}

impl Going {
    fn left(&self) -> [IoSlice<'_>; 2] {
        let header = self.prefix.get(..self.header).unwrap_or_default();
        let body = self.written.saturating_sub(self.header);
        [
            IoSlice::new(header.get(self.written..).unwrap_or_default()),
            IoSlice::new(self.pdu.get(body..).unwrap_or_default()),
        ]
    }

    fn is_done(&self) -> bool {
        self.written >= self.header + self.pdu.len()
    }
}

impl LinkTx for Tx {
    fn send(&mut self, pdu: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            let Some((prefix, header)) = prefix_of(pdu.len()) else {
                return Err(LinkError::TooLarge {
                    bytes: pdu.len(),
                    limit: MTU,
                });
            };
            // What a dropped future began must end; what it did not begin is forgotten.
            if self.going.written > 0 {
                self.write_out().await?;
            }
            self.going = Going {
                prefix,
                header,
                pdu,
                written: 0,
            };
            self.write_out().await
        })
    }
}

impl Tx {
    async fn write_out(&mut self) -> Result<(), LinkError> {
        if self.ended {
            return Err(LinkError::Closed);
        }
        while !self.going.is_done() {
            // Dropped while it waits, this has written nothing.
            match self.write.write_vectored(&self.going.left()).await {
                Ok(0) => return Err(self.end(ErrorKind::WriteZero.into())),
                Ok(more) => self.going.written += more,
                Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
                Err(fault) => return Err(self.end(fault)),
            }
        }
        self.going = Going::default();
        Ok(())
    }

    fn end(&mut self, fault: io::Error) -> LinkError {
        self.ended = true;
        self.going = Going::default();
        match fault.kind() {
            ErrorKind::BrokenPipe
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::NotConnected
            | ErrorKind::TimedOut => LinkError::Closed,
            _ => LinkError::Io(fault),
        }
    }
}

struct Rx {
    read: OwnedReadHalf,
    /// What has come; PDUs before `start` were handed out.
    buffer: Vec<u8>,
    start: usize,
    chunk: usize,
    ended: bool,
}

impl LinkRx for Rx {
    fn recv(&mut self) -> BoxFut<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(async {
            loop {
                if self.ended {
                    return Err(LinkError::Closed);
                }
                if let Some(pdu) = self.cut()? {
                    return Ok(pdu);
                }
                self.make_room();
                // Dropped while it waits, this has read nothing.
                match self.read.read_buf(&mut self.buffer).await {
                    Ok(0) => self.end(),
                    Ok(came) if came >= self.chunk => self.chunk = (self.chunk * 2).min(MAX_READ),
                    Ok(_) => {}
                    Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
                    Err(_) => self.end(),
                }
            }
        })
    }
}

impl Rx {
    /// The next PDU of those that are here already.
    fn cut(&mut self) -> Result<Option<Vec<u8>>, LinkError> {
        let here = self.buffer.get(self.start..).unwrap_or_default();
        let prefix = match read_prefix(here) {
            Ok(Some(prefix)) => prefix,
            Ok(None) => return Ok(None),
            Err(fault) => {
                self.end();
                return Err(io::Error::new(ErrorKind::InvalidData, fault).into());
            }
        };
        let end = prefix.header + prefix.body;
        let Some(pdu) = here.get(prefix.header..end) else {
            return Ok(None);
        };
        let pdu = pdu.to_vec();
        self.start += end;
        Ok(Some(pdu))
    }

    /// Moves the beginning of the next PDU to the front, and makes room behind it. Room grows
    /// with what has come, never with what a length promises.
    fn make_room(&mut self) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.reserve(self.chunk);
    }

    fn end(&mut self) {
        self.ended = true;
        self.buffer = Vec::new();
        self.start = 0;
    }
}
