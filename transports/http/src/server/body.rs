//! A request's body, whole, within bounds of size, time and memory.
//!
//! What is it: reads frame by frame. Who calls it: `talk`. What can go wrong: a body that is too
//! long, too slow or torn, and a house that is full of other bodies; each is a [`Trouble`] with an
//! HTTP status. What a length announces is not believed: memory follows the bytes that came.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::Limits;

/// Bytes that bodies of all visitors may take, by the KiB.
#[derive(Clone)]
pub(super) struct Room(Arc<Semaphore>);

impl Room {
    const UNIT: usize = 1 << 10;

    pub(super) fn new(bytes: usize) -> Self {
        let units = (bytes / Self::UNIT).min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(units)))
    }

    /// Makes `held` cover so many bytes.
    fn cover(&self, held: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> Result<(), Trouble> {
        let has = held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = bytes.div_ceil(Self::UNIT).saturating_sub(has);
        if more == 0 {
            return Ok(());
        }
        let more = u32::try_from(more).map_err(|_| Trouble::NoRoom)?;
        let more = Arc::clone(&self.0)
            .try_acquire_many_owned(more)
            .map_err(|_| Trouble::NoRoom)?;
        match held {
            Some(held) => held.merge(more),
            None => *held = Some(more),
        }
        Ok(())
    }
}

/// A body, and its share of the room until it is dropped.
pub(super) struct Whole {
    pub(super) bytes: Vec<u8>,
    pub(super) share: Option<OwnedSemaphorePermit>,
}

/// Why there is no body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Trouble {
    TooLarge,
    TooSlow,
    NoRoom,
    /// The visitor left, or what came is no body.
    Torn,
}

impl Trouble {
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
            Self::Torn => StatusCode::BAD_REQUEST,
        }
    }
}

/// Reads a body of at most `most` bytes.
pub(super) async fn whole(
    mut body: Incoming,
    most: usize,
    limits: &Limits,
    room: &Room,
) -> Result<Whole, Trouble> {
    let announced = body.size_hint().lower();
    if announced > most as u64 {
        return Err(Trouble::TooLarge);
    }
    let began = Instant::now();
    let (mut bytes, mut share) = (Vec::new(), None);
    loop {
        let earned = bytes.len() / limits.body_rate.max(1);
        let until = began + limits.body_time + Duration::from_secs(earned as u64);
        let frame = match timeout_at(until, body.frame()).await {
            Err(_) => return Err(Trouble::TooSlow),
            Ok(None) => return Ok(Whole { bytes, share }),
            Ok(Some(frame)) => frame.map_err(|_| Trouble::Torn)?,
        };
        // Trailers say nothing that we need.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let length = bytes.len() + data.len();
        if length > most {
            return Err(Trouble::TooLarge);
        }
        room.cover(&mut share, length)?;
        bytes.extend_from_slice(&data);
    }
}
