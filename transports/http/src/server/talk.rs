//! One visitor's requests.
//!
//! What is it: tells messages, pages and WebSockets apart, and answers. Who calls it: the HTTP
//! library, one request after the other on a connection. What can go wrong: whatever a stranger
//! writes; the head was bounded and read below, the body is bounded here.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ALLOW, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap,
    HeaderName, HeaderValue, RETRY_AFTER, UPGRADE,
};
use hyper::upgrade::{OnUpgrade, on};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use packmule_bus::Kind;
use packmule_ws::{Agreed, agree};
use tokio::time::timeout;

use super::accept::House;
use super::body::{Trouble, whole};
use super::seats::Seat;
use super::{Answer, Share, Visitor, proxies};
use crate::media;

const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

/// One connection.
pub(super) struct Talk {
    house: Arc<House>,
    from: SocketAddr,
    /// A WebSocket was agreed to; it begins when the answer has gone.
    agreed: Mutex<Option<Socket>>,
    changed_over: Arc<AtomicBool>,
}

/// A WebSocket that was agreed to.
struct Socket {
    upgrade: OnUpgrade,
    agreed: Agreed,
    visitor: Visitor,
    /// Among those of the visitor's address, where a proxy has the connection's own.
    share: Option<Seat>,
}

impl Talk {
    pub(super) fn new(house: Arc<House>, from: SocketAddr) -> Self {
        Self {
            house,
            from,
            agreed: Mutex::default(),
            changed_over: Arc::default(),
        }
    }

