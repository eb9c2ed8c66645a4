//! A mail server that answers by the name of whom a mail is for, and counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use packmule_mail::{Address, Login, Outbox, Protocol, Server, Tls};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// How the server is.
#[derive(Clone, Default)]
pub(crate) struct Manners {
    pub(crate) size: Option<usize>,
    pub(crate) pipelining: bool,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// From the first byte, or by STARTTLS.
    pub(crate) implicit: bool,
    /// Says something more in the packet that agrees to TLS.
    pub(crate) slips_in: bool,
    /// `user\0password` that it knows.
    pub(crate) login: Option<&'static str>,
    /// Hangs up after so many mails on one connection.
    pub(crate) patience: Option<usize>,
}

/// What it saw.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) connections: AtomicUsize,
    /// Bytes that came as mails, whole or not.
    pub(crate) uploaded: AtomicUsize,
    /// Packets that held MAIL, RCPT and DATA at once.
    pub(crate) together: AtomicUsize,
    pub(crate) mails: Mutex<Vec<(Vec<String>, Vec<u8>)>>,
}

pub(crate) struct Fake {
    pub(crate) port: u16,
    pub(crate) seen: Arc<Seen>,
}

impl Fake {
    pub(crate) async fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let seen = Arc::<Seen>::default();
        let counted = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.connections.fetch_add(1, SeqCst);
                tokio::spawn(visit(stream, manners.clone(), Arc::clone(&counted)));
            }
        });
        Self { port, seen }
    }

    pub(crate) fn outbox(&self, open: bool, login: Option<Login>, tls: Tls) -> Outbox {
        self.outbox_at("smtp://127.0.0.1", open, login, tls)
    }

    pub(crate) fn outbox_at(
        &self,
        base: &str,
        open: bool,
        login: Option<Login>,
        tls: Tls,
    ) -> Outbox {
        let url = format!("{base}:{}", self.port);
        let server = Server::parse(&url, Protocol::Smtp, open, login, Arc::new(tls));
        let from = Address::parse("alice@kiosk.test").expect("an address");
        Outbox::new(server.expect("a server"), from)
    }
}

async fn visit(mut stream: TcpStream, manners: Manners, seen: Arc<Seen>) {
    let Some(config) = &manners.tls else {
        let _ = talk(stream, &manners, &seen, true, true).await;
        return;
    };
    let acceptor = TlsAcceptor::from(Arc::clone(config));
    if !manners.implicit {
        let asked = talk(&mut stream, &manners, &seen, false, true).await;
        if !asked.unwrap_or(false) {
            return;
        }
    }
    if let Ok(stream) = acceptor.accept(stream).await {
        let _ = talk(stream, &manners, &seen, true, manners.implicit).await;
    }
}

/// True: TLS begins now.
async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    manners: &Manners,
    seen: &Seen,
    secure: bool,
    greets: bool,
) -> std::io::Result<bool> {
    let mut stream = BufReader::new(stream);
    if greets {
        stream.write_all(b"220 mx.test\r\n").await?;
    }
    let (mut to, mut line, mut known, mut mails) = (Vec::new(), String::new(), false, 0);
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(false);
        }
        let upper = line.to_ascii_uppercase();
        let upper = upper.trim_end();
        let reply = if upper.starts_with("EHLO") {
            let mut able = "250-mx.test\r\n".to_owned();
            if let Some(size) = manners.size {
                able.push_str(&format!("250-SIZE {size}\r\n"));
            }
            if manners.pipelining {
                able.push_str("250-PIPELINING\r\n");
            }
            if manners.tls.is_some() && !secure {
                able.push_str("250-STARTTLS\r\n");
            }
            if manners.login.is_some() && secure {
                able.push_str("250-AUTH PLAIN LOGIN\r\n");
            }
            able + "250 8BITMIME"
        } else if upper == "STARTTLS" {
            let more = if manners.slips_in {
                "250 SIZE 1\r\n"
            } else {
                ""
            };
            let go = format!("220 go\r\n{more}");
            stream.write_all(go.as_bytes()).await?;
            return Ok(true);
        } else if upper.starts_with("AUTH PLAIN") {
            let word = line.trim_end().rsplit(' ').next().unwrap_or_default();
            let said = data_encoding::BASE64
                .decode(word.as_bytes())
                .unwrap_or_default();
            known = Some(&*String::from_utf8_lossy(&said)) == manners.login;
            (if known {
                "235 welcome"
            } else {
                "535 5.7.8 who?"
            })
            .to_owned()
        } else if upper.starts_with("MAIL FROM:") {
            if stream.buffer().windows(4).any(|word| word == b"DATA") {
                seen.together.fetch_add(1, SeqCst);
            }
            if manners.login.is_some() && !known {
                "530 5.7.0 log in first".to_owned()
            } else if manners.patience.is_some_and(|most| mails >= most) {
                return Ok(false);
            } else {
                to.clear();
                "250 2.1.0 ok".to_owned()
            }
        } else if upper.starts_with("RCPT TO:") {
            let whom = line.trim_end()["RCPT TO:".len()..]
                .trim_matches(['<', '>'])
                .to_owned();
            let word = match whom.split('@').next().unwrap_or_default() {
                "grey" => "451 4.7.1 greylisted, try again",
                "full" => "452 4.2.2 mailbox full",
                "gone" => "550 5.1.1 <gone@edge.test>: no such user",
                "liar" => "550 5.5.0 try again tomorrow",
                _ => "250 2.1.5 ok",
            };
            if word.starts_with("250") {
                to.push(whom);
            }
            word.to_owned()
        } else if upper == "DATA" {
            if to.is_empty() {
                "554 5.5.1 no valid recipients".to_owned()
            } else {
                stream.write_all(b"354 go on\r\n").await?;
                let drops = to.iter().any(|to| to.starts_with("drop"));
                let Some(mail) = data(&mut stream, seen, drops).await? else {
                    return Ok(false);
                };
                mails += 1;
                seen.mails.lock().await.push((to.clone(), mail));
                match to
                    .iter()
                    .find(|to| to.starts_with("big") || to.starts_with("over"))
                {
                    Some(whom) if whom.starts_with("big") => "552 5.3.4 message too big".to_owned(),
                    Some(_) => "552 5.2.2 over quota".to_owned(),
                    None => "250 2.0.0 queued".to_owned(),
                }
            }
        } else if upper == "RSET" || upper == "NOOP" {
            "250 2.0.0 ok".to_owned()
        } else if upper == "QUIT" {
            stream.write_all(b"221 bye\r\n").await?;
            return Ok(false);
        } else {
            "502 5.5.2 what?".to_owned()
        };
        stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
        stream.flush().await?;
    }
}

/// A mail; none if the server is to die in the middle of it.
async fn data(
    stream: &mut (impl AsyncBufReadExt + Unpin),
    seen: &Seen,
    drops: bool,
) -> std::io::Result<Option<Vec<u8>>> {
    let mut mail = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        seen.uploaded.fetch_add(line.len(), SeqCst);
        if line == b".\r\n" {
            return Ok(Some(mail));
        }
        if drops && mail.len() > 500 {
            return Ok(None);
        }
        mail.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
