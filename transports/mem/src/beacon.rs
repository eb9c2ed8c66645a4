//! A beacon: what is shown is seen by those who look, and by nobody later.
//!
//! What is it: a channel that forgets. Who calls it: the hub. What can go wrong: nobody looks,
//! which a beacon never hears; whoever looks too seldom misses the oldest frames.

use packmule_bus::link::{Beacon, BoxFut, LinkError};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::TryRecvError;

/// Frames that somebody who looks away still sees.
pub(crate) const AFTERGLOW: usize = 64;

/// The showing side.
pub(crate) struct Lamp {
    pub(crate) light: broadcast::Sender<Vec<u8>>,
    /// Bytes of the longest frame.
    pub(crate) longest: usize,
}

impl Beacon for Lamp {
    fn show(&mut self, frame: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            if frame.len() > self.longest {
                return Err(LinkError::TooLarge {
                    bytes: frame.len(),
                    limit: self.longest,
                });
            }
            // Nobody looks: it was shown all the same.
            let _ = self.light.send(frame);
            Ok(())
        })
    }
}

/// Somebody who looks at a beacon.
pub struct Eye(pub(crate) broadcast::Receiver<Vec<u8>>);

impl Eye {
    /// What was shown since it looked last, the latest 64 at most.
    pub fn look(&mut self) -> Vec<Vec<u8>> {
        let mut seen = Vec::new();
        loop {
            match self.0.try_recv() {
                Ok(frame) => seen.push(frame),
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return seen,
            }
        }
    }
}
