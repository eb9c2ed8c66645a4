//! The promises of a mailbox that is a request: each visitor brings one message and waits.
//!
//! What is it: for channels like HTTP, where whoever delivers hears at once what became of the
//! message, and one message may come back with the answer. Who calls it: the tests of transports.
//! What can go wrong: an adapter.

use packmule_bus::Kind;
use packmule_bus::link::{LinkError, Listener, Mailbox, Port};
use tokio::time::timeout;

use crate::Broken;
use crate::patience::{Promise, STUCK, poke};

/// Somebody who delivers, and whoever receives.
pub type Pair = (Box<dyn Mailbox>, Box<dyn Listener>);

/// Runs every check of request mailboxes, each on a fresh pair.
///
/// # Errors
/// The first promise that was not kept.
pub async fn requests(fresh: impl AsyncFn() -> Pair) -> Result<(), Broken> {
    letters_come_whole(fresh().await).await?;
    taken_is_settled(fresh().await).await?;
    let_go_is_not_taken(fresh().await).await?;
    a_reply_comes_back(fresh().await).await?;
    a_reply_to_nobody_is_not_sent(fresh().await).await?;
    visitors_side_by_side(fresh().await).await?;
    a_visitor_who_leaves_is_seen(fresh().await).await?;
    nobody_receives(fresh().await).await
}

async fn visitor(
    promise: Promise,
    kiosk: &mut Box<dyn Listener>,
) -> Result<Box<dyn Mailbox>, Broken> {
    match promise.good("accept", kiosk.accept()).await? {
        Port::Mailbox(mailbox) => Ok(mailbox),
        _ => Err(promise.broken("a visitor was no mailbox")),
    }
}

/// Letters of all kinds and lengths come whole, one a visitor, and nothing behind it. `collect`
/// and `accept` futures that are dropped lose none.
///
/// # Errors
/// If not.
pub async fn letters_come_whole((alice, mut kiosk): Pair) -> Result<(), Broken> {
    let promise = Promise("each visitor brings one whole letter");
    for (number, (letter, kind)) in letters().into_iter().enumerate() {
        let receiving = async {
            let port = loop {
                match poke(kiosk.accept(), 1 + number % 3).await {
                    Some(port) => break promise.good("accept", async { port }).await?,
                    None => tokio::task::yield_now().await,
                }
            };
            let Port::Mailbox(bob) = port else {
                return Err(promise.broken("a visitor was no mailbox"));
            };
            let came = match poke(bob.collect(), number % 3).await {
                Some(came) => promise.good("collect", async { came }).await?,
                None => promise.good("collect", bob.collect()).await?,
            };
            promise.demand(came.bytes == letter, || {
                format!("{} bytes came, not {}", came.bytes.len(), letter.len())
            })?;
            promise.good("settle", came.settle.settle()).await?;
            match promise.soon("collect", bob.collect()).await? {
                Err(LinkError::Closed) => Ok(()),
                Err(fault) => Err(promise.broken(format!("the end was told as: {fault}"))),
                Ok(_) => Err(promise.broken("a visitor brought two")),
            }
        };
        let delivering = promise.good("deliver", alice.deliver(letter.clone(), kind));
        tokio::try_join!(delivering, promise.soon("receive", receiving))?.1?;
    }
    Ok(())
}

/// Whoever delivers hears that a letter was taken when it is settled, and not before.
///
/// # Errors
/// If it hears so before, or never.
pub async fn taken_is_settled((alice, mut kiosk): Pair) -> Result<(), Broken> {
    let promise = Promise("a letter is taken when it is settled");
    let mut delivering = alice.deliver(letter(100), Kind::Encrypted);
    let early = || promise.broken("taken before it was settled");
    let came = tokio::select! {
        _ = &mut delivering => return Err(early()),
        bob = visitor(promise, &mut kiosk) => {
            let bob = bob?;
            promise.good("collect", bob.collect()).await?
            // The mailbox goes; the letter has an end of its own.
        }
    };
    if timeout(STUCK, &mut delivering).await.is_ok() {
        return Err(early());
    }
    let settling = promise.good("settle", came.settle.settle());
    tokio::try_join!(settling, promise.good("deliver", delivering)).map(|_| ())
}

