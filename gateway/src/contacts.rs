//! Whom the node met lately.
//!
//! What is it: [`Contacts`], the latest meetings on its links, from the node's events. Who calls
//! it: a task of the gateway follows the events, the operators' side lists them. What can go
//! wrong: more happens than is kept or followed; then the older, or some, are left out.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use packmule_node::Node;
use packmule_node::control::EventLine;
use serde::Serialize;

use crate::store::Moment;

/// Meetings that are kept.
const KEPT: usize = 100;

/// Somebody was at the other end of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Contact {
    /// The link's number.
    link: u64,
    /// The node's key.
    node: String,
    /// Whose it proved to be: a peer's name, or a DID's tag.
    proved: Vec<String>,
    /// From when, in posix seconds.
    met: u64,
    /// Until when; none while it lasts.
    parted: Option<u64>,
    /// Why it ended, for people.
    why: Option<String>,
}

/// The latest meetings.
#[derive(Debug, Default)]
pub(crate) struct Contacts(Mutex<VecDeque<Contact>>);

impl Contacts {
    /// Notes what the node tells, until it ends.
    pub(crate) async fn follow(&self, node: &Node) {
        let mut events = node.events();
        while let Some(event) = events.next().await {
            self.note(event, Moment::now().as_secs());
        }
    }

    fn note(&self, event: EventLine, now: u64) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            EventLine::Met { link, node } => {
                if kept.len() >= KEPT {
                    kept.pop_front();
                }
                kept.push_back(Contact {
                    link,
                    node,
                    proved: Vec::new(),
                    met: now,
                    parted: None,
                    why: None,
                });
            }
            EventLine::Proved { link, who } => {
                let contact = kept.iter_mut().rev().find(|one| one.link == link);
                if let Some(contact) = contact.filter(|one| !one.proved.contains(&who)) {
                    contact.proved.push(who);
                }
            }
            EventLine::Parted { link, why } => {
                if let Some(contact) = kept.iter_mut().rev().find(|one| one.link == link) {
                    contact.parted = Some(now);
                    contact.why = Some(why);
                }
            }
            _ => {}
        }
    }

    /// The latest, latest first.
    pub(crate) fn latest(&self, most: usize) -> Vec<Contact> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().rev().take(most).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meeting_is_kept_with_who_it_was_and_how_it_ended() {
        let contacts = Contacts::default();
        let met = |link: u64| EventLine::Met {
            link,
            node: format!("node {link}"),
        };
        contacts.note(met(1), 10);
        contacts.note(met(2), 11);
        for _ in 0..2 {
            let who = "bob".to_owned();
            contacts.note(EventLine::Proved { link: 1, who }, 12);
        }
        let why = "the link broke".to_owned();
        contacts.note(EventLine::Parted { link: 1, why }, 13);
        let latest = contacts.latest(10);
        assert_eq!((latest[0].link, latest[0].parted), (2, None));
        let first = &latest[1];
        assert_eq!((first.met, first.parted), (10, Some(13)));
        assert_eq!(first.proved, ["bob"]);
        assert_eq!(first.why.as_deref(), Some("the link broke"));
        for link in 3..500 {
            contacts.note(met(link), link);
        }
        assert_eq!(contacts.latest(1000).len(), KEPT);
        assert_eq!(contacts.latest(1)[0].link, 499);
    }
}
