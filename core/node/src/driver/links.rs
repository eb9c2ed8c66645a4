//! Two tasks a link: one sends with credit, one receives into a small queue of its own.
//!
//! Called by the driver. The bus is told of room for PDUs as the medium takes them, so that
//! back-pressure reaches it; what comes in waits in the link's own allowance of bytes, so that
//! who floods waits, and nobody else. What can go wrong: the medium, which ends the link.

use std::collections::BTreeMap;
use std::sync::Arc;

use packmule_bus::bus::io::{Input, LinkId};
use packmule_bus::link::{Link, LinkError, LinkFacts, LinkRx, LinkTx};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Duration, sleep, timeout};

use super::{Heard, Mouth};

/// Bytes that a link may have brought and the bus has not heard yet.
const ALLOWANCE: usize = 512 << 10;
/// Bytes that the bus may hand to a link ahead of the medium.
const CREDIT: usize = 256 << 10;
/// How long a link that is over may take to send what it was given: whoever does not read keeps
/// its seat, and what was to be sent, no longer than that.
const PARTING: Duration = Duration::from_secs(10);
/// The same, of all links when the node ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// A seat among the links that others opened; dropped with the link.
pub(crate) type Visit = OwnedSemaphorePermit;

struct End {
    out: mpsc::Sender<Vec<u8>>,
    receiving: AbortHandle,
    /// Dropped with this, it bounds what is still sent.
    _over: oneshot::Sender<()>,
}

/// Every link that is up.
#[derive(Default)]
pub(crate) struct Links {
    ends: BTreeMap<LinkId, End>,
    next: u64,
    tasks: JoinSet<()>,
}

impl Links {
    /// Takes a link on. Answers its number, and the PDUs it has room for.
    pub(crate) fn add(
        &mut self,
        link: Link,
        visit: Option<Visit>,
        mouth: &Mouth,
    ) -> (LinkId, usize) {
        // Those that ended.
        while self.tasks.try_join_next().is_some() {}
        self.next += 1;
        let id = LinkId(self.next);
        let credit = credit(&link.facts);
        let (out, pdus) = mpsc::channel(credit);
        let sent = send(id, link.tx, pdus, credit, mouth.clone());
        let (over, is_over) = oneshot::channel();
        self.tasks.spawn(async move {
            // Held until the last PDU is sent, or given up.
            let _visit = visit;
            let given_up = async {
                let _ = is_over.await;
                sleep(PARTING).await;
            };
            tokio::select! {
                () = sent => {}
                () = given_up => {}
            }
        });
        let receiving = self.tasks.spawn(receive(id, link.rx, mouth.clone()));
        let end = End {
            out,
            receiving,
            _over: over,
        };
        self.ends.insert(id, end);
        (id, credit)
    }

    /// Gives a PDU to a link, which has room for it.
    pub(crate) fn send(&self, link: LinkId, pdu: Vec<u8>) {
        if let Some(end) = self.ends.get(&link) {
            // A link that is gone is told by its tasks; there is room, as the bus counts it.
            let _ = end.out.try_send(pdu);
        }
    }

    /// Lets a link send what it was given, and closes it. Answers whether it was there.
    pub(crate) fn remove(&mut self, link: LinkId) -> bool {
        let end = self.ends.remove(&link);
        end.inspect(|end| end.receiving.abort()).is_some()
    }

    /// Closes all of them, when they have sent what they were given.
    pub(crate) async fn close(&mut self) {
        let ends = std::mem::take(&mut self.ends);
        ends.values().for_each(|end| end.receiving.abort());
        drop(ends);
        let all_ended = async { while self.tasks.join_next().await.is_some() {} };
        let _ = timeout(FAREWELL, all_ended).await;
    }
}

/// About [`CREDIT`] bytes; fewer on a slow link, so that what is urgent does not wait behind
/// seconds of what is not. But where both sides may speak at any time some PDUs, or the medium,
/// which may be faster than it was said to be, waits for the bus after each.
fn credit(facts: &LinkFacts) -> usize {
    let bytes = match facts.rate {
        Some(rate) => CREDIT.min(rate as usize / 8),
        None => CREDIT,
    };
    let least = if facts.half_duplex { 2 } else { 8 };
    (bytes / facts.mtu.max(1)).clamp(least, 64)
}

async fn send(
    link: LinkId,
    mut tx: Box<dyn LinkTx>,
    mut pdus: mpsc::Receiver<Vec<u8>>,
    credit: usize,
    mouth: Mouth,
) {
    let mut taken = 0;
    while let Some(pdu) = pdus.recv().await {
        match tx.send(pdu).await {
            // A PDU that is too long is a fault of ours; the session notices that it is lost.
            Ok(()) | Err(LinkError::TooLarge { .. }) => taken += 1,
            Err(_) => {
                mouth.tell(Input::LinkDown(link));
                return;
            }
        }
        if pdus.is_empty() || taken * 2 >= credit {
            mouth.tell(Input::Room(link, taken));
            taken = 0;
        }
    }
}

async fn receive(link: LinkId, mut rx: Box<dyn LinkRx>, mouth: Mouth) {
    let allowance = Arc::new(Semaphore::new(ALLOWANCE));
    while let Ok(pdu) = rx.recv().await {
        let bytes = u32::try_from(pdu.len().clamp(64, ALLOWANCE)).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&allowance).acquire_many_owned(bytes).await else {
            break;
        };
        if mouth
            .brought
            .send(Heard::Pdu(link, pdu, permit))
            .await
            .is_err()
        {
            return;
        }
    }
    // Behind what it brought.
    let _ = mouth
        .brought
        .send(Heard::Input(Input::LinkDown(link)))
        .await;
}

#[cfg(test)]
mod tests;
