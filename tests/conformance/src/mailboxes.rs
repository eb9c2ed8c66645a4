//! The promises of a mailbox.
//!
//! What is it: *keeping* for mailboxes that hold messages until they are settled (a folder, an
//! e-mail account, a queue); *live* for those that are a conversation with somebody present (a
//! WebSocket), where a letter is taken when it is settled. Who calls it: the tests of transports. What can go
//! wrong: an adapter.

use packmule_bus::Kind;
use packmule_bus::link::{BoxFut, LinkError, Mailbox};
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::patience::{Promise, STUCK, poke};
use crate::{Broken, Dice};

/// One mailbox, from both sides.
pub trait Post {
    /// What delivers to it.
    fn poster(&self) -> BoxFut<'_, Box<dyn Mailbox>>;

    /// What collects from it; a new one each time, after the former was dropped.
    fn collector(&self) -> BoxFut<'_, Box<dyn Mailbox>>;

    /// Whether it carries bytes that are no DIDComm message. A channel with strangers at its other
    /// end, who would be told that they were understood, does not.
    fn carries_anything(&self) -> bool {
        true
    }
}

/// Runs every check of mailboxes that hold messages until they are settled, each on a fresh one.
///
/// # Errors
/// The first promise that was not kept.
pub async fn mailboxes<P: Post>(fresh: impl AsyncFn() -> P) -> Result<(), Broken> {
    letters_come_whole(&fresh().await).await?;
    unsettled_comes_again(&fresh().await).await?;
    settled_does_not(&fresh().await).await?;
    cancelled_collect_loses_nothing(&fresh().await).await
}

/// What is delivered is collected, each once.
///
/// # Errors
/// If it is not.
pub async fn letters_come_whole(post: &impl Post) -> Result<(), Broken> {
    let promise = Promise("what is delivered is collected, each once");
    let (alice, bob) = (post.poster().await, post.collector().await);
    let mut letters = letters();
    letters.retain(|(_, kind)| *kind != Kind::Other || post.carries_anything());
    for (letter, kind) in &letters {
        promise
            .good("deliver", alice.deliver(letter.clone(), *kind))
            .await?;
    }
    let mut open: Vec<Vec<u8>> = letters.into_iter().map(|(letter, _)| letter).collect();
    while !open.is_empty() {
        let came = promise.good("collect", bob.collect()).await?;
        strike(promise, &mut open, &came.bytes)?;
        promise.good("settle", came.settle.settle()).await?;
    }
    nothing_waits(promise, &*bob).await
}

/// A message that was collected and not settled comes again: from the same collector, and from a
/// new one.
///
/// # Errors
/// If it is gone.
pub async fn unsettled_comes_again(post: &impl Post) -> Result<(), Broken> {
    let promise = Promise("what was not settled comes again");
    let (alice, bob) = (post.poster().await, post.collector().await);
    let letter = letter(300);
    promise
        .good("deliver", alice.deliver(letter.clone(), Kind::Encrypted))
        .await?;
    let held = promise.good("collect", bob.collect()).await?;
    drop(held);
    drop(bob);
    let bob = post.collector().await;
    for _ in 0..2 {
        let again = promise.good("collect", bob.collect()).await?;
        promise.demand(again.bytes == letter, || "something else came".to_owned())?;
    }
    // Settled at last, by whoever holds it then.
    let last = promise.good("collect", bob.collect()).await?;
    promise.good("settle", last.settle.settle()).await?;
    nothing_waits(promise, &*bob).await
}

/// A message that was settled does not come again, to anybody; the one behind it does.
///
/// # Errors
/// If it does.
pub async fn settled_does_not(post: &impl Post) -> Result<(), Broken> {
    let promise = Promise("what was settled does not come again");
    let (alice, bob) = (post.poster().await, post.collector().await);
    for length in [40, 50] {
        promise
            .good("deliver", alice.deliver(letter(length), Kind::Encrypted))
            .await?;
    }
    let first = promise.good("collect", bob.collect()).await?;
    let mut open = vec![letter(40), letter(50)];
    strike(promise, &mut open, &first.bytes)?;
    promise.good("settle", first.settle.settle()).await?;
    drop(bob);
    let bob = post.collector().await;
    let second = promise.good("collect", bob.collect()).await?;
    strike(promise, &mut open, &second.bytes)?;
    promise.good("settle", second.settle.settle()).await?;
    nothing_waits(promise, &*bob).await
}

/// `collect` futures are dropped before and after something comes: it is not lost.
///
/// # Errors
/// If it is.
pub async fn cancelled_collect_loses_nothing(post: &impl Post) -> Result<(), Broken> {
    let promise = Promise("a dropped collect loses nothing");
    let (alice, bob) = (post.poster().await, post.collector().await);
    for length in 1..40 {
        let _ = poke(bob.collect(), length % 3).await;
        promise
            .good("deliver", alice.deliver(letter(length), Kind::Encrypted))
            .await?;
        let came = match poke(bob.collect(), 1 + length % 2).await {
            Some(came) => promise.good("collect", async { came }).await?,
            None => promise.good("collect", bob.collect()).await?,
        };
        promise.demand(came.bytes == letter(length), || {
            "something else came".to_owned()
        })?;
        promise.good("settle", came.settle.settle()).await?;
    }
    Ok(())
}

