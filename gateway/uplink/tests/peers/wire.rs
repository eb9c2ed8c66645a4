//! Just enough HTTP for a server of a test: heads, bodies, and every way to answer wrongly.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A request.
pub(crate) struct Request {
    pub(crate) path: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The next one of a connection; none at its end.
    pub(crate) fn read(stream: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let path = line.split(' ').nth(1)?.to_owned();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.push((name.to_lowercase(), value.to_owned()));
        }
        let mut request = Self {
            path,
            headers,
            body: Vec::new(),
        };
        let length = request
            .header("content-length")
            .unwrap_or("0")
            .parse()
            .ok()?;
        request.body = vec![0; length];
        stream.read_exact(&mut request.body).ok()?;
        Some(request)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) more: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn of(status: u16, kind: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            kind,
            more: String::new(),
            body: body.into(),
        }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self::of(status, "text/plain", "")
    }

    fn bytes(&self) -> Vec<u8> {
        let head = format!(
            "HTTP/1.1 {} Whatever\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}\r\n",
            self.status,
            self.kind,
            self.body.len(),
            self.more
        );
        [head.as_bytes(), &self.body].concat()
    }

    pub(crate) fn write(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        stream.write_all(&self.bytes())
    }

    /// Half of it, and then nothing.
    pub(crate) fn write_half(&self, stream: &mut TcpStream) {
        let bytes = self.bytes();
        let half = bytes.split_at(bytes.len() - self.body.len() / 2 - 1).0;
        let _ = stream.write_all(half);
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }
}
