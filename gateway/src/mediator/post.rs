//! What is forwarded: into a mailbox, on to others, or nowhere.
//!
//! Called by the mediator for forwards, and by the office for messages that were sent here for
//! an account without one. What can go wrong: nothing is answered to a sender whom nobody
//! knows; that there is no such mailbox is told to nobody at all, or anybody could ask who has
//! one.

use std::time::Duration;

use packmule_agent::did::same_did;
use packmule_agent::message::Message;
use packmule_agent::protocol::routing::{self, ForwardError};
use packmule_bus::EnvelopeId;
use packmule_node::desk::Letter as Opened;

use super::problems::Problem;
use super::{Asker, Count, Heard, MAX_NESTED, Mediator, Stored, Stray, Trouble, Visit, policy};
use crate::store::{Enqueued, Letter, Moment, Refusal, canonical};

/// From this many bytes on, naming and shrinking messages is done beside the work of others.
const LARGE: usize = 64 * 1024;

/// Messages for one recipient.
struct Parcel {
    next: String,
    packed: Vec<Vec<u8>>,
    expires: Moment,
    not_before: Moment,
    /// For the quota of a sender.
    from: Option<String>,
}

impl Mediator {
    /// Follows a forward. Only who is known hears of a problem with it; success is never told.
    pub(super) async fn forward(
        &self,
        letter: &Opened,
        visit: &Visit,
        now: Moment,
        heard: &mut Heard,
    ) {
        self.tally.add(Count::Forward);
        let message = &letter.message;
        let did = letter.opened.sender.as_deref();
        let done = match self.parcel(message, did, visit, now) {
            Ok(parcel) => self.deliver(parcel, visit, now, heard).await,
            Err(problem) => Err(problem),
        };
        let Err(problem) = done else { return };
        heard.trouble = heard.trouble.or(problem.trouble);
        if let Some(did) = did {
            let asker = Asker {
                message,
                did,
                visit,
                now,
            };
            let report = self.complain(&asker, &problem, heard);
            let report = report.map(|report| self.addressed(report, did));
            heard.replies.extend(report);
        }
    }

    /// Puts a packed message into the mailbox of `next`, as if it had been forwarded: some send
    /// straight to where a recipient's document points.
    pub async fn direct(&self, next: &str, packed: Vec<u8>, visit: &Visit, now: Moment) -> Heard {
        let mut heard = Heard::default();
        let parcel = Parcel {
            next: next.to_owned(),
            packed: vec![packed],
            expires: now + self.policy().keep_for,
            not_before: Moment::default(),
            from: visit.from.clone(),
        };
        if let Err(problem) = self.deliver(parcel, visit, now, &mut heard).await {
            heard.trouble = heard.trouble.or(problem.trouble);
        }
        heard
    }

    fn parcel(
        &self,
        message: &Message,
        sender: Option<&str>,
        visit: &Visit,
        now: Moment,
    ) -> Result<Parcel, Problem> {
        let forward = routing::read(message).map_err(|err| {
            self.tally.add(Count::Malformed);
            let trouble = match err {
                ForwardError::TooMany => Trouble::TooLarge,
                _ => Trouble::Malformed,
            };
            Problem {
                trouble: Some(trouble),
                ..Problem::of(err.problem(), &err)
            }
        })?;
        if message.expired(now.as_secs()) {
            self.tally.add(Count::Expired);
            return Err(Problem::new(
                "e.m.req.time",
                "The forward came after its expires_time.",
            ));
        }
        let latest = now + self.policy().keep_for;
        let expires = forward.expires.map_or(latest, Moment::from_secs);
        let pause =
            Duration::from_millis(forward.wait(policy::draw())).min(self.policy().max_delay);
        Ok(Parcel {
            next: forward.next,
            packed: forward.packed,
            expires: expires.min(latest),
            not_before: if pause.is_zero() {
                Moment::default()
            } else {
                now + pause
            },
            from: sender
                .map(|did| canonical(did).to_owned())
                .or_else(|| visit.from.clone()),
        })
    }

