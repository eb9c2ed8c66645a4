//! `packmule run`: the node in the foreground.
//!
//! Ready means: it listens, and whatever the home holds is on its way. SIGTERM and SIGINT end it
//! gracefully; a second one at once.

use std::io::{self, Write};
use std::sync::Arc;

use packmule_node::control::EventLine;
use packmule_node::{Events, Node};
use packmule_uplink::{Event, NodeOwner, Owner, Uplink, Upstream, What};
use sd_notify::NotifyState;
use serde_json::json;
use tokio::signal::unix::Signal;

use crate::args::{Globals, RunArgs};
use crate::fault::Fault;
use crate::flow::embark::Aboard;
use crate::flow::service::{ends, heartbeat, tell_manager, told_to_end};
use crate::flow::settings::Settings;
use crate::ui::output::{Report, plain};
use crate::ui::{events, passphrase};

/// Runs until it is told to end.
pub(crate) fn run(globals: &Globals, args: &RunArgs) -> Result<Report, Fault> {
    let home = crate::home::open(globals)?;
    let dir = home.dir().to_owned();
    let settings = Settings::of_run(&dir, args)?;
    let passphrase = passphrase::of(&home, globals)?;
    let keys = home.unlock(&passphrase)?;
    drop(passphrase);
    let aboard = Aboard::start(home, keys, &settings)?;
    let listening: Vec<String> = aboard
        .node
        .listening()
        .iter()
        .map(ToString::to_string)
        .collect();
    // From here on nobody ends us without grace.
    let mut ends = aboard.runtime.block_on(async { ends() })?;
    let mut out = io::stdout().lock();
    if globals.json {
        let ready = json!({
            "ready": true,
            "listen": listening,
            "pid": std::process::id(),
            "home": dir,
        });
        writeln!(out, "{ready}")?;
    } else {
        let pid = std::process::id();
        writeln!(out, "packmule runs on {} (pid {pid})", dir.display())?;
        for way in &listening {
            writeln!(out, "listening: {}", plain(way))?;
        }
        if listening.is_empty() {
            writeln!(out, "listening nowhere: it only reaches out")?;
        }
    }
    out.flush()?;
    drop(out);
    for trouble in aboard.node.troubles() {
        eprintln!("note: {}", plain(trouble));
    }
    tell_manager(&[NotifyState::Ready]);
    let tell = args.events.then_some(globals.json);
    let Aboard { runtime, node } = aboard;
    let owner: Arc<dyn Owner> = Arc::new(NodeOwner::new(node.clone(), tell_of_upstream));
    let upstreams = settings.upstream.iter().map(|did| Upstream::new(did));
    let uplink = runtime.block_on(async { Uplink::start(&node, &owner, upstreams.collect()) });
    let ended = runtime.block_on(until_told(&node, &mut ends, tell));
    tell_manager(&[NotifyState::Stopping]);
    runtime.block_on(async {
        uplink.stop().await;
        tokio::select! {
            () = node.stop() => {}
            () = told_to_end(&mut ends) => {}
        }
    });
    ended.map(|()| Report::told())
}

/// What people should know of a mediator; whoever reads it may have gone.
fn tell_of_upstream(event: &Event) {
    let number = event.upstream;
    let line = match &event.what {
        What::Up => format!("upstream {number} answers"),
        What::Waiting { wait, why } => {
            format!(
                "upstream {number} is left alone for {} s: {why}",
                wait.as_secs()
            )
        }
        What::Moved => format!("upstream {number} goes by another DID now"),
        _ => return,
    };
    let _ = writeln!(io::stderr(), "note: {}", plain(&line));
}

/// Passes events on until a signal comes, or the node has been stopped by its control socket.
async fn until_told(node: &Node, ends: &mut [Signal; 2], tell: Option<bool>) -> Result<(), Fault> {
    let mut alive = heartbeat();
    // Nobody is told, nobody listens: an event that nobody hears costs nothing.
    let mut happening = tell.map(|as_json| (node.events(), as_json));
    loop {
        tokio::select! {
            () = told_to_end(ends) => return Ok(()),
            () = node.ended() => return Ok(()),
            _ = alive.tick() => tell_manager(&[NotifyState::Watchdog]),
            event = next(&mut happening), if happening.is_some() => match event {
                Some((event, as_json)) => say(&event, as_json)?,
                None => return Ok(()),
            },
        }
    }
}

/// The next event, and whether it is told in JSON.
async fn next(happening: &mut Option<(Events, bool)>) -> Option<(EventLine, bool)> {
    let (events, as_json) = happening.as_mut()?;
    Some((events.next().await?, *as_json))
}

/// Whoever read our events may have gone: the node goes on.
fn say(event: &EventLine, as_json: bool) -> Result<(), Fault> {
    match events::print(event, as_json) {
        Err(err) if err.kind() != io::ErrorKind::BrokenPipe => Err(err.into()),
        _ => Ok(()),
    }
}
