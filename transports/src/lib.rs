//! The façade over all transport crates.
//!
//! What is it: one name under which the command line finds every adapter, for its verbs and for the
//! nodes that it starts; the only place where cargo features may choose among them. Features are
//! additive and named as the adapters are; by default all are on. Who calls it: those who carry.
//! What can go wrong: nothing here; each adapter's front page tells of its own.

use std::sync::Arc;

use packmule_bus::link::Transport;

#[cfg(feature = "ble")]
pub use packmule_ble as ble;
#[cfg(all(feature = "bluer", target_os = "linux"))]
pub use packmule_ble_bluer as bluer;
#[cfg(feature = "btleplug")]
pub use packmule_ble_btleplug as btleplug;
#[cfg(feature = "drive")]
pub use packmule_drive as drive;
#[cfg(feature = "http")]
pub use packmule_http as http;
#[cfg(feature = "mail")]
pub use packmule_mail as mail;
#[cfg(feature = "mem")]
pub use packmule_mem as mem;
#[cfg(feature = "nfc")]
pub use packmule_nfc as nfc;
#[cfg(feature = "qr")]
pub use packmule_qr as qr;
#[cfg(feature = "tcp")]
pub use packmule_tcp as tcp;
#[cfg(feature = "ws")]
pub use packmule_ws as ws;

/// The names of the transports in this build, sorted: as features (`https` and `wss` come with
/// `http` and `ws`), in records of how a message came (`qr`, `drive:/media/stick`), and in what
/// `packmule doctor` prints.
pub const NAMES: &[&str] = &[
    #[cfg(feature = "ble")]
    "ble",
    #[cfg(feature = "drive")]
    "drive",
    #[cfg(feature = "http")]
    "http",
    #[cfg(feature = "http")]
    "https",
    #[cfg(feature = "mail")]
    "imap",
    #[cfg(feature = "mail")]
    "lmtp",
    #[cfg(feature = "mail")]
    "mailto",
    #[cfg(feature = "mem")]
    "mem",
    #[cfg(feature = "nfc")]
    "nfc",
    #[cfg(feature = "qr")]
    "qr",
    #[cfg(feature = "mail")]
    "smtp",
    #[cfg(feature = "tcp")]
    "tcp",
    #[cfg(feature = "ws")]
    "ws",
    #[cfg(feature = "ws")]
    "wss",
];

/// The transports that a node starts with, each as it is without settings. Memory is none of
/// them (it leads nowhere beyond the process), folders and pictures are carried by hand, and mail
/// is nothing without settings: [`mail::Settings`] make its transports.
#[must_use]
pub fn for_a_node() -> Vec<Arc<dyn Transport>> {
    Vec::from([
        #[cfg(feature = "tcp")]
        (Arc::new(tcp::Tcp) as Arc<dyn Transport>),
        #[cfg(feature = "ws")]
        (Arc::new(ws::Ws::default()) as Arc<dyn Transport>),
        #[cfg(feature = "ws")]
        (Arc::new(ws::Wss::default()) as Arc<dyn Transport>),
        #[cfg(feature = "http")]
        (Arc::new(http::Http::default()) as Arc<dyn Transport>),
        #[cfg(feature = "http")]
        (Arc::new(http::Https::default()) as Arc<dyn Transport>),
        #[cfg(feature = "nfc")]
        (Arc::new(nfc::Nfc::over(nfc_chips())) as Arc<dyn Transport>),
        #[cfg(feature = "ble")]
        (Arc::new(ble::Ble::new(radio(None))) as Arc<dyn Transport>),
    ])
}

/// Bluetooth by what this build has for it, on the adapter of this name, else on the system's
/// first one until a node listens on another.
#[cfg(all(feature = "bluer", target_os = "linux"))]
#[must_use]
pub fn radio(adapter: Option<&str>) -> impl ble::radio::Radio + use<> {
    adapter.map_or_else(bluer::Bluez::default, bluer::Bluez::on)
}

/// Bluetooth by what this build has for it: a central, which nobody sees.
#[cfg(all(feature = "btleplug", not(all(feature = "bluer", target_os = "linux"))))]
#[must_use]
pub fn radio(adapter: Option<&str>) -> impl ble::radio::Radio + use<> {
    adapter.map_or_else(btleplug::Plug::default, btleplug::Plug::on)
}

/// Bluetooth by what this build has for it: nothing, which it says to whoever asks.
#[cfg(all(
    feature = "ble",
    not(any(feature = "btleplug", all(feature = "bluer", target_os = "linux")))
))]
#[must_use]
pub fn radio(_: Option<&str>) -> impl ble::radio::Radio + use<> {
    ble::radio::Missing
}

