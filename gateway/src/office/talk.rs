//! A conversation over a WebSocket.
//!
//! What is it: two loops over one mailbox, one that hears and one that says, so that neither
//! waits for the other. Who calls it: the door, for a visitor that is not of our own kind. What
//! can go wrong: a visitor that asks on and on and takes no answers is let go; what it asked for
//! was done. One that sends too fast is read more slowly. A message for which there is no room
//! ends the conversation, since the convention knows no other word for that: it was not settled,
//! so its sender knows. What would be refused for ever is dropped and counted, and others who
//! send by the same connection, and what is pushed there, go on.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use packmule_agent::message::Message;
use packmule_bus::Kind;
use packmule_bus::link::{Collected, LinkError, Mailbox};
use packmule_http::server::Visitor;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use super::to_its_end::ToItsEnd;
use super::{Office, Refused};
use crate::counters::Count;
use crate::live::{Push, Seat};
use crate::mediator::{Live, Via, Visit};
use crate::store::{Moment, canonical};

/// Answers that may wait for the visitor to take them.
const ANSWERS: usize = 256;
/// Senders of one connection for whom it is a way back.
const SENDERS: usize = 64;
/// Messages that one push brings at most, and their bytes: some readers take no more than
/// 256,000 characters.
const TOGETHER: usize = 10;
const BYTES: usize = 128 << 10;
/// How long a visitor may take to take one message.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a connection remembers.
struct Talk {
    number: u64,
    from: Option<String>,
    /// Senders whose answers go back here (`return_route` counts for the whole connection).
    back: HashSet<String>,
    /// Those who have live delivery.
    live: Option<Live>,
    pushes: mpsc::Sender<Arc<Push>>,
    behind: Arc<Notify>,
    over: Arc<Notify>,
    answers: mpsc::Sender<Said>,
}

/// What is to be said.
enum Said {
    Answer(Vec<u8>),
    /// From now on pushes are for this account, as this message asked.
    Live(Option<Box<Live>>),
}

