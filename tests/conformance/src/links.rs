//! The promises of a link, each a check on a fresh pair.
//!
//! What is it: functions from a connected pair to "kept" or [`Broken`]. Who calls it: the tests
//! of transports, by [`links`]. What can go wrong: an adapter; and on a link that is declared
//! unreliable much cannot be asked: there the checks ask only that whatever comes was sent, is
//! whole and came no more often than it was sent.

mod cancel;
mod closing;
mod delivery;
mod ledger;
mod pressure;

use packmule_bus::link::{Link, Role};

use crate::Broken;
use crate::patience::Promise;

pub use cancel::{cancelled_recv_loses_nothing, cancelled_send_tears_nothing};
pub use closing::{
    blocked_send_sees_the_end, last_words_arrive, recv_sees_the_end, send_sees_the_end,
    waiting_recv_sees_the_end,
};
pub use delivery::{
    both_directions_at_once, each_once_and_in_order, empty_is_harmless, every_length_whole,
    oversize_is_refused,
};
pub use pressure::a_slow_reader_stops_the_writer;

/// Runs every check, each on a fresh pair.
///
/// # Errors
/// The first promise that was not kept.
pub async fn links(fresh: impl AsyncFn() -> (Link, Link)) -> Result<(), Broken> {
    agreed_facts(fresh().await)?;
    every_length_whole(fresh().await).await?;
    empty_is_harmless(fresh().await).await?;
    oversize_is_refused(fresh().await).await?;
    each_once_and_in_order(fresh().await).await?;
    both_directions_at_once(fresh().await).await?;
    a_slow_reader_stops_the_writer(fresh().await).await?;
    cancelled_recv_loses_nothing(fresh().await).await?;
    cancelled_send_tears_nothing(fresh().await).await?;
    recv_sees_the_end(fresh().await).await?;
    waiting_recv_sees_the_end(fresh().await).await?;
    send_sees_the_end(fresh().await).await?;
    blocked_send_sees_the_end(fresh().await).await?;
    last_words_arrive(fresh().await).await
}

/// Both ends tell the same facts, and who opened the link.
///
/// # Errors
/// If they do not.
pub fn agreed_facts((near, far): (Link, Link)) -> Result<(), Broken> {
    let promise = Promise("both ends tell the same facts");
    promise.demand(near.facts == far.facts, || {
        format!("{:?} here and {:?} there", near.facts, far.facts)
    })?;
    promise.demand(near.facts.mtu > 0, || "an MTU of 0".to_owned())?;
    promise.demand(near.role == Role::Dialer, || {
        "the first of a pair is the dialer's side".to_owned()
    })?;
    promise.demand(far.role == Role::Listener, || {
        "the second of a pair is the listener's side".to_owned()
    })
}
