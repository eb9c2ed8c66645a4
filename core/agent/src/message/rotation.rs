//! DID rotation (DIDComm v2.1 §5.3), both sides, as state without a clock or a store.
//!
//! What is it: [`Rotation`] is kept by whoever changes its DID, and stamps every message
//! until the peer has shown that it knows the new one. [`Relationship`] is kept by the peer,
//! and judges every opened message. Both serialise. Who calls it: the node and the command
//! line, which give times in POSIX seconds. What can go wrong: only signing
//! ([`RotationError`]); the proof of a `from_prior` is `pack`'s work ([`FromPrior`]).

use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use super::Message;
use crate::did::{did_of, same_did};
use crate::jose::sign_jwt;
use crate::keys::SecretKey;
use crate::pack::FromPrior;

#[cfg(test)]
mod tests;

/// Most former DIDs that are remembered of one peer; the oldest is forgotten first.
const MAX_FORMER: usize = 64;

/// Why a rotation was not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RotationError {
    /// The key id is not of the old DID: nobody would believe it.
    #[error("the key is not one of the DID that is given up")]
    Kid,
    /// The new DID is the old one.
    #[error("the new DID is the old one")]
    Same,
    /// The key cannot sign, or the library failed.
    #[error("the rotation could not be signed")]
    Sign,
}

/// A change of one's own DID towards one peer, or the end of the relationship.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    old: String,
    new: Option<String>,
    token: String,
    settled: bool,
}

impl Rotation {
    /// Leaves `old` for `new` at `now`; with no `new`, ends the relationship (§5.3.4). `key`
    /// with its id `kid` is an authentication key of `old`.
    ///
    /// Begin no other rotation before this one [is settled](Self::is_settled): a peer that
    /// missed this one could not follow, and one that saw it must not believe `old` again.
    ///
    /// # Errors
    /// Any [`RotationError`].
    pub fn begin(
        old: &str,
        new: Option<&str>,
        now: u64,
        kid: &str,
        key: &SecretKey,
    ) -> Result<Self, RotationError> {
        if !same_did(old, kid) {
            return Err(RotationError::Kid);
        }
        let (old, new) = (did_of(old), new.map(did_of));
        if new.is_some_and(|new| same_did(old, new)) {
            return Err(RotationError::Same);
        }
        let mut claims = Map::new();
        claims.insert("iss".to_owned(), json!(old));
        if let Some(new) = new {
            claims.insert("sub".to_owned(), json!(new));
        }
        claims.insert("iat".to_owned(), json!(now));
        let token = sign_jwt(&claims, kid, key).map_err(|_| RotationError::Sign)?;
        Ok(Self {
            old: old.to_owned(),
            new: new.map(str::to_owned),
            token,
            settled: false,
        })
    }

    /// Makes a message to the peer say it: the new DID as `from`, or none at the end, and the
    /// token until the peer is known to have read it. Pack it encrypted: §5.3 demands it.
    pub fn stamp(&self, message: &mut Message) {
        message.from.clone_from(&self.new);
        message.from_prior = (!self.settled).then(|| self.token.clone());
    }

    /// Takes note of a message from the peer to `recipient`, one of our DIDs: one to the new
    /// DID shows that the peer knows it, and the token is sent no more. An end is never
    /// settled, as nobody writes to a DID that is not there.
    pub fn heard_at(&mut self, recipient: &str) {
        if let Some(new) = &self.new {
            self.settled |= same_did(new, recipient);
        }
    }

    /// Whether the peer is known to write to the new DID.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        self.settled
    }

    /// The DID given up; its keys are needed for what was sent before.
    #[must_use]
    pub fn old(&self) -> &str {
        &self.old
    }

    /// The new DID; `None` at the end of a relationship.
    #[must_use]
    pub fn new_did(&self) -> Option<&str> {
        self.new.as_deref()
    }
}

/// What an opened message means for a relationship.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heard {
    /// From the peer's present DID: read it.
    Current,
    /// From the peer's new DID, which is now the present one: read it.
    Rotated,
    /// The peer ended the relationship: read it, and write no more.
    Ended,
    /// From a former DID, but sent before it was given up: read it. Slow carriers bring such.
    Late,
    /// From a DID that had been given up, or without saying when it was sent: ignore it.
    Stale,
    /// Not from this peer.
    Stranger,
}

/// A DID that a peer gave up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Former {
    did: String,
    /// When, by the peer's own word, but never later than we learnt it.
    since: u64,
}

/// What we know of one peer's DIDs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relationship {
    current: Option<String>,
    former: Vec<Former>,
}

impl Relationship {
    /// A peer known by one DID.
    #[must_use]
    pub fn with(did: &str) -> Self {
        Self {
            current: Some(did_of(did).to_owned()),
            former: Vec::new(),
        }
    }

    /// The DID to write to; `None` when the peer ended the relationship.
    #[must_use]
    pub fn current(&self) -> Option<&str> {
        self.current.as_deref()
    }

    /// Judges an opened message: `sender` is who authenticated it ([`crate::Opened::sender`],
    /// or who signed), `prior` its proven `from_prior`, `created` its `created_time`, `now`
    /// the time of its arrival.
    pub fn hear(
        &mut self,
        sender: Option<&str>,
        prior: Option<&FromPrior>,
        created: Option<u64>,
        now: u64,
    ) -> Heard {
        if let Some(heard) = prior.and_then(|prior| self.rotate(sender, prior, created, now)) {
            return heard;
        }
        let Some(sender) = sender else {
            return Heard::Stranger;
        };
        if self.is_current(sender) {
            return Heard::Current;
        }
        match self.former.iter().find(|one| same_did(&one.did, sender)) {
            Some(one) if created.is_some_and(|at| at < one.since) => Heard::Late,
            Some(_) => Heard::Stale,
            None => Heard::Stranger,
        }
    }

    /// Only the present DID may name its successor: a former one's keys may be in other hands
    /// by now. `None` when the token changes nothing.
    fn rotate(
        &mut self,
        sender: Option<&str>,
        prior: &FromPrior,
        created: Option<u64>,
        now: u64,
    ) -> Option<Heard> {
        let old = self
            .current
            .clone()
            .filter(|current| same_did(current, &prior.iss))?;
        let new = prior.sub.as_deref();
        match (new, sender) {
            // An ending message is from nobody, or still from the old DID.
            (None, None) => {}
            (None, Some(sender)) if same_did(sender, &old) => {}
            (Some(new), Some(sender)) if same_did(new, sender) => {}
            _ => return None,
        }
        // A clock that runs ahead must not keep the old DID alive.
        let since = prior.iat.or(created).unwrap_or(0).min(now);
        // The token of an earlier rotation, played again after the peer went back to its DID.
        let latest = self.former.iter().map(|one| one.since).max();
        let back = |new| self.former.iter().any(|one| same_did(&one.did, new));
        if new.is_some_and(back) && latest.is_some_and(|latest| since <= latest) {
            return None;
        }
        if let Some(new) = new {
            self.former.retain(|one| !same_did(&one.did, new));
        }
        if self.former.len() >= MAX_FORMER {
            self.former.remove(0);
        }
        self.former.push(Former { did: old, since });
        self.current = new.map(str::to_owned);
        Some(if new.is_some() {
            Heard::Rotated
        } else {
            Heard::Ended
        })
    }

    fn is_current(&self, did: &str) -> bool {
        self.current
            .as_ref()
            .is_some_and(|current| same_did(current, did))
    }
}
