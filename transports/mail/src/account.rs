//! Receiving: an IMAP account as a mailbox.
//!
//! What is it: [`Account`] is where to look and what becomes of what was read; [`watch`] is one
//! session with the server, in a task of its own; the mailbox hands out what it found. Who calls
//! it: the transport `imap`. What can go wrong: the server goes, then the mailbox is closed and
//! whoever listens opens another; mail of other people, which is left as it is; damaged messages,
//! which stay where they are with a keyword that tells so.

mod cursor;
mod row;
mod session;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use packmule_bus::link::{BoxFut, Listener, Mailbox, OpenError, Port, Way};

use crate::read::Limits;
use crate::server::Server;
use cursor::Cursor;
use row::{Inbox, Row};
use session::Entered;

/// What becomes of a mail when everything in it is durable here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum After {
    /// It goes into this folder, which is made if need be.
    Move(String),
    /// It is deleted.
    Delete,
}

/// An account, and how it is looked after.
#[derive(Clone, Debug)]
pub struct Account {
    /// Where it is.
    pub server: Server,
    /// The folder that is looked into.
    pub folder: String,
    /// What becomes of mails that were read.
    pub after: After,
    /// The file that remembers how far the folder was looked through; without one it is looked
    /// through anew after each start.
    pub memory: Option<PathBuf>,
    /// What is read.
    pub limits: Limits,
    /// How often servers that tell no news are asked.
    pub poll: Duration,
    /// Wait for news by IDLE where the server can; some say that they can, and tell nothing.
    pub news: bool,
}

impl Account {
    /// With what most people want: INBOX, moved to "DIDComm", asked every minute.
    #[must_use]
    pub fn new(server: Server) -> Self {
        Self {
            server,
            folder: "INBOX".to_owned(),
            after: After::Move("DIDComm".to_owned()),
            memory: None,
            limits: Limits::default(),
            poll: Duration::from_secs(60),
            news: true,
        }
    }

    /// Logs in, looks at the folder and leaves; what the server can do, for people.
    ///
    /// # Errors
    /// For people.
    pub async fn greet(&self) -> Result<String, String> {
        let entered = session::enter(self).await?;
        let told = entered.abilities();
        entered.leave().await;
        Ok(told)
    }

    /// Logs in and watches the folder for as long as the mailbox, or something from it, is there.
    ///
    /// # Errors
    /// For people.
    pub async fn open(&self) -> Result<Box<dyn Mailbox>, String> {
        Ok(Box::new(self.begin().await?.0))
    }

    async fn begin(&self) -> Result<(Inbox, Arc<Row>), String> {
        let entered: Entered = session::enter(self).await?;
        let cursor = Cursor::load(self, &entered);
        let row = Arc::<Row>::default();
        let (requests, asked) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(watch::watch(
            entered,
            self.clone(),
            cursor,
            Arc::clone(&row),
            asked,
        ));
        Ok((Inbox::new(Arc::clone(&row), requests), row))
    }
}

/// Opens the account's mailbox again whenever it was closed.
pub(crate) struct Watching {
    pub(crate) way: Way,
    pub(crate) account: Account,
    row: Option<Arc<Row>>,
}

impl Watching {
    pub(crate) const fn new(way: Way, account: Account) -> Self {
        Self {
            way,
            account,
            row: None,
        }
    }
}

impl Listener for Watching {
    fn way(&self) -> Way {
        self.way.clone()
    }

    fn accept(&mut self) -> BoxFut<'_, Result<Port, OpenError>> {
        Box::pin(async {
            if let Some(row) = &self.row {
                row.over().await;
            }
            self.row = None;
            let begun = self.account.begin().await;
            let (inbox, row) = begun.map_err(OpenError::NoAnswer)?;
            self.row = Some(row);
            Ok(Port::Mailbox(Box::new(inbox)))
        })
    }
}
