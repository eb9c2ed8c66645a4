//! What visitors do on the page: leave a message, follow one by its id, take a copy along.
//!
//! Called by the door for `POST /drop` and `GET /messages/ID` (`ID.dcem`: the message itself),
//! which scripts may use as well. A message's id is the hash of all of it: who knows the id has
//! had the message, or was told by who had. What can go wrong: strangers bring the bytes and the
//! ids. Each outcome has a name, and HTTP's status beside it.

use std::sync::Arc;
use std::time::Instant;

use packmule_bus::{Envelope, EnvelopeId};
use packmule_http::hyper::body::Bytes;
use packmule_http::hyper::header::{
    CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER,
};
use packmule_http::hyper::{Request, Response, StatusCode};
use packmule_http::server::Visitor;
use serde_json::{Map, Value, json};

use super::pages::{data, typed};
use super::{Office, Refused, beside};
use crate::counters::Count;
use crate::mediator::{Via, Visit};
use crate::rates::network;
use crate::store::{Ending, Lot, Moment};

/// Lookups a second from one address, and at once after a silence: each looks into every account.
pub(super) const LOOKUPS: (u32, u32) = (10, 40);

/// What became of a message, for who asks by its id.
struct Fate {
    state: &'static str,
    /// A copy can be had.
    copy: bool,
    facts: Map<String, Value>,
}

impl Fate {
    fn new(state: &'static str) -> Self {
        let facts = Map::new();
        Self {
            state,
            copy: false,
            facts,
        }
    }

    fn with(mut self, name: &str, value: Option<u64>) -> Self {
        if let Some(value) = value {
            self.facts.insert(name.to_owned(), json!(value));
        }
        self
    }
}

impl Office {
    /// A message was dropped on the page. Followed to its end even if the visitor leaves.
    pub(super) async fn drop_off(
        self: &Arc<Self>,
        request: Request<Bytes>,
        visitor: &Visitor,
    ) -> Response<Bytes> {
        let kind = request.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        // Kinds that a browser sends for a page of elsewhere without asking us are not among them.
        let known = kind.eq_ignore_ascii_case("application/octet-stream")
            || kind
                .to_ascii_lowercase()
                .starts_with("application/didcomm-");
        if !known || request.headers().contains_key(CONTENT_ENCODING) {
            let told = json!({ "outcome": "refused", "reason": "media-type" });
            return data(StatusCode::UNSUPPORTED_MEDIA_TYPE, &told);
        }
        self.counters.one(Count::ByPage);
        let (office, visitor) = (Arc::clone(self), visitor.clone());
        let taking = async move { office.take_dropped(request.into_body(), &visitor).await };
        match tokio::spawn(taking).await {
            Ok(response) => response,
            Err(_) => self.turned_down(self.refuse(Refused::Fault), None),
        }
    }

    async fn take_dropped(self: Arc<Self>, file: Bytes, visitor: &Visitor) -> Response<Bytes> {
        if let Err(refused) = self.let_in(visitor) {
            return self.turned_down(refused, None);
        }
        let read = beside(file.len(), move || unwrapped(&file)).await;
        let (packed, id) = match read {
            Ok(Some(read)) => read,
            Ok(None) => return self.turned_down(self.refuse(Refused::Unopened), None),
            Err(refused) => return self.turned_down(self.refuse(refused), None),
        };
        let mut visit = Visit::by(Via::Http);
        visit.from = self.anonymous(visitor);
        let followed = match self.take(packed, &visit).await {
            Ok(followed) if followed.for_nobody => {
                // It tells who has a mailbox: as often as messages may be looked for.
                let told = match self.may_look(visitor) {
                    Ok(()) => Refused::NoRecipient,
                    Err(refused) => refused,
                };
                return self.turned_down(told, Some(id));
            }
            Ok(followed) => followed,
            Err(refused) => return self.turned_down(refused, Some(id)),
        };
        // Of a forward, the message in it is what its recipient gets.
        let id = match followed.stored.as_slice() {
            [inner] => *inner,
            _ => id,
        };
        let mut answer = None;
        if let Some(sender) = &followed.sender {
            for reply in followed.replies {
                if answer.is_none() && followed.back {
                    answer = self.pack(sender, reply).await.ok();
                } else {
                    self.answer_elsewhere(sender, reply).await;
                }
            }
        }
        // That it was taken is certain, whatever can be told of it.
        let fate = self.fate(id).await;
        let state = fate.map_or("unknown", |fate| fate.state);
        let mut told = json!({ "outcome": "taken", "id": id.to_string(), "state": state });
        if let Some(answer) = answer {
            self.counters.one(Count::AnsweredHere);
            told["answer"] = String::from_utf8_lossy(&answer).into();
        }
        data(StatusCode::OK, &told)
    }

