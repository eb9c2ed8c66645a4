//! What trouble-host needs of its surroundings: a transport to a controller, packets, and a clock.
//!
//! Called by [`super::stack`]. What can go wrong: the clock is tokio's, so that it has to be asked
//! in a runtime; a paused one pauses trouble-host's time-outs too.

use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::LazyLock;
use std::task::Waker;
use std::time::Duration;

use bt_hci::transport::{PacketToController, PacketToHost, Transport, WithIndicator};
use bt_hci::{PacketKind, ReadHciError};
use embassy_time_driver::{Driver, TICK_HZ, time_driver_impl};
use embedded_io::{ErrorType, Write};
use packmule_controller::Port;
use tokio::time::Instant;
use trouble_host::{Packet, PacketPool};

thread_local! {
    /// What hosts of this story have given to their controllers, once somebody listens.
    static OVERHEARD: RefCell<Option<Vec<Vec<u8>>>> = const { RefCell::new(None) };
}

/// From now on every packet is written down that a host of this story gives to its controller.
pub fn overhear() {
    OVERHEARD.set(Some(Vec::new()));
}

/// What was written down.
pub fn overheard() -> Vec<Vec<u8>> {
    OVERHEARD.take().unwrap_or_default()
}

/// A controller of ours.
pub struct Wire(pub Port);

/// The controller says what trouble-host does not understand.
#[derive(Debug)]
pub struct Fault(String);

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl embedded_io::Error for Fault {
    fn kind(&self) -> embedded_io::ErrorKind {
        embedded_io::ErrorKind::InvalidData
    }
}

impl From<ReadHciError<Infallible>> for Fault {
    fn from(why: ReadHciError<Infallible>) -> Self {
        Self(format!("{why:?}"))
    }
}

impl ErrorType for Wire {
    type Error = Fault;
}

impl Transport for Wire {
    async fn read<'a, P: PacketToHost<'a>>(&self, rx: &'a mut [u8]) -> Result<P, Fault> {
        let packet = self.0.read().await;
        let mut rest = &packet[..];
        let kind = PacketKind::read(&mut rest)?;
        Ok(P::read_hci(kind, &mut rest, rx)?)
    }

    async fn write<P: PacketToController>(&self, tx: &P) -> Result<(), Fault> {
        let mut out = Bytes(Vec::new());
        let Ok(()) = WithIndicator::new(tx).write_hci(&mut out);
        OVERHEARD.with_borrow_mut(|all| {
            if let Some(all) = all {
                all.push(out.0.clone());
            }
        });
        self.0.write(&out.0);
        Ok(())
    }
}

struct Bytes(Vec<u8>);

impl ErrorType for Bytes {
    type Error = Infallible;
}

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Packets of the heap, as long as this: four bytes more than the ATT MTU.
pub struct Heap<const LENGTH: usize>;

/// One of them.
pub struct Boxed<const LENGTH: usize>(Box<[u8; LENGTH]>);

impl<const LENGTH: usize> Packet for Boxed<LENGTH> {}

impl<const LENGTH: usize> AsRef<[u8]> for Boxed<LENGTH> {
    fn as_ref(&self) -> &[u8] {
        &self.0[..]
    }
}

impl<const LENGTH: usize> AsMut<[u8]> for Boxed<LENGTH> {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0[..]
    }
}

impl<const LENGTH: usize> PacketPool for Heap<LENGTH> {
    type Packet = Boxed<LENGTH>;
    const MTU: usize = LENGTH;

    fn allocate() -> Option<Boxed<LENGTH>> {
        Some(Boxed(Box::new([0; LENGTH])))
    }

    fn capacity() -> usize {
        64
    }
}

/// tokio's clock, for trouble-host's time-outs.
struct Clock;

/// Before any runtime's clock was paused.
static BEGAN: LazyLock<Instant> = LazyLock::new(|| Instant::from_std(std::time::Instant::now()));

impl Driver for Clock {
    fn now(&self) -> u64 {
        let micros = Instant::now().saturating_duration_since(*BEGAN).as_micros();
        u64::try_from(micros).unwrap_or(u64::MAX) * TICK_HZ / 1_000_000
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        // Whoever looks by itself needs no waking.
        if waker.will_wake(Waker::noop()) {
            return;
        }
        let waker = waker.clone();
        let at = *BEGAN + Duration::from_micros(at.saturating_mul(1_000_000) / TICK_HZ);
        tokio::spawn(async move {
            tokio::time::sleep_until(at).await;
            waker.wake();
        });
    }
}

time_driver_impl!(static CLOCK: Clock = Clock);
