//! The HTTP part: asking for a WebSocket and answering.
//!
//! What is it: the opening handshake of RFC 6455 from both sides, and the choice between a link
//! and a mailbox. Who calls it: the transport and its listener, under a bound of time. What can
//! go wrong: the other side speaks no HTTP, or endlessly, or wants another path; or it agrees to
//! a subprotocol that it does not know (Node's `ws` picks the first one offered if it is told
//! nothing): so our own kind confirms it by a header of its own.

use packmule_bus::link::{Mailbox, Port, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::{self, generate_key};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::handshake::server::{self, create_response};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue, Request, Response};
use tokio_tungstenite::tungstenite::protocol::{self, WebSocketConfig};

use crate::socket::Socket;
use crate::url::Url;
use crate::{Duplex, SUBPROTOCOL, link, mailbox};

/// Request line and headers, or status line and headers, are at most so long.
const MAX_HEAD: usize = 16 << 10;

/// What our own kind adds to the answer when it agrees to [`SUBPROTOCOL`].
const KIN: (&str, &str) = ("packmule", "1");

/// A WebSocket, and whether one of our own kind is at the other end.
pub(crate) struct Greeted {
    socket: Socket,
    kin: bool,
    max_message: usize,
}

impl Greeted {
    fn new(
        stream: Box<dyn Duplex>,
        tail: Vec<u8>,
        role: protocol::Role,
        kin: bool,
        max_message: usize,
    ) -> impl Future<Output = Self> {
        let limit = if kin { link::FACTS.mtu } else { max_message };
        // Strangers are many and mostly silent: what each keeps is memory.
        let buffer = if kin { 32 << 10 } else { 4 << 10 };
        let config = WebSocketConfig::default()
            .read_buffer_size(buffer)
            .write_buffer_size(buffer)
            .max_message_size(Some(limit))
            .max_frame_size(Some(limit));
        async move {
            let stream =
                WebSocketStream::from_partially_read(stream, tail, role, Some(config)).await;
            Self {
                socket: Socket::new(stream),
                kin,
                max_message,
            }
        }
    }

    /// A conversation with whoever was not asked to be of our own kind.
    pub(crate) fn mailbox(self) -> Result<Box<dyn Mailbox>, String> {
        if self.kin {
            return Err("a subprotocol was agreed to that nobody asked for".to_owned());
        }
        let exchange = mailbox::Exchange::new(self.socket, self.max_message);
        Ok(Box::new(exchange))
    }

    pub(crate) fn port(self, role: Role, with: String) -> Port {
        if self.kin {
            Port::Link(link::link(self.socket, role, with))
        } else {
            Port::Mailbox(Box::new(mailbox::Exchange::new(
                self.socket,
                self.max_message,
            )))
        }
    }
}

/// The client's side: headers besides those of the handshake. Fails with a text for people.
pub(crate) async fn ask(
    mut stream: Box<dyn Duplex>,
    url: &Url<'_>,
    more: &[(&str, &str)],
    max_message: usize,
) -> Result<Greeted, String> {
    let key = generate_key();
    let mut request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n",
        url.path, url.authority
    );
    for (name, value) in more {
        // Into a head goes nothing that could end a line of it.
        if value.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return Err(format!("the header {name} cannot be sent"));
        }
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    stream
        .write_all(request.as_bytes())
        .await
        .map_err(|fault| fault.to_string())?;
    let (response, tail) = head::<client::Response>(&mut stream).await?;
    if response.status().as_u16() != 101 {
        return Err(format!("HTTP {}", response.status()));
    }
    let kin = agreed(response.headers(), &key)?;
    Ok(Greeted::new(stream, tail, protocol::Role::Client, kin, max_message).await)
}

/// Checks the answer as RFC 6455, 4.1 demands. `Ok(true)` if our own kind answered.
fn agreed(headers: &HeaderMap, key: &str) -> Result<bool, String> {
    if !has_token(headers, "Upgrade", "websocket") || !has_token(headers, "Connection", "upgrade") {
        return Err("the answer is no WebSocket handshake".to_owned());
    }
    let accept = derive_accept_key(key.as_bytes());
    if headers.get("Sec-WebSocket-Accept") != HeaderValue::from_str(&accept).ok().as_ref() {
        return Err("the handshake is an answer to something else".to_owned());
    }
    if headers.contains_key("Sec-WebSocket-Extensions") {
        return Err("an extension was agreed to that nobody asked for".to_owned());
    }
    match headers.get("Sec-WebSocket-Protocol") {
        None => Ok(false),
        Some(name) if name == SUBPROTOCOL => Ok(has_token(headers, KIN.0, KIN.1)),
        Some(_) => Err("a subprotocol was agreed to that nobody asked for".to_owned()),
    }
}

