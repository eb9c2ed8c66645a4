//! `packmule gateway`: a mediator for people and programs, in the foreground.
//!
//! Ready means: it is bound, and what it holds is there. SIGTERM and SIGINT end it gracefully;
//! SIGHUP makes it read its configuration again.

mod admin;
mod backup;
mod check_config;
mod invite;
mod mailboxes;
mod token;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use packmule_agent::protocol::out_of_band;
use packmule_gateway::config::{Config, ConfigError, Upstream};
use packmule_gateway::founding::FoundError;
use packmule_gateway::{Gateway, Plan, StartError};
use packmule_transports::for_a_node;
use sd_notify::NotifyState;
use serde_json::json;
use tokio::runtime::Builder;

use crate::args::{GatewayArgs, GatewayRunArgs, GatewayVerb, Globals};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::service::{ends, hangups, heartbeat, tell_manager, told_to_end};
use crate::ui::output::{Report, plain};
use crate::ui::passphrase;

/// The file in the home.
const FILE: &str = "gateway.toml";

/// Runs one of its verbs, or the gateway itself until it is told to end.
pub(crate) fn run(globals: &Globals, args: &GatewayArgs) -> Result<Report, Fault> {
    match &args.verb {
        None => serve(globals, &args.run),
        Some(GatewayVerb::CheckConfig { file }) => check_config::run(globals, file.as_deref()),
        Some(GatewayVerb::Backup { file }) => backup::write(globals, file),
        Some(GatewayVerb::Restore { file }) => backup::restore(globals, file),
        Some(GatewayVerb::Invite { qr }) => invite::run(globals, *qr),
        Some(GatewayVerb::Token) => token::run(globals),
        Some(GatewayVerb::Accounts) => admin::accounts(globals),
        Some(GatewayVerb::Queues) => admin::queues(globals),
        Some(GatewayVerb::DeadLetters) => admin::dead_letters(globals),
    }
}

fn serve(globals: &Globals, args: &GatewayRunArgs) -> Result<Report, Fault> {
    let home = crate::home::dir(globals)?;
    let config = decided(&home, args.config.as_deref(), args)?;
    // A file that was there and is gone is no reason to fall back to what is usual.
    let known = file(&home, args.config.as_deref());
    let passphrase = passphrase::given(globals.passphrase_file.as_deref())?;
    let mut plan = Plan {
        config,
        home: home.clone(),
        passphrase: passphrase.map(|bytes| bytes.to_vec()),
        transports: for_a_node(),
        mailboxes: None,
    };
    // Disk, keys and judging have threads of their own.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let runtime = Builder::new_multi_thread()
        .worker_threads(cores.clamp(1, 4))
        .thread_name("packmule")
        .enable_all()
        .build()?;
    let gateway = runtime.block_on(async {
        plan.mailboxes = mailboxes::open(&plan.config).await?;
        Ok::<_, Fault>(Gateway::start(plan).await?)
    })?;
    // From here on nobody ends us without grace.
    let mut ends = runtime.block_on(async { ends() })?;
    let mut hangups = runtime.block_on(async { hangups() })?;
    let reins = gateway.reins();
    tell(&gateway, &home, globals.json)?;
    tell_manager(&[NotifyState::Ready]);
    runtime.block_on(async {
        let mut alive = heartbeat();
        let told = async {
            loop {
                tokio::select! {
                    () = told_to_end(&mut ends) => break,
                    _ = alive.tick() => tell_manager(&[NotifyState::Watchdog]),
                    // In a terminal it says that the terminal was closed.
                    _ = hangups.recv() => {
                        if io::stdin().is_terminal() {
                            break;
                        }
                        match decided(&home, known.as_deref(), args) {
                            Ok(wanted) => drop(reins.reload(&wanted)),
                            Err(fault) => reins.keep(&fault),
                        }
                    }
                }
            }
            tell_manager(&[NotifyState::Stopping]);
        };
        gateway.run(told).await;
    });
    Ok(Report::told())
}