/// Runs every check of mailboxes that are a live conversation, each on a fresh pair.
///
/// # Errors
/// The first promise that was not kept.
pub async fn live(
    fresh: impl AsyncFn() -> (Box<dyn Mailbox>, Box<dyn Mailbox>),
) -> Result<(), Broken> {
    live_letters_both_ways(fresh().await).await?;
    live_taken_is_settled(fresh().await).await?;
    live_refused_is_not_taken(fresh().await).await?;
    live_cancelled_collect(fresh().await).await?;
    live_collect_sees_the_end(fresh().await).await?;
    live_deliver_sees_the_end(fresh().await).await?;
    live_slow_reader(fresh().await).await
}

/// Letters of all kinds and lengths go both ways at once, whole, in order.
///
/// # Errors
/// If one does not.
pub async fn live_letters_both_ways(
    (alice, bob): (Box<dyn Mailbox>, Box<dyn Mailbox>),
) -> Result<(), Broken> {
    let promise = Promise("letters go both ways");
    let (say_done, done) = watch::channel(false);
    let collect = async |side: &dyn Mailbox, mut done: watch::Receiver<bool>| {
        for (letter, _) in letters() {
            let came = promise.good("collect", side.collect()).await?;
            promise.demand(came.bytes == letter, || {
                format!("{} bytes came, not {}", came.bytes.len(), letter.len())
            })?;
            promise.good("settle", came.settle.settle()).await?;
        }
        // The other side may wait for a sign that somebody listens still.
        tokio::select! {
            _ = side.collect() => Err(promise.broken("something came that nobody delivered")),
            _ = done.wait_for(|done| *done) => Ok(()),
        }
    };
    let deliver = async |side: &dyn Mailbox| {
        for (letter, kind) in letters() {
            promise.good("deliver", side.deliver(letter, kind)).await?;
        }
        Ok(())
    };
    let delivering = async {
        tokio::try_join!(deliver(&*alice), deliver(&*bob))?;
        say_done.send_replace(true);
        Ok(())
    };
    let (here, there) = (collect(&*alice, done.clone()), collect(&*bob, done));
    tokio::try_join!(delivering, here, there).map(|_| ())
}

/// Whoever delivers hears that a letter was taken when it is settled, and not before.
///
/// # Errors
/// If it hears so before, or never.
pub async fn live_taken_is_settled(
    (alice, bob): (Box<dyn Mailbox>, Box<dyn Mailbox>),
) -> Result<(), Broken> {
    let promise = Promise("a letter is taken when it is settled");
    for length in [10, 100_000] {
        let mut delivering = alice.deliver(letter(length), Kind::Encrypted);
        let came = tokio::select! {
            _ = &mut delivering => return Err(promise.broken("taken before it was collected")),
            came = promise.good("collect", bob.collect()) => came?,
        };
        // Bob listens still; his disk is slow.
        tokio::select! {
            _ = &mut delivering => return Err(promise.broken("taken before it was settled")),
            _ = bob.collect() => return Err(promise.broken("something came that nobody sent")),
            () = tokio::time::sleep(STUCK) => {}
        }
        promise.good("settle", came.settle.settle()).await?;
        tokio::select! {
            said = promise.good("deliver", delivering) => said?,
            _ = bob.collect() => return Err(promise.broken("something came that nobody sent")),
        }
    }
    Ok(())
}

/// A letter that was collected and let go of unsettled (the disk is full, a quota used up) was
/// not taken: whoever delivers it hears so.
///
/// # Errors
/// If it hears the contrary, or nothing.
pub async fn live_refused_is_not_taken(
    (alice, bob): (Box<dyn Mailbox>, Box<dyn Mailbox>),
) -> Result<(), Broken> {
    let promise = Promise("what is not settled is not taken");
    let refusing = async {
        let came = promise.good("collect", bob.collect()).await?;
        drop(came);
        match promise.soon("collect", bob.collect()).await? {
            Err(_) => Ok(()),
            Ok(_) => Err(promise.broken("something came behind what was refused")),
        }
    };
    let delivering = promise.soon("deliver", alice.deliver(letter(100), Kind::Encrypted));
    let (said, refused) = tokio::join!(delivering, refusing);
    refused?;
    promise.demand(said?.is_err(), || {
        "a refused letter was counted as taken".to_owned()
    })
}

