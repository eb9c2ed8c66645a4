//! What BlueZ's faults mean to whoever hears of them.
//!
//! Called by everything here. What can go wrong: a fault of a kind that is not known, which is
//! told in BlueZ's own words.

use bluer::{Error, ErrorKind, InternalErrorKind};
use packmule_bus::link::OpenError;

/// No daemon has the name `org.bluez`.
const NO_DAEMON: [&str; 3] = [
    "org.freedesktop.DBus.Error.ServiceUnknown",
    "org.freedesktop.DBus.Error.NameHasNoOwner",
    "org.freedesktop.DBus.Error.Spawn.ServiceNotFound",
];
const NO_PERMISSION: &str = "org.freedesktop.DBus.Error.AccessDenied";
/// The bus itself: no socket, nobody behind it.
const NO_BUS: [&str; 3] = [
    "org.freedesktop.DBus.Error.FileNotFound",
    "org.freedesktop.DBus.Error.NoServer",
    "org.freedesktop.DBus.Error.Disconnected",
];

/// What is missing, if a fault says so; for people.
pub(crate) fn missing(fault: &Error) -> Option<&'static str> {
    let name = match &fault.kind {
        ErrorKind::Internal(InternalErrorKind::DBus(name)) => name.as_str(),
        ErrorKind::NotReady => return Some(OFF),
        _ => return None,
    };
    if NO_DAEMON.contains(&name) {
        Some(DAEMON)
    } else if NO_BUS.contains(&name) {
        Some(BUS)
    } else if name == NO_PERMISSION {
        Some(PERMISSION)
    } else {
        None
    }
}

pub(crate) const DAEMON: &str =
    "BlueZ does not run: `apt install bluez`, then `systemctl start bluetooth`";
pub(crate) const BUS: &str =
    "no system bus: install `dbus` and start it; in a container, mount /run/dbus into it";
pub(crate) const PERMISSION: &str =
    "no permission to use Bluetooth: `adduser $USER bluetooth`, and log in anew";
pub(crate) const OFF: &str = "the Bluetooth adapter is switched off: `bluetoothctl power on`; \
     if that fails, `rfkill unblock bluetooth`";
pub(crate) const NONE: &str = "no Bluetooth adapter: plug one in, or switch it on in the firmware; \
     `rfkill list` and `dmesg` tell more";

/// The fault of an attempt.
pub(crate) fn told(fault: &Error) -> OpenError {
    match missing(fault) {
        Some(what) => OpenError::Unavailable(what.to_owned()),
        None if fault.kind == ErrorKind::NotFound => OpenError::Unavailable(NONE.to_owned()),
        None => OpenError::NoAnswer(fault.to_string()),
    }
}
