//! Between the halves of a channel, which may go anywhere, and the host, which stays in its task.
//!
//! Called by [`super::central`] and [`super::peripheral`]. What can go wrong: the other side sends
//! more than the window lets it: the connection is ended.

use std::sync::Arc;

use packmule_ble::plan::Service;
use packmule_ble::radio::{Bearer, Channel};
use packmule_bus::link::{BoxFut, LinkError, LinkRx, LinkTx};
use tokio::sync::{mpsc, oneshot};

/// A window is 127 pieces, and grants come between them.
const WAITING: usize = 512;

/// The host's side of a channel.
pub struct Inner {
    /// What came goes in here.
    pub came: mpsc::Sender<Vec<u8>>,
    /// What is to go, with whom to tell when the stack has it.
    pub goes: mpsc::Receiver<(Vec<u8>, oneshot::Sender<()>)>,
    /// Resolves when both halves were dropped.
    pub dropped: oneshot::Receiver<()>,
}

/// A channel and the host's side of it.
pub fn pair(
    service: &'static Service,
    bearer: Bearer,
    longest: usize,
    with: String,
) -> (Channel, Inner) {
    let (came, values) = mpsc::channel(WAITING);
    let (go, goes) = mpsc::channel(1);
    let (hold, dropped) = oneshot::channel::<()>();
    let hold = Arc::new(hold);
    let channel = Channel {
        service,
        bearer,
        longest,
        with,
        tx: Box::new(Tx {
            go,
            longest,
            _hold: Arc::clone(&hold),
        }),
        rx: Box::new(Rx {
            values,
            _hold: hold,
        }),
        answers: None,
    };
    let inner = Inner {
        came,
        goes,
        dropped,
    };
    (channel, inner)
}

struct Tx {
    go: mpsc::Sender<(Vec<u8>, oneshot::Sender<()>)>,
    longest: usize,
    _hold: Arc<oneshot::Sender<()>>,
}

impl LinkTx for Tx {
    fn send(&mut self, value: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            if value.len() > self.longest {
                return Err(LinkError::TooLarge {
                    bytes: value.len(),
                    limit: self.longest,
                });
            }
            let (tell, taken) = oneshot::channel();
            let sent = self.go.send((value, tell)).await;
            sent.map_err(|_| LinkError::Closed)?;
            taken.await.map_err(|_| LinkError::Closed)
        })
    }
}

struct Rx {
    values: mpsc::Receiver<Vec<u8>>,
    _hold: Arc<oneshot::Sender<()>>,
}

impl LinkRx for Rx {
    fn recv(&mut self) -> BoxFut<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(async { self.values.recv().await.ok_or(LinkError::Closed) })
    }
}