impl Office {
    /// Talks until the visitor or the gateway ends it.
    pub(super) async fn talk(self: &Arc<Self>, mailbox: Arc<dyn Mailbox>, visitor: &Visitor) {
        let (pushes, pushed) = mpsc::channel(self.settings.pushes);
        let (answers, answered) = mpsc::channel(ANSWERS);
        let mut talk = Talk {
            number: self.connection(),
            from: self.anonymous(visitor),
            back: HashSet::new(),
            live: None,
            pushes,
            behind: Arc::default(),
            over: Arc::default(),
            answers,
        };
        let mut closing = self.closing.clone();
        let over = Arc::clone(&talk.over);
        let said = self.say(&*mailbox, answered, pushed, Arc::clone(&talk.behind));
        let heard = async {
            loop {
                let Ok(Collected { bytes, settle, .. }) = mailbox.collect().await else {
                    return;
                };
                self.counters.one(Count::BySocket);
                self.pace(visitor).await;
                let saids = match self.heard(bytes, &mut talk).await {
                    Ok(saids) => saids,
                    Err(Refused::Full | Refused::Fault | Refused::TooMany(_)) => return,
                    Err(
                        Refused::Unopened
                        | Refused::Denied
                        | Refused::NoRecipient
                        | Refused::TooLarge,
                    ) => Vec::new(),
                };
                if settle.settle().await.is_err() {
                    return;
                }
                for one in saids {
                    // Full: the visitor takes no answers.
                    if talk.answers.try_send(one).is_err() {
                        return;
                    }
                }
            }
        };
        tokio::select! {
            () = heard => {}
            _ = said => {}
            () = over.notified() => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
        if let Some(wish) = &talk.live {
            self.seats.leave(&wish.account, talk.number);
        }
    }

    /// One message: what is to be said after it is settled.
    async fn heard(
        self: &Arc<Self>,
        packed: Vec<u8>,
        talk: &mut Talk,
    ) -> Result<Vec<Said>, Refused> {
        let visit = Visit {
            live: talk.live.is_some(),
            from: talk.from.clone(),
            ..Visit::by(Via::Socket(talk.number))
        };
        let office = Arc::clone(self);
        let taken = ToItsEnd::of(async move { office.take(packed, &visit).await });
        let mut followed = taken.await?;
        let mut saids = Vec::new();
        let mut wish = followed.live;
        if wish.take_if(|wish| !wish.wanted).is_some() {
            if let Some(before) = talk.live.take() {
                self.seats.leave(&before.account, talk.number);
            }
            saids.push(Said::Live(None));
        }
        if let (Some(old), Some(new)) = (&followed.moved, &followed.sender)
            && let Some(mut live) = talk.live.take_if(|live| live.account == *old)
        {
            live.rename(new);
            self.watch(&live.account).await;
            self.listen(talk, &live);
            saids.push(Said::Live(Some(Box::new(live))));
        }
        if let Some(on) = &wish {
            // Counted once it listens: what is stored from now on is pushed.
            self.watch(&on.account).await;
            self.listen(talk, on);
            if let Some(reply) = followed.replies.first_mut()
                && let Ok(status) = self.mediator.live_status(on, Moment::now()).await
            {
                let ack = std::mem::take(&mut reply.ack);
                *reply = Message { ack, ..status };
            }
        }
        if let Some(sender) = followed.sender {
            let name = canonical(&sender);
            if followed.back && talk.back.len() < SENDERS {
                talk.back.insert(name.to_owned());
            }
            let back = followed.back || talk.back.contains(name);
            for reply in followed.replies {
                if back {
                    // What cannot be packed for its sender never will be; it was done.
                    let Ok(packed) = self.pack(&sender, reply).await else {
                        self.counters.one(Count::AnswerLost);
                        continue;
                    };
                    saids.push(Said::Answer(packed));
                    self.counters.one(Count::AnsweredHere);
                } else {
                    self.answer_elsewhere(&sender, reply).await;
                }
            }
        }
        saids.extend(wish.map(|on| Said::Live(Some(Box::new(on)))));
        Ok(saids)
    }

    /// One account has live delivery on a connection; the latest that asked.
    fn listen(&self, talk: &mut Talk, wish: &Live) {
        if let Some(before) = talk.live.replace(wish.clone()) {
            self.seats.leave(&before.account, talk.number);
        }
        let seat = Seat {
            connection: talk.number,
            pushes: talk.pushes.clone(),
            behind: Arc::clone(&talk.behind),
            over: Arc::clone(&talk.over),
        };
        self.seats.enter(&wish.account, seat);
    }

    async fn say(
        self: &Arc<Self>,
        mailbox: &dyn Mailbox,
        mut answers: mpsc::Receiver<Said>,
        mut pushed: mpsc::Receiver<Arc<Push>>,
        behind: Arc<Notify>,
    ) -> Result<(), LinkError> {
        let mut live: Option<Box<Live>> = None;
        loop {
            let packed = tokio::select! {
                // An answer is what a visitor waits for.
                biased;
                said = answers.recv() => match said {
                    None => return Ok(()),
                    Some(Said::Answer(packed)) => packed,
                    Some(Said::Live(wish)) => {
                        live = wish;
                        continue;
                    }
                },
                Some(first) = pushed.recv(), if live.is_some() => {
                    let pushes = together(first, &mut pushed);
                    for packed in self.deliveries(live.as_deref(), &pushes).await {
                        deliver(mailbox, packed).await?;
                    }
                    continue;
                }
                // When all else was said: it would wait for ever for what did not fit.
                () = behind.notified(), if live.is_some() => {
                    match self.left(live.as_deref()).await {
                        Some(packed) => packed,
                        None => continue,
                    }
                }
            };
            deliver(mailbox, packed).await?;
        }
    }

    /// How much waits that was not pushed.
    pub(super) async fn left(&self, live: Option<&Live>) -> Option<Vec<u8>> {
        let status = self.mediator.live_status(live?, Moment::now()).await.ok()?;
        let to = status.to.first()?.clone();
        self.pack(&to, status).await.ok()
    }

    /// What was pushed, as deliveries. It stays in the mailbox until it is acknowledged.
    pub(super) async fn deliveries(
        &self,
        live: Option<&Live>,
        pushes: &[Arc<Push>],
    ) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let Some(live) = live else { return all };
        let stored = pushes.iter().map(|push| &push.stored);
        for message in self.mediator.push(live, stored) {
            let to = message.to.first().cloned().unwrap_or_default();
            match self.pack(&to, message).await {
                Ok(packed) => all.push(packed),
                Err(refused) => drop(self.refuse(refused)),
            }
        }
        self.counters.add(Count::Pushed, pushes.len() as u64);
        all
    }
}

async fn deliver(mailbox: &dyn Mailbox, packed: Vec<u8>) -> Result<(), LinkError> {
    let delivered = timeout(PATIENCE, mailbox.deliver(packed, Kind::Encrypted));
    delivered.await.unwrap_or(Err(LinkError::Closed))
}

/// What waits already goes along, within bounds.
pub(super) fn together(first: Arc<Push>, pushed: &mut mpsc::Receiver<Arc<Push>>) -> Vec<Arc<Push>> {
    let mut bytes = first.stored.packed.len();
    let mut pushes = vec![first];
    while pushes.len() < TOGETHER && bytes < BYTES {
        let Ok(next) = pushed.try_recv() else { break };
        bytes += next.stored.packed.len();
        pushes.push(next);
    }
    pushes
}