/// A letter that nobody collected, or that was let go of unsettled, was not taken: whoever
/// delivers hears so, and may deliver it again.
///
/// # Errors
/// If not.
pub async fn let_go_is_not_taken((alice, mut kiosk): Pair) -> Result<(), Broken> {
    let promise = Promise("what is not settled is not taken");
    for collect in [false, true] {
        let refusing = async {
            let bob = visitor(promise, &mut kiosk).await?;
            if collect {
                drop(promise.good("collect", bob.collect()).await?);
                let more = promise.soon("collect", bob.collect()).await?;
                promise.demand(more.is_err(), || "something came behind it".to_owned())?;
            }
            Ok(())
        };
        let delivering = promise.soon("deliver", alice.deliver(letter(100), Kind::Encrypted));
        let (said, refused) = tokio::join!(delivering, refusing);
        refused?;
        promise.demand(matches!(said?, Err(LinkError::Busy(_))), || {
            "whoever delivers was not told to try again".to_owned()
        })?;
    }
    let taking = async {
        let bob = visitor(promise, &mut kiosk).await?;
        let came = promise.good("collect", bob.collect()).await?;
        promise.good("settle", came.settle.settle()).await
    };
    let delivering = promise.good("deliver", alice.deliver(letter(100), Kind::Encrypted));
    tokio::try_join!(delivering, taking).map(|_| ())
}

/// What is delivered to a visitor before its letter is settled comes back to whoever waits; it
/// comes again until it is settled there, and then no more.
///
/// # Errors
/// If not.
pub async fn a_reply_comes_back((alice, mut kiosk): Pair) -> Result<(), Broken> {
    let promise = Promise("a reply comes back with the answer");
    let answering = async {
        let bob = visitor(promise, &mut kiosk).await?;
        let came = promise.good("collect", bob.collect()).await?;
        let mut replying = bob.deliver(letter(77), Kind::Encrypted);
        if timeout(STUCK, &mut replying).await.is_ok() {
            return Err(promise.broken("the reply was sent before the letter was settled"));
        }
        let settling = promise.good("settle", came.settle.settle());
        tokio::try_join!(settling, promise.good("deliver", replying))?;
        let late = promise.soon("deliver", bob.deliver(letter(78), Kind::Encrypted));
        promise.demand(late.await?.is_err(), || {
            "a second reply was taken".to_owned()
        })
    };
    let delivering = promise.good("deliver", alice.deliver(letter(10), Kind::Encrypted));
    tokio::try_join!(delivering, answering)?;
    for _ in 0..2 {
        let came = promise.good("collect", alice.collect()).await?;
        promise.demand(came.bytes == letter(77), || "another came".to_owned())?;
    }
    let came = promise.good("collect", alice.collect()).await?;
    promise.good("settle", came.settle.settle()).await?;
    match timeout(STUCK, alice.collect()).await {
        Ok(Ok(_)) => Err(promise.broken("a settled reply came again")),
        _ => Ok(()),
    }
}

/// A reply to a visitor whose letter is let go of goes nowhere, and whoever delivers it hears so.
///
/// # Errors
/// If not.
pub async fn a_reply_to_nobody_is_not_sent((alice, mut kiosk): Pair) -> Result<(), Broken> {
    let promise = Promise("a reply without an answer is not sent");
    let answering = async {
        let bob = visitor(promise, &mut kiosk).await?;
        let came = promise.good("collect", bob.collect()).await?;
        let letting_go = async {
            tokio::task::yield_now().await;
            drop(came);
        };
        let replying = promise.soon("deliver", bob.deliver(letter(77), Kind::Encrypted));
        let (said, ()) = tokio::join!(replying, letting_go);
        promise.demand(said?.is_err(), || "it was counted as taken".to_owned())
    };
    let delivering = promise.soon("deliver", alice.deliver(letter(10), Kind::Encrypted));
    let (said, answered) = tokio::join!(delivering, answering);
    answered?;
    promise.demand(said?.is_err(), || "a refused letter was taken".to_owned())?;
    match timeout(STUCK, alice.collect()).await {
        Ok(Ok(_)) => Err(promise.broken("a reply came with a refusal")),
        _ => Ok(()),
    }
}