    pub(super) fn turned_down(&self, refused: Refused, id: Option<EnvelopeId>) -> Response<Bytes> {
        let (status, retry_after) = refused.status();
        let mut told = json!({ "outcome": "refused", "reason": refused.name() });
        if let Some(id) = id {
            told["id"] = id.to_string().into();
        }
        if refused == Refused::TooLarge {
            told["most"] = self.settings.most.into();
        }
        if let Some(seconds) = retry_after {
            told["retry-after"] = seconds.into();
        }
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        let mut response = data(status, &told);
        if let Some(seconds) = retry_after {
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// `GET /messages/ID` and `GET /messages/ID.dcem`, of which this is the part behind the
    /// second slash.
    pub(super) async fn message(&self, name: &str, visitor: &Visitor) -> Response<Bytes> {
        if let Err(refused) = self.may_look(visitor) {
            return self.turned_down(refused, None);
        }
        let file = name.strip_suffix(".dcem");
        let Ok(id) = file.unwrap_or(name).parse::<EnvelopeId>() else {
            return data(StatusCode::BAD_REQUEST, &json!({ "reason": "not-an-id" }));
        };
        if file.is_some() {
            return self.hand_out(id).await;
        }
        let Ok(fate) = self.fate(id).await else {
            return self.turned_down(self.refuse(Refused::Fault), None);
        };
        let mut told = json!({ "id": id.to_string(), "state": fate.state, "copy": fate.copy });
        if let Value::Object(told) = &mut told {
            told.extend(fate.facts);
        }
        let status = match fate.state {
            "unknown" => StatusCode::NOT_FOUND,
            _ => StatusCode::OK,
        };
        data(status, &told)
    }

    /// May this visitor look for a message once more?
    fn may_look(&self, visitor: &Visitor) -> Result<(), Refused> {
        let from = network(visitor.address.ip());
        if self.stands_for_many(from) {
            return Ok(());
        }
        let asked = self.lookups.take(from, Instant::now());
        asked.map_err(|wait| self.refuse(Refused::TooMany(wait)))
    }

    /// What became of a message.
    async fn fate(&self, id: EnvelopeId) -> Result<Fate, Refused> {
        // One at a time: the store has readers for those who collect, too.
        let found = {
            let _turn = self.looking.lock().await;
            let now = Moment::now();
            let found = self.store.find(&id, now).await;
            found.map_err(|_| Refused::Fault)?
        };
        if let Some(found) = found {
            let (state, until) = match found.lot {
                Lot::Held => ("held", "expires"),
                Lot::Collected => ("collected", "ended"),
                Lot::Ended(Ending::Expired) => ("expired", "ended"),
                Lot::Ended(Ending::Closed) => ("account-closed", "ended"),
            };
            let mut fate = Fate::new(state)
                .with("bytes", found.bytes)
                .with("received", found.received.map(Moment::as_secs))
                .with(until, found.until.map(Moment::as_secs));
            fate.copy = found.lot == Lot::Held;
            return Ok(fate);
        }
        if let Some(why) = self.node.why(id).await {
            let state = match why.rung.as_str() {
                "delivered" => "collected",
                "expired" => "expired",
                _ => "carried",
            };
            let fate = Fate::new(state)
                .with("bytes", Some(why.bytes))
                .with("received", Some(why.since))
                .with("expires", why.expires);
            return Ok(fate);
        }
        let node = self.node.clone();
        let named = move || node.desk().home().named(&id.to_string(), 1);
        let arrived = tokio::task::spawn_blocking(named).await;
        let arrived = arrived.map_err(|_| Refused::Fault)?;
        let arrived = arrived.map_err(|_| Refused::Fault)?;
        Ok(Fate::new(match arrived.is_empty() {
            true => "unknown",
            false => "arrived",
        }))
    }

    /// A copy of a message that is held; it stays held.
    async fn hand_out(&self, id: EnvelopeId) -> Response<Bytes> {
        let copy = {
            let _turn = self.looking.lock().await;
            self.store.copy(&id, Moment::now()).await
        };
        let packed = match copy {
            Ok(Some(packed)) => packed,
            Ok(None) => {
                let told = json!({ "id": id.to_string(), "reason": "no-copy" });
                return data(StatusCode::NOT_FOUND, &told);
            }
            Err(_) => return self.turned_down(self.refuse(Refused::Fault), None),
        };
        self.counters.one(Count::Copied);
        let kind = Envelope::from_packed(&packed).map(|envelope| envelope.kind());
        let kind = kind.map_or("application/octet-stream", |kind| kind.media_type());
        let mut response = typed(kind, packed);
        let name = format!("attachment; filename=\"{}.dcem\"", id.short());
        if let Ok(name) = HeaderValue::from_str(&name) {
            response.headers_mut().insert(CONTENT_DISPOSITION, name);
        }
        response
    }
}

/// The packed message of a file, which may hold it in our compact form, and its id.
fn unwrapped(file: &[u8]) -> Option<(Vec<u8>, EnvelopeId)> {
    if let Ok(envelope) = Envelope::decode(file) {
        return Some((envelope.to_json(), envelope.id()));
    }
    let envelope = Envelope::from_packed(file).ok()?;
    Some((file.to_vec(), envelope.id()))
}
