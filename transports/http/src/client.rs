//! Posting messages.
//!
//! What is it: a [`Caller`] knows one URL and keeps a few connections to it; it follows the one
//! redirect that DIDComm allows, and tries once more when a kept connection turns out to be dead.
//! Who calls it: the mailbox of this transport; a gateway that speaks to other mediators, which
//! adds headers of its own. What can go wrong: nobody answers, or not by HTTP, or with a status
//! that is no success: that is an answer here, and judged by whoever asked.

mod line;
mod mailbox;
mod reply;

use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode, Uri};
use packmule_bus::link::LinkError;
use packmule_ws::tls::Trust;
use packmule_ws::url::Url;

pub(crate) use mailbox::Outlet;

use line::Line;

/// Connections that are kept while nobody uses them.
const KEPT: usize = 4;

/// Redirects in a row.
const HOPS: usize = 5;

/// Whoever posts to one URL.
#[derive(Debug)]
pub struct Caller {
    url: String,
    trust: Arc<Trust>,
    /// Bytes that an answer may have.
    limit: usize,
    kept: Mutex<Vec<Line>>,
}

/// What came back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The body; empty, if it was longer than allowed.
    pub body: Vec<u8>,
    /// What `Retry-After` says, for people.
    pub retry_after: Option<String>,
}

impl Caller {
    /// For a URL. `None` if it is none of `http` or `https`. Nothing is opened yet.
    #[must_use]
    pub fn new(url: &str, trust: Arc<Trust>, limit: usize) -> Option<Self> {
        let read = Url::parse(url).filter(|url| url.scheme.starts_with("http"))?;
        read.path.parse::<Uri>().ok()?;
        Some(Self {
            url: url.to_owned(),
            trust,
            limit,
            kept: Mutex::default(),
        })
    }

    /// Makes sure that somebody is there, and keeps the connection for the first message.
    ///
    /// # Errors
    /// If nobody is.
    pub async fn greet(&self) -> Result<(), LinkError> {
        let url = Url::parse(&self.url).ok_or(LinkError::Closed)?;
        let line = Line::open(&url, &self.trust).await?;
        self.keep(line);
        Ok(())
    }

    /// Posts a body, with headers of the caller's own, and follows redirects 307.
    ///
    /// # Errors
    /// If there was no answer. Every answer is `Ok`, whatever its status.
    pub async fn post(
        &self,
        media_type: &'static str,
        more: &HeaderMap,
        body: Bytes,
    ) -> Result<Reply, LinkError> {
        let mut target = self.url.clone();
        for _ in 0..HOPS {
            let url = Url::parse(&target).ok_or(LinkError::Closed)?;
            let request = || request(&url, media_type, more, body.clone());
            // Lines are kept to our own host and port, and no others.
            let ours = Url::parse(&self.url)
                .is_some_and(|own| (own.authority, own.secure) == (url.authority, url.secure));
            let (mut line, response) = self.exchange(&url, ours, request).await?;
            if response.status() != StatusCode::TEMPORARY_REDIRECT {
                let reply = self.read(response).await?;
                if ours && line.ready().await {
                    self.keep(line);
                }
                return Ok(reply);
            }
            let place = response.headers().get(LOCATION);
            let place = place
                .and_then(|place| place.to_str().ok())
                .unwrap_or_default();
            target = moved(&url, place)
                .ok_or_else(|| LinkError::Refused(format!("redirected to {}", visible(place))))?;
        }
        Err(LinkError::Refused("redirected too often".to_owned()))
    }

    /// Sends a request on a kept connection or a new one. A kept one may have been closed by the
    /// other side just now; if it gave no byte, a new one is tried, once. The message may then
    /// arrive twice, and is known the second time.
    async fn exchange(
        &self,
        url: &Url<'_>,
        ours: bool,
        request: impl Fn() -> Result<Request<Full<Bytes>>, LinkError>,
    ) -> Result<(Line, Response<Incoming>), LinkError> {
        while let Some(mut line) = self.kept(ours) {
            if !line.ready().await {
                continue;
            }
            match line.send(request()?).await {
                Ok(response) => return Ok((line, response)),
                Err(_) if line.is_mute() => break,
                Err(fault) => return Err(fault),
            }
        }
        let mut line = Line::open(url, &self.trust).await?;
        let response = line.send(request()?).await?;
        Ok((line, response))
    }

    fn kept(&self, ours: bool) -> Option<Line> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if ours { kept.pop() } else { None }
    }

    fn keep(&self, line: Line) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(line);
        }
    }

    /// Reads an answer. A body above the limit is not read on: the status is what counts.
    async fn read(&self, response: Response<Incoming>) -> Result<Reply, LinkError> {
        let (head, mut incoming) = response.into_parts();
        let retry_after = head.headers.get(RETRY_AFTER);
        let mut body = Vec::new();
        if incoming.size_hint().lower() <= self.limit as u64 {
            while let Some(frame) = incoming.frame().await {
                let Ok(data) = frame.map_err(line::told)?.into_data() else {
                    continue;
                };
                if body.len() + data.len() > self.limit {
                    body.clear();
                    break;
                }
                body.extend_from_slice(&data);
            }
        }
        Ok(Reply {
            status: head.status,
            body,
            retry_after: retry_after
                .and_then(|value| value.to_str().ok())
                .map(visible),
        })
    }
}

fn request(
    url: &Url<'_>,
    media_type: &'static str,
    more: &HeaderMap,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, LinkError> {
    let bad = |_| LinkError::Refused("the URL cannot be asked for".to_owned());
    let host = HeaderValue::from_str(url.authority);
    let host = host.map_err(|_| LinkError::Refused("the host has no name".to_owned()))?;
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(url.path)
        .body(Full::new(body))
        .map_err(bad)?;
    let headers = request.headers_mut();
    headers.extend(more.clone());
    headers.insert(HOST, host);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    Ok(request)
}

/// Where a redirect leads: another URL, or another path of the same host. Never from TLS to none.
fn moved(from: &Url<'_>, place: &str) -> Option<String> {
    let there = if place.starts_with('/') && !place.starts_with("//") {
        format!("{}://{}{place}", from.scheme, from.authority)
    } else {
        place.to_owned()
    };
    let url = Url::parse(&there)?;
    let http = url.scheme.starts_with("http") && url.path.parse::<Uri>().is_ok();
    (http && there.len() <= 2048 && (url.secure || !from.secure)).then_some(there)
}

/// A header of a stranger's, short enough to be shown to people.
fn visible(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .take(100)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_to_http_and_never_out_of_tls() {
        let plain = Url::parse("http://cloud:81/a").expect("a URL");
        let secure = Url::parse("https://cloud/a").expect("a URL");
        for (from, place, there) in [
            (&plain, "/b?c", Some("http://cloud:81/b?c")),
            (&plain, "https://other/b", Some("https://other/b")),
            (&secure, "/b", Some("https://cloud/b")),
            (&secure, "http://cloud/a", None),
            (&plain, "", None),
            (&plain, "b", None),
            (&plain, "//other/b", None),
            (&plain, "ws://other/b", None),
            (&plain, "file:///etc/passwd", None),
        ] {
            assert_eq!(moved(from, place).as_deref(), there, "{place}");
        }
    }
}