/// Visitors wait side by side: the last one may be answered first.
///
/// # Errors
/// If one stops another.
pub async fn visitors_side_by_side((alice, mut kiosk): Pair) -> Result<(), Broken> {
    let promise = Promise("visitors wait side by side");
    let lengths = [1, 2, 3, 4];
    let receiving = async {
        let mut came = Vec::new();
        for _ in lengths {
            let bob = visitor(promise, &mut kiosk).await?;
            came.push(promise.good("collect", bob.collect()).await?);
        }
        while let Some(last) = came.pop() {
            promise.good("settle", last.settle.settle()).await?;
        }
        Ok(())
    };
    let deliver = |length| promise.good("deliver", alice.deliver(letter(length), Kind::Encrypted));
    let [one, two, three, four] = lengths.map(deliver);
    tokio::try_join!(receiving, one, two, three, four).map(|_| ())
}

/// When whoever delivers gives up, the visitor's mailbox says so; a settle then cannot be told.
///
/// # Errors
/// If not.
pub async fn a_visitor_who_leaves_is_seen((alice, mut kiosk): Pair) -> Result<(), Broken> {
    let promise = Promise("a visitor who leaves is seen");
    let mut delivering = alice.deliver(letter(100), Kind::Encrypted);
    let receiving = async {
        let bob = visitor(promise, &mut kiosk).await?;
        let came = promise.good("collect", bob.collect()).await?;
        Ok::<_, Broken>((bob, came))
    };
    let (bob, came) = tokio::select! {
        _ = &mut delivering => return Err(promise.broken("taken before it was settled")),
        received = receiving => received?,
    };
    drop(delivering);
    let end = promise.soon("collect", bob.collect()).await?;
    promise.demand(matches!(end, Err(LinkError::Closed)), || {
        "something else was seen".to_owned()
    })?;
    let told = promise.soon("settle", came.settle.settle()).await?;
    promise.demand(told.is_err(), || "nobody was told, and Ok".to_owned())
}

/// When nobody receives any more, delivering fails.
///
/// # Errors
/// If it does not.
pub async fn nobody_receives((alice, kiosk): Pair) -> Result<(), Broken> {
    let promise = Promise("delivering to nobody fails");
    drop(kiosk);
    for _ in 0..2 {
        let said = promise.soon("deliver", alice.deliver(letter(100), Kind::Encrypted));
        promise.demand(said.await?.is_err(), || {
            "a letter went to nobody".to_owned()
        })?;
    }
    Ok(())
}

/// An encrypted message, as far as a channel can tell, of about this length.
fn letter(length: usize) -> Vec<u8> {
    let text = "A".repeat(length);
    format!("{{\"protected\":\"e30\",\"ciphertext\":\"{text}\",\"recipients\":[]}}").into_bytes()
}

/// Letters of all kinds of which DIDComm knows, some long.
fn letters() -> Vec<(Vec<u8>, Kind)> {
    let lengths = [2, 65_535, 65_536, 1_000_003];
    let mut all: Vec<(Vec<u8>, Kind)> = lengths
        .into_iter()
        .map(|length| (letter(length), Kind::Encrypted))
        .collect();
    let signed = b"{\"payload\":\"e30\",\"signature\":\"AA\",\"protected\":\"e30\"}";
    all.push((signed.to_vec(), Kind::Signed));
    all.push((b"{\"type\":\"x\",\"id\":\"1\"}".to_vec(), Kind::Plaintext));
    all
}
