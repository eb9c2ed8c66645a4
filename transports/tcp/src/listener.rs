//! Whoever waits for visitors.
//!
//! What is it: accepts connections. Who calls it: the node's driver. What can go wrong: visitors
//! that are gone before they are let in, and a process without free file descriptors: neither
//! ends the listening.

use std::io;
use std::time::Duration;

use packmule_bus::link::{BoxFut, Listener, OpenError, Port, Role, Way};
use rustix::io::Errno;
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::{link, way};

/// How long to wait for descriptors or memory to become free: the system queues meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Listening {
    socket: TcpListener,
    way: Way,
}

impl Listening {
    pub(crate) fn new(socket: TcpListener) -> Result<Self, OpenError> {
        let address = socket.local_addr()?;
        let way = way::of(address)
            .ok_or_else(|| OpenError::Io(io::Error::other("the socket has no address")))?;
        Ok(Self { socket, way })
    }
}

impl Listener for Listening {
    fn way(&self) -> Way {
        self.way.clone()
    }

    fn accept(&mut self) -> BoxFut<'_, Result<Port, OpenError>> {
        Box::pin(async {
            loop {
                match self.socket.accept().await {
                    Ok((stream, from)) => {
                        let with = from.to_string();
                        return Ok(Port::Link(link::link(stream, Role::Listener, with)));
                    }
                    Err(fault) => match Trouble::of(&fault) {
                        Trouble::Gone => return Err(fault.into()),
                        Trouble::Visitor => {}
                        Trouble::Short => sleep(PAUSE).await,
                    },
                }
            }
        })
    }
}

/// What accept(2) complains of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trouble {
    /// The listening socket is none any more.
    Gone,
    /// This one visitor: the next one may be better.
    Visitor,
    /// The machine has no descriptor or memory to spare, or its network is down.
    Short,
}

impl Trouble {
    fn of(fault: &io::Error) -> Self {
        match Errno::from_io_error(fault) {
            Some(Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::OPNOTSUPP) => Self::Gone,
            Some(Errno::CONNABORTED | Errno::INTR | Errno::PERM | Errno::PROTO) => Self::Visitor,
            _ => Self::Short,
        }
    }
}