/// A visitor's wish for a WebSocket, granted: what to answer, and the port behind the answer.
#[derive(Debug)]
pub struct Agreed {
    /// 101, with every header that belongs to it.
    pub response: Response<()>,
    kin: bool,
}

impl Agreed {
    /// One of our own kind is at the other end: the port is a link.
    #[must_use]
    pub const fn kin(&self) -> bool {
        self.kin
    }

    /// The port of a connection on which [`Self::response`] was said and whose next octet is the
    /// first one behind the request. Messages of strangers have at most `max_message` bytes;
    /// `with` is a word for the visitor, for people.
    pub async fn port(self, stream: Box<dyn Duplex>, max_message: usize, with: String) -> Port {
        let role = protocol::Role::Server;
        let greeted = Greeted::new(stream, Vec::new(), role, self.kin, max_message).await;
        greeted.port(Role::Listener, with)
    }
}

/// Judges a request for a WebSocket, for our own listener and for HTTP servers that let visitors
/// change over.
///
/// # Errors
/// What is wrong with it, for people: the answer is 400.
pub fn agree(request: &Request<()>) -> Result<Agreed, String> {
    let mut response = create_response(request).map_err(|fault| fault.to_string())?;
    let kin = has_token(request.headers(), "Sec-WebSocket-Protocol", SUBPROTOCOL);
    if kin {
        let headers = response.headers_mut();
        let ours = HeaderValue::from_static(SUBPROTOCOL);
        headers.insert("sec-websocket-protocol", ours);
        headers.insert(KIN.0, HeaderValue::from_static(KIN.1));
    }
    Ok(Agreed { response, kin })
}

/// The server's side. A visitor that wants something else hears so by HTTP.
pub(crate) async fn answer(
    mut stream: Box<dyn Duplex>,
    path: &str,
    max_message: usize,
) -> Result<Greeted, String> {
    let (request, tail) = match head::<server::Request>(&mut stream).await {
        Ok(read) => read,
        Err(fault) => return turn_away(stream, "400 Bad Request", fault).await,
    };
    if request.uri().path() != path.split('?').next().unwrap_or_default() {
        let text = "another path".to_owned();
        return turn_away(stream, "404 Not Found", text).await;
    }
    let Agreed { response, kin } = match agree(&request) {
        Ok(agreed) => agreed,
        Err(fault) => return turn_away(stream, "400 Bad Request", fault).await,
    };
    let mut text = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
    for (name, value) in response.headers() {
        line(&mut text, name.as_str(), value.as_bytes());
    }
    text.extend_from_slice(b"\r\n");
    stream
        .write_all(&text)
        .await
        .map_err(|fault| fault.to_string())?;
    Ok(Greeted::new(stream, tail, protocol::Role::Server, kin, max_message).await)
}

fn line(text: &mut Vec<u8>, name: &str, value: &[u8]) {
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b": ");
    text.extend_from_slice(value);
    text.extend_from_slice(b"\r\n");
}

async fn turn_away(
    mut stream: Box<dyn Duplex>,
    status: &str,
    why: String,
) -> Result<Greeted, String> {
    let text = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    // Courtesy: whether it arrives changes nothing.
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
    Err(why)
}

/// Reads up to the empty line, and what came behind it already.
async fn head<T: TryParse>(stream: &mut Box<dyn Duplex>) -> Result<(T, Vec<u8>), String> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        // Parsed only when it can be whole: a visitor that drips buys no work by it.
        let seen = bytes.len().saturating_sub(3);
        match stream.read_buf(&mut bytes).await {
            Ok(0) => return Err("the connection ended within the handshake".to_owned()),
            Ok(_) => {}
            Err(fault) => return Err(fault.to_string()),
        }
        let news = bytes.get(seen..).unwrap_or_default();
        if news.windows(4).any(|four| four == b"\r\n\r\n") {
            return match T::try_parse(&bytes) {
                Ok(Some((length, head))) => Ok((head, bytes.split_off(length.min(bytes.len())))),
                Ok(None) => Err("this is no HTTP".to_owned()),
                Err(fault) => Err(format!("this is no HTTP: {fault}")),
            };
        }
        if bytes.len() >= MAX_HEAD {
            return Err("more headers than anybody needs".to_owned());
        }
    }
}

/// Whether a header that lists tokens has this one.
fn has_token(headers: &HeaderMap, name: &str, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|one| one.trim().eq_ignore_ascii_case(token))
}
