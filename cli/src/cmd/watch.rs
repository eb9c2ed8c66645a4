//! `packmule watch`: what happens in the running node, a line each.

use std::time::{Duration, Instant};

use packmule_node::control::Client;

use crate::args::{Globals, WatchArgs};
use crate::fault::Fault;
use crate::flow::node::Events;
use crate::ui::events;
use crate::ui::output::Report;

/// Watches until the node ends, or as long as it was asked to.
pub(crate) fn run(globals: &Globals, args: &WatchArgs) -> Result<Report, Fault> {
    let home = crate::home::open(globals)?;
    let client = Client::connect(home.dir())?;
    let span = args.span.map(Duration::from_secs);
    let until = span.and_then(|span| Instant::now().checked_add(span));
    if !globals.json && !globals.quiet {
        eprintln!("watching node {}; Ctrl-C ends it", client.pid());
    }
    let happening = Events::of(client)?;
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        let Some(event) = happening.next(until)? else {
            break;
        };
        events::print(&event, globals.json)?;
        left -= 1;
    }
    Ok(Report::told())
}
