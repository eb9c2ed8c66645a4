//! Message pickup as a client: a page is fetched, handed over, and only then acknowledged.
//!
//! What is it: one page ([`page`]) and how large the next one may be ([`Batch`]). Who calls it: the
//! keeper, until nothing is left. What can go wrong: [`Fault`]; what was not acknowledged comes
//! again. A message that its owner has no room for stays at the mediator, and is looked past: one
//! full mailbox must not hold up all others.

use std::time::Duration;

use packmule_agent::protocol::pickup::{self, Answer, Item, Version};

use crate::fault::Fault;
use crate::line::Line;
use crate::{Later, Owner};

/// Messages of one page at most, however many are looked past.
const MOST: u32 = 100;

/// How many messages are asked for at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    now: u32,
    usual: u32,
    /// Messages at the front of the queue that were put off.
    past: u32,
}

impl Batch {
    pub(crate) fn new(usual: u32) -> Self {
        let usual = usual.clamp(1, MOST);
        Self {
            now: usual,
            usual,
            past: 0,
        }
    }

    fn limit(&self) -> u32 {
        self.now.saturating_add(self.past).min(MOST)
    }

    /// An answer did not arrive whole: smaller ones may.
    fn shrink(&mut self) {
        self.now = (self.now / 2).max(1);
    }

    /// It did.
    fn grow(&mut self) {
        self.now = self.now.saturating_mul(2).min(self.usual);
    }
}

/// What a page brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// The names of those that were acknowledged.
    pub(crate) ids: Vec<String>,
    /// Messages that were handed over and acknowledged.
    pub(crate) taken: u64,
    /// Messages that could not be read; acknowledged too.
    pub(crate) unread: u64,
    /// There may be more.
    pub(crate) more: bool,
    /// Some were put off; the rest of the queue was looked at.
    pub(crate) later: Option<Duration>,
}

/// Fetches a page, hands it over, acknowledges it. Not asked before how much there is: an answer
/// without messages says as much, and a metered link carries one question less.
pub(crate) async fn page(
    line: &mut Line,
    version: Version,
    recipient: Option<&str>,
    batch: &mut Batch,
    owner: &dyn Owner,
) -> Result<Page, Fault> {
    let limit = batch.limit();
    let question = pickup::delivery_request(version, limit, recipient);
    let answer = match line.ask(&question).await {
        Err(fault @ (Fault::Slow | Fault::NoAnswer(_) | Fault::Nonsense(_))) => {
            batch.shrink();
            return Err(fault);
        }
        other => other?,
    };
    let items = match answer.as_ref().and_then(pickup::read_answer) {
        Some(Answer::Delivery { items, .. }) => items,
        Some(Answer::Status(_)) => Vec::new(),
        _ => {
            batch.shrink();
            return Err(Fault::Nonsense("no messages and no status".to_owned()));
        }
    };
    batch.grow();
    let came = u32::try_from(items.len()).unwrap_or(u32::MAX);
    let taken = take(items, owner).await;
    if !taken.ids.is_empty() {
        line.ask(&pickup::received(version, &taken.ids)).await?;
    }
    let acked = taken.ids.len() as u64;
    if came > 0 && acked == 0 && taken.later.is_none() {
        return Err(Fault::Nonsense("messages without names".to_owned()));
    }
    // All that came is put off: more of them are only behind these, and a page has an end.
    let stuck = acked == 0 && (came < limit || limit >= MOST);
    batch.past = if came == 0 { 0 } else { taken.put_off };
    Ok(Page {
        ids: taken.ids,
        taken: acked - taken.unread,
        unread: taken.unread,
        more: came > 0 && !stuck,
        later: taken.later,
    })
}

/// What became of the messages of a page.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// These may be deleted.
    pub(crate) ids: Vec<String>,
    pub(crate) unread: u64,
    put_off: u32,
    pub(crate) later: Option<Duration>,
}

/// Hands messages over, one after the other, as they were ordered.
pub(crate) async fn take(items: Vec<Item>, owner: &dyn Owner) -> Taken {
    let mut taken = Taken::default();
    for item in items {
        let outcome = match item.packed {
            Some(packed) => owner.take(packed).await,
            // It will be as damaged next time.
            None => {
                taken.unread += u64::from(item.id.is_some());
                Ok(())
            }
        };
        match outcome {
            Ok(()) => taken.ids.extend(item.id),
            Err(Later(wait)) => {
                taken.put_off += 1;
                taken.later = Some(taken.later.map_or(wait, |other| other.min(wait)));
            }
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_shrink_while_answers_break_and_grow_again() {
        let mut batch = Batch::new(10);
        let mut limits = Vec::new();
        for _ in 0..5 {
            limits.push(batch.limit());
            batch.shrink();
        }
        for _ in 0..6 {
            limits.push(batch.limit());
            batch.grow();
        }
        assert_eq!(limits, [10, 5, 2, 1, 1, 1, 2, 4, 8, 10, 10]);
        batch.past = 200;
        assert_eq!(batch.limit(), MOST);
        assert_eq!(Batch::new(0).limit(), 1);
        assert_eq!(Batch::new(5_000).limit(), MOST);
    }
}
