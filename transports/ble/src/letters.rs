//! A mailbox over didcomm-bluetooth: whole messages in chunks, in either role.
//!
//! Called by [`crate::Ble`], for ways that ask for the profile and centrals that use it. What can
//! go wrong: the other side goes in the middle of a message, of which nothing is left then; what
//! comes is no message, which whoever collects finds out.

use packmule_bus::Kind;
use packmule_bus::link::{BoxFut, Collected, LinkError, LinkRx, LinkTx, Mailbox, Settle};
use tokio::sync::Mutex;

use crate::profile::{Assembler, chunks};
use crate::radio::Channel;

/// The longest message that is taken, in bytes: a stranger's, of whom nothing is known yet.
const MOST: usize = 1 << 20;

/// Both directions of one connection.
pub(crate) struct Letters {
    longest: usize,
    tx: Mutex<Box<dyn LinkTx>>,
    rx: Mutex<(Box<dyn LinkRx>, Assembler)>,
}

impl Letters {
    pub(crate) fn over(channel: Channel) -> Self {
        Self {
            longest: channel.longest,
            tx: Mutex::new(channel.tx),
            rx: Mutex::new((channel.rx, Assembler::new(MOST))),
        }
    }
}

impl Mailbox for Letters {
    fn deliver(&self, packed: Vec<u8>, _: Kind) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            let refused = |why: crate::profile::SendError| LinkError::Refused(why.to_string());
            let values = chunks(&packed, self.longest).map_err(refused)?;
            // One message after the other: chunks say not of which they are.
            let mut tx = self.tx.lock().await;
            for value in values {
                tx.send(value.to_vec()).await?;
            }
            Ok(())
        })
    }

    fn collect(&self) -> BoxFut<'_, Result<Collected, LinkError>> {
        Box::pin(async {
            let mut rx = self.rx.lock().await;
            loop {
                let value = rx.0.recv().await?;
                // A message that is too long, or nothing before an end, is passed over.
                if let Ok(Some(bytes)) = rx.1.heard(&value) {
                    return Ok(Collected {
                        bytes,
                        settle: Box::new(Unheard),
                    });
                }
            }
        })
    }
}

/// The profile has no word for it: whoever sent it hears nothing.
struct Unheard;

impl Settle for Unheard {
    fn settle(self: Box<Self>) -> BoxFut<'static, Result<(), LinkError>> {
        Box::pin(async { Ok(()) })
    }
}
