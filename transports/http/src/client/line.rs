//! One connection to a server.
//!
//! What is it: TCP, TLS if the URL wants it, and the HTTP library's half that sends, with a count
//! of whether the server ever said a byte. Who calls it: `Caller`. What can go wrong: each foreign
//! error becomes one of ours, once, here.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use packmule_bus::link::LinkError;
use packmule_ws::tls::Trust;
use packmule_ws::url::Url;
use packmule_ws::{Duplex, HANDSHAKE};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

pub(super) struct Line {
    sender: SendRequest<Full<Bytes>>,
    /// A byte came since the last request began.
    heard: Arc<AtomicBool>,
    /// Dropping it closes the connection.
    _running: JoinSet<()>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line")
    }
}

impl Line {
    /// How long the name and each of its addresses may take is the system's matter, how long all
    /// may take the caller's; TLS has a bound of its own.
    pub(super) async fn open(url: &Url<'_>, trust: &Trust) -> Result<Self, LinkError> {
        let stream = TcpStream::connect((url.host, url.port)).await?;
        // Fails only if the other side has gone already, which the next call will tell.
        let _ = stream.set_nodelay(true);
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no TLS handshake in time");
        let stream: Box<dyn Duplex> = if url.secure {
            timeout(HANDSHAKE, trust.secure(stream, url.host))
                .await
                .map_err(late)??
        } else {
            Box::new(stream)
        };
        let heard = Arc::new(AtomicBool::new(false));
        let ear = Ear {
            stream,
            heard: Arc::clone(&heard),
        };
        let (sender, connection) = http1::handshake(TokioIo::new(ear)).await.map_err(told)?;
        let mut running = JoinSet::new();
        running.spawn(async {
            // Whoever waits for an answer hears of its end.
            let _ = connection.await;
        });
        Ok(Self {
            sender,
            heard,
            _running: running,
        })
    }

    /// Whether a request can go: `false` if the server has closed.
    pub(super) async fn ready(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, LinkError> {
        self.heard.store(false, Ordering::Relaxed);
        self.sender.send_request(request).await.map_err(told)
    }

    /// The server has said nothing since the last request began.
    pub(super) fn is_mute(&self) -> bool {
        !self.heard.load(Ordering::Relaxed)
    }
}

pub(super) fn told(fault: hyper::Error) -> LinkError {
    if fault.is_parse() {
        let kind = io::ErrorKind::InvalidData;
        return LinkError::Io(io::Error::new(kind, format!("this is no HTTP: {fault}")));
    }
    LinkError::Closed
}

/// Notes that something came.
struct Ear {
    stream: Box<dyn Duplex>,
    heard: Arc<AtomicBool>,
}

impl AsyncRead for Ear {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.heard.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Ear {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