    async fn deliver(
        &self,
        parcel: Parcel,
        visit: &Visit,
        now: Moment,
        heard: &mut Heard,
    ) -> Result<(), Problem> {
        if same_did(&parcel.next, &self.did) {
            if visit.nested >= MAX_NESTED {
                self.tally.add(Count::Malformed);
                let comment = "Too many forwards to this mediator inside each other.";
                return Err(Problem {
                    trouble: Some(Trouble::Malformed),
                    ..Problem::new("e.m.req.nested", comment)
                });
            }
            heard.inner = parcel.packed;
            return Ok(());
        }
        let (letters, parcel) = letters(parcel).await?;
        let ids: Vec<EnvelopeId> = letters.iter().map(Letter::id).collect();
        let outcomes = self.store.enqueue(letters, now).await?;
        let mut problem = None;
        for ((id, packed), outcome) in ids.into_iter().zip(parcel.packed).zip(outcomes) {
            let held = match outcome {
                Enqueued::Stored(_, account) => {
                    self.tally.add(Count::Stored);
                    account
                }
                // Whoever listens for it has not been given it yet.
                Enqueued::Sooner(account) => {
                    self.tally.add(Count::Duplicate);
                    account
                }
                // It is safe here, or was collected.
                Enqueued::Duplicate => {
                    self.tally.add(Count::Duplicate);
                    continue;
                }
                Enqueued::Refused(Refusal::NoAccount) => {
                    self.tally.add(Count::Stray);
                    if self.policy().carries_strays {
                        heard.strays.push(Stray {
                            next: parcel.next.clone(),
                            packed,
                            expires: parcel.expires,
                        });
                    }
                    continue;
                }
                Enqueued::Refused(why) => {
                    problem = self.refused(why).or(problem);
                    continue;
                }
            };
            heard.stored.push(Stored {
                account: held.to_string(),
                recipient: canonical(&parcel.next).to_owned(),
                id,
                packed,
                not_before: parcel.not_before,
                expires: parcel.expires,
            });
        }
        problem.map_or(Ok(()), Err)
    }

    /// What a refusal of the store means for the sender.
    fn refused(&self, why: Refusal) -> Option<Problem> {
        if why.passes() {
            self.tally.add(Count::Full);
            return Some(Problem::full());
        }
        match why {
            Refusal::TooLarge => {
                self.tally.add(Count::TooLarge);
                Some(too_large())
            }
            Refusal::Expired => {
                self.tally.add(Count::Expired);
                None
            }
            // Told to nobody, as one that never was.
            _ => None,
        }
    }
}

fn too_large() -> Problem {
    Problem {
        trouble: Some(Trouble::TooLarge),
        ..Problem::new(
            "e.p.me.res.storage.message_too_big",
            "The message is too large.",
        )
    }
}

/// Names and shrinks each message: in a thread beside, when that takes long.
async fn letters(parcel: Parcel) -> Result<(Vec<Letter>, Parcel), Problem> {
    let bytes: usize = parcel.packed.iter().map(Vec::len).sum();
    if bytes < LARGE {
        return write(parcel);
    }
    let work = tokio::task::spawn_blocking(move || write(parcel));
    // It panicked, or the runtime ends: the sender keeps the message.
    let ended = |_| Problem {
        trouble: Some(Trouble::Failed),
        ..Problem::new("e.p.me", "The message could not be read.")
    };
    work.await.map_err(ended)?
}

fn write(parcel: Parcel) -> Result<(Vec<Letter>, Parcel), Problem> {
    let mut letters = Vec::with_capacity(parcel.packed.len());
    let recipient = canonical(&parcel.next);
    for packed in &parcel.packed {
        // Nothing is empty here, so it is too large.
        let letter = Letter::new(recipient, recipient, packed, parcel.expires);
        let mut letter = letter.map_err(|_| too_large())?;
        letter.from.clone_from(&parcel.from);
        letter.not_before = parcel.not_before;
        letters.push(letter);
    }
    Ok((letters, parcel))
}
