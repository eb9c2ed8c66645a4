//! One question, one answer, over HTTP.
//!
//! What is it: [`Line`], which packs a question for a mediator, posts it, and opens what came
//! back, however it is wrapped. Who calls it: registering, collecting, logging in. What can go
//! wrong: [`Fault`]. Only what the mediator's own key authenticated is an answer; what comes from
//! anybody else counts as nonsense, since over plain HTTP anybody may have answered.
//!
//! We are exact in what we send: the media type without parameters, since Identus compares the
//! whole header; integers as times; one recipient. A mediator that refuses the `return_route`
//! header (RootsID) is asked without, and answers on the same connection all the same.

use std::sync::Arc;
use std::time::{Duration, Instant};

use packmule_agent::did::same_did;
use packmule_agent::message::{Message, posix_of};
use packmule_bus::Kind;
use packmule_bus::link::LinkError;
use packmule_http::client::{Caller, Reply};
use packmule_http::hyper::HeaderMap;
use packmule_http::hyper::header::AUTHORIZATION;
use packmule_node::Node;
use packmule_node::desk::{Letter, Protection};
use packmule_ws::tls::Trust;
use tokio::time::error::Elapsed;
use tokio::time::{sleep, timeout};

use crate::fault::Fault;
use crate::pace::Budget;
use crate::shapes::packed_in;
use crate::status::{Row, posix};

/// The longest answer that is read. A page may hold several messages, each of them a third longer
/// than it is, twice.
const LONGEST: usize = 24 << 20;

/// A way to ask one mediator at one address.
pub(crate) struct Line {
    node: Node,
    caller: Caller,
    trust: Arc<Trust>,
    /// The mediator's DID at present.
    did: String,
    /// Asked without `return_route`.
    pub(crate) quiet: bool,
    /// Headers of its own kind, such as a token.
    pub(crate) headers: HeaderMap,
    pub(crate) budget: Budget,
    /// How long an answer may take.
    pub(crate) patience: Duration,
    row: Row,
}

impl Line {
    pub(crate) fn new(
        node: Node,
        url: &str,
        did: &str,
        budget: Budget,
        trust: Arc<Trust>,
        row: Row,
    ) -> Result<Self, Fault> {
        Ok(Self {
            node,
            caller: caller(url, &trust)?,
            trust,
            did: did.to_owned(),
            quiet: false,
            headers: HeaderMap::new(),
            budget,
            patience: Duration::from_secs(60),
            row,
        })
    }

    /// Whom it asks: another than at first, if the mediator moved and proved it.
    pub(crate) fn did(&self) -> &str {
        &self.did
    }

    /// It is logged in.
    pub(crate) fn has_token(&self) -> bool {
        self.headers.contains_key(AUTHORIZATION)
    }

    /// Asks, and gives the answer if there is one. A report of a problem is a fault.
    pub(crate) async fn ask(&mut self, message: &Message) -> Result<Option<Message>, Fault> {
        let answer = match self.exchange(message).await {
            // What is wrong with it may be the header alone.
            Err(Fault::Refused(400)) if !self.quiet && message.return_route.is_some() => {
                self.quiet = true;
                let answer = self.exchange(message).await;
                self.quiet = matches!(answer, Ok(Some(_)));
                answer?
            }
            other => other?,
        };
        if let Some(fault) = answer.as_ref().and_then(Fault::of_message) {
            return Err(fault);
        }
        Ok(answer)
    }

    async fn exchange(&mut self, message: &Message) -> Result<Option<Message>, Fault> {
        let mut message = message.clone();
        if self.quiet {
            message.return_route = None;
        }
        let packed = self.pack(message).await?;
        let body = self.post(packed).await?;
        let Some(packed) = packed_in(&body) else {
            return Ok(None);
        };
        let letter = self.open(packed).await?;
        self.follow(&letter)?;
        self.row.seen();
        Ok(Some(letter.message))
    }

    /// Posts a packed message: the body of what came back.
    async fn post(&mut self, packed: Vec<u8>) -> Result<Vec<u8>, Fault> {
        self.settle().await;
        let (kind, sent) = (Kind::Encrypted.media_type(), packed.len());
        let post = self.caller.post(kind, &self.headers, packed.into());
        let reply = timeout(self.patience, post).await;
        self.judge(sent, reply)
    }

    /// The same to another address of this mediator, on a connection of its own.
    pub(crate) async fn post_to(
        &mut self,
        url: &str,
        kind: &'static str,
        body: Vec<u8>,
    ) -> Result<Vec<u8>, Fault> {
        self.settle().await;
        let (caller, sent) = (caller(url, &self.trust)?, body.len());
        let post = caller.post(kind, &self.headers, body.into());
        let reply = timeout(self.patience, post).await;
        self.judge(sent, reply)
    }

