//! The promises of a beacon: what is shown is what a reader sees, or less.
//!
//! What is it: checks with real frames of real transfers, since a channel may carry nothing else.
//! Nobody answers a beacon, so little can be promised, and that little matters: a frame is seen as
//! it was shown or not at all, and what cannot be shown is refused. Who calls it: the tests of
//! transports. What can go wrong: an adapter.

use packmule_bus::fountain::{Catcher, Caught, Fountain, Limits, MIN_SYMBOL, OVERHEAD};
use packmule_bus::link::{Beacon, BoxFut, LinkError};

use crate::patience::{Promise, poke};
use crate::{Broken, Dice};

/// One beacon, from both sides.
pub trait Stand {
    /// What shows. A new one each time; the former may be there still.
    fn beacon(&self) -> Box<dyn Beacon>;

    /// What a reader makes of all that was shown since it looked last, each frame as it was shown.
    /// A reader of this suite blinks only where the medium does.
    fn look(&self) -> BoxFut<'_, Vec<Vec<u8>>>;

    /// Bytes of the longest frame that can be shown.
    fn longest(&self) -> usize;
}

/// Runs every check, each on a fresh stand.
///
/// # Errors
/// The first promise that was not kept.
pub async fn beacons<S: Stand>(fresh: impl AsyncFn() -> S) -> Result<(), Broken> {
    every_frame_is_seen_whole(&fresh().await).await?;
    too_long_is_refused(&fresh().await).await?;
    cancelled_show_tears_nothing(&fresh().await).await?;
    a_reader_that_blinks_gets_it_all(&fresh().await).await?;
    two_beacons_disturb_nothing(&fresh().await).await
}

/// Frames of every length are seen as they were shown, each once for each time it was shown.
///
/// # Errors
/// If one is not.
pub async fn every_frame_is_seen_whole(stand: &impl Stand) -> Result<(), Broken> {
    let promise = Promise("a frame is seen as it was shown");
    let mut beacon = stand.beacon();
    let most = stand.longest().saturating_sub(OVERHEAD);
    promise.demand(most >= MIN_SYMBOL, || {
        format!("no frame fits into {} bytes", stand.longest())
    })?;
    let lengths = [MIN_SYMBOL, MIN_SYMBOL + 1, most / 2, most - 1, most];
    for (number, symbol) in (0..).zip(lengths) {
        let fountain = fountain(promise, number, 3 * symbol, symbol.clamp(MIN_SYMBOL, most))?;
        for frame in fountain.frames().take(5) {
            promise.good("show", beacon.show(frame.clone())).await?;
            let seen = promise.soon("look", stand.look()).await?;
            promise.demand(seen == [frame.as_slice()], || {
                let lengths: Vec<usize> = seen.iter().map(Vec::len).collect();
                format!("of a frame of {} bytes: {lengths:?}", frame.len())
            })?;
        }
    }
    Ok(())
}

/// A frame longer than can be shown is refused, with how long one may be, and nothing of it is
/// seen; the next one is.
///
/// # Errors
/// If it is shown, cut perhaps, or ends the beacon.
pub async fn too_long_is_refused(stand: &impl Stand) -> Result<(), Broken> {
    let promise = Promise("a frame that is too long is refused");
    let mut beacon = stand.beacon();
    let longest = stand.longest();
    for bytes in [longest + 1, longest * 3] {
        let said = promise.soon("show", beacon.show(vec![7; bytes])).await?;
        let told = matches!(said, Err(LinkError::TooLarge { bytes: of, limit })
            if of == bytes && limit == longest);
        promise.demand(told, || format!("{bytes} bytes: {said:?}"))?;
    }
    let frames = fountain(promise, 1, 100, MIN_SYMBOL)?;
    for frame in frames.frames().take(1) {
        promise.good("show", beacon.show(frame.clone())).await?;
        let seen = promise.soon("look", stand.look()).await?;
        promise.demand(seen == [frame], || {
            format!("{} frames were seen behind it", seen.len())
        })?;
    }
    Ok(())
}

