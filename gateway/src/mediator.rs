//! What follows from an opened message that came to the gateway: routing, mediation, pickup.
//!
//! What is it: [`Mediator::hear`] takes one opened message and says what to answer, what was put
//! into which mailbox, and what is left for the node's own desk. Who calls it: the office, for
//! every message that names the gateway's DID, by whichever door it came; it packs and sends the
//! answers. What can go wrong: strangers write the messages. Whoever is known gets a problem
//! report, within bounds; whoever is not gets nothing, and is counted. A store that fails or is
//! full is told to the office ([`Trouble`]), so that the sender keeps the message.
//!
//! Who speaks is the key that authenticated the encryption, whatever the message says. Only a
//! `forward` may be from nobody.

mod accounts;
mod counts;
mod heard;
mod policy;
mod post;
mod prior;
mod problems;
mod queue;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::{Arc, PoisonError, RwLock};

use packmule_agent::message::{Message, same_id};
use packmule_agent::protocol::{
    basic_message, discover_features, empty, mediation, out_of_band, pickup, report_problem,
    routing, trust_ping,
};
use packmule_node::desk::Letter;
use tokio::sync::watch;

use crate::rates::Rates;
use crate::store::{MailboxStore, Moment, StoreError, canonical};

pub use counts::{Count, Counts};
pub use heard::{Heard, Live, Stored, Stray, Trouble, Via, Visit};
pub use policy::{Admits, Policy};

use counts::Tally;
use problems::{Complaints, Problem};

/// Forwards to ourselves inside a forward to ourselves that are still opened.
pub const MAX_NESTED: u8 = 2;

/// Somebody known who asks for something.
struct Asker<'a> {
    message: &'a Message,
    /// The DID whose key authenticated it, as it wrote it.
    did: &'a str,
    visit: &'a Visit,
    now: Moment,
}

impl Asker<'_> {
    /// Its name in the store.
    fn name(&self) -> &str {
        canonical(self.did)
    }
}

/// What a handler gives: an answer or none, or a problem to report.
type Answer = Result<Option<Message>, Problem>;

/// The mediator of a gateway.
pub struct Mediator {
    store: Arc<dyn MailboxStore>,
    /// Another one from the moment that its keeper says so.
    policy: RwLock<Arc<Policy>>,
    did: String,
    /// What accounts publish: the endpoint, then routing keys.
    routing: Vec<String>,
    complaints: Complaints,
    openings: Rates<String>,
    tally: Tally,
    changes: watch::Sender<u64>,
}

impl Mediator {
    /// A mediator under this DID, which is also its routing DID.
    #[must_use]
    pub fn new(store: Arc<dyn MailboxStore>, did: &str, policy: Policy) -> Self {
        Self {
            store,
            complaints: Complaints::new(policy.max_errors),
            openings: Rates::hourly(policy.new_accounts),
            policy: RwLock::new(Arc::new(policy)),
            did: did.to_owned(),
            routing: vec![did.to_owned()],
            tally: Tally::default(),
            changes: watch::Sender::new(0),
        }
    }

    /// The same behind another mediator, which strangers reach and we collect from: accounts
    /// publish that one as their endpoint, and us as the next on the way.
    #[must_use]
    pub fn behind(mut self, upstream: &str) -> Self {
        self.routing.insert(0, upstream.to_owned());
        self
    }

    /// Changes with the accounts, and with the DIDs bound to them.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Whom it serves, and how far.
    fn policy(&self) -> Arc<Policy> {
        let policy = self.policy.read();
        Arc::clone(&policy.unwrap_or_else(PoisonError::into_inner))
    }

    /// Serves so from now on. How many problem reports there are stays as it was.
    pub fn adopt(&self, policy: Policy) {
        let mut present = self.policy.write().unwrap_or_else(PoisonError::into_inner);
        self.openings.set_hourly(policy.new_accounts);
        *present = Arc::new(policy);
    }

    /// Its DID.
    #[must_use]
    pub fn did(&self) -> &str {
        &self.did
    }

