//! Messages that came over the node's links.
//!
//! What is it: the loop that takes what the node received, lets the mediator hear it and sends
//! the answers by the node. Who calls it: the gateway, once. What can go wrong: the store fails;
//! then the letter is not told done, and comes again after a restart. What is not for the
//! mediator stays in the node's inbox for people.

use std::sync::Arc;

use packmule_agent::message::Message;
use packmule_agent::protocol::{discover_features, trust_ping};
use packmule_node::desk::answers_to;
use packmule_node::{Received, Undone};

use super::{Office, Refused};
use crate::counters::Count;
use crate::mediator::{Trouble, Via, Visit};
use crate::store::Moment;

impl Office {
    /// Takes what the node receives, until it ends.
    pub(crate) async fn serve_links(self: Arc<Self>) {
        while let Some(received) = self.node.receive().await {
            self.counters.one(Count::ByLink);
            self.from_link(received).await;
        }
    }

    async fn from_link(self: &Arc<Self>, received: Received) {
        let (letter, undone) = received.into_letter();
        if self.answered(&letter.message, letter.sender.as_ref()).await {
            return self.done(undone).await;
        }
        let sender = letter.opened.sender.clone();
        if let Some(sender) = &sender
            && let Err(refused) = self.admit(sender, Via::Bus)
        {
            self.refuse(refused);
            return self.done(undone).await;
        }
        let now = Moment::now();
        let heard = self.mediator.hear(letter, &Visit::by(Via::Bus), now).await;
        self.push_all(heard.stored, now);
        if heard.for_us.is_some() {
            // It stays in the inbox, for people.
            return;
        }
        let followed = self.inner(heard.inner).await;
        let carried = self.carry_all(heard.strays).await;
        let troubled = matches!(heard.trouble, Some(Trouble::Failed | Trouble::Full));
        if troubled || followed.is_err() || carried.is_err() {
            // It stays, and is heard again after a restart.
            self.refuse(Refused::Fault);
            return;
        }
        let replies = heard.replies;
        if let Some(sender) = sender {
            for (number, mut reply) in replies.into_iter().enumerate() {
                // Named after the question: asked again after a crash, it is the same answer.
                reply.id = format!("{}{number}", answers_to(&undone.id));
                if !self.answer_by_link(&sender, reply).await {
                    return;
                }
            }
        }
        self.done(undone).await;
    }

    /// What was forwarded to ourselves in a forward to ourselves.
    async fn inner(self: &Arc<Self>, inner: Vec<Vec<u8>>) -> Result<(), Refused> {
        let mut visit = Visit::by(Via::Bus);
        visit.nested = 1;
        for packed in inner {
            self.take(packed, &visit).await?;
        }
        Ok(())
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
