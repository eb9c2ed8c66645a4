//! Coordinate-mediation: who has an account, and which DIDs lead to it.
//!
//! Called by the mediator. What can go wrong: somebody registers DIDs that are not its own. The
//! protocol has no proof of possession; so a DID is bound to whoever came first, never one that
//! has an account itself, never ours, and whoever proves to own a bound DID may still open an
//! account under it, which then counts.

use std::time::Instant;

use packmule_agent::did::same_did;
use packmule_agent::protocol::mediation::{self, Action, Ask, Change, Outcome, Page, Version};

use super::problems::Problem;
use super::{Answer, Asker, Count, Mediator, Via};
use crate::store::{self, Opening, canonical, is_did};

/// Bindings of one answer when nobody says how many.
const LISTED: u32 = 1000;
/// What an entry of an answer costs beside its DID, in bytes; and the answer beside its entries.
const ENTRY: u64 = 64;
const REST: u64 = 4096;

impl Mediator {
    pub(super) async fn mediate(&self, asker: &Asker<'_>, version: Version, ask: Ask) -> Answer {
        match ask {
            Ask::Request => self.request(asker, version).await,
            Ask::Update(changes) => self.update(asker, version, changes).await,
            Ask::Query(page) => self.query(asker, version, page).await,
        }
    }

    /// Grants, also to who has an account: asking again does no harm.
    async fn request(&self, asker: &Asker<'_>, version: Version) -> Answer {
        let deny = || {
            self.tally.add(Count::Denied);
            Ok(Some(mediation::deny(asker.message, version)))
        };
        if !self.policy().admits(asker.did) || same_did(asker.did, &self.did) {
            return deny();
        }
        // Whoever has one is told so as often as it asks; new ones cost room that all share.
        let new = self.store.account_of(asker.name()).await?;
        let new = new.is_none_or(|account| account.did != asker.name());
        // A mule that brings a village's wishes is no crowd at the door.
        let at_door = matches!(asker.visit.via, Via::Http | Via::Socket(_));
        if let Some(from) = asker.visit.from.clone().filter(|_| new && at_door)
            && self.openings.take(from, Instant::now()).is_err()
        {
            self.tally.add(Count::Crowded);
            let comment = "There are many new mailboxes where you are; ask again in an hour.";
            return Err(Problem::new("e.m.res.accounts", comment));
        }
        let open = async { self.store.open_account(asker.name(), asker.now).await };
        let is_open = |opening: &Opening| *opening != Opening::Refused;
        match self.once(asker, open, is_open).await? {
            Some(Opening::New) => {
                self.tally.add(Count::Opened);
                self.changed();
            }
            Some(Opening::Known) => {}
            Some(Opening::Refused) => return deny(),
            // An old request must not bring back an account that was closed.
            None if self.account(asker).await.is_err() => return Ok(None),
            None => {}
        }
        let routing: Vec<&str> = self.routing.iter().map(String::as_str).collect();
        Ok(Some(mediation::grant(asker.message, version, &routing)))
    }

    async fn update(&self, asker: &Asker<'_>, version: Version, changes: Vec<Change>) -> Answer {
        let account = self.account(asker).await?;
        let change = self.change(&account, &changes, asker);
        // Where there was no room for anything there may be some the next time.
        let is_done = |told: &Vec<Outcome>| {
            told.contains(&Outcome::Success) || !told.contains(&Outcome::ServerError)
        };
        let outcomes = match self.once(asker, change, is_done).await? {
            Some(outcomes) => outcomes,
            None => self.as_it_is(&account, &changes).await?,
        };
        let told: Vec<_> = changes.into_iter().zip(outcomes).collect();
        Ok(Some(mediation::updated(asker.message, version, &told)))
    }

    async fn change(
        &self,
        account: &str,
        changes: &[Change],
        asker: &Asker<'_>,
    ) -> Result<Vec<Outcome>, Problem> {
        let decided: Vec<Option<Outcome>> = changes
            .iter()
            .map(|change| self.decided(account, change))
            .collect();
        let open = changes
            .iter()
            .zip(&decided)
            .filter(|(_, one)| one.is_none());
        let wanted: Vec<store::Change> = open
            .map(|(change, _)| store::Change {
                did: canonical(&change.did).to_owned(),
                add: change.action == Action::Add,
            })
            .collect();
        let done = if wanted.is_empty() {
            Vec::new()
        } else {
            self.store.update(account, &wanted, asker.now).await?
        };
        if done.contains(&store::Outcome::Success) {
            self.changed();
        }
        let mut done = done.into_iter().map(|outcome| match outcome {
            store::Outcome::Success => Outcome::Success,
            store::Outcome::NoChange => Outcome::NoChange,
            store::Outcome::ClientError => Outcome::ClientError,
            store::Outcome::ServerError => Outcome::ServerError,
        });
        let merged = decided.into_iter().map(|one| {
            let stored = || done.next().unwrap_or(Outcome::ServerError);
            one.unwrap_or_else(stored)
        });
        Ok(merged.collect())
    }

    /// What needs no look into the store.
    fn decided(&self, account: &str, change: &Change) -> Option<Outcome> {
        let own = canonical(&change.did) == account;
        match change.action {
            Action::Unknown(_) => Some(Outcome::ClientError),
            _ if !is_did(&change.did) || same_did(&change.did, &self.did) => {
                Some(Outcome::ClientError)
            }
            // An account's own DID leads to it, always.
            Action::Add if own => Some(Outcome::NoChange),
            Action::Remove if own => Some(Outcome::ClientError),
            Action::Add | Action::Remove => None,
        }
    }

    /// The answer to an update that was heard before: nothing is done, yet who missed the first
    /// answer learns how things are.
    async fn as_it_is(&self, account: &str, changes: &[Change]) -> Result<Vec<Outcome>, Problem> {
        let mut outcomes = Vec::with_capacity(changes.len());
        for change in changes {
            outcomes.push(match self.decided(account, change) {
                Some(decided) => decided,
                None => {
                    let found = self.store.account_of(&change.did).await?;
                    let bound = found.is_some_and(|found| found.did == account);
                    if bound == (change.action == Action::Add) {
                        Outcome::NoChange
                    } else {
                        Outcome::ServerError
                    }
                }
            });
        }
        Ok(outcomes)
    }

    async fn query(&self, asker: &Asker<'_>, version: Version, page: Option<Page>) -> Answer {
        let account = self.account(asker).await?;
        let Page { limit, offset } = page.unwrap_or(Page {
            limit: LISTED,
            offset: 0,
        });
        let limit = limit.min(LISTED);
        let mut found = self.store.bindings(&account, limit, offset).await?;
        // As with deliveries: not more than every recipient can open.
        let mut room = self.policy().page_bytes.saturating_sub(REST);
        let fits = |did: &&String| {
            let needed = did.len() as u64 + ENTRY;
            let fits = needed <= room;
            room = room.saturating_sub(needed);
            fits
        };
        let fitting = found.dids.iter().take_while(fits).count();
        let left = u32::try_from(found.dids.len() - fitting).unwrap_or(u32::MAX);
        found.dids.truncate(fitting);
        let listing = mediation::Listing {
            dids: found.dids,
            offset,
            remaining: found.remaining.saturating_add(left),
        };
        Ok(Some(mediation::listed(asker.message, version, &listing)))
    }
}