    /// What was spent is waited for.
    async fn settle(&self) {
        let wait = self.budget.wait(Instant::now());
        if !wait.is_zero() {
            sleep(wait).await;
        }
    }

    fn judge(
        &mut self,
        sent: usize,
        reply: Result<Result<Reply, LinkError>, Elapsed>,
    ) -> Result<Vec<u8>, Fault> {
        let bytes = sent + reply.as_ref().map_or(0, |it| it.as_ref().map_or(0, weight));
        self.budget.spend(bytes, Instant::now());
        self.row.change(|row| row.bytes += bytes as u64);
        let reply = reply.map_err(|_| Fault::Slow)?.map_err(told)?;
        if !reply.status.is_success() {
            let after = reply.retry_after.as_deref();
            let after = after.and_then(|text| retry_after(text, posix()));
            return Err(Fault::of_status(reply.status.as_u16(), after));
        }
        Ok(reply.body)
    }

    /// Packs a message for the mediator, from us.
    pub(crate) async fn pack(&self, message: Message) -> Result<Vec<u8>, Fault> {
        let (node, did) = (self.node.clone(), self.did.clone());
        let packed = tokio::task::spawn_blocking(move || {
            let desk = node.desk();
            // The node's book of documents may have been written anew since.
            let _ = desk.learn_form(&did);
            desk.records(&did, message, Protection::Auth)
        });
        let records = packed
            .await
            .map_err(|_| Fault::Unpacked("it ends".into()))?;
        let first = records.ok().and_then(|all| all.into_iter().next());
        let first = first.map(|record| record.packed);
        first.ok_or_else(|| Fault::Unpacked("no key of it fits ours".to_owned()))
    }

    /// Opens a packed message with our keys.
    async fn open(&self, packed: Vec<u8>) -> Result<Letter, Fault> {
        let node = self.node.clone();
        let opened = tokio::task::spawn_blocking(move || node.desk().open(&packed));
        let opened = opened
            .await
            .map_err(|_| Fault::Unpacked("it ends".into()))?;
        opened.map_err(|(problem, _)| Fault::Nonsense(format!("it cannot be opened: {problem}")))
    }

    /// Is it from the mediator, under the DID that we know or under one that it proves?
    fn follow(&mut self, letter: &Letter) -> Result<(), Fault> {
        let stranger = || Fault::Nonsense("it is from somebody else".to_owned());
        let sender = letter.opened.sender.as_deref().ok_or_else(stranger)?;
        if same_did(sender, &self.did) {
            return Ok(());
        }
        let prior = letter.opened.from_prior.as_ref().ok_or_else(stranger)?;
        let new = prior.sub.as_deref().ok_or_else(stranger)?;
        if !same_did(&prior.iss, &self.did) || !same_did(new, sender) {
            return Err(stranger());
        }
        sender.clone_into(&mut self.did);
        Ok(())
    }
}

fn caller(url: &str, trust: &Arc<Trust>) -> Result<Caller, Fault> {
    let caller = Caller::new(url, Arc::clone(trust), LONGEST);
    caller.ok_or_else(|| Fault::Nowhere("its address is no URL".to_owned()))
}

fn weight(reply: &Reply) -> usize {
    reply.body.len()
}

/// A fault of the line in words that name nobody.
fn told(fault: LinkError) -> Fault {
    Fault::NoAnswer(match fault {
        LinkError::Refused(_) => "it leads somewhere else".to_owned(),
        other => other.to_string(),
    })
}

/// `Retry-After`: seconds, or a date of HTTP.
fn retry_after(text: &str, now: u64) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    // Sat, 21 Nov 2026 18:00:00 GMT
    let mut words = text.split_ascii_whitespace().skip(1);
    let (day, month, year, clock) = (words.next()?, words.next()?, words.next()?, words.next()?);
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = MONTHS
        .find(month)
        .filter(|at| at % 3 == 0 && month.len() == 3)?
        / 3
        + 1;
    let then = posix_of(&format!("{year}-{month:02}-{day}T{clock}Z"))?;
    Some(Duration::from_secs(then.saturating_sub(now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now = posix_of("2026-11-21T18:00:00Z").unwrap();
        for (text, seconds) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("Sat, 21 Nov 2026 18:01:00 GMT", Some(60)),
            ("Sat, 21 Nov 2026 17:00:00 GMT", Some(0)),
            ("Sat, 21 Nvo 2026 17:00:00 GMT", None),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            let told = retry_after(text, now);
            assert_eq!(told, seconds.map(Duration::from_secs), "{text}");
        }
    }
}