/// File, environment and flags together.
fn decided(
    home: &Path,
    named: Option<&Path>,
    args: &GatewayRunArgs,
) -> Result<Config, ConfigError> {
    let mut config = load(home, named)?;
    config.listen = args.listen.unwrap_or(config.listen);
    if let Some(url) = &args.public_url {
        config.public_url = Some(url.clone());
    }
    let upstreams = args.upstream.iter().map(|text| Upstream::named(text));
    config.upstream.extend(upstreams);
    config.check()?;
    Ok(config)
}

/// The line that scripts wait for, or the words for people.
fn tell(gateway: &Gateway, home: &Path, as_json: bool) -> Result<(), Fault> {
    let mut out = io::stdout().lock();
    if as_json {
        let ready = json!({
            "did": gateway.did(),
            "http": gateway.url(),
            "ws": gateway.socket_url(),
            "pid": std::process::id(),
        });
        writeln!(out, "{ready}")?;
    } else {
        let pid = std::process::id();
        writeln!(out, "packmule gateway on {} (pid {pid})", home.display())?;
        if gateway.is_new() {
            writeln!(out, "a new home was made")?;
        }
        if gateway.is_unattended() {
            let kept = home.join("passphrase");
            writeln!(out, "its passphrase lies in {}: guard it", kept.display())?;
        }
        writeln!(out, "listening: {}", gateway.address())?;
        writeln!(
            out,
            "reached at: {} and {}",
            gateway.url(),
            gateway.socket_url()
        )?;
        writeln!(out, "DID: {}", gateway.did())?;
        let invitation = out_of_band::to_url(&gateway.invitation(), gateway.url())?;
        writeln!(out, "invitation: {invitation}")?;
    }
    out.flush()?;
    for trouble in gateway.troubles() {
        eprintln!("note: {}", plain(trouble));
    }
    Ok(())
}

/// The configuration: the file named, else the home's, and the environment over it.
fn load(home: &Path, named: Option<&Path>) -> Result<Config, ConfigError> {
    let file = file(home, named);
    Config::load(file.as_deref(), variables())
}

fn file(home: &Path, named: Option<&Path>) -> Option<PathBuf> {
    let own = || Some(home.join(FILE)).filter(|path| path.exists());
    named.map(Path::to_owned).or_else(own)
}

/// The environment, but for what is no text: none of our names or values are like that.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

impl From<ConfigError> for Fault {
    fn from(err: ConfigError) -> Self {
        let what = err.to_string();
        match &err {
            ConfigError::Read { path, source } => Self::file("read", path, source),
            _ => Self::usage(what).hint("`packmule gateway --help` shows every key"),
        }
    }
}

impl From<StartError> for Fault {
    fn from(err: StartError) -> Self {
        let what = err.to_string();
        match err {
            StartError::Found(found) => found.into(),
            StartError::Token(token) => token.into(),
            StartError::Config(config) => config.into(),
            StartError::Node(node) => node.into(),
            StartError::Listen { .. } => Self::new(Exit::Internal, what)
                .hint("choose another address with --listen; port 0 is any free one"),
            StartError::Certificate { .. } => {
                Self::damaged(what).hint("[tls] names a chain and a key as PEM")
            }
            StartError::Store(_) => {
                Self::damaged(what).hint("restore the home's mailboxes.sqlite from a backup")
            }
            _ => Self::new(Exit::Internal, what),
        }
    }
}

impl From<FoundError> for Fault {
    fn from(err: FoundError) -> Self {
        let what = err.to_string();
        match err {
            FoundError::Create(create) => create.into(),
            FoundError::Unlock(unlock) => unlock.into(),
            FoundError::Home(home) => home.into(),
            FoundError::Did(did) => did.into(),
            FoundError::Nowhere(_) => Self::usage(what)
                .hint("say with --public-url how others reach it: its DID names that for ever"),
            FoundError::NoPassphrase(_) => Self::new(Exit::Passphrase, what)
                .hint("set PACKMULE_PASSPHRASE, or use --passphrase-file FILE"),
            _ => Self::new(Exit::Internal, what),
        }
    }
}
