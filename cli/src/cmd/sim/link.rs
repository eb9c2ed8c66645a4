//! `packmule sim link`: a local TCP connection that behaves like a channel.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use packmule_sim::presets::{Channel, Loss};
use packmule_sim::proxy::{Metrics, Proxy, ProxyError};
use serde_json::json;

use crate::args::{Globals, SimLinkArgs};
use crate::fault::{Fault, exit_of_io};
use crate::ui::output::Report;

/// Listens until the time is over or somebody interrupts; prints a line when it is ready.
pub(crate) fn run(globals: &Globals, args: &SimLinkArgs) -> Result<Report, Fault> {
    let channel = channel(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let name = channel.name.clone();
        let proxy = Proxy::bind(args.listen, args.to, channel, args.seed)
            .await
            .map_err(|err| match &err {
                ProxyError::Listen { error, .. } => Fault::new(exit_of_io(error), err.to_string()),
                _ => Fault::usage(err.to_string()),
            })?;
        let at = proxy.local_addr()?;
        ready(globals, &name, args, at)?;
        let metrics = proxy.serve(stopped(args.duration)).await;
        Ok(told(&metrics))
    })
}

fn channel(args: &SimLinkArgs) -> Result<Channel, Fault> {
    let path = Path::new(&args.preset);
    let mut channel = if path.is_file() {
        let text = std::fs::read_to_string(path).map_err(|err| Fault::file("read", path, &err))?;
        Channel::parse(&text).map_err(|err| Fault::damaged(format!("{}: {err}", path.display())))?
    } else {
        super::preset(&args.preset)?
    };
    if let Some(loss) = args.loss {
        if !(0.0..1.0).contains(&loss) {
            return Err(Fault::usage("--loss is a share, from 0 to below 1"));
        }
        channel.loss = Loss::even(loss);
    }
    Ok(channel)
}

/// One line, at once, so that a test suite can wait for it and read the port.
fn ready(
    globals: &Globals,
    name: &str,
    args: &SimLinkArgs,
    at: std::net::SocketAddr,
) -> Result<(), Fault> {
    let mut out = std::io::stdout().lock();
    if globals.json {
        let line = json!({
            "ready": true,
            "listen": at.to_string(),
            "to": args.to.to_string(),
            "preset": name,
            "seed": args.seed,
        });
        writeln!(out, "{line}")?;
    } else {
        writeln!(out, "{name}: {at} leads to {}", args.to)?;
    }
    out.flush()?;
    Ok(())
}

/// When the time is over, or at Ctrl-C or SIGTERM.
pub(super) async fn stopped(after: Option<u64>) {
    let timer = async {
        match after {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = timer => {}
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

fn told(metrics: &Metrics) -> Report {
    let text = format!(
        "{} connections ({} unanswered, {} ended by the channel), {} bytes forth, {} back, {} PDUs, {} sent again",
        metrics.connections,
        metrics.unanswered,
        metrics.dropped,
        metrics.forth_bytes,
        metrics.back_bytes,
        metrics.pdus,
        metrics.resent,
    );
    let json = serde_json::to_value(metrics).unwrap_or_default();
    Report::new(text, json)
}
