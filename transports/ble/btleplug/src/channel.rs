//! A channel over a connection: values written without response, values notified.
//!
//! Called by [`crate::dial`]. What can go wrong: the connection ends, which only the adapter's
//! events tell: the stream of values goes on with those of the next connection.

use std::pin::Pin;
use std::sync::Arc;

use btleplug::api::{CentralEvent, Characteristic, Peripheral as _, ValueNotification, WriteType};
use btleplug::platform::{Peripheral, PeripheralId};
use futures_util::{Stream, StreamExt};
use packmule_ble::plan::Service;
use packmule_ble::radio::{Bearer, Channel};
use packmule_bus::link::{BoxFut, LinkError, LinkRx, LinkTx};
use tokio::runtime::Handle;
use uuid::Uuid;

/// The values that a device notifies, of every characteristic.
pub(crate) type Values = Pin<Box<dyn Stream<Item = ValueNotification> + Send>>;
/// What happens on the adapter.
pub(crate) type Events = Pin<Box<dyn Stream<Item = CentralEvent> + Send>>;

/// A connection, which ends when it is dropped.
pub(crate) struct Hold(pub(crate) Peripheral);

impl Drop for Hold {
    fn drop(&mut self) {
        let device = self.0.clone();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let _ = device.disconnect().await;
            });
        }
    }
}

pub(crate) fn of(
    hold: Hold,
    service: &'static Service,
    ((write, without_response), notify): ((Characteristic, bool), Uuid),
    (values, events): (Values, Events),
    longest: usize,
) -> Channel {
    let id = hold.0.id();
    let hold = Arc::new(hold);
    let how = match without_response {
        true => WriteType::WithoutResponse,
        false => WriteType::WithResponse,
    };
    Channel {
        service,
        bearer: Bearer::Gatt,
        longest,
        with: id.to_string(),
        tx: Box::new(Written(Arc::clone(&hold), write, how)),
        rx: Box::new(Notified {
            values,
            events,
            notify,
            id,
            over: false,
            _hold: hold,
        }),
        answers: None,
    }
}

struct Written(Arc<Hold>, Characteristic, WriteType);

impl LinkTx for Written {
    fn send(&mut self, value: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            let written = self.0.0.write(&self.1, &value, self.2);
            written.await.map_err(|_| LinkError::Closed)
        })
    }
}

struct Notified {
    values: Values,
    events: Events,
    notify: Uuid,
    id: PeripheralId,
    over: bool,
    _hold: Arc<Hold>,
}

impl LinkRx for Notified {
    fn recv(&mut self) -> BoxFut<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(async {
            while !self.over {
                tokio::select! {
                    biased;
                    value = self.values.next() => match value {
                        Some(value) if value.uuid == self.notify => return Ok(value.value),
                        Some(_) => {}
                        None => self.over = true,
                    },
                    event = self.events.next() => match event {
                        Some(CentralEvent::DeviceDisconnected(id)) if id == self.id => self.over = true,
                        Some(_) => {}
                        None => self.over = true,
                    },
                }
            }
            Err(LinkError::Closed)
        })
    }
}
