//! A message that is not encrypted for us.
//!
//! Called when opening says so, and for what was forwarded to others than accounts. It is for an
//! account of ours (somebody sends to the gateway what belongs to a DID behind it), or for
//! somebody else: then it is carried if that is allowed here. What can go wrong: it names nobody
//! whom we know. That is counted, and told to who brings it over HTTP: a node that carries it
//! must not take an acceptance for custody and let its own copy go. So whoever has an address
//! here can be asked for, as often as one address may bring messages; behind a forward, which is
//! what senders use, nothing is told.

use std::sync::Arc;

use packmule_agent::pack::{Limits, peek};
use packmule_node::{Submit, SubmitError};

use super::{Office, Refused};
use crate::counters::Count;
use crate::mediator::{Stray, Visit};
use crate::store::{Moment, canonical};

/// Names of one message that are looked up.
const NAMES: usize = 8;

impl Office {
    /// Keeps it for whom it names: is there anybody? Durable when this returns.
    pub(super) async fn for_others(
        self: &Arc<Self>,
        packed: Vec<u8>,
        visit: &Visit,
    ) -> Result<bool, Refused> {
        let seen = peek(&packed, &Limits::default()).map_err(|_| Refused::Unopened)?;
        let named = seen.to.unwrap_or(seen.recipient_kids);
        let mut dids: Vec<&str> = named.iter().map(|name| canonical(name)).collect();
        dids.sort_unstable();
        dids.dedup();
        dids.truncate(NAMES);
        let mut accounts = Vec::new();
        for did in &dids {
            let account = self.store.account_of(did).await;
            if let Some(account) = account.map_err(|_| Refused::Fault)?
                && !accounts.iter().any(|(known, _)| *known == account.did)
            {
                accounts.push((account.did, *did));
            }
        }
        // Each of them, whatever becomes of the others: sent again, it is known where it is.
        let mut outcome = Ok(());
        for (_, did) in &accounts {
            let one = self.into_mailbox(did, packed.clone(), visit).await;
            outcome = outcome.and(one);
        }
        if !accounts.is_empty() {
            return outcome.map(|()| true);
        }
        let Some(did) = dids.first().filter(|_| self.settings.carry) else {
            self.refuse(Refused::NoRecipient);
            return Ok(false);
        };
        let expires = Moment::now() + self.settings.keep;
        let stray = Stray {
            next: (*did).to_owned(),
            packed,
            expires,
        };
        self.carry_all(vec![stray]).await?;
        Ok(true)
    }

    /// Puts a packed message into the mailbox of a DID, and pushes it.
    pub(super) async fn into_mailbox(
        self: &Arc<Self>,
        did: &str,
        packed: Vec<u8>,
        visit: &Visit,
    ) -> Result<(), Refused> {
        let now = Moment::now();
        let heard = self.mediator.direct(did, packed, visit, now).await;
        self.push_all(heard.stored, now);
        self.carry_all(heard.strays).await?;
        heard.trouble.map_or(Ok(()), |trouble| Err(trouble.into()))
    }

    /// Gives what is for others to the node. Durable when this returns.
    pub(super) async fn carry_all(&self, strays: Vec<Stray>) -> Result<(), Refused> {
        if strays.is_empty() {
            return Ok(());
        }
        let many = strays.len() as u64;
        let letters = strays.into_iter().map(|stray| {
            let options = Submit {
                expires: Some(stray.expires.as_secs()),
                ..Submit::default()
            };
            (stray.packed, canonical(&stray.next).to_owned(), options)
        });
        for outcome in self.node.submit_all(letters.collect()).await {
            match outcome {
                Ok(_) => {}
                Err(SubmitError::NotAMessage(_)) => return Err(Refused::Unopened),
                Err(SubmitError::NotTaken(_)) => return Err(Refused::Full),
                Err(_) => return Err(Refused::Fault),
            }
        }
        self.counters.add(Count::Carried, many);
        Ok(())
    }
}
