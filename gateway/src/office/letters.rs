//! One message, from its bytes to what follows from it.
//!
//! Called by every door. What can go wrong: see [`Refused`]; nothing was kept then, or what was
//! kept is kept once, since the store knows each message by its name.

use std::sync::Arc;
use std::time::Instant;

use packmule_agent::message::Message;
use packmule_agent::protocol::basic_message;
use packmule_bus::label::DidTag;
use packmule_bus::{Envelope, EnvelopeId};
use packmule_node::Arrival;
use packmule_node::desk::Letter;
use tokio::time::sleep;

use super::{Office, Refused, beside};
use crate::counters::Count;
use crate::log::Fact;
use crate::mediator::{Live, Stored, Via, Visit, protocol};
use crate::store::{Moment, canonical};
use crate::traces::Span;

/// The problem code of what is encrypted for keys that are not ours.
const NOT_FOR_US: &str = "e.p.trust.crypto.not-for-us";

/// Messages that are opened for one that was sent, those forwarded in it to ourselves included.
const OPENINGS: usize = 64;

/// What followed from a message that was for us.
#[derive(Default)]
pub(super) struct Followed {
    /// All the work on it, its answer included.
    pub(super) span: Span,
    /// Who sent it, proven.
    pub(super) sender: Option<String>,
    /// Answers are wanted on the connection that it came by.
    pub(super) back: bool,
    /// Answers, not packed yet.
    pub(super) replies: Vec<Message>,
    /// What was put into mailboxes.
    pub(super) stored: Vec<EnvelopeId>,
    /// It was for nobody here, and was not kept.
    pub(super) for_nobody: bool,
    /// A wish for live delivery, or for its end.
    pub(super) live: Option<Live>,
    /// The account that goes by the sender's DID from now on, by its old one.
    pub(super) moved: Option<String>,
}

impl Office {
    /// Takes a message, whoever it is for. It and what follows from it are durable when this
    /// returns.
    pub(super) async fn take(
        self: &Arc<Self>,
        packed: Vec<u8>,
        visit: &Visit,
    ) -> Result<Followed, Refused> {
        let began = Instant::now();
        let span = self.traces.message(visit.via.name(), packed.len());
        let mut followed = Followed {
            span,
            ..Followed::default()
        };
        let outcome = self.follow(packed, visit, &mut followed).await;
        self.counters.took(began.elapsed());
        let told = outcome.map_or_else(Refused::name, |()| "taken");
        followed.span.fact("packmule.outcome", told);
        outcome.map_err(|refused| self.refuse(refused))?;
        Ok(followed)
    }

    async fn follow(
        self: &Arc<Self>,
        packed: Vec<u8>,
        visit: &Visit,
        followed: &mut Followed,
    ) -> Result<(), Refused> {
        let mut visit = visit.clone();
        let mut todo = vec![packed];
        let mut opened = 0;
        while !todo.is_empty() {
            // Each costs as much as a message by itself, and its sender paid for one.
            opened += todo.len();
            if opened > OPENINGS {
                return Err(Refused::TooLarge);
            }
            let mut inner = Vec::new();
            for packed in todo {
                inner.extend(self.one(packed, &visit, followed).await?);
            }
            todo = inner;
            visit.nested = visit.nested.saturating_add(1);
        }
        Ok(())
    }

