//! The other side goes: both halves hear of it, and what was sent before still comes.
//!
//! What is it: checks. Who calls it: [`super::links`]. What can go wrong: an adapter that hides
//! the end leaves a node talking to nobody; one that lies about sending loses messages.

use std::pin::pin;

use packmule_bus::link::{Link, LinkError};
use tokio::task::yield_now;

use super::ledger::{Ledger, assorted};
use super::pressure::{End, Flood};
use crate::Broken;
use crate::patience::{Promise, poke};

/// Bytes that may be taken after the other side has gone, before the medium notices.
const UNNOTICED: usize = 16 << 20;

/// After the other side is dropped, `recv` says that the link is closed, and says so again.
///
/// # Errors
/// If it says anything else, or nothing.
pub async fn recv_sees_the_end((mut near, far): (Link, Link)) -> Result<(), Broken> {
    let promise = Promise("recv sees the end");
    drop(far);
    for _ in 0..3 {
        match promise.soon("recv", near.rx.recv()).await? {
            Err(LinkError::Closed) => {}
            other => return Err(promise.broken(format!("recv said {other:?}"))),
        }
    }
    Ok(())
}

/// A `recv` that waits already is woken by the end.
///
/// # Errors
/// If it is not.
pub async fn waiting_recv_sees_the_end((mut near, far): (Link, Link)) -> Result<(), Broken> {
    let promise = Promise("a waiting recv sees the end");
    let leaving = async {
        for _ in 0..10 {
            yield_now().await;
        }
        drop(far);
    };
    let (heard, ()) = tokio::join!(promise.soon("recv", near.rx.recv()), leaving);
    match heard? {
        Err(LinkError::Closed) => Ok(()),
        other => Err(promise.broken(format!("recv said {other:?}"))),
    }
}

/// After the other side is dropped, sending comes to fail, and fails again.
///
/// # Errors
/// If it goes on being taken.
pub async fn send_sees_the_end((mut near, far): (Link, Link)) -> Result<(), Broken> {
    let promise = Promise("send sees the end");
    drop(far);
    let size = near.facts.mtu.min(1024);
    let mut taken = 0;
    let failing = async {
        while near.tx.send(vec![1; size]).await.is_ok() {
            taken += size;
            if taken > UNNOTICED {
                return Err(promise.broken(format!("{taken} bytes went to nobody")));
            }
            yield_now().await;
        }
        Ok(())
    };
    promise.soon("send", failing).await??;
    for _ in 0..3 {
        let sent = promise.soon("send", near.tx.send(vec![1; size])).await?;
        promise.demand(sent.is_err(), || {
            "send failed once and was taken later".to_owned()
        })?;
    }
    Ok(())
}

/// A `send` that waits for a reader fails when that reader goes.
///
/// # Errors
/// If it waits on, or is taken.
pub async fn blocked_send_sees_the_end((mut near, far): (Link, Link)) -> Result<(), Broken> {
    let promise = Promise("a waiting send sees the end");
    let flood = Flood::default();
    let mut writing = pin!(flood.write(near.facts.mtu, &mut *near.tx));
    flood.until_stuck(promise, writing.as_mut()).await?;
    drop(far);
    match promise.soon("send", writing).await? {
        End::Failed(_) => Ok(()),
        End::Enough | End::TooMuch => Err(promise.broken("it was taken")),
    }
}

/// What the medium took before its sender left arrives, then comes the end.
///
/// # Errors
/// If something of it does not, where the link is declared reliable.
pub async fn last_words_arrive((mut near, mut far): (Link, Link)) -> Result<(), Broken> {
    let promise = Promise("what was sent before leaving arrives");
    let mut ledger = Ledger::new(promise, near.facts);
    for pdu in assorted(near.facts.mtu, 12, 8) {
        // As many as go without a reader; the rest is not said.
        match poke(near.tx.send(pdu.clone()), 5).await {
            Some(Ok(())) => ledger.owe(pdu),
            Some(Err(fault)) => return Err(promise.broken(format!("send failed: {fault}"))),
            None => {
                ledger.perhaps(pdu);
                break;
            }
        }
    }
    promise.demand(ledger.owed() > 0, || "nothing could be said".to_owned())?;
    drop(near);
    ledger.end(&mut *far.rx).await?;
    promise.demand(!far.facts.reliable || ledger.owed() == 0, || {
        format!("{} PDUs were taken and never came", ledger.owed())
    })
}
