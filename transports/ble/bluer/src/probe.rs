//! Whether Bluetooth works here, and what to do where it does not: for `packmule doctor`.
//!
//! Called by [`crate::Bluez`]. What can go wrong is what it is for.

use bluer::{Adapter, Error, ErrorKind, Session};
use packmule_bus::link::Probe;

use crate::faults::{BUS, NONE, missing, off, too_old};

const OLD: &str = "this BlueZ is too old to be seen by others: 5.48 or newer is needed \
     (`bluetoothd --version`); on older ones start it with --experimental";

/// Looks at one adapter, or at the system's first one.
pub(crate) async fn look(named: Option<&str>) -> Probe {
    let found = find(named).await;
    Probe {
        ready: found.is_ok(),
        finding: found.unwrap_or_else(|missing| missing),
    }
}

async fn find(named: Option<&str>) -> Result<String, String> {
    let session = Session::new().await;
    let session = session.map_err(|why| missing(&why).unwrap_or(BUS).to_owned())?;
    let names = session.adapter_names().await.map_err(|why| said(&why))?;
    let adapter = match named {
        Some(name) if !names.iter().any(|it| it == name) => {
            return Err(match names.is_empty() {
                true => NONE.to_owned(),
                false => format!("no adapter is called {name}; here are {}", names.join(", ")),
            });
        }
        Some(name) => session.adapter(name),
        None => session.default_adapter().await,
    };
    let adapter = adapter.map_err(|why| said(&why))?;
    if !adapter.is_powered().await.map_err(|why| said(&why))? {
        return Err(off(adapter.name()));
    }
    roles(&adapter).await
}

async fn roles(adapter: &Adapter) -> Result<String, String> {
    let name = adapter.name();
    let address = adapter.address().await.map_err(|why| said(&why))?;
    match adapter.supported_advertising_instances().await {
        Ok(0) => Ok(format!(
            "{name} ({address}) can look for others, but cannot be seen: all its advertisements are taken"
        )),
        Ok(_) => Ok(format!(
            "{name} ({address}): `packmule run --listen ble:{name}`"
        )),
        Err(why) if too_old(&why) => Err(OLD.to_owned()),
        Err(why) => Err(said(&why)),
    }
}

fn said(fault: &Error) -> String {
    match missing(fault) {
        Some(what) => what.to_owned(),
        None if fault.kind == ErrorKind::NotFound => NONE.to_owned(),
        None => format!("BlueZ: {fault}"),
    }
}