    /// What it has counted since it began.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.tally.counts()
    }

    /// An invitation to ask for mediation; its id becomes the `pthid` of answers.
    #[must_use]
    pub fn invitation(&self) -> Message {
        let goal = "Hold messages for me until I collect them";
        out_of_band::invitation(&self.did, Some(mediation::GOAL), Some(goal))
    }

    /// Follows a message that was encrypted for us. It is done, and durable, when this returns.
    pub async fn hear(&self, letter: Letter, visit: &Visit, now: Moment) -> Heard {
        let mut heard = Heard {
            back: wants_back(&letter.message),
            ..Heard::default()
        };
        if letter.opened.recipient_kid.is_none() {
            // Signed or plain: anybody could play it to anybody.
            return self.not_encrypted(letter, heard);
        }
        if let Some(sender) = letter.opened.sender.as_deref()
            && !letter.message.expired(now.as_secs())
        {
            self.follow(&letter, canonical(sender), now, &mut heard)
                .await;
        }
        if routing::is_forward(&letter.message) {
            self.forward(&letter, visit, now, &mut heard).await;
        } else if is_for_desk(&letter.message) {
            heard.for_us = Some(letter);
            return heard;
        } else if let Some(did) = letter.opened.sender.as_deref() {
            let message = &letter.message;
            let asker = Asker {
                message,
                did,
                visit,
                now,
            };
            self.serve(&asker, &mut heard).await;
        } else {
            self.tally.add(Count::Anonymous);
        }
        heard
    }

    /// What is neither for the desk nor encrypted is for nobody.
    fn not_encrypted(&self, letter: Letter, mut heard: Heard) -> Heard {
        if is_for_desk(&letter.message) {
            heard.for_us = Some(letter);
        } else {
            self.tally.add(Count::Anonymous);
            heard.trouble = Some(Trouble::Malformed);
        }
        heard
    }

    /// Answers somebody known.
    async fn serve(&self, asker: &Asker<'_>, heard: &mut Heard) {
        let answer = if asker.message.expired(asker.now.as_secs()) {
            self.tally.add(Count::Expired);
            Err(Problem::new(
                "e.m.req.time",
                "The message came after its expires_time.",
            ))
        } else {
            self.answer(asker, heard).await
        };
        let reply = match answer {
            Ok(reply) => reply,
            Err(problem) => self.complain(asker, &problem, heard),
        };
        let Some(mut reply) = reply else { return };
        let asked = asker.message;
        if asked.wants_ack().contains(&asked.id.as_str()) && !reply.ack.contains(&asked.id) {
            reply.ack.push(asked.id.clone());
        }
        heard.replies.push(self.addressed(reply, asker.did));
    }

    async fn answer(&self, asker: &Asker<'_>, heard: &mut Heard) -> Answer {
        let message = asker.message;
        if let Some(ask) = mediation::read_ask(message) {
            let (version, ask) = ask.map_err(|err| Problem::of(err.problem(), &err))?;
            if !matches!(ask, mediation::Ask::Query(_)) {
                self.fresh(asker)?;
            }
            let answer = self.mediate(asker, version, ask).await?;
            let told = answer.as_ref().and_then(mediation::read_answer);
            if matches!(told, Some(mediation::Answer::Granted(_))) && asker.name() != asker.did {
                heard.met = Some(asker.did.to_owned());
            }
            return Ok(answer);
        }
        if let Some(ask) = pickup::read_ask(message) {
            let (version, ask) = ask.map_err(|err| Problem::of(err.problem(), &err))?;
            if matches!(ask, pickup::Ask::Received(_) | pickup::Ask::Live(_)) {
                self.fresh(asker)?;
            }
            return self.pick_up(asker, version, ask, heard).await;
        }
        if message.is(trust_ping::PIURI, "ping") {
            return Ok(trust_ping::answer(message));
        }
        if message.is(discover_features::PIURI, "queries") {
            let policy = self.policy();
            let features = &policy.features;
            return Ok(discover_features::answer(message, features, policy::draw()));
        }
        Err(Problem {
            args: vec![message.type_uri.chars().take(256).collect()],
            ..Problem::new(
                "e.p.msg.unsupported",
                "Messages of type {1} are not understood here.",
            )
        })
    }

    /// Refuses what may have been done before the guard against replays began to remember. Who
    /// does not say when is believed.
    fn fresh(&self, asker: &Asker<'_>) -> Result<(), Problem> {
        let made = asker.message.created_time.map(Moment::from_secs);
        let fresh_for = self.policy().fresh_for(asker.visit.via);
        if made.is_none_or(|made| made + fresh_for >= asker.now) {
            return Ok(());
        }
        self.tally.add(Count::Expired);
        let comment = "The message asks for a change and was made too long ago; ask anew.";
        Err(Problem::new("e.m.req.time", comment))
    }

    /// A report about a problem, unless its maker has had enough of them.
    fn complain(&self, asker: &Asker<'_>, problem: &Problem, heard: &mut Heard) -> Option<Message> {
        heard.trouble = heard.trouble.or(problem.trouble);
        let report = self.complaints.report(asker, problem);
        let count = if report.is_some() {
            Count::Problem
        } else {
            Count::Silenced
        };
        self.tally.add(count);
        report
    }

    /// A message from us to a DID.
    fn addressed(&self, mut message: Message, to: &str) -> Message {
        message.from = Some(self.did.clone());
        message.to = vec![to.to_owned()];
        message
    }

    /// Does what changes something, once however often its message comes. None: it was done, or
    /// is being done. What fails, or is not done, may be asked for with the same message.
    async fn once<T, E: From<StoreError>>(
        &self,
        asker: &Asker<'_>,
        work: impl Future<Output = Result<T, E>>,
        is_done: impl FnOnce(&T) -> bool,
    ) -> Result<Option<T>, E> {
        let (name, id) = (asker.name(), asker.message.id.as_str());
        // A stranger's id may be as long as its message; the store keeps many.
        let id: String = id.chars().take(256).collect();
        if self.store.seen_message(name, &id, asker.now).await? {
            self.tally.add(Count::Replayed);
            return Ok(None);
        }
        let outcome = work.await;
        let done = outcome.as_ref().is_ok_and(is_done);
        // Where this fails what was done stays done; it is known for a while at least.
        let _ = self.store.settle_message(name, &id, done, asker.now).await;
        outcome.map(Some)
    }

    /// The account of who asks.
    async fn account(&self, asker: &Asker<'_>) -> Result<String, Problem> {
        let found = self.store.account_of(asker.name()).await?;
        // A DID that somebody bound to an account does not own it.
        found
            .map(|account| account.did)
            .filter(|did| did == asker.name())
            .ok_or_else(|| {
                let comment = "There is no account for this DID; send a mediate-request first.";
                Problem::new("e.m.req.no-account", comment)
            })
    }
}

