//! A sender that goes by another DID from now on, and proves it (§5.3 of the specification).
//!
//! Called by the mediator for each message from somebody known that is within its time. What can
//! go wrong: a token is as good as the day it was made, and whoever keeps a message may play it
//! again: it is followed once, and not when its account has left that DID since.

use packmule_node::desk::Letter;

use super::{Count, Heard, Mediator, Trouble};
use crate::store::{Moment, canonical};

impl Mediator {
    /// The account of the old DID goes with its owner. Only a `from_prior` whose new DID is who
    /// authenticated this message is followed: the token alone can be shown by anybody whom it
    /// was ever told.
    pub(super) async fn follow(
        &self,
        letter: &Letter,
        sender: &str,
        now: Moment,
        heard: &mut Heard,
    ) {
        let Some(prior) = &letter.opened.from_prior else {
            return;
        };
        let old = canonical(&prior.iss);
        // Who is on the list of those invited vouches for its next DID; nobody leaves the list of
        // those turned away by another name.
        let policy = self.policy();
        let denied = |did: &str| policy.denied.contains(did);
        let new = prior.sub.as_deref().map(canonical);
        if new != Some(sender) || denied(sender) || denied(old) {
            return;
        }
        // Without a date nobody could tell an old word from a new one.
        let made = prior.iat.or(letter.message.created_time);
        let Some(made) = made.map(Moment::from_secs) else {
            return;
        };
        // What leads nowhere takes no place in the memory of the guard.
        match self.store.account_of(old).await {
            Ok(Some(account)) if account.did == old => {}
            Ok(_) => return,
            Err(_) => {
                heard.trouble = Some(Trouble::Failed);
                return;
            }
        }
        // By the token, whichever message shows it; without a date only the message tells.
        let told = match prior.iat {
            Some(made) => format!("from_prior {made} {old}"),
            None => format!("from_prior {}", letter.message.id),
        };
        let told: String = told.chars().take(512).collect();
        match self.store.seen_message(sender, &told, now).await {
            Ok(false) => {}
            Ok(true) => return,
            Err(_) => {
                heard.trouble = Some(Trouble::Failed);
                return;
            }
        }
        let moved = self.store.moved(old, sender, made, now).await;
        let done = moved == Ok(true);
        let _ = self.store.settle_message(sender, &told, done, now).await;
        match moved {
            Ok(true) => {
                self.tally.add(Count::Moved);
                self.changed();
                heard.moved = Some((old.to_owned(), sender.to_owned()));
            }
            Ok(false) => {}
            Err(_) => heard.trouble = Some(Trouble::Failed),
        }
    }
}
