//! Messages that came over the node's links.
//!
//! What is it: the loop that takes what the node received, lets the mediator hear it and sends
//! the answers by the node. Who calls it: the gateway, once. What can go wrong: there is no room,
//! or the store fails; then the message stays in the node's inbox and is heard again in a while,
//! and after a restart. What makes no sense, or is for nobody, is counted: it would be the same
//! each time. What is not for the mediator stays in the inbox for people.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use packmule_agent::message::Message;
use packmule_agent::protocol::{discover_features, trust_ping};
use packmule_node::Undone;
use packmule_node::desk::{Letter, answers_to};
use tokio::time::{Instant, sleep_until};

use super::{Office, Refused};
use crate::counters::Count;
use crate::mediator::{Via, Visit};
use crate::store::Moment;

/// How long a message waits that found no room. All wait alike, so that the first is due first.
const AGAIN: Duration = Duration::from_secs(15);

/// What remains to be done about a message.
enum Left {
    /// Nothing.
    Nothing,
    /// It is for people, who find it in the inbox.
    People,
    /// There was no room for it, or the disk failed.
    Again,
}

/// Messages that are heard again. Each is a name: its bytes lie in the node's store.
#[derive(Default)]
struct Later(VecDeque<(Instant, Undone, Visit)>);

impl Later {
    fn put(&mut self, undone: Undone, visit: Visit) {
        self.0.push_back((Instant::now() + AGAIN, undone, visit));
    }

    /// The next one that is due; waits for it. Cancel-safe.
    async fn next(&mut self) -> Option<(Undone, Visit)> {
        match self.0.front() {
            Some((due, ..)) => sleep_until(*due).await,
            None => std::future::pending().await,
        }
        self.0.pop_front().map(|(_, undone, visit)| (undone, visit))
    }
}

impl Office {
    /// Takes what the node receives, until it ends.
    pub(crate) async fn serve_links(self: Arc<Self>) {
        let mut later = Later::default();
        loop {
            let (letter, undone, visit) = tokio::select! {
                received = self.node.receive() => {
                    let Some(received) = received else { return };
                    self.counters.one(Count::ByLink);
                    // Those who do not say who they are share what their kind of link may keep.
                    let visit = Visit {
                        from: Some(format!("link/{}", received.channel)),
                        ..Visit::by(Via::Bus)
                    };
                    let (letter, undone) = received.into_letter();
                    (letter, undone, visit)
                }
                Some((undone, visit)) = later.next() => match undone.letter().await {
                    Ok(Some(letter)) => (letter, undone, visit),
                    // It does not open any more, or was taken away: people see to that.
                    Ok(None) => continue,
                    Err(_) => {
                        later.put(undone, visit);
                        continue;
                    }
                },
            };
            match self.from_link(letter, &undone, &visit).await {
                Left::Nothing => self.done(undone).await,
                Left::People => {}
                Left::Again => later.put(undone, visit),
            }
        }
    }

    async fn from_link(self: &Arc<Self>, letter: Letter, undone: &Undone, visit: &Visit) -> Left {
        if self.answered(&letter.message, letter.sender.as_ref()).await {
            return Left::Nothing;
        }
        if let Err(refused) = self.admit(&letter, Via::Bus) {
            self.refuse(refused);
            return Left::Nothing;
        }
        let sender = letter.opened.sender.clone();
        let visit = &self.seen(visit, &letter.message, sender.as_deref()).await;
        let now = Moment::now();
        let mut heard = self.mediator.hear(letter, visit, now).await;
        self.push_all(heard.stored, now);
        if let Some(sender) = &sender {
            self.taken_from_mailbox(sender, heard.acked);
            self.comes_near(sender).await;
        }
        if let Some(did) = heard.met.take()
            && let Err(refused) = self.remember_form(did).await
        {
            self.refuse(refused);
            return Left::Again;
        }
        if let Some((old, new)) = &heard.moved {
            self.moved(old, new, visit);
        }
        if let Some(wish) = heard.live.take() {
            let counted = self.wished(wish).await;
            if let (Some(reply), Some(status)) = (heard.replies.first_mut(), counted) {
                let ack = std::mem::take(&mut reply.ack);
                *reply = Message { ack, ..status };
            }
        }
        if heard.for_us.is_some() {
            return Left::People;
        }
        let followed = self.inner(heard.inner, visit).await;
        let carried = self.carry_all(heard.strays).await;
        let troubled = heard.trouble.map_or(Ok(()), |trouble| Err(trouble.into()));
        for outcome in [troubled, followed, carried] {
            if let Err(refused) = outcome {
                self.refuse(refused);
                if matches!(refused, Refused::Full | Refused::Fault) {
                    return Left::Again;
                }
            }
        }
        for (number, mut reply) in heard.replies.into_iter().enumerate() {
            let Some(sender) = &sender else { break };
            // Named after the question: asked again after a crash, it is the same answer.
            reply.id = format!("{}{number}", answers_to(&undone.id));
            if !self.answer_by_link(sender, reply).await {
                return Left::Again;
            }
        }
        Left::Nothing
    }

    /// What was forwarded to ourselves in a forward to ourselves: all of it, whatever becomes of
    /// one. What found no room is told before what makes no sense.
    async fn inner(self: &Arc<Self>, inner: Vec<Vec<u8>>, visit: &Visit) -> Result<(), Refused> {
        let mut visit = visit.clone();
        visit.nested = 1;
        let mut outcome = Ok(());
        for packed in inner {
            let taken = self.take(packed, &visit).await.map(drop);
            if matches!(taken, Err(Refused::Full | Refused::Fault)) || outcome.is_ok() {
                outcome = taken;
            }
        }
        outcome
    }

    /// Has the node's desk answered it already? It answers its peers.
    async fn answered(&self, message: &Message, sender: Option<&String>) -> bool {
        let asks = message.is(trust_ping::PIURI, "ping")
            || message.is(discover_features::PIURI, "queries");
        let Some(sender) = sender.filter(|_| asks) else {
            return false;
        };
        let (node, sender) = (self.node.clone(), sender.clone());
        let known = tokio::task::spawn_blocking(move || node.desk().known(&sender));
        matches!(known.await, Ok(Ok(Some(_))))
    }

    async fn answer_by_link(&self, to: &str, reply: Message) -> bool {
        // Keys that do not fit ours never will.
        let Ok(packed) = self.pack(to, reply).await else {
            self.counters.one(Count::AnswerLost);
            return true;
        };
        match self.by_node(to, packed).await {
            Ok(way) => {
                self.counters.one(way);
                true
            }
            Err(refused) => {
                self.refuse(refused);
                false
            }
        }
    }

    /// It was dealt with: the inbox need not keep it.
    async fn done(&self, undone: Undone) {
        let id = undone.id;
        if undone.done().await.is_err() {
            return;
        }
        let node = self.node.clone();
        let discarded = tokio::task::spawn_blocking(move || node.desk().home().discard(&id));
        // What stays is read already, and does no harm.
        let _ = discarded.await;
    }
}
