//! An uplink: a client of mediators on the internet, for a box whose network comes and goes.
//!
//! What is it: [`Uplink`] keeps one task for each [`Upstream`]: it registers the DIDs that its
//! [`Owner`] serves, collects what waits for them, hands each message over, and tells the mediator
//! that a message may go only after the owner has it on disk. Who calls it: the gateway, and
//! `packmule run`. What can go wrong: everything that is far away. Nothing that a mediator does or
//! says ends an uplink: a fault is told in its status ([`Uplink::status`]) and waited out, for hours
//! if need be. A message may come twice (the power fails between the owner's disk and our word to
//! the mediator): its owner knows each by its [`EnvelopeId`](packmule_bus::EnvelopeId).
//!
//! | module | does |
//! |---|---|
//! | `upstream` | who is called, when and how, as people say it |
//! | `pace` | when to try again: pure numbers |
//! | `place` | where a mediator is reached, by its DID document |
//! | `line`, `shapes` | one question, one answer, over HTTP; read however it is wrapped |
//! | `register`, `collect` | coordinate-mediation and pickup, as a client |
//! | `affinidi` | a login that one sort of mediator wants |
//! | `keep`, `visit` | the life of one upstream |
//! | `live`, `socket` | new messages as they come, over WebSocket |
//! | `memory` | what is remembered of a mediator over a restart |
//! | `status` | how it stands |
//! | `plain` | the owner for a node without mailboxes |

mod affinidi;
mod collect;
mod fault;
mod keep;
mod line;
mod live;
mod memory;
mod pace;
mod place;
mod plain;
mod register;
mod shapes;
mod socket;
mod status;
mod upstream;
mod visit;

use std::sync::Arc;
use std::time::Duration;

use packmule_bus::link::BoxFut;
use packmule_node::Node;
use packmule_ws::tls::Trust;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use pace::{Window, WindowError};
pub use plain::NodeOwner;
pub use status::{Event, State, UplinkStatus, What};
pub use upstream::{Kind, NameError, Upstream, did_named};

use status::Board;

/// A message could not be taken now; it is offered again after this time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Later(pub Duration);

/// Whoever runs an uplink.
pub trait Owner: Send + Sync + 'static {
    /// Takes a packed message that waited at a mediator. `Ok` means that it is durable, or that
    /// it makes no sense and never will: either way the mediator may delete it.
    fn take(&self, packed: Vec<u8>) -> BoxFut<'_, Result<(), Later>>;

    /// The DIDs, besides our own, that mediators are to hold messages for. An error is no empty
    /// list: then nothing is changed.
    fn served(&self) -> BoxFut<'_, Result<Vec<String>, Later>>;

    /// Changes whenever [`Self::served`] may have changed.
    fn changes(&self) -> watch::Receiver<u64>;

    /// Something happened that whoever looks after it may want to read.
    fn tell(&self, event: &Event) {
        let _ = event;
    }
}

/// A running uplink. Dropped, it ends; what it was taking comes again.
pub struct Uplink {
    board: Arc<Board>,
    tasks: JoinSet<()>,
}

impl Uplink {
    /// Starts calling these mediators.
    #[must_use]
    pub fn start(node: &Node, owner: &Arc<dyn Owner>, upstreams: Vec<Upstream>) -> Self {
        let board = Arc::new(Board::new(&upstreams, Arc::clone(owner)));
        let trust = Arc::new(Trust::default());
        let mut tasks = JoinSet::new();
        for (number, upstream) in upstreams.into_iter().enumerate() {
            let keeper = keep::Keeper::new(
                node.clone(),
                Arc::clone(owner),
                upstream,
                Arc::clone(&trust),
                status::Row::new(Arc::clone(&board), number),
            );
            tasks.spawn(keeper.run());
        }
        Self { board, tasks }
    }

    /// How each mediator stands, in the order in which they were named.
    #[must_use]
    pub fn status(&self) -> Vec<UplinkStatus> {
        self.board.all()
    }

    /// The same for others, who may outlive it.
    pub fn statuses(&self) -> impl Fn() -> Vec<UplinkStatus> + Send + Sync + 'static {
        let board = Arc::clone(&self.board);
        move || board.all()
    }

    /// Ends it. What was asked for and not acknowledged comes again.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}
