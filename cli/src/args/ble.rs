//! Bluetooth LE: look around, be seen, measure.
//!
//! Who calls it: the verb of this name. What can go wrong: see [`super`].

use clap::{Args, Subcommand};

/// `ble`
#[derive(Args, Debug)]
pub(crate) struct BleArgs {
    #[command(subcommand)]
    pub(crate) verb: BleVerb,
}

/// What can be done with a radio.
#[derive(Debug, Subcommand)]
pub(crate) enum BleVerb {
    /// Look for nodes that can be seen from here
    Scan(BleScanArgs),
    /// Be seen, and give back whatever comes: for `ble echo`
    Serve(BleServeArgs),
    /// Measure how fast values pass to a radio that serves, and back
    Echo(BleEchoArgs),
}

/// `ble scan`
#[derive(Args, Debug)]
pub(crate) struct BleScanArgs {
    /// The adapter: hci0 [default: the first one]
    #[arg(long, value_name = "NAME")]
    pub(crate) adapter: Option<String>,
    /// How many seconds to look
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) patience: u64,
}

/// `ble serve`
#[derive(Args, Debug)]
pub(crate) struct BleServeArgs {
    /// The adapter: hci0
    pub(crate) adapter: String,
    /// Without L2CAP
    #[arg(long)]
    pub(crate) gatt: bool,
    /// End after so many seconds [default: when it is told to]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) patience: Option<u64>,
}

/// `ble echo`
#[derive(Args, Debug)]
pub(crate) struct BleEchoArgs {
    /// Where somebody serves: an address that `ble scan` shows
    pub(crate) address: String,
    /// The adapter: hci0 [default: the first one]
    #[arg(long, value_name = "NAME")]
    pub(crate) adapter: Option<String>,
    /// How many bytes go there and come back
    #[arg(long, value_name = "BYTES", default_value_t = 100_000)]
    pub(crate) bytes: usize,
    /// How many seconds it may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) patience: u64,
}