/// The transport that opens the ways which begin with `name`, if this build has it. Each call
/// of `mem` makes a hub of its own: keep it and clone it.
#[must_use]
pub fn by_name(name: &str) -> Option<Arc<dyn Transport>> {
    match name {
        #[cfg(feature = "ble")]
        "ble" => Some(Arc::new(ble::Ble::new(radio(None)))),
        #[cfg(feature = "http")]
        "http" => Some(Arc::new(http::Http::default())),
        #[cfg(feature = "http")]
        "https" => Some(Arc::new(http::Https::default())),
        #[cfg(feature = "mem")]
        "mem" => Some(Arc::new(mem::Mem::new())),
        #[cfg(feature = "nfc")]
        "nfc" => Some(Arc::new(nfc::Nfc::over(nfc_chips()))),
        #[cfg(feature = "tcp")]
        "tcp" => Some(Arc::new(tcp::Tcp)),
        #[cfg(feature = "ws")]
        "ws" => Some(Arc::new(ws::Ws::default())),
        #[cfg(feature = "ws")]
        "wss" => Some(Arc::new(ws::Wss::default())),
        _ => None,
    }
}

/// The chips that this build has a driver for.
#[cfg(feature = "nfc")]
#[must_use]
pub fn nfc_chips() -> nfc::Several {
    nfc::Several::new(Vec::from([
        #[cfg(feature = "nfc-libnfc")]
        (
            "libnfc",
            Arc::new(nfc::worker::Workers::of_this_program()) as Arc<dyn nfc::Chips>,
        ),
        #[cfg(feature = "nfc-pcsc")]
        (
            "pcsc",
            Arc::new(packmule_nfc_pcsc::Readers) as Arc<dyn nfc::Chips>,
        ),
    ]))
}

/// What `packmule nfc-worker` does: drives a chip by libnfc, told by its standard input.
///
/// # Errors
/// If this build has no libnfc, or whoever started it says nonsense.
#[cfg(feature = "nfc")]
pub fn nfc_worker(device: &str) -> std::io::Result<()> {
    #[cfg(feature = "nfc-libnfc")]
    return packmule_nfc_libnfc::work(device);
    #[cfg(not(feature = "nfc-libnfc"))]
    nfc::worker::serve(
        Err(format!("this build has no libnfc, for {device}")),
        &mut std::io::stdin(),
        &mut std::io::stdout(),
    )
}

#[cfg(test)]
mod tests {
    use super::{NAMES, by_name, for_a_node};

    #[test]
    fn names_are_sorted_and_none_comes_twice() {
        assert!(NAMES.is_sorted_by(|a, b| a < b), "{NAMES:?}");
        assert_eq!(NAMES.contains(&"drive"), cfg!(feature = "drive"));
        assert_eq!(NAMES.contains(&"qr"), cfg!(feature = "qr"));
    }

    #[test]
    fn a_transport_answers_to_the_name_it_is_found_by() {
        for name in NAMES {
            if let Some(transport) = by_name(name) {
                assert_eq!(transport.name(), *name);
            }
        }
        assert_eq!(by_name("tcp").is_some(), cfg!(feature = "tcp"));
        for name in ["ws", "wss"] {
            assert_eq!(by_name(name).is_some(), cfg!(feature = "ws"), "{name}");
        }
        for name in ["http", "https"] {
            assert_eq!(by_name(name).is_some(), cfg!(feature = "http"), "{name}");
        }
        assert_eq!(by_name("mem").is_some(), cfg!(feature = "mem"));
        assert_eq!(by_name("nfc").is_some(), cfg!(feature = "nfc"));
        assert_eq!(by_name("ble").is_some(), cfg!(feature = "ble"));
        assert!(by_name("pigeon").is_none());
    }

    #[test]
    fn a_node_starts_with_the_sockets_and_radios_of_this_build() {
        let names: Vec<&str> = for_a_node().iter().map(|one| one.name()).collect();
        let expected = [
            ("tcp", cfg!(feature = "tcp")),
            ("ws", cfg!(feature = "ws")),
            ("wss", cfg!(feature = "ws")),
            ("http", cfg!(feature = "http")),
            ("https", cfg!(feature = "http")),
            ("nfc", cfg!(feature = "nfc")),
            ("ble", cfg!(feature = "ble")),
        ];
        let expected = expected.iter().filter(|one| one.1).map(|one| one.0);
        assert_eq!(names, expected.collect::<Vec<_>>());
    }
}
