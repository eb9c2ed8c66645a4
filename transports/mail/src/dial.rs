//! From a server to a stream: TCP without Nagle's delay, and TLS from the start or by STARTTLS.
//!
//! What is it: the first words of SMTP and IMAP are spoken here, by hand, so that nothing that
//! came before TLS is read after it. Who calls it: sending and receiving. What can go wrong: nobody
//! there, a server that speaks something else or offers no STARTTLS, a certificate that is not its
//! own. What a server says is bounded.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::server::{Protocol, Security, Server};

/// How long it may take until a server can be spoken to.
const PATIENCE: Duration = Duration::from_secs(25);
/// Bytes of one answer before TLS.
const MAX_ANSWER: usize = 16 << 10;

/// Both directions of a connection.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Duplex for T {}

/// A connection to a mail server.
pub(crate) struct Wire {
    stream: Box<dyn Duplex>,
    peer: SocketAddr,
    /// What is read before what comes: the greeting that was read before TLS.
    before: &'static [u8],
}

impl Wire {
    /// Another layer on the way to the same server: compression.
    pub(crate) fn over(stream: impl Duplex + 'static, peer: SocketAddr) -> Self {
        Self {
            stream: Box::new(stream),
            peer,
            before: b"",
        }
    }

    /// Who is at the other end.
    pub(crate) const fn peer(&self) -> SocketAddr {
        self.peer
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wire({})", self.peer)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.before.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let (now, later) = self.before.split_at(self.before.len().min(buf.remaining()));
        buf.put_slice(now);
        self.before = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

/// Connects. An SMTP server's greeting is to be read next; an IMAP server's too, unless STARTTLS
/// was used, after which there is none.
pub(crate) async fn dial(server: &Server, protocol: Protocol) -> io::Result<Wire> {
    match timeout(PATIENCE, connect(server, protocol)).await {
        Ok(wire) => wire,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")),
    }
}

async fn connect(server: &Server, protocol: Protocol) -> io::Result<Wire> {
    let mut stream = TcpStream::connect((server.host.as_str(), server.port)).await?;
    // A mail ends with a short write behind a long one: Nagle's algorithm would wait 40 ms there.
    stream.set_nodelay(true)?;
    let peer = stream.peer_addr()?;
    let plain = |stream: Box<dyn Duplex>, before| Wire {
        stream,
        peer,
        before,
    };
    match server.security {
        Security::None => return Ok(plain(Box::new(stream), b"")),
        Security::Implicit => {}
        Security::StartTls => match protocol {
            Protocol::Smtp => ask_smtp(&mut stream).await?,
            Protocol::Imap => ask_imap(&mut stream).await?,
        },
    }
    let secured = server.tls.secure(stream, &server.host).await?;
    let before: &[u8] = match (server.security, protocol) {
        (Security::StartTls, Protocol::Smtp) => b"220 secured\r\n",
        (Security::StartTls, Protocol::Imap) => b"* OK secured\r\n",
        _ => b"",
    };
    Ok(plain(Box::new(secured), before))
}

async fn ask_smtp(stream: &mut TcpStream) -> io::Result<()> {
    let greeting = answer(stream, smtp_ends).await?;
    expect(&greeting, "220")?;
    stream.write_all(b"EHLO [127.0.0.1]\r\n").await?;
    let able = answer(stream, smtp_ends).await?;
    expect(&able, "250")?;
    let offered = |line: &str| {
        let word = line.get(4..).unwrap_or_default();
        word.trim().eq_ignore_ascii_case("STARTTLS")
    };
    if !able.lines().any(offered) {
        return Err(io::Error::other("the server offers no STARTTLS"));
    }
    stream.write_all(b"STARTTLS\r\n").await?;
    let go = answer(stream, smtp_ends).await?;
    expect(&go, "220")
}

async fn ask_imap(stream: &mut TcpStream) -> io::Result<()> {
    let greeting = answer(stream, |_| true).await?;
    expect(&greeting, "* OK")?;
    stream.write_all(b"tls STARTTLS\r\n").await?;
    let go = answer(stream, |line| line.starts_with("tls ")).await?;
    expect(go.lines().last().unwrap_or_default(), "tls OK")
}

fn smtp_ends(line: &str) -> bool {
    line.as_bytes().get(3) != Some(&b'-')
}

fn expect(answer: &str, begin: &str) -> io::Result<()> {
    let found = answer.get(..begin.len()).unwrap_or_default();
    if found.eq_ignore_ascii_case(begin) {
        return Ok(());
    }
    let line: String = answer
        .lines()
        .last()
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect();
    Err(io::Error::other(format!("the server answered: {line}")))
}

/// Reads lines up to one that ends an answer. Nothing may stand behind it: what a stranger puts
/// there would be taken for what the server says under TLS.
async fn answer(stream: &mut TcpStream, ends: impl Fn(&str) -> bool) -> io::Result<String> {
    let mut text = Vec::new();
    loop {
        let mut chunk = [0; 1024];
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        text.extend_from_slice(chunk.get(..read).unwrap_or_default());
        let lines = String::from_utf8_lossy(&text);
        let mut rest = &*lines;
        while let Some((line, after)) = rest.split_once('\n') {
            if ends(line) {
                if after.is_empty() {
                    return Ok(lines.into_owned());
                }
                return Err(io::Error::other("the server spoke out of turn before TLS"));
            }
            rest = after;
        }
        if text.len() > MAX_ANSWER {
            return Err(io::Error::other("the server answered without end"));
        }
    }
}
