//! A session with an IMAP server, from the greeting to the selected folder.
//!
//! What is it: login, abilities, compression, the folder. Who calls it: the account. What can go
//! wrong: what servers answer, as words for people; none of them holds a password or an address.

use std::time::Duration;

use async_imap::{Client, Session};
use tokio::time::timeout;

use super::Account;
use crate::dial::{Wire, dial};
use crate::server::Protocol;
use crate::words::fit;

/// How long it may take until the folder is there.
const ENTRY: Duration = Duration::from_secs(40);

/// What a server can do.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Able {
    pub(super) idle: bool,
    pub(super) moves: bool,
    pub(super) uid_plus: bool,
    pub(super) compressed: bool,
}

/// A session with the folder selected.
pub(super) struct Entered {
    pub(super) session: Session<Wire>,
    pub(super) able: Able,
    pub(super) validity: u32,
}

impl Entered {
    pub(super) fn abilities(&self) -> String {
        let words = [
            (self.able.idle, "tells news (IDLE)"),
            (!self.able.idle, "is asked for news"),
            (self.able.moves, "moves mails"),
            (!self.able.moves, "copies and deletes mails"),
            (self.able.compressed, "compresses"),
        ];
        let words: Vec<&str> = words.iter().filter(|one| one.0).map(|one| one.1).collect();
        words.join(", ")
    }

    pub(super) async fn leave(mut self) {
        // Whether the server says good-bye changes nothing.
        let _ = timeout(Duration::from_secs(5), self.session.logout()).await;
    }
}

/// A server's or library's words, for people.
pub(super) fn words(fault: &async_imap::error::Error) -> String {
    use async_imap::error::Error;
    match fault {
        // What could not be parsed is somebody's mail.
        Error::Parse(_) => "the server said what IMAP does not know".to_owned(),
        fault => fit(&fault.to_string()),
    }
}

pub(super) async fn enter(account: &Account) -> Result<Entered, String> {
    let entered = timeout(ENTRY, begin(account)).await;
    entered.map_err(|_| "the server is too slow".to_owned())?
}

async fn begin(account: &Account) -> Result<Entered, String> {
    let wire = dial(&account.server, Protocol::Imap).await;
    let wire = wire.map_err(|why| fit(&why.to_string()))?;
    let peer = wire.peer();
    let mut client = Client::new(wire);
    let greeting = client.read_response().await;
    if !matches!(greeting, Ok(Some(_))) {
        return Err("the server does not greet".to_owned());
    }
    let login = account.server.login.as_ref();
    let login = login.ok_or("an IMAP account needs a user and a password")?;
    let logged_in = client.login(&login.user, login.password.as_str()).await;
    let mut session = logged_in.map_err(|(fault, _)| words(&fault))?;
    let told = session
        .capabilities()
        .await
        .map_err(|fault| words(&fault))?;
    let able = Able {
        idle: account.news && told.has_str("IDLE"),
        moves: told.has_str("MOVE"),
        uid_plus: told.has_str("UIDPLUS"),
        compressed: told.has_str("COMPRESS=DEFLATE"),
    };
    if able.compressed {
        session = session
            .compress(|deflate| Wire::over(deflate, peer))
            .await
            .map_err(|fault| words(&fault))?;
    }
    let folder = session.select(&account.folder).await;
    let folder = folder.map_err(|fault| words(&fault))?;
    let validity = folder.uid_validity.unwrap_or_default();
    Ok(Entered {
        session,
        able,
        validity,
    })
}
