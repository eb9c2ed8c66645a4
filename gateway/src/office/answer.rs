//! Answers on their way back.
//!
//! Called by the doors with what the mediator answered. An answer goes back on the connection
//! that the question came by if the question asked for it (`return_route`), else into the
//! sender's mailbox here, else to where the sender's DID says, by the node. What can go wrong:
//! keys that do not fit ours, a full mailbox, no way at all: counted, since whoever asked can ask
//! again. What tells of a mailbox (status, delivery) goes back on the connection or nowhere: laid
//! into that very mailbox it would never end.

use std::sync::Arc;

use packmule_agent::message::Message;
use packmule_node::Submit;
use packmule_node::desk::Protection;

use super::{Office, Refused, beside};
use crate::counters::Count;
use crate::mediator::{Via, Visit, may_wait};
use crate::store::{Moment, canonical};

/// How long an answer is carried that no mailbox holds, in seconds.
const CARRIED: u64 = 86_400;

impl Office {
    /// Packs a message for somebody, from us.
    pub(super) async fn pack(&self, to: &str, message: Message) -> Result<Vec<u8>, Refused> {
        let bytes: usize = message.attachments.iter().map(weight).sum();
        let (node, to) = (self.node.clone(), to.to_owned());
        let packed = beside(bytes, move || {
            node.desk().records(&to, message, Protection::Auth)
        });
        let first = packed.await?.ok().and_then(|all| all.into_iter().next());
        first.map(|record| record.packed).ok_or(Refused::Fault)
    }

    /// Sends an answer by another way than the one its question came by.
    pub(super) async fn answer_elsewhere(self: &Arc<Self>, to: &str, reply: Message) {
        if !may_wait(&reply) {
            self.counters.one(Count::AnswerLost);
            return;
        }
        let way = self.find_way(to, reply).await;
        self.counters.one(way.unwrap_or(Count::AnswerLost));
    }

    async fn find_way(self: &Arc<Self>, to: &str, reply: Message) -> Result<Count, Refused> {
        let account = self.store.account_of(canonical(to)).await;
        let account = account.map_err(|_| Refused::Fault)?;
        if account.is_none() && !self.settings.answer {
            return Err(Refused::NoRecipient);
        }
        let packed = self.pack(to, reply).await?;
        if account.is_none() {
            return self.by_node(to, packed).await;
        }
        self.into_mailbox(to, packed, &Visit::by(Via::Bus)).await?;
        Ok(Count::AnsweredBox)
    }

    /// Gives an answer to the node, which carries it for a day.
    pub(super) async fn by_node(&self, to: &str, packed: Vec<u8>) -> Result<Count, Refused> {
        let options = Submit {
            expires: Some(Moment::now().as_secs() + CARRIED),
            seek: Some(self.settings.answer),
            ..Submit::default()
        };
        let taken = self.node.submit(packed, to, options).await;
        taken.map_err(|_| Refused::Fault)?;
        Ok(Count::AnsweredNode)
    }
}

/// About how many bytes an attachment adds to the work.
fn weight(attachment: &packmule_agent::message::Attachment) -> usize {
    attachment.data.base64.as_ref().map_or(0, String::len)
}
