//! Pages: who is it, for people and for programs; is it well, is it ready, what has it counted.
//!
//! Called by the door for everything that is no message. What can go wrong: a store that does not
//! answer makes it not ready; it is well as long as it answers at all.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use packmule_agent::protocol::out_of_band;
use packmule_http::hyper::body::Bytes;
use packmule_http::hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, VARY};
use packmule_http::hyper::{Method, Request, Response, StatusCode};
use packmule_http::server::{Visitor, nothing_here, plain};
use serde_json::{Value, json};

use super::Office;
use crate::page::{Language, guard_data, wants_page};
use crate::store::{Moment, StoreError, Totals};

/// How long counts of the store are told again.
const FRESH: Duration = Duration::from_secs(1);

impl Office {
    pub(super) async fn page(
        self: &Arc<Self>,
        request: Request<Bytes>,
        visitor: &Visitor,
    ) -> Response<Bytes> {
        let path = request.uri().path();
        // Others have limits of their own.
        let asks = matches!(*request.method(), Method::GET | Method::HEAD);
        let own = path == "/healthz" || path.starts_with("/messages/");
        if asks
            && !own
            && let Err(refused) = self.let_in(visitor)
        {
            return self.turned_down(refused, None);
        }
        match *request.method() {
            Method::GET | Method::HEAD => {}
            Method::POST if path == "/drop" => return self.drop_off(request, visitor).await,
            _ => return nothing_here(&request, visitor),
        }
        match path {
            "/" if !wants_page(request.headers()) => self.card(),
            "/healthz" => plain(StatusCode::OK, "ok"),
            "/readyz" => self.ready().await,
            "/metrics" if self.metrics.load(Ordering::Relaxed) => {
                // How many there are is nobody's business but the operator's.
                let near = visitor.address.ip().to_canonical().is_loopback();
                let here = near && !self.settings.proxied;
                if !here && !self.token.opens(request.headers()) {
                    return self.no_token(visitor);
                }
                self.metrics().await
            }
            _ => {
                if let Some(name) = path.strip_prefix("/messages/") {
                    return self.message(name, visitor).await;
                }
                if let Some(name) = path.strip_prefix("/operator/") {
                    return self.operator(name, &request, visitor).await;
                }
                let lang = Language::asked(request.uri(), request.headers());
                let page = self.pages.at(path, lang, request.headers());
                page.unwrap_or_else(|| nothing_here(&request, visitor))
            }
        }
    }

    /// Who this is and how it is reached, for programs.
    fn card(&self) -> Response<Bytes> {
        let url = &self.settings.url;
        let invitation = self.mediator.invitation();
        let card = json!({
            "did": self.mediator.did(),
            "http": url,
            "ws": socket_url(url),
            "invitation": out_of_band::to_url(&invitation, url).ok(),
        });
        let mut response = data(StatusCode::OK, &card);
        let vary = HeaderValue::from_static("accept, accept-language");
        response.headers_mut().insert(VARY, vary);
        response
    }

    async fn ready(&self) -> Response<Bytes> {
        let (node, store) = (self.node.status().await, self.totals().await);
        match (*self.closing.borrow(), node, store) {
            (false, Some(_), Ok(_)) => plain(StatusCode::OK, "ready"),
            (true, ..) => plain(StatusCode::SERVICE_UNAVAILABLE, "it is ending"),
            (_, None, _) => plain(StatusCode::SERVICE_UNAVAILABLE, "the node has ended"),
            (_, _, Err(fault)) => plain(StatusCode::SERVICE_UNAVAILABLE, fault.to_string()),
        }
    }

    /// What the store holds, as of the last second: adding it up takes a reader of the store for a
    /// while, and anybody may ask.
    pub(super) async fn totals(&self) -> Result<Totals, StoreError> {
        let mut last = self.counted.lock().await;
        if let Some((at, totals)) = &*last
            && at.elapsed() < FRESH
        {
            return Ok(*totals);
        }
        let totals = self.store.totals().await?;
        *last = Some((Instant::now(), totals));
        Ok(totals)
    }

    async fn metrics(&self) -> Response<Bytes> {
        let mut page = self.counters.page();
        for (what, count) in self.mediator.counts().iter() {
            let series = format!("packmule_mediator_total{{what=\"{what}\"}}");
            page.counter(&series, "What the mediator did.", count);
        }
        page.gauge(
            "packmule_live_connections",
            "Connections with live delivery.",
            self.seats.count(),
        );
        if let Ok(totals) = self.totals().await {
            let waited = totals
                .oldest
                .map_or(0, |at| Moment::now().since(at).as_secs());
            for (name, help, value) in [
                ("packmule_accounts", "Accounts.", totals.accounts),
                (
                    "packmule_bindings",
                    "DIDs bound to accounts.",
                    totals.bindings,
                ),
                (
                    "packmule_held_messages",
                    "Messages in mailboxes.",
                    totals.letters,
                ),
                ("packmule_held_bytes", "Their bytes.", totals.bytes),
                (
                    "packmule_held_oldest_seconds",
                    "How long the oldest waits.",
                    waited,
                ),
                ("packmule_dead_letters", "Dead letters listed.", totals.dead),
                (
                    "packmule_store_bytes",
                    "Bytes of the store's files.",
                    totals.disk,
                ),
            ] {
                page.gauge(name, help, value);
            }
            if let Some(free) = totals.free {
                page.gauge(
                    "packmule_disk_free_bytes",
                    "Bytes that the disk still has.",
                    free,
                );
            }
        }
        self.upstream_metrics(&mut page);
        typed("text/plain; version=0.0.4; charset=utf-8", page.into_text())
    }
}

/// The same place for WebSockets.
pub(crate) fn socket_url(url: &str) -> String {
    match url.strip_prefix("http") {
        Some(rest) => format!("ws{rest}"),
        None => url.to_owned(),
    }
}

/// JSON for programs and for the page's script.
pub(super) fn data(status: StatusCode, told: &Value) -> Response<Bytes> {
    let mut response = typed("application/json", told.to_string());
    *response.status_mut() = status;
    response
}

pub(super) fn typed(kind: &'static str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    guard_data(headers);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
