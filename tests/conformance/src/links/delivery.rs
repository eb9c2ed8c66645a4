//! What is sent arrives: whole, once, in order, at every length, in both directions.
//!
//! What is it: checks. Who calls it: [`super::links`]. What can go wrong: see each.

use packmule_bus::link::{Link, LinkError};

use super::ledger::{Ledger, assorted, carry, send_all};
use crate::patience::Promise;
use crate::{Broken, Dice};

/// Bytes that a check moves at most in one direction.
const FREIGHT: usize = 12 << 20;

/// A PDU of every length (of very long ones, a choice) arrives as it was sent.
///
/// # Errors
/// If one does not.
pub async fn every_length_whole(pair: (Link, Link)) -> Result<(), Broken> {
    let promise = Promise("PDUs of every length arrive whole");
    let mtu = pair.0.facts.mtu;
    let mut dice = Dice::new(1);
    let near_power = |n: usize| (n.wrapping_add(1) & n.wrapping_sub(1)).count_ones() <= 1;
    let pdus = (1..=mtu)
        .filter(|n| *n <= 2048 || n % 509 == 0 || near_power(*n) || n + 3 > mtu)
        .map(|length| dice.bytes(length))
        .collect();
    carry(promise, pair, pdus).await
}

/// An empty PDU is refused or arrives empty, and the link goes on.
///
/// # Errors
/// If it harms the link.
pub async fn empty_is_harmless(pair: (Link, Link)) -> Result<(), Broken> {
    let promise = Promise("an empty PDU does no harm");
    let (mut near, mut far) = pair;
    let mut ledger = Ledger::new(promise, near.facts);
    let after = vec![1; near.facts.mtu.min(5)];
    ledger.perhaps(Vec::new());
    ledger.owe(after.clone());
    let sending = async {
        match promise.soon("send", near.tx.send(Vec::new())).await? {
            Ok(()) | Err(LinkError::Refused(_)) => {}
            Err(fault) => return Err(promise.broken(format!("send failed: {fault}"))),
        }
        promise.good("send", near.tx.send(after)).await
    };
    tokio::try_join!(sending, ledger.settle(&mut *far.rx)).map(|_| ())
}

/// A PDU above the MTU is refused with the limit, nothing of it arrives and the link goes on.
///
/// # Errors
/// If it goes, or if the link does not.
pub async fn oversize_is_refused(pair: (Link, Link)) -> Result<(), Broken> {
    let promise = Promise("too long a PDU is refused and the link goes on");
    let (mut near, mut far) = pair;
    let mtu = near.facts.mtu;
    let mut ledger = Ledger::new(promise, near.facts);
    for length in [mtu + 1, mtu * 2, mtu + 70_000] {
        let sent = promise.soon("send", near.tx.send(vec![7; length])).await?;
        match sent {
            Err(LinkError::TooLarge { bytes, limit }) => {
                promise.demand(bytes == length && limit == mtu, || {
                    format!("{bytes} above {limit} was said of {length} above {mtu}")
                })?;
            }
            other => {
                return Err(promise.broken(format!("{length} bytes gave {other:?}")));
            }
        }
        let small = vec![1; mtu.min(5)];
        ledger.owe(small.clone());
        promise.good("send", near.tx.send(small)).await?;
        ledger.settle(&mut *far.rx).await?;
    }
    drop(near);
    ledger.end(&mut *far.rx).await
}

/// Each PDU arrives once, in order if the link is ordered; no adapter sends on its own again.
///
/// # Errors
/// If one is missing, early, doubled or altered.
pub async fn each_once_and_in_order(pair: (Link, Link)) -> Result<(), Broken> {
    let promise = Promise("each PDU arrives once, and in order where that is declared");
    let mtu = pair.0.facts.mtu;
    carry(promise, pair, assorted(mtu, count(mtu, 2000), 2)).await
}

/// Both sides send a lot at the same time.
///
/// # Errors
/// If one direction starves or spoils the other.
pub async fn both_directions_at_once(pair: (Link, Link)) -> Result<(), Broken> {
    let promise = Promise("both directions work at once");
    let (mut near, mut far) = pair;
    let mtu = near.facts.mtu;
    let there = assorted(mtu, count(mtu, 1000), 3);
    let back = assorted(mtu, count(mtu, 1000), 4);
    let mut outward = Ledger::new(promise, near.facts);
    let mut homeward = Ledger::new(promise, near.facts);
    there.iter().for_each(|pdu| outward.owe(pdu.clone()));
    back.iter().for_each(|pdu| homeward.owe(pdu.clone()));
    tokio::try_join!(
        send_all(promise, &mut *near.tx, there),
        send_all(promise, &mut *far.tx, back),
        outward.settle(&mut *far.rx),
        homeward.settle(&mut *near.rx),
    )?;
    Ok(())
}

/// As many as wanted, but no more than the freight allows at this MTU.
fn count(mtu: usize, wanted: usize) -> usize {
    wanted.min(2 * FREIGHT / mtu.max(1)).max(8)
}
