//! What was sent and has not come yet.
//!
//! What is it: a list that each received PDU is struck from. Who calls it: every check. What can
//! go wrong: what the list is for: a PDU that is torn, foreign, doubled, early or missing.

use std::collections::VecDeque;

use packmule_bus::link::{Link, LinkFacts, LinkRx, LinkTx};
use tokio::time::timeout;

use crate::patience::{Promise, STUCK};
use crate::{Broken, Dice};

struct Entry {
    pdu: Vec<u8>,
    /// Its sender was told that the medium took it.
    owed: bool,
}

pub(crate) struct Ledger {
    promise: Promise,
    facts: LinkFacts,
    open: VecDeque<Entry>,
}

impl Ledger {
    pub(crate) fn new(promise: Promise, facts: LinkFacts) -> Self {
        Self {
            promise,
            facts,
            open: VecDeque::new(),
        }
    }

    /// This was sent.
    pub(crate) fn owe(&mut self, pdu: Vec<u8>) {
        self.open.push_back(Entry { pdu, owed: true });
    }

    /// This was sent, but its sender did not hear of it.
    pub(crate) fn perhaps(&mut self, pdu: Vec<u8>) {
        self.open.push_back(Entry { pdu, owed: false });
    }

    /// This came.
    pub(crate) fn strike(&mut self, pdu: &[u8]) -> Result<(), Broken> {
        let found = self.open.iter().position(|entry| entry.pdu == pdu);
        let at = found.ok_or_else(|| {
            self.promise.broken(format!(
                "{} bytes came that were not sent, or not so, or not twice",
                pdu.len()
            ))
        })?;
        if self.facts.ordered {
            let passed = self.open.drain(..at).filter(|entry| entry.owed).count();
            self.open.pop_front();
            self.promise
                .demand(passed == 0 || !self.facts.reliable, || {
                    format!("{passed} PDUs were passed over")
                })
        } else {
            self.open.remove(at);
            Ok(())
        }
    }

    pub(crate) fn owed(&self) -> usize {
        self.open.iter().filter(|entry| entry.owed).count()
    }

    /// Receives until nothing is owed; on an unreliable link, until it is quiet.
    pub(crate) async fn settle(&mut self, rx: &mut dyn LinkRx) -> Result<(), Broken> {
        while self.owed() > 0 {
            let pdu = if self.facts.reliable {
                self.promise.good("recv", rx.recv()).await?
            } else {
                match timeout(STUCK, rx.recv()).await {
                    Ok(Ok(pdu)) => pdu,
                    Ok(Err(fault)) => {
                        return Err(self.promise.broken(format!("recv failed: {fault}")));
                    }
                    Err(_) => return Ok(()),
                }
            };
            self.strike(&pdu)?;
        }
        Ok(())
    }

    /// The sender is gone: what still comes was sent, and then comes the end.
    pub(crate) async fn end(&mut self, rx: &mut dyn LinkRx) -> Result<(), Broken> {
        loop {
            match self.promise.soon("recv", rx.recv()).await? {
                Ok(pdu) => self.strike(&pdu)?,
                Err(packmule_bus::link::LinkError::Closed) => return Ok(()),
                Err(fault) => {
                    return Err(self
                        .promise
                        .broken(format!("recv said \"{fault}\" and not that it is closed")));
                }
            }
        }
    }
}

/// Sends all of these.
pub(crate) async fn send_all(
    promise: Promise,
    tx: &mut dyn LinkTx,
    pdus: Vec<Vec<u8>>,
) -> Result<(), Broken> {
    for pdu in pdus {
        promise.good("send", tx.send(pdu)).await?;
    }
    Ok(())
}

/// Carries these from one side to the other: each arrives once, then the link ends cleanly.
pub(crate) async fn carry(
    promise: Promise,
    (mut near, mut far): (Link, Link),
    pdus: Vec<Vec<u8>>,
) -> Result<(), Broken> {
    let mut ledger = Ledger::new(promise, near.facts);
    for pdu in &pdus {
        ledger.owe(pdu.clone());
    }
    tokio::try_join!(
        send_all(promise, &mut *near.tx, pdus),
        ledger.settle(&mut *far.rx)
    )?;
    drop(near);
    ledger.end(&mut *far.rx).await
}

/// So many PDUs of all lengths that the link takes, no two alike unless very short.
pub(crate) fn assorted(mtu: usize, count: usize, seed: u64) -> Vec<Vec<u8>> {
    let mut dice = Dice::new(seed);
    (0..count)
        .map(|n| {
            let length = match n % 4 {
                0 => 1 + dice.below(mtu),
                1 => mtu,
                _ => 1 + dice.below(mtu.min(200)),
            };
            dice.bytes(length)
        })
        .collect()
}
