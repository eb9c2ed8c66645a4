//! The task that owns a session: it looks for new mail, fetches what may be ours, puts away what
//! is done with, and waits for news.
//!
//! What is it: one loop. Who calls it: the account spawns it. What can go wrong: whatever ends the
//! session ends the loop, and with it the mailbox. Traps of IMAP that are met here: `n:*` answers
//! with the last mail although its UID is smaller; an answer that was cut off looks like a short
//! one, so nothing is believed before the server was asked once more; news that come between two
//! commands are not told again by IDLE.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_imap::error::Error;
use async_imap::types::{Flag, UnsolicitedResponse};
use futures_util::TryStreamExt;
use packmule_bus::Envelope;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout};

use super::cursor::Cursor;
use super::row::{Done, Row};
use super::session::Entered;
use super::{Account, After};
use crate::name::Name;
use crate::read::{may_hold, read};

/// A wait for news ends after so long: firewalls forget connections earlier than servers.
const NEWS: Duration = Duration::from_secs(5 * 60);
/// How long one command may take; a mail of the longest kind comes by a slow line in this time.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// What is looked at before a mail is fetched.
const HEAD: &str = "(UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID CONTENT-TYPE \
                    CONTENT-DISPOSITION)])";
/// Tells people who look into the folder why a mail is still there.
const DAMAGED: &str = "packmule-damaged";
/// Names of messages that are remembered as durable.
const REMEMBERED: usize = 4096;

pub(super) async fn watch(
    entered: Entered,
    account: Account,
    cursor: Cursor,
    row: Arc<Row>,
    asked: UnboundedReceiver<Done>,
) {
    let mut watch = Watch {
        entered: Some(entered),
        account,
        cursor,
        row: Arc::clone(&row),
        asked,
        to_fetch: VecDeque::new(),
        names: BTreeMap::new(),
        kept: BTreeSet::new(),
        known: VecDeque::new(),
    };
    // Whoever opens the mailbox again hears why it does not open, if it does not.
    let _ = watch.run().await;
    row.end();
    if let Some(entered) = watch.entered.take() {
        entered.leave().await;
    }
}

/// Why the loop ended.
enum End {
    /// Nobody has anything of this mailbox any more.
    Unwanted,
    /// The session is of no use.
    Broken,
}

impl From<Error> for End {
    fn from(_: Error) -> Self {
        Self::Broken
    }
}

struct Watch {
    /// None while it waits for news, and after it broke there.
    entered: Option<Entered>,
    account: Account,
    cursor: Cursor,
    row: Arc<Row>,
    asked: UnboundedReceiver<Done>,
    /// Mails that may be ours, by UID.
    to_fetch: VecDeque<u32>,
    /// The message of each mail that is out and has one alone, under its own name.
    names: BTreeMap<u32, Name>,
    /// Mails of which a part is damaged: they stay.
    kept: BTreeSet<u32>,
    /// Messages that are durable here: another copy is put away unread.
    known: VecDeque<Name>,
}

/// Runs one command of the session, for no longer than a command may take.
macro_rules! ask {
    ($watch:expr, $session:ident => $command:expr) => {{
        let entered = $watch.entered.as_mut().ok_or(End::Broken)?;
        let $session = &mut entered.session;
        match timeout(PATIENCE, $command).await {
            Ok(answer) => answer,
            Err(_) => return Err(End::Broken),
        }
    }};
}

impl Watch {
    async fn run(&mut self) -> Result<(), End> {
        let mut news = true;
        loop {
            if news {
                self.look().await?;
            }
            self.put_away(None).await?;
            while self.row.has_room()
                && let Some(uid) = self.to_fetch.pop_front()
            {
                self.fetch(uid).await?;
                self.put_away(None).await?;
            }
            news = if self.to_fetch.is_empty() {
                let open = self.row.first_open().unwrap_or(self.cursor.next);
                self.cursor.save(open.min(self.cursor.next));
                self.wait().await?
            } else {
                self.wait_for_room().await?;
                false
            };
        }
    }

