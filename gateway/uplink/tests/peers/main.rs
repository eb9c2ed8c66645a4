//! Mediators as they were seen to be, played by one small server: each in its own shape, with its
//! oddities, and with everything that a bad network does.
#![expect(
    clippy::unwrap_used,
    reason = "a story that does not go as told fails, loudly"
)]

mod desk;
mod faults;
mod kiosk;
mod live;
mod peer;
mod shapes;
mod wire;
