//! What operators see: queues, links, contacts, storage, dead letters, the log.
//!
//! Called by the door for `GET /operator/*.json`, which the operators' page and scripts read;
//! changes nothing. Times are posix seconds, sizes bytes. What can go wrong: whoever has not the
//! token is turned away, counted, and after some tries told to wait; who has it never is, so that
//! nobody locks an operator out.

use std::time::Instant;

use packmule_http::hyper::body::Bytes;
use packmule_http::hyper::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use packmule_http::hyper::{Request, Response, StatusCode, Uri};
use packmule_http::server::Visitor;
use packmule_uplink::{State, UplinkStatus};
use serde_json::{Map, Value, json};

use super::Office;
use super::pages::{data, socket_url};
use crate::counters::Count;
use crate::rates::network;
use crate::store::{Moment, StoreError};

/// Wrong tokens a second from one address, and at once after a silence.
pub(super) const GUESSES: (u32, u32) = (1, 10);
/// Rows of one answer.
const ROWS: u32 = 500;
/// Contacts of one answer.
const CONTACTS: usize = 50;

impl Office {
    /// `GET /operator/…`, of which this is the part behind the second slash.
    pub(super) async fn operator(
        &self,
        name: &str,
        request: &Request<Bytes>,
        visitor: &Visitor,
    ) -> Response<Bytes> {
        if !self.token.opens(request.headers()) {
            return self.no_token(visitor);
        }
        match self.answer(name, request.uri()).await {
            None => data(StatusCode::NOT_FOUND, &json!({ "reason": "nothing-here" })),
            Some(Ok(told)) => data(StatusCode::OK, &told),
            Some(Err(fault)) => {
                let told = json!({ "reason": "fault", "why": fault.to_string() });
                data(StatusCode::SERVICE_UNAVAILABLE, &told)
            }
        }
    }

    /// What is asked at `/NAME?…`, by who may read the home. None: there is no such thing.
    pub(crate) async fn told(&self, asked: &Uri) -> Option<Result<Value, StoreError>> {
        let name = asked.path().trim_start_matches('/');
        self.answer(name, asked).await
    }

    async fn answer(&self, name: &str, uri: &Uri) -> Option<Result<Value, StoreError>> {
        Some(match name {
            "state.json" => self.state().await,
            "queues.json" => self.queues(asked(uri, "after")).await,
            "dead-letters.json" => self.dead_letters().await,
            "log.json" => {
                let after = asked(uri, "after").and_then(|text| text.parse().ok());
                Ok(self.log.kept(after.unwrap_or_default()))
            }
            _ => return None,
        })
    }

    /// Whoever asks has to show the operators' token, and may guess so often.
    pub(super) fn no_token(&self, visitor: &Visitor) -> Response<Bytes> {
        self.counters.one(Count::NoToken);
        self.tell_refusal("no-token");
        let from = network(visitor.address.ip());
        if let Err(wait) = self.guesses.take(from, Instant::now()) {
            let seconds = wait.as_secs().saturating_add(1);
            let told = json!({ "reason": "too-many", "retry-after": seconds });
            let mut response = data(StatusCode::TOO_MANY_REQUESTS, &told);
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
            return response;
        }
        let mut response = data(StatusCode::UNAUTHORIZED, &json!({ "reason": "no-token" }));
        let headers = response.headers_mut();
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        response
    }

    /// How it stands, all in one.
    async fn state(&self) -> Result<Value, StoreError> {
        let totals = self.totals().await?;
        let url = &self.settings.url;
        let mediated = self.mediator.counts();
        let mediated = mediated
            .iter()
            .map(|(what, count)| (what.to_owned(), count.into()));
        let mediated: Map<String, Value> = mediated.collect();
        Ok(json!({
            "did": self.mediator.did(),
            "http": url,
            "ws": socket_url(url),
            "version": env!("CARGO_PKG_VERSION"),
            "now": Moment::now().as_secs(),
            "mailboxes": {
                "accounts": totals.accounts,
                "bindings": totals.bindings,
                "messages": totals.letters,
                "bytes": totals.bytes,
                "oldest": totals.oldest.map(Moment::as_secs),
                "dead": totals.dead,
                "quota_messages": self.settings.quota_messages,
                "quota_bytes": self.settings.quota_bytes,
                "disk_used": totals.disk,
                "disk_free": totals.free,
            },
            "live": self.seats.count(),
            "counts": self.counters.values(),
            "mediator": mediated,
            "node": self.node.status().await,
            "contacts": self.contacts.latest(CONTACTS),
            "uplinks": self.upstreams().iter().map(uplink).collect::<Vec<_>>(),
        }))
    }

    /// Accounts and what waits for them, those after a DID; a page of them.
    async fn queues(&self, after: Option<&str>) -> Result<Value, StoreError> {
        let accounts = self.store.accounts(after, ROWS).await?;
        let more = accounts.len() >= ROWS as usize;
        let next = accounts
            .last()
            .filter(|_| more)
            .map(|last| last.did.clone());
        let rows = accounts.into_iter().map(|account| {
            json!({
                "did": account.did,
                "opened": account.opened.as_secs(),
                "bindings": account.bindings,
                "messages": account.letters,
                "bytes": account.bytes,
            })
        });
        Ok(json!({ "queues": rows.collect::<Vec<_>>(), "next": next }))
    }

    /// What nobody collected, and what the node could not deliver; the latest first.
    async fn dead_letters(&self) -> Result<Value, StoreError> {
        let mailboxes = self.store.dead_letters(ROWS).await?;
        let mailboxes = mailboxes.into_iter().map(|dead| {
            json!({
                "id": dead.id.to_string(),
                "account": dead.account,
                "recipient": dead.recipient,
                "bytes": dead.bytes,
                "received": dead.received.as_secs(),
                "ended": dead.ended.as_secs(),
                "why": dead.why.code(),
            })
        });
        let mut carried = self.node.dead_letters().await;
        carried.truncate(ROWS as usize);
        Ok(json!({ "mailboxes": mailboxes.collect::<Vec<_>>(), "carried": carried }))
    }
}

fn uplink(up: &UplinkStatus) -> Value {
    let (until, why) = match &up.state {
        State::Waiting { until, why } => (Some(until), Some(why)),
        _ => (None, None),
    };
    json!({
        "did": up.did,
        "state": up.state.name(),
        "until": until,
        "why": why,
        "last_seen": up.last_seen,
        "collected": up.collected,
        "unread": up.unread,
        "failures": up.failures,
        "registered": up.registered,
        "refused": up.refused,
    })
}

/// The value of a parameter of the query.
fn asked<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    let mut pairs = uri
        .query()?
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    pairs.find_map(|(key, value)| (key == name).then_some(value))
}
