//! Who uses a connection: several channels may share one, and the last one ends it.
//!
//! Called by whoever opens a channel, in either role. What can go wrong: BlueZ takes two seconds
//! to disconnect, and a connection that is asked for meanwhile fails: it waits here instead.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bluer::{Address, Device};
use tokio::runtime::Handle;
use tokio::sync::{Mutex as Door, Notify, OwnedMutexGuard};
use tokio::time::{Duration, sleep};

/// Whoever waits for the end of everything looks so often.
const ASK: Duration = Duration::from_millis(50);

type Seats = Mutex<HashMap<Address, Seat>>;

/// Every connection of one adapter in which we have a part.
#[derive(Clone, Default)]
pub(crate) struct Guests(Arc<Room>);

#[derive(Default)]
struct Room {
    seats: Seats,
    /// Told when a connection has ended.
    left: Notify,
}

#[derive(Default)]
struct Seat {
    holds: usize,
    /// Locked while a connection is ended.
    door: Arc<Door<()>>,
}

/// A part in a connection; the last one that is dropped ends it.
pub(crate) struct Hold {
    room: Arc<Room>,
    device: Device,
}

impl Guests {
    /// Takes part in the connection to this device, once one that ends has ended.
    pub(crate) async fn hold(&self, device: &Device) -> Hold {
        let hold = self.hold_now(device);
        let door = with(&self.0.seats, |all| {
            let seat = all.get(&device.address());
            seat.map(|seat| Arc::clone(&seat.door))
        });
        if let Some(door) = door {
            drop(door.lock().await);
        }
        hold
    }

    /// Until a connection has ended in which we had a part.
    pub(crate) async fn left(&self) {
        self.0.left.notified().await;
    }

    /// Until no connection is left in which we have, or had, a part.
    pub(crate) async fn quiet(&self) {
        while with(&self.0.seats, |all| !all.is_empty()) {
            sleep(ASK).await;
        }
    }

    /// The same, of a connection that is there.
    pub(crate) fn hold_now(&self, device: &Device) -> Hold {
        with(&self.0.seats, |all| {
            all.entry(device.address()).or_default().holds += 1;
        });
        Hold {
            room: Arc::clone(&self.0),
            device: device.clone(),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let address = self.device.address();
        let ends: Option<OwnedMutexGuard<()>> = with(&self.room.seats, |all| {
            let seat = all.get_mut(&address)?;
            seat.holds -= 1;
            let last = seat.holds == 0;
            let door = Arc::clone(&seat.door);
            last.then(|| door.try_lock_owned().ok()).flatten()
        });
        let (Some(ends), Ok(runtime)) = (ends, Handle::try_current()) else {
            return;
        };
        let (device, room) = (self.device.clone(), Arc::clone(&self.room));
        runtime.spawn(async move {
            let _ = device.disconnect().await;
            drop(ends);
            with(&room.seats, |all| {
                all.retain(|at, seat| *at != address || seat.holds > 0);
            });
            room.left.notify_one();
        });
    }
}

fn with<T>(seats: &Seats, act: impl FnOnce(&mut HashMap<Address, Seat>) -> T) -> T {
    // A panic elsewhere leaves it whole: every change is one step.
    act(&mut seats.lock().unwrap_or_else(PoisonError::into_inner))
}