    /// One message; gives those that were forwarded in it to ourselves.
    async fn one(
        self: &Arc<Self>,
        packed: Vec<u8>,
        visit: &Visit,
        followed: &mut Followed,
    ) -> Result<Vec<Vec<u8>>, Refused> {
        let node = self.node.clone();
        let opening = followed.span.part("open");
        let (packed, opened) = beside(packed.len(), move || {
            let opened = node.desk().open(&packed);
            (packed, opened)
        })
        .await?;
        opening.end();
        let letter = match opened {
            Ok(letter) => letter,
            Err((problem, _)) if problem == NOT_FOR_US => {
                followed.for_nobody = !self.for_others(packed, visit).await?;
                return Ok(Vec::new());
            }
            Err((problem, reason)) => {
                let facts: [Fact<'_>; 2] = [("problem", &problem), ("why", &reason)];
                self.log.debug("unopened", &facts);
                return Err(Refused::Unopened);
            }
        };
        self.wait_to_admit(&letter, visit.via).await?;
        let sender = letter.opened.sender.clone();
        let now = Moment::now();
        let hearing = followed.span.part("mediate");
        hearing.fact("packmule.protocol", protocol(&letter.message));
        let heard = self.mediator.hear(letter, visit, now).await;
        hearing.end();
        followed
            .stored
            .extend(heard.stored.iter().map(|one| one.id));
        self.push_all(heard.stored, now);
        if let Some(did) = heard.met {
            self.remember_form(did).await?;
        }
        if let Some((old, new)) = heard.moved {
            self.moved(&old, &new, visit);
            followed.moved = Some(old).filter(|_| visit.nested == 0);
        }
        if let Some(sender) = &sender {
            self.taken_from_mailbox(sender, heard.acked);
        }
        self.carry_all(heard.strays).await?;
        if let Some(letter) = heard.for_us {
            self.keep(letter, packed, visit).await?;
        }
        // Who cannot be told by an answer on the same connection is told by its status.
        let told = heard.back && visit.nested == 0 && !heard.replies.is_empty();
        if let Some(trouble) = heard.trouble.filter(|_| !told) {
            for (sender, reply) in sender.iter().zip(heard.replies) {
                self.answer_elsewhere(sender, reply).await;
            }
            return Err(trouble.into());
        }
        // What was forwarded to ourselves is answered by its own way, if by any.
        if visit.nested == 0 {
            followed.sender = sender;
            followed.back = heard.back;
            followed.replies = heard.replies;
            followed.live = heard.live;
        } else if let Some(sender) = sender {
            for reply in heard.replies {
                self.answer_elsewhere(&sender, reply).await;
            }
        }
        Ok(heard.inner)
    }

    /// A DID that has a shorter form, and alone tells the keys.
    pub(super) async fn remember_form(&self, did: String) -> Result<(), Refused> {
        let node = self.node.clone();
        let kept = tokio::task::spawn_blocking(move || node.desk().remember_form(&did));
        match kept.await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Refused::Fault),
        }
    }

    /// An account goes by another DID from now on.
    pub(super) fn moved(&self, old: &str, new: &str, visit: &Visit) {
        // Who listens as the old one is told nothing more there, and has to ask anew.
        self.seats.end(old, visit.via.socket());
        // What the old one held is there too now.
        self.seats.tell_behind(new);
    }

    /// Is a proven sender welcome, and not too often here? What waited at a mediator, or came over
    /// a link, comes at our pace, not at its sender's. A signature may be anybody's to show: it
    /// costs its maker nothing.
    pub(super) fn admit(&self, letter: &Letter, via: Via) -> Result<(), Refused> {
        if letter.sender.as_ref().is_some_and(|did| self.denies(did)) {
            return Err(Refused::Denied);
        }
        let Some(sender) = &letter.opened.sender else {
            return Ok(());
        };
        if matches!(via, Via::Uplink | Via::Bus) {
            return Ok(());
        }
        let who = DidTag::of(canonical(sender));
        self.senders
            .take(who, Instant::now())
            .map_err(Refused::TooMany)
    }

    /// On a conversation who sends too often is read more slowly.
    async fn wait_to_admit(&self, letter: &Letter, via: Via) -> Result<(), Refused> {
        loop {
            match self.admit(letter, via) {
                Err(Refused::TooMany(wait)) if via.socket().is_some() => {
                    self.counters.one(Count::Paced);
                    sleep(wait).await;
                }
                told => return told,
            }
        }
    }

    /// Pushes what was stored to whoever is there for it; what is delayed, when its time comes.
    /// What is for somebody near is given to the node too.
    pub(super) fn push_all(self: &Arc<Self>, stored: Vec<Stored>, now: Moment) {
        self.offer_near(&stored);
        for one in stored {
            // Whoever comes later finds it in the mailbox.
            if !self.seats.has(&one.account) {
                continue;
            }
            let wait = one.not_before.since(now);
            let Some(one) = self.seats.weigh(one) else {
                continue;
            };
            if wait.is_zero() {
                self.seats.push(&one);
                continue;
            }
            let (office, mut closing) = (Arc::clone(self), self.closing.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = sleep(wait) => drop(office.seats.push(&one)),
                    _ = closing.wait_for(|closing| *closing) => {}
                }
            });
        }
    }

    /// Puts a message that is for the keeper of this gateway into the node's inbox, if it is from
    /// a peer or answers an invitation that holds; the node's desk answers it. From anybody else
    /// nothing is kept, or anybody could fill the disk. Durable when this returns.
    async fn keep(&self, letter: Letter, packed: Vec<u8>, visit: &Visit) -> Result<(), Refused> {
        let node = self.node.clone();
        let channel = match visit.via {
            Via::Http => "http",
            Via::Uplink => "mediator",
            _ => "ws",
        };
        let kept = tokio::task::spawn_blocking(move || {
            let desk = node.desk();
            let known = match &letter.sender {
                Some(sender) => desk.known(sender)?.is_some(),
                None => false,
            };
            let proven = letter.opened.sender.is_some();
            let invited = match &letter.message.pthid {
                Some(invitation) if proven => desk.awaits(invitation)?,
                _ => false,
            };
            if !known && !invited {
                // Acknowledgements and reports of strangers are of no use here, and no fault.
                return Ok(basic_message::content(&letter.message).is_none());
            }
            let Ok(envelope) = Envelope::from_packed(&packed) else {
                return Ok(false);
            };
            let arrival = Arrival {
                channel: channel.to_owned(),
                received: Moment::now().as_secs(),
            };
            desk.home().accept_all([&envelope], &arrival)?;
            Ok::<_, packmule_node::HomeError>(true)
        });
        match kept.await {
            Ok(Ok(true)) => {
                self.node.poke().await;
                Ok(())
            }
            Ok(Ok(false)) => Err(Refused::Denied),
            Ok(Err(_)) | Err(_) => Err(Refused::Fault),
        }
    }
}