/// A word for what a message is about, for operators: of its type, which a stranger wrote, nothing
/// is in it.
#[must_use]
pub fn protocol(message: &Message) -> &'static str {
    if routing::is_forward(message) {
        "routing"
    } else if mediation::read_ask(message).is_some() {
        "coordinate-mediation"
    } else if pickup::read_ask(message).is_some() {
        "messagepickup"
    } else if message.is(trust_ping::PIURI, "ping") {
        "trust-ping"
    } else if message.is(discover_features::PIURI, "queries") {
        "discover-features"
    } else if is_for_desk(message) {
        "desk"
    } else {
        "other"
    }
}

/// Messages that the node's own desk reads, or that answer what we asked others: nothing that a
/// mediator would answer. Problem reports are among them: they are never answered.
fn is_for_desk(message: &Message) -> bool {
    basic_message::content(message).is_some()
        || message.is(empty::PIURI, "empty")
        || message.is(report_problem::PIURI, "problem-report")
        || message.is(trust_ping::PIURI, "ping-response")
        || message.is(discover_features::PIURI, "disclose")
        || mediation::read_answer(message).is_some()
        || pickup::read_answer(message).is_some()
}

/// Whether answers are wanted on the same connection (the return-route extension): all, or those
/// of a thread, which every answer to a message of that thread is.
fn wants_back(message: &Message) -> bool {
    match message.return_route.as_deref() {
        Some("all") => true,
        Some("thread") => {
            let thread = message.return_route_thread.as_deref();
            thread.is_none_or(|thread| same_id(thread, message.thread()))
        }
        _ => false,
    }
}

/// Whether an answer may wait in a mailbox when there is no connection for it: a status tells of
/// a moment that will be over.
#[must_use]
pub fn may_wait(reply: &Message) -> bool {
    pickup::read_answer(reply).is_none()
}
