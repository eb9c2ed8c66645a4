//! A session with an IMAP server, from the greeting to the selected folder.
//!
//! What is it: login, abilities, compression, the folder. Who calls it: the account. What can go
//! wrong: what servers answer, as words for people; none of them holds a password or an address.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_imap::{Client, Session};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use super::Account;
use crate::dial::{Duplex, dial};
use crate::server::Protocol;
use crate::words::fit;

/// How long it may take until the folder is there.
const ENTRY: Duration = Duration::from_secs(40);

/// The stream of a session, compressed or not.
pub(super) struct Pipe(Box<dyn Duplex>);

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pipe")
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

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
    pub(super) session: Session<Pipe>,
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
    let mut client = Client::new(Pipe(Box::new(wire)));
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
            .compress(|deflate| Pipe(Box::new(deflate)))
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