    /// Set once the connection is a WebSocket.
    pub(super) fn changed_over(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.changed_over)
    }

    fn visitor(&self, headers: &HeaderMap, at_door: bool) -> Visitor {
        Visitor {
            address: proxies::visitor(&self.house.config.proxies, self.from, headers),
            secure: self.house.config.certificate.is_some(),
            at_door,
            share: Share::default(),
        }
    }

    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let at_door = request.uri().path() == self.house.config.path;
        let browsers = at_door && self.house.config.browsers;
        let response = if at_door && request.method() == Method::POST {
            let mut response = self.letter(request).await;
            if browsers {
                let anybody = HeaderValue::from_static("*");
                let headers = response.headers_mut();
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, anybody);
            }
            response
        } else if browsers && request.method() == Method::OPTIONS {
            may_post()
        } else if at_door && self.house.config.sockets && wants_socket(&request) {
            self.socket(request)
        } else {
            self.page(request, at_door).await
        };
        Ok(response.map(Full::new))
    }

    async fn letter(&self, request: Request<Incoming>) -> Response<Bytes> {
        let House {
            config,
            reception,
            room,
            ..
        } = &*self.house;
        let said = request.headers().get(CONTENT_TYPE);
        let said = said
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if !media::is_message(said, config.json_too)
            || request.headers().contains_key(CONTENT_ENCODING)
        {
            let mut response = plain(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "send a DIDComm message under its media type",
            );
            let taken = HeaderValue::from_static(media::TAKEN);
            response.headers_mut().insert(ACCEPT_POST, taken);
            return response;
        }
        let mut visitor = self.visitor(request.headers(), true);
        let read = whole(
            request.into_body(),
            config.limits.message,
            &config.limits,
            room,
        );
        let body = match read.await {
            Ok(body) if body.bytes.is_empty() => {
                return plain(StatusCode::BAD_REQUEST, "the message is empty");
            }
            Ok(body) => body,
            Err(trouble) => return self.troubled(trouble, config.limits.message),
        };
        visitor.share = Share::of(body.share);
        match reception.receive(body.bytes, visitor).await {
            Answer::Accepted => empty(StatusCode::ACCEPTED),
            Answer::Reply(packed) => {
                let mut response = Response::new(Bytes::from(packed));
                let kind = HeaderValue::from_static(Kind::Encrypted.media_type());
                response.headers_mut().insert(CONTENT_TYPE, kind);
                response
            }
            Answer::Refused {
                status,
                retry_after,
            } => {
                let status = StatusCode::from_u16(status)
                    .ok()
                    .filter(|status| status.is_client_error() || status.is_server_error())
                    .unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
                let mut response = empty(status);
                if let Some(seconds) = retry_after {
                    let headers = response.headers_mut();
                    headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
                }
                response
            }
        }
    }

    fn troubled(&self, trouble: Trouble, most: usize) -> Response<Bytes> {
        let words = match trouble {
            Trouble::TooLarge => format!("at most {most} bytes are taken"),
            Trouble::TooSlow => "the body took too long".to_owned(),
            Trouble::NoRoom => "too much is being read; later".to_owned(),
            Trouble::Torn => "the body is torn".to_owned(),
        };
        let mut response = plain(trouble.status(), words);
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        if trouble == Trouble::NoRoom {
            headers.insert(RETRY_AFTER, HeaderValue::from(5));
        }
        response
    }

    async fn page(&self, request: Request<Incoming>, at_door: bool) -> Response<Bytes> {
        let House {
            config,
            reception,
            room,
            ..
        } = &*self.house;
        let most = config.limits.page;
        let (head, body) = request.into_parts();
        let body = match whole(body, most, &config.limits, room).await {
            Ok(body) => body,
            Err(trouble) => return self.troubled(trouble, most),
        };
        let request = Request::from_parts(head, Bytes::from(body.bytes));
        let mut visitor = self.visitor(request.headers(), at_door);
        visitor.share = Share::of(body.share);
        reception.page(request, visitor).await
    }

    fn socket(&self, mut request: Request<Incoming>) -> Response<Bytes> {
        let upgrade = on(&mut request);
        let visitor = self.visitor(request.headers(), true);
        let (head, _) = request.into_parts();
        let address = visitor.address.ip();
        let share = match address == self.from.ip() {
            true => None,
            false => match self.house.seats.share(address) {
                None => return plain(StatusCode::TOO_MANY_REQUESTS, "this address has its share"),
                share => share,
            },
        };
        let agreed = match agree(&Request::from_parts(head, ())) {
            Ok(agreed) => agreed,
            Err(why) => return plain(StatusCode::BAD_REQUEST, why),
        };
        let mut response = empty(StatusCode::SWITCHING_PROTOCOLS);
        *response.headers_mut() = agreed.response.headers().clone();
        let mut slot = self.agreed.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(Socket {
            upgrade,
            agreed,
            visitor,
            share,
        });
        response
    }

    /// After HTTP has ended: the WebSocket, if one was agreed to.
    pub(super) async fn change_over(&self) {
        let agreed = {
            let mut slot = self.agreed.lock().unwrap_or_else(PoisonError::into_inner);
            slot.take()
        };
        let Some(Socket {
            upgrade,
            agreed,
            visitor,
            share: _share,
        }) = agreed
        else {
            return;
        };
        let limits = &self.house.config.limits;
        // The answer may have met nobody: then there is no connection to take over.
        let Ok(Ok(upgraded)) = timeout(limits.head_time, upgrade).await else {
            return;
        };
        self.changed_over.store(true, Ordering::Relaxed);
        let stream = Box::new(TokioIo::new(upgraded));
        let with = self.from.to_string();
        let port = agreed.port(stream, limits.message, with).await;
        self.house.reception.socket(port, visitor).await;
    }
}

/// A browser asks whether pages from elsewhere may post here (Fetch standard, CORS preflight):
/// DIDComm's media types are none that it lets pass by itself.
fn may_post() -> Response<Bytes> {
    let mut response = empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, "POST"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
        (ACCESS_CONTROL_MAX_AGE, "86400"),
        (ALLOW, "POST, OPTIONS"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn wants_socket(request: &Request<Incoming>) -> bool {
    let wish = request.headers().get(UPGRADE);
    wish.is_some_and(|wish| wish.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// A response with words for people.
#[must_use]
pub fn plain(status: StatusCode, words: impl Into<String>) -> Response<Bytes> {
    let mut words = words.into();
    words.push('\n');
    let mut response = empty(status);
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    *response.body_mut() = Bytes::from(words);
    response
}

/// The answer where there are no pages: 405 at the place for messages, 404 elsewhere.
#[must_use]
pub fn nothing_here(_: &Request<Bytes>, visitor: &Visitor) -> Response<Bytes> {
    if !visitor.at_door {
        return plain(StatusCode::NOT_FOUND, "there is nothing here");
    }
    let mut response = plain(
        StatusCode::METHOD_NOT_ALLOWED,
        "this is where DIDComm messages are posted",
    );
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static("POST"));
    headers.insert(ACCEPT_POST, HeaderValue::from_static(media::TAKEN));
    response
}
