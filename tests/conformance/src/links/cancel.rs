//! Futures that are dropped before they are done.
//!
//! What is it: checks that poll `recv` or `send` a few times and drop it, again and again. Who
//! calls it: [`super::links`]. What can go wrong: bytes taken from the medium live in the dropped
//! future and are lost; or half a PDU was written, and the next one is read as its rest.

use std::time::Duration;

use packmule_bus::link::{Link, LinkError};
use tokio::task::yield_now;
use tokio::time::sleep;

use super::ledger::{Ledger, assorted, send_all};
use crate::Broken;
use crate::patience::{Promise, poke};

/// Sends that a check abandons.
const ABANDONED: usize = 40;

/// `recv` futures are dropped at many points while PDUs come: none is lost or torn.
///
/// # Errors
/// If one is.
pub async fn cancelled_recv_loses_nothing(pair: (Link, Link)) -> Result<(), Broken> {
    let promise = Promise("a dropped recv loses nothing");
    let (mut near, mut far) = pair;
    let mtu = near.facts.mtu;
    let pdus = assorted(mtu, 400, 6);
    let mut ledger = Ledger::new(promise, near.facts);
    pdus.iter().for_each(|pdu| ledger.owe(pdu.clone()));
    let receiving = async {
        let mut quiet = 0_u32;
        for attempt in 0_usize.. {
            if ledger.owed() == 0 || (!far.facts.reliable && quiet > 1000) {
                break;
            }
            match poke(far.rx.recv(), 1 + attempt % 3).await {
                Some(Ok(pdu)) => {
                    quiet = 0;
                    ledger.strike(&pdu)?;
                }
                Some(Err(fault)) => return Err(promise.broken(format!("recv failed: {fault}"))),
                None => {
                    quiet += 1;
                    rest(quiet).await;
                }
            }
        }
        Ok(())
    };
    let (_, received) = tokio::try_join!(
        send_all(promise, &mut *near.tx, pdus),
        promise.soon("recv, dropped and called again,", receiving)
    )?;
    received?;
    drop(near);
    ledger.end(&mut *far.rx).await
}

/// `send` futures are dropped while they wait: each such PDU arrives whole or not at all, and the
/// later ones arrive whole.
///
/// # Errors
/// If one is torn, or one that was not dropped is lost.
pub async fn cancelled_send_tears_nothing(pair: (Link, Link)) -> Result<(), Broken> {
    let promise = Promise("a dropped send tears nothing");
    let (mut near, mut far) = pair;
    let mut ledger = Ledger::new(promise, near.facts);
    let mut abandoned = 0;
    for (n, pdu) in assorted(near.facts.mtu, 20_000, 7).into_iter().enumerate() {
        match poke(near.tx.send(pdu.clone()), 1 + n % 3).await {
            Some(Ok(())) => ledger.owe(pdu),
            Some(Err(fault)) => return Err(promise.broken(format!("send failed: {fault}"))),
            None => {
                ledger.perhaps(pdu);
                abandoned += 1;
                // The reader takes a little now and then, so that writes end anywhere.
                if abandoned % 4 == 0 {
                    for _ in 0..abandoned % 7 {
                        match poke(far.rx.recv(), 2).await {
                            Some(Ok(pdu)) => ledger.strike(&pdu)?,
                            Some(Err(LinkError::Closed)) => {
                                return Err(promise.broken("the link ended"));
                            }
                            Some(Err(fault)) => {
                                return Err(promise.broken(format!("recv failed: {fault}")));
                            }
                            None => {}
                        }
                    }
                }
            }
        }
        if abandoned >= ABANDONED {
            break;
        }
    }
    let last = vec![0xa5; near.facts.mtu.min(9)];
    ledger.owe(last.clone());
    tokio::try_join!(
        promise.good("send", near.tx.send(last)),
        ledger.settle(&mut *far.rx)
    )?;
    drop(near);
    ledger.end(&mut *far.rx).await
}

/// Lets others run; now and then lets time go by, for links that take some.
async fn rest(quiet: u32) {
    if quiet.is_multiple_of(8) {
        sleep(Duration::from_millis(1)).await;
    } else {
        yield_now().await;
    }
}
