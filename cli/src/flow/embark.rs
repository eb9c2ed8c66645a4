//! A node within this process: for `run`, and for the length of a `send --by`.
//!
//! Who calls it: those two, and the demo. What can go wrong: another node runs on the home; a way
//! cannot be listened on; no runtime. Dropping it without [`Aboard::leave`] is like being killed:
//! nothing is lost.

use std::sync::Arc;

use packmule_agent::keys::Keyring;
use packmule_bus::link::Transport;
use packmule_node::{Home, Node, NodeConfig, StartError};
use packmule_transports::for_a_node;
use tokio::runtime::{Builder, Runtime};

use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::settings::Settings;

/// A running node and the runtime that it runs on.
pub(crate) struct Aboard {
    pub(crate) runtime: Runtime,
    pub(crate) node: Node,
}

impl Aboard {
    /// Starts a node on a home.
    pub(crate) fn start(home: Home, keys: Keyring, settings: &Settings) -> Result<Self, Fault> {
        Self::with(home, keys, settings, |_| true)
    }

    /// Starts one with some of the transports.
    pub(crate) fn with(
        home: Home,
        keys: Keyring,
        settings: &Settings,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Self, Fault> {
        let mut transports = for_a_node();
        transports.retain(|transport| wanted(transport.name()));
        Self::by(home, keys, settings, transports)
    }

    /// Starts one with these transports, and those for mail.
    pub(crate) fn by(
        home: Home,
        keys: Keyring,
        settings: &Settings,
        mut transports: Vec<Arc<dyn Transport>>,
    ) -> Result<Self, Fault> {
        // Disk, keys and judging have threads of their own. On a small machine a second one for
        // the rest only means more waking of each other.
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let runtime = Builder::new_multi_thread()
            .worker_threads((cores / 2).clamp(1, 2))
            .thread_name("packmule")
            .enable_all()
            .build()?;
        let mailer = settings.mailer(home.dir())?;
        transports.extend(mailer.transports);
        let config = NodeConfig {
            listen: [settings.listen.clone(), mailer.listen].concat(),
            scout: settings.discover,
            depot: settings.depot.clone(),
            doors: mailer.doors,
            ..NodeConfig::default()
        };
        let node = runtime.block_on(Node::start(Arc::new(home), keys, transports, config))?;
        Ok(Self { runtime, node })
    }

    /// Ends it gracefully: links are closed and everything is committed.
    pub(crate) fn leave(self) {
        self.runtime.block_on(self.node.stop());
    }
}

impl From<StartError> for Fault {
    fn from(err: StartError) -> Self {
        let what = err.to_string();
        match err {
            StartError::Home(home) => home.into(),
            StartError::Book(book) => book.into(),
            StartError::Running { .. } => Self::new(Exit::Exists, what)
                .hint("`packmule status` tells how it stands; use it, or end it first"),
            _ => Self::new(Exit::Internal, what),
        }
    }
}
