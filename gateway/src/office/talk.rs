//! A conversation over a WebSocket.
//!
//! What is it: two loops over one mailbox, one that hears and one that says, so that neither
//! waits for the other. Who calls it: the door, for a visitor that is not of our own kind. What
//! can go wrong: a visitor that asks on and on and takes no answers is let go; what it asked for
//! was done. A refused message ends the conversation, since the convention knows no other word for
//! that: it was not settled, so its sender knows.

use std::collections::HashSet;
use std::sync::Arc;

use packmule_bus::Kind;
use packmule_bus::link::{Collected, LinkError, Mailbox};
use packmule_http::server::Visitor;
use tokio::sync::mpsc;

use super::{Office, Refused};
use crate::counters::Count;
use crate::mediator::{Live, Stored, Via, Visit};
use crate::rates::network;
use crate::store::canonical;

/// Answers that may wait for the visitor to take them.
const ANSWERS: usize = 256;
/// Senders of one connection for whom it is a way back.
const SENDERS: usize = 64;
/// Messages that one push brings at most, and their bytes: some readers take no more than
/// 256,000 characters.
const TOGETHER: usize = 10;
const BYTES: usize = 128 << 10;

/// What a connection remembers.
struct Talk {
    number: u64,
    from: String,
    /// Senders whose answers go back here (`return_route` counts for the whole connection).
    back: HashSet<String>,
    /// Those who have live delivery.
    live: Option<Live>,
    pushes: mpsc::Sender<Arc<Stored>>,
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
            from: network(visitor.address.ip()).to_string(),
            back: HashSet::new(),
            live: None,
            pushes,
            answers,
        };
        let mut closing = self.closing.clone();
        let said = self.say(&*mailbox, answered, pushed);
        let heard = async {
            loop {
                let Ok(Collected { bytes, settle, .. }) = mailbox.collect().await else {
                    return;
                };
                self.counters.one(Count::BySocket);
                if self.let_in(visitor).is_err() {
                    return;
                }
                let Ok(saids) = self.heard(bytes, &mut talk).await else {
                    return;
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
            from: Some(talk.from.clone()),
            ..Visit::by(Via::Socket(talk.number))
        };
        let followed = self.take(packed, &visit).await?;
        let mut saids = Vec::new();
        let mut wish = followed.live;
        if let Some(off) = wish.take_if(|wish| !wish.wanted) {
            self.change_live(talk, off, &mut saids);
        }
        if let Some(sender) = followed.sender {
            let name = canonical(&sender);
            if followed.back && talk.back.len() < SENDERS {
                talk.back.insert(name.to_owned());
            }
            let back = followed.back || talk.back.contains(name);
            for reply in followed.replies {
                if back {
                    saids.push(Said::Answer(self.pack(&sender, reply).await?));
                    self.counters.one(Count::AnsweredHere);
                } else {
                    self.answer_elsewhere(&sender, reply).await;
                }
            }
        }
        if let Some(on) = wish {
            self.change_live(talk, on, &mut saids);
        }
        Ok(saids)
    }

    /// One account has live delivery on a connection; the latest that asked.
    fn change_live(&self, talk: &mut Talk, wish: Live, saids: &mut Vec<Said>) {
        if let Some(before) = talk.live.take() {
            self.seats.leave(&before.account, talk.number);
        }
        if wish.wanted {
            self.seats
                .enter(&wish.account, talk.number, talk.pushes.clone());
            talk.live = Some(wish.clone());
        }
        saids.push(Said::Live(wish.wanted.then(|| Box::new(wish))));
    }

    async fn say(
        self: &Arc<Self>,
        mailbox: &dyn Mailbox,
        mut answers: mpsc::Receiver<Said>,
        mut pushed: mpsc::Receiver<Arc<Stored>>,
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
                        mailbox.deliver(packed, Kind::Encrypted).await?;
                    }
                    continue;
                }
            };
            mailbox.deliver(packed, Kind::Encrypted).await?;
        }
    }

    /// What was pushed, as deliveries. It stays in the mailbox until it is acknowledged.
    async fn deliveries(&self, live: Option<&Live>, pushes: &[Stored]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let Some(live) = live else { return all };
        for message in self.mediator.push(live, pushes) {
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

/// What waits already goes along, within bounds.
fn together(first: Arc<Stored>, pushed: &mut mpsc::Receiver<Arc<Stored>>) -> Vec<Stored> {
    let mut bytes = first.packed.len();
    let mut pushes = vec![Arc::unwrap_or_clone(first)];
    while pushes.len() < TOGETHER && bytes < BYTES {
        let Ok(next) = pushed.try_recv() else { break };
        bytes += next.packed.len();
        pushes.push(Arc::unwrap_or_clone(next));
    }
    pushes
}