/// `show` futures are dropped: their frames are seen whole or not at all, and the next ones are.
///
/// # Errors
/// If something is seen that was not shown.
pub async fn cancelled_show_tears_nothing(stand: &impl Stand) -> Result<(), Broken> {
    let promise = Promise("a dropped show tears nothing");
    let mut beacon = stand.beacon();
    let fountain = fountain(promise, 2, 2_000, 64)?;
    let mut frames = fountain.frames();
    for polls in 0..20 {
        let (Some(dropped), Some(shown)) = (frames.next(), frames.next()) else {
            return Err(promise.broken("a fountain ended"));
        };
        let _ = poke(beacon.show(dropped.clone()), polls % 3).await;
        promise.good("show", beacon.show(shown.clone())).await?;
        let mut seen = promise.soon("look", stand.look()).await?;
        let last = seen.pop();
        promise.demand(last.as_ref() == Some(&shown), || {
            "the frame behind a dropped one was not seen".to_owned()
        })?;
        promise.demand(seen.is_empty() || seen == [dropped], || {
            format!("{} frames were seen that nobody showed", seen.len())
        })?;
    }
    Ok(())
}

/// Whoever misses two frames of three, and comes late, has the object after as many frames as it
/// has symbols, and two more at the most.
///
/// # Errors
/// If it takes more, or leads to something else.
pub async fn a_reader_that_blinks_gets_it_all(stand: &impl Stand) -> Result<(), Broken> {
    let promise = Promise("whoever sees enough frames has the object");
    let mut beacon = stand.beacon();
    let symbol = stand.longest().saturating_sub(OVERHEAD).min(200);
    let sent = Dice::new(3).bytes(20 * symbol - 5);
    let fountain = Fountain::new(&sent, symbol).map_err(|why| promise.broken(why.to_string()))?;
    let (mut dice, mut catcher) = (Dice::new(4), Catcher::new(Limits::default()));
    let mut caught = 0;
    for frame in fountain.frames().skip(7).take(400) {
        promise.good("show", beacon.show(frame)).await?;
        let seen = promise.soon("look", stand.look()).await?;
        if dice.below(3) != 0 {
            continue;
        }
        for frame in seen {
            caught += 1;
            match catcher.catch(&frame) {
                Ok(Caught::Complete { object, .. }) => {
                    promise.demand(object == sent, || "it is another one".to_owned())?;
                    return promise.demand(caught <= fountain.source_count() + 2, || {
                        format!("it took {caught} frames of {}", fountain.source_count())
                    });
                }
                Ok(_) => {}
                Err(why) => return Err(promise.broken(why.to_string())),
            }
        }
    }
    Err(promise.broken(format!("{caught} frames were not enough")))
}

/// Two that show at the same time are seen both: each frame of either, and nothing besides.
///
/// # Errors
/// If one hides or changes the other.
pub async fn two_beacons_disturb_nothing(stand: &impl Stand) -> Result<(), Broken> {
    let promise = Promise("two beacons are seen both");
    let (mut one, mut other) = (stand.beacon(), stand.beacon());
    let (first, second) = (
        fountain(promise, 5, 900, 60)?,
        fountain(promise, 6, 800, 50)?,
    );
    for (a, b) in first.frames().zip(second.frames()).take(10) {
        promise.good("show", one.show(a.clone())).await?;
        promise.good("show", other.show(b.clone())).await?;
        let mut seen = promise.soon("look", stand.look()).await?;
        let mut shown = [a, b];
        seen.sort();
        shown.sort();
        promise.demand(seen == shown, || format!("{} frames were seen", seen.len()))?;
    }
    Ok(())
}

fn fountain(promise: Promise, seed: u64, bytes: usize, symbol: usize) -> Result<Fountain, Broken> {
    let object = Dice::new(seed).bytes(bytes);
    Fountain::new(&object, symbol).map_err(|why| promise.broken(why.to_string()))
}