/// `collect` futures are dropped at many points while letters come: none is lost.
///
/// # Errors
/// If one is.
pub async fn live_cancelled_collect(
    (alice, bob): (Box<dyn Mailbox>, Box<dyn Mailbox>),
) -> Result<(), Broken> {
    let promise = Promise("a dropped collect loses nothing");
    let sending = async {
        for length in 1..200 {
            promise
                .good(
                    "deliver",
                    alice.deliver(letter(length * 97), Kind::Encrypted),
                )
                .await?;
        }
        Ok(())
    };
    let receiving = async {
        let mut wanted = 1;
        for attempt in 0_usize.. {
            match poke(bob.collect(), 1 + attempt % 3).await {
                Some(Ok(came)) => {
                    promise.demand(came.bytes == letter(wanted * 97), || {
                        format!("letter {wanted} was lost or torn")
                    })?;
                    promise.good("settle", came.settle.settle()).await?;
                    wanted += 1;
                }
                Some(Err(LinkError::Closed)) if wanted == 200 => break,
                Some(Err(fault)) => return Err(promise.broken(format!("{fault}"))),
                None => yield_now().await,
            }
            if wanted == 200 {
                break;
            }
        }
        // Whoever delivers may wait for a sign that somebody listens still.
        Ok(())
    };
    let listening = async {
        promise.soon("collect", receiving).await??;
        let _ = timeout(STUCK, bob.collect()).await;
        Ok(())
    };
    tokio::try_join!(sending, listening).map(|_| ())
}

/// When the other side goes, `collect` says so, waiting or not, and again.
///
/// # Errors
/// If it does not.
pub async fn live_collect_sees_the_end(
    (alice, bob): (Box<dyn Mailbox>, Box<dyn Mailbox>),
) -> Result<(), Broken> {
    let promise = Promise("collect sees the end");
    let leaving = async {
        for _ in 0..10 {
            yield_now().await;
        }
        drop(alice);
    };
    let (heard, ()) = tokio::join!(promise.soon("collect", bob.collect()), leaving);
    for said in [heard?, promise.soon("collect", bob.collect()).await?] {
        match said {
            Err(LinkError::Closed) => {}
            Err(fault) => return Err(promise.broken(format!("collect said {fault}"))),
            Ok(_) => return Err(promise.broken("a letter came from nobody")),
        }
    }
    Ok(())
}

/// When the other side has gone, delivering fails.
///
/// # Errors
/// If it does not.
pub async fn live_deliver_sees_the_end(
    (alice, bob): (Box<dyn Mailbox>, Box<dyn Mailbox>),
) -> Result<(), Broken> {
    let promise = Promise("deliver sees the end");
    drop(bob);
    for _ in 0..2 {
        let said = promise
            .soon("deliver", alice.deliver(letter(100), Kind::Encrypted))
            .await?;
        promise.demand(said.is_err(), || "a letter went to nobody".to_owned())?;
    }
    Ok(())
}

/// Somebody who does not collect stops whoever delivers.
///
/// # Errors
/// If more than 32 MiB are taken.
pub async fn live_slow_reader(
    (alice, bob): (Box<dyn Mailbox>, Box<dyn Mailbox>),
) -> Result<(), Broken> {
    let promise = Promise("a reader who does not read stops the writer");
    for _ in 0..64 {
        let sent = alice.deliver(letter(1 << 19), Kind::Encrypted);
        match timeout(STUCK, sent).await {
            Ok(Ok(())) => {}
            Err(_) | Ok(Err(LinkError::Busy(_))) => {
                drop(bob);
                return Ok(());
            }
            Ok(Err(fault)) => return Err(promise.broken(format!("deliver failed: {fault}"))),
        }
    }
    Err(promise.broken("32 MiB were taken while nobody collected"))
}

/// An encrypted message, as far as a channel can tell, of about this length.
fn letter(length: usize) -> Vec<u8> {
    let text = "A".repeat(length);
    format!("{{\"protected\":\"e30\",\"ciphertext\":\"{text}\",\"recipients\":[]}}").into_bytes()
}

/// Letters of all kinds, some long, some no text.
fn letters() -> Vec<(Vec<u8>, Kind)> {
    let mut dice = Dice::new(9);
    let mut all: Vec<(Vec<u8>, Kind)> = [2, 125, 126, 65_535, 65_536, 1_000_003]
        .into_iter()
        .flat_map(|length| {
            [
                (letter(length), Kind::Encrypted),
                (dice.bytes(length), Kind::Other),
            ]
        })
        .collect();
    let signed = b"{\"payload\":\"e30\",\"signature\":\"AA\",\"protected\":\"e30\"}";
    all.push((signed.to_vec(), Kind::Signed));
    all.push((b"{\"type\":\"x\",\"id\":\"1\"}".to_vec(), Kind::Plaintext));
    all
}

fn strike(promise: Promise, open: &mut Vec<Vec<u8>>, came: &[u8]) -> Result<(), Broken> {
    let at = open.iter().position(|letter| letter == came);
    let at = at.ok_or_else(|| {
        promise.broken(format!(
            "{} bytes came that were not delivered, or came twice",
            came.len()
        ))
    })?;
    open.swap_remove(at);
    Ok(())
}

/// Nothing comes within a moment. A slow mailbox could hide a second copy from this: then the
/// check finds too little, never too much.
async fn nothing_waits(promise: Promise, bob: &dyn Mailbox) -> Result<(), Broken> {
    match timeout(STUCK, bob.collect()).await {
        Err(_) | Ok(Err(_)) => Ok(()),
        Ok(Ok(came)) => Err(promise.broken(format!("{} bytes came once more", came.bytes.len()))),
    }
}