    /// Which mails are new, and of these, which may be ours.
    async fn look(&mut self) -> Result<(), End> {
        let from = self.cursor.next;
        let mut heads: Vec<(u32, bool, Option<Name>)> = ask!(self, session => async {
            let fetched = session.uid_fetch(format!("{from}:*"), HEAD).await?;
            fetched
                .try_filter_map(|head| async move {
                    let gone = head.flags().any(|flag| flag == Flag::Deleted);
                    Ok(head.uid.filter(|uid| *uid >= from && !gone).map(|uid| {
                        let fields = head.header().unwrap_or_default();
                        let (ours, name) = may_hold(fields);
                        (uid, ours, name)
                    }))
                })
                .try_collect()
                .await
        })?;
        // Was that all, or did the connection end?
        ask!(self, session => session.noop())?;
        heads.sort_unstable_by_key(|head| head.0);
        for (uid, ours, name) in heads {
            self.cursor.next = self.cursor.next.max(uid.saturating_add(1));
            if !ours {
                continue;
            }
            if name.is_some_and(|name| self.known.contains(&name)) {
                self.away(&[uid]).await?;
            } else {
                self.to_fetch.push_back(uid);
            }
        }
        Ok(())
    }

    async fn fetch(&mut self, uid: u32) -> Result<(), End> {
        let most = self.account.limits.mail;
        let sizes: Vec<_> = ask!(self, session => async {
            session.uid_fetch(uid.to_string(), "(UID RFC822.SIZE)").await?.try_collect().await
        })?;
        let long = |size: u32| usize::try_from(size).map_or(true, |size| size > most);
        if sizes
            .iter()
            .any(|one| one.uid == Some(uid) && one.size.is_some_and(long))
        {
            return self.mark(uid).await;
        }
        let mails: Vec<_> = ask!(self, session => async {
            session.uid_fetch(uid.to_string(), "(UID BODY.PEEK[])").await?.try_collect().await
        })?;
        let whole = mails.iter().find(|mail| mail.uid == Some(uid));
        let Some(bytes) = whole.and_then(async_imap::types::Fetch::body) else {
            // Somebody else removed it, or the answer was cut off.
            ask!(self, session => session.noop())?;
            return Ok(());
        };
        let mail = read(bytes, &self.account.limits);
        if mail.is_foreign() {
            return Ok(());
        }
        if mail.damage().is_some() {
            self.kept.insert(uid);
            self.mark(uid).await?;
        }
        let messages: Vec<Vec<u8>> = mail.messages().into_iter().map(<[u8]>::to_vec).collect();
        if let [one] = messages.as_slice()
            && let Ok(envelope) = Envelope::from_packed(one)
        {
            self.names.insert(uid, Name::of(&envelope.id()));
        }
        if !messages.is_empty() {
            self.row.put(uid, messages);
        }
        Ok(())
    }

