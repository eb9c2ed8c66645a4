//! A program that runs until it is told to end: signals, and the service manager.
//!
//! Who calls it: `run` and `gateway`. What can go wrong: no manager listens, and that is fine.

use std::io;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, interval};

/// Without a watchdog that wants to hear more often.
const NEVER: Duration = Duration::from_secs(86_400);

/// What ends it gracefully. From this call on nobody ends us without grace.
pub(crate) fn ends() -> io::Result<[Signal; 2]> {
    Ok([
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    ])
}

/// Waits for one of them.
pub(crate) async fn told_to_end(ends: &mut [Signal; 2]) {
    let [term, int] = ends;
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

/// What makes it read its configuration again. From this call on it does not end us.
pub(crate) fn hangups() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Twice as often as systemd wants to hear from us, if it does.
pub(crate) fn heartbeat() -> Interval {
    let wanted = sd_notify::watchdog_enabled();
    interval(wanted.map_or(NEVER, |most| (most / 2).max(Duration::from_millis(100))))
}

/// Without systemd nobody listens, and that is fine.
pub(crate) fn tell_manager(state: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(state);
}
