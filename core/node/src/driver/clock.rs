//! Both clocks of this machine, as the bus reads them.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use packmule_bus::time::{Now, Time};

/// A monotone clock that began with the node, and the wall's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Now {
        let micros = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        Now {
            time: Time::from_micros(micros),
            wall: wall.map_or(0, |wall| wall.as_secs()),
        }
    }

    /// When a time of the bus is. One that is too far away to matter is a day away.
    pub(crate) fn instant(&self, time: Time) -> tokio::time::Instant {
        let after = Duration::from_micros(time.as_micros());
        let far = self.start.elapsed() + Duration::from_secs(86_400);
        (self.start + after.min(far)).into()
    }
}