    /// A keyword that the server does not keep is none: then the mail only stays.
    async fn mark(&mut self, uid: u32) -> Result<(), End> {
        let stored: Result<Vec<_>, Error> = ask!(self, session => async {
            let flags = format!("+FLAGS.SILENT ({DAMAGED})");
            session.uid_store(uid.to_string(), flags).await?.try_collect().await
        });
        match stored {
            Err(Error::No(_) | Error::Bad(_)) | Ok(_) => Ok(()),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Puts away every mail whose messages are all durable: those that were asked for meanwhile,
    /// in one command.
    async fn put_away(&mut self, first: Option<Done>) -> Result<(), End> {
        let mut done: Vec<Done> = first.into_iter().collect();
        while let Ok(one) = self.asked.try_recv() {
            done.push(one);
        }
        if done.is_empty() {
            return Ok(());
        }
        let mut uids: Vec<u32> = done.iter().map(|one| one.uid).collect();
        uids.retain(|uid| !self.kept.contains(uid));
        uids.sort_unstable();
        if !uids.is_empty() {
            self.away(&uids).await?;
        }
        for Done { uid, answer } in done {
            self.row.forget(uid);
            self.kept.remove(&uid);
            if let Some(name) = self.names.remove(&uid) {
                if self.known.len() >= REMEMBERED {
                    self.known.pop_front();
                }
                self.known.push_back(name);
            }
            let _ = answer.send(true);
        }
        Ok(())
    }

    /// Moves or deletes mails.
    async fn away(&mut self, uids: &[u32]) -> Result<(), End> {
        let set: Vec<String> = uids.iter().map(ToString::to_string).collect();
        let set = set.join(",");
        let able = self.entered.as_ref().ok_or(End::Broken)?.able;
        if let After::Move(folder) = self.account.after.clone() {
            for again in [false, true] {
                let moved = if able.moves {
                    ask!(self, session => session.uid_mv(&set, &folder))
                } else {
                    ask!(self, session => session.uid_copy(&set, &folder))
                };
                match moved {
                    Ok(()) => break,
                    // The folder is not there yet.
                    Err(Error::No(_)) if !again => {
                        let made = ask!(self, session => session.create(&folder));
                        if !matches!(made, Ok(()) | Err(Error::No(_))) {
                            return Err(End::Broken);
                        }
                    }
                    Err(_) => return Err(End::Broken),
                }
            }
            if able.moves {
                return Ok(());
            }
        }
        let _: Vec<_> = ask!(self, session => async {
            session.uid_store(&set, "+FLAGS.SILENT (\\Deleted)").await?.try_collect().await
        })?;
        // Without UIDPLUS an EXPUNGE would remove what others have marked, too.
        if able.uid_plus {
            let _: Vec<_> = ask!(self, session => async {
                session.uid_expunge(&set).await?.try_collect().await
            })?;
        }
        Ok(())
    }

    /// Waits until something is to be put away or fetched.
    async fn wait_for_room(&mut self) -> Result<(), End> {
        let row = Arc::clone(&self.row);
        let done = tokio::select! {
            () = row.room() => return Ok(()),
            done = self.asked.recv() => Some(done.ok_or(End::Unwanted)?),
            () = sleep(NEWS) => None,
        };
        ask!(self, session => session.noop())?;
        self.put_away(done).await
    }

    /// Waits for news, or for something to be put away. True: there may be new mail.
    async fn wait(&mut self) -> Result<bool, End> {
        if self.heard() {
            return Ok(true);
        }
        let entered = self.entered.take().ok_or(End::Broken)?;
        let (able, validity) = (entered.able, entered.validity);
        if !able.idle {
            self.entered = Some(entered);
            let done = tokio::select! {
                done = self.asked.recv() => Some(done.ok_or(End::Unwanted)?),
                () = sleep(self.account.poll) => None,
            };
            let news = done.is_none();
            self.put_away(done).await?;
            ask!(self, session => session.noop())?;
            return Ok(news || self.heard());
        }
        let mut idle = entered.session.idle();
        let begun = timeout(PATIENCE, idle.init()).await;
        begun.map_err(|_| End::Broken)??;
        let done = {
            let (news, _interrupt) = idle.wait_with_timeout(NEWS);
            tokio::select! {
                heard = news => {
                    heard?;
                    None
                }
                done = self.asked.recv() => Some(done),
            }
        };
        let session = timeout(PATIENCE, idle.done()).await;
        let session = session.map_err(|_| End::Broken)??;
        self.entered = Some(Entered {
            session,
            able,
            validity,
        });
        match done {
            None => Ok(true),
            Some(None) => Err(End::Unwanted),
            Some(done) => {
                self.put_away(done).await?;
                Ok(self.heard())
            }
        }
    }

    /// News that came with the answers to other commands.
    fn heard(&self) -> bool {
        let Some(entered) = &self.entered else {
            return false;
        };
        let mut news = false;
        while let Ok(told) = entered.session.unsolicited_responses.try_recv() {
            news |= matches!(told, UnsolicitedResponse::Exists(_));
        }
        news
    }
}
