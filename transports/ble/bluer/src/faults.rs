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

/// No such property, or no interface that has it.
const UNKNOWN: [&str; 5] = [
    "org.freedesktop.DBus.Error.InvalidArgs",
    "org.freedesktop.DBus.Error.UnknownInterface",
    "org.freedesktop.DBus.Error.UnknownMethod",
    "org.freedesktop.DBus.Error.UnknownObject",
    "org.freedesktop.DBus.Error.UnknownProperty",
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

/// An adapter that is there, and off.
pub(crate) fn off(adapter: &str) -> String {
    OFF.replacen("the Bluetooth adapter", adapter, 1)
}

/// Does this fault of asking for advertisements mean that the daemon knows none? Before 5.48 it
/// had no such interface without `--experimental`; it tells no version.
pub(crate) fn too_old(fault: &Error) -> bool {
    match &fault.kind {
        ErrorKind::Internal(InternalErrorKind::DBus(name)) => UNKNOWN.contains(&name.as_str()),
        _ => false,
    }
}

/// The fault of an attempt.
pub(crate) fn told(fault: &Error) -> OpenError {
    match missing(fault) {
        Some(what) => OpenError::Unavailable(what.to_owned()),
        None if fault.kind == ErrorKind::NotFound => OpenError::Unavailable(NONE.to_owned()),
        None => OpenError::NoAnswer(fault.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_name(name: &str) -> Error {
        Error {
            kind: ErrorKind::Internal(InternalErrorKind::DBus(name.to_owned())),
            message: String::new(),
        }
    }

    #[test]
    fn what_is_missing_is_told_with_what_to_do() {
        for (name, what) in [
            ("org.freedesktop.DBus.Error.ServiceUnknown", "bluez"),
            ("org.freedesktop.DBus.Error.NameHasNoOwner", "bluez"),
            ("org.freedesktop.DBus.Error.FileNotFound", "/run/dbus"),
            ("org.freedesktop.DBus.Error.AccessDenied", "adduser"),
        ] {
            let told = missing(&by_name(name)).unwrap_or_default();
            assert!(told.contains(what), "{name}: {told}");
            let (_, how) = told.split_once(": ").unwrap_or_default();
            assert!(!how.is_empty(), "{told} says not what to do");
        }
        assert_eq!(missing(&by_name("org.example.Else")), None);
        assert!(off("hci7").starts_with("hci7 is switched off: `bluetoothctl"));
    }

    #[test]
    fn a_daemon_without_advertisements_is_too_old_and_a_busy_one_is_not() {
        assert!(too_old(&by_name("org.freedesktop.DBus.Error.InvalidArgs")));
        assert!(too_old(&by_name(
            "org.freedesktop.DBus.Error.UnknownInterface"
        )));
        assert!(!too_old(&by_name("org.freedesktop.DBus.Error.NoReply")));
        assert!(!too_old(&by_name(
            "org.freedesktop.DBus.Error.AccessDenied"
        )));
    }
}
