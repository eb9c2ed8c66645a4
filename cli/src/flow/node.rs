//! The node of a home, from outside: is one running, ask it, tell it to look.
//!
//! Who calls it: verbs that a running node answers, and those that change its home. What can go
//! wrong: none runs; it hangs or speaks another version. A verb that only changes the home goes
//! on without it: the store is shared, and a node looks by itself sooner or later.

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use packmule_node::control::{Client, ClientError, EventLine, Reply, Request};

use crate::exit::Exit;
use crate::fault::Fault;

/// The node that runs on this home; none if none runs.
pub(crate) fn running(home: &Path) -> Result<Option<Client>, Fault> {
    match Client::connect(home) {
        Ok(client) => Ok(Some(client)),
        Err(ClientError::NoNode) => Ok(None),
        Err(err) => Err(err.into()),
    }
}

/// Tells a running node that its home has changed. Answers whether one runs.
pub(crate) fn poke(home: &Path) -> bool {
    let Ok(mut client) = Client::connect(home) else {
        return false;
    };
    client.ask(&Request::Poke).is_ok()
}

/// The events of a running node, to be waited for no longer than one wants.
pub(crate) struct Events(Receiver<Result<EventLine, ClientError>>);

impl Events {
    /// From now on.
    pub(crate) fn of(client: Client) -> Result<Self, Fault> {
        let watch = client.watch()?;
        let (tell, told) = channel();
        // The socket knows no deadline that leaves half a line in place; a thread does. It ends
        // with the node or the process.
        std::thread::spawn(move || {
            for event in watch {
                if tell.send(event).is_err() {
                    return;
                }
            }
        });
        Ok(Self(told))
    }

    /// The next one; none when the node has ended, or the time is over.
    pub(crate) fn next(&self, until: Option<Instant>) -> Result<Option<EventLine>, Fault> {
        let event = match until {
            None => self.0.recv().ok(),
            Some(until) => {
                let left = until.saturating_duration_since(Instant::now());
                self.0.recv_timeout(left).ok()
            }
        };
        Ok(event.transpose()?)
    }
}

/// An answer that was not asked for.
pub(crate) fn nonsense(reply: &Reply) -> Fault {
    Fault::new(
        Exit::Internal,
        format!("the node answered something else: {reply:?}"),
    )
}

impl From<ClientError> for Fault {
    fn from(err: ClientError) -> Self {
        let what = err.to_string();
        match err {
            ClientError::NoNode => {
                Self::not_found("no node runs on this home").hint("`packmule run` starts one")
            }
            ClientError::Refused(_) => Self::new(Exit::Refused, what),
            ClientError::Version(_) => Self::new(Exit::Internal, what)
                .hint("stop the node and start the one of this version"),
            _ => Self::new(Exit::Internal, what).hint("`packmule status` tells how it stands"),
        }
    }
}
