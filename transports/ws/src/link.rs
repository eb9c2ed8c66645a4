//! A link between two of our own kind: each binary frame is a PDU.
//!
//! What is it: two halves of one socket. Who calls it: the node's driver. What can go wrong: the
//! other side goes, or sends a text or too long a frame; both end the link.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use packmule_bus::link::{BoxFut, Link, LinkError, LinkFacts, LinkRx, LinkTx, Role};
use tokio_tungstenite::tungstenite::Message;

use crate::socket::Socket;

/// What a link over WebSocket is like.
pub const FACTS: LinkFacts = LinkFacts {
    mtu: 65_535,
    ordered: true,
    reliable: true,
    half_duplex: false,
    sealed: false,
    rate: None,
};

pub(crate) fn link(socket: Socket, role: Role, with: String) -> Link {
    let socket = Arc::new(socket);
    Link {
        facts: FACTS,
        role,
        with,
        tx: Box::new(Tx {
            socket: Arc::clone(&socket),
            ended: false,
        }),
        rx: Box::new(Rx {
            socket,
            ended: false,
        }),
    }
}

struct Tx {
    socket: Arc<Socket>,
    ended: bool,
}

impl LinkTx for Tx {
    fn send(&mut self, pdu: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            if pdu.len() > FACTS.mtu {
                return Err(LinkError::TooLarge {
                    bytes: pdu.len(),
                    limit: FACTS.mtu,
                });
            }
            if self.ended {
                return Err(LinkError::Closed);
            }
            let sent = self.put(pdu).await;
            self.ended = sent.is_err();
            sent
        })
    }
}

impl Tx {
    async fn put(&self, pdu: Vec<u8>) -> Result<(), LinkError> {
        // What a dropped future began goes first.
        poll_fn(|cx| self.socket.poll_flush(cx)).await?;
        self.socket.start(Message::Binary(pdu.into()))?;
        poll_fn(|cx| self.socket.poll_flush(cx)).await
    }
}

struct Rx {
    socket: Arc<Socket>,
    ended: bool,
}

impl LinkRx for Rx {
    fn recv(&mut self) -> BoxFut<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(async {
            if self.ended {
                return Err(LinkError::Closed);
            }
            loop {
                let frame = poll_fn(|cx| self.socket.poll_next(cx)).await;
                let fault = match frame {
                    Ok(Message::Binary(pdu)) => return Ok(pdu.into()),
                    Ok(Message::Text(_)) => {
                        let text = "a text where PDUs were agreed";
                        LinkError::Io(io::Error::new(io::ErrorKind::InvalidData, text))
                    }
                    // Pings are answered below us.
                    Ok(_) => continue,
                    Err(fault) => fault,
                };
                self.ended = true;
                return Err(fault);
            }
        })
    }
}
