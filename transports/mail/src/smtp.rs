//! One connection to a submission server.
//!
//! What is it: lettre's connection, driven command by command, so that the size is told before the
//! mail and commands go in one packet where the server takes that. Who calls it: [`crate::Outbox`].
//! What can go wrong: everything a server can answer, as [`Fault`]; after one that is no answer the
//! connection is of no use. Whoever drops a future in here drops the connection, too.

use std::fmt::Display;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Ehlo, Noop, Rset};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::{Category, Response};
use packmule_bus::link::LinkError;
use tokio::time::timeout;

use crate::address::Address;
use crate::dial::dial;
use crate::server::{Protocol, Server};
use crate::words::fit;

/// How long a server may think about one command (RFC 5321, 4.5.3.2 has minutes for each).
const PATIENCE: Duration = Duration::from_secs(110);
/// How long it may take until a server knows us.
const ENTRY: Duration = Duration::from_secs(25);

/// Why a mail did not go.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The server will not have it, ever.
    Never(String),
    /// It is longer than the server takes.
    TooLarge(usize),
    /// The server will not have it now.
    Later(String),
    /// No answer, or none to the question: the connection is over.
    Broken(String),
}

impl Fault {
    /// As whoever delivers hears it, about a mail of so many bytes.
    pub(crate) fn into_link(self, bytes: usize) -> LinkError {
        match self {
            Self::Never(words) => LinkError::Refused(words),
            Self::TooLarge(limit) => LinkError::TooLarge { bytes, limit },
            Self::Later(words) => LinkError::Busy(words),
            Self::Broken(words) => LinkError::Io(io::Error::other(words)),
        }
    }

    /// What an error means for a mail. Permanent is what the server says so of this mail: some say
    /// 5.5.0 of what passes, and 530 and 535 are about who we are.
    fn of(error: &Error) -> Self {
        let words = fit(&error.to_string());
        let Some(code) = error.status() else {
            return Self::Broken(words);
        };
        let number = u16::from(code);
        if number == 421 {
            return Self::Broken(words);
        }
        let about_us = matches!(number, 530 | 534 | 535 | 538)
            || (error.is_permanent() && code.category == Category::Connections);
        let lies = enhanced(&words).is_some_and(|code| code == "5.5.0");
        if error.is_permanent() && !lies && !about_us {
            Self::Never(words)
        } else {
            Self::Later(words)
        }
    }
}

/// The enhanced status code (RFC 3463) in a server's words: `5.5.0`.
fn enhanced(words: &str) -> Option<&str> {
    words.split(' ').find(|word| {
        let mut parts = word.split('.');
        let digits = |part: Option<&str>| {
            part.is_some_and(|part| {
                (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
            })
        };
        digits(parts.next())
            && digits(parts.next())
            && digits(parts.next())
            && parts.next().is_none()
    })
}

pub(crate) struct Connection {
    smtp: AsyncSmtpConnection,
    /// Bytes of a mail at most, if the server tells; and whether it wants to be told.
    size: Option<usize>,
    pipelining: bool,
}

impl Connection {
    /// Connects, and makes ourselves known.
    pub(crate) async fn open(server: &Server) -> Result<Self, Fault> {
        let wire = dial(server, Protocol::Smtp).await;
        let wire = wire.map_err(|why| Fault::Broken(fit(&why.to_string())))?;
        let entry = timeout(ENTRY, Self::enter(wire, server)).await;
        entry.map_err(|_| Fault::Broken("the server is too slow".to_owned()))?
    }

    async fn enter(wire: crate::dial::Wire, server: &Server) -> Result<Self, Fault> {
        // What is said before a mail is never about the mail.
        let ours = |error: Error| Fault::Later(fit(&error.to_string()));
        // Where we are is nobody's business; whom servers let in by their names has a relay.
        let hello = ClientId::Ipv4(Ipv4Addr::LOCALHOST);
        let connected = AsyncSmtpConnection::connect_with_transport(Box::new(wire), &hello).await;
        let mut smtp = connected.map_err(ours)?;
        if let Some(login) = &server.login {
            let known = Credentials::new(login.user.clone(), login.password.to_string());
            let ways = [Mechanism::Plain, Mechanism::Login];
            smtp.auth(&ways, &known).await.map_err(ours)?;
        }
        // lettre keeps none of what we need of the first answer; after the login it may differ.
        let able = smtp.command(Ehlo::new(hello)).await.map_err(ours)?;
        Ok(Self {
            size: size(&able),
            pipelining: offers(&able, "PIPELINING").is_some(),
            smtp,
        })
    }

    /// Is somebody there still?
    pub(crate) async fn is_alive(&mut self) -> bool {
        let asked = timeout(Duration::from_secs(5), self.smtp.command(Noop)).await;
        matches!(asked, Ok(Ok(_)))
    }

    /// Sends one mail. After [`Fault::Broken`] the connection is of no use.
    pub(crate) async fn send(
        &mut self,
        from: &Address,
        to: &[Address],
        mail: &[u8],
    ) -> Result<(), Fault> {
        if let Some(limit) = self.size.filter(|limit| (1..mail.len()).contains(limit)) {
            return Err(Fault::TooLarge(limit));
        }
        match self.transact(from, to, mail).await {
            // What was begun is forgotten, and the next mail begins anew.
            Err(fault @ (Fault::Never(_) | Fault::Later(_) | Fault::TooLarge(_))) => {
                match self.ask(Rset).await {
                    Ok(_) => Err(fault),
                    Err(_) => {
                        self.smtp.abort().await;
                        Err(fault)
                    }
                }
            }
            said => said,
        }
    }

    /// The connection can be used no more.
    pub(crate) fn is_over(&self) -> bool {
        self.smtp.has_broken()
    }

    async fn transact(&mut self, from: &Address, to: &[Address], mail: &[u8]) -> Result<(), Fault> {
        let announced = match self.size {
            Some(_) => format!(" SIZE={}", mail.len()),
            None => String::new(),
        };
        let mut commands = vec![format!("MAIL FROM:<{from}>{announced}\r\n")];
        commands.extend(to.iter().map(|to| format!("RCPT TO:<{to}>\r\n")));
        // With several recipients DATA depends on what is said of each.
        if to.len() == 1 {
            commands.push("DATA\r\n".to_owned());
        }
        let mut answers = self.exchange(&commands).await?.into_iter();
        if let Some(Err(error)) = answers.next() {
            return Err(match u16::from_code(&error) {
                552 => Fault::TooLarge(mail.len().saturating_sub(1)),
                _ => Fault::of(&error),
            });
        }
        let (mut taken, mut never) = (0, None);
        for answer in answers.by_ref().take(to.len()) {
            match answer {
                Ok(_) => taken += 1,
                Err(error) => match Fault::of(&error) {
                    fault @ Fault::Never(_) => never = Some(fault),
                    fault => return Err(self.after_data(fault, answers.next())),
                },
            }
        }
        // Addresses that are gone are no reason to keep a mail from the others.
        if let Some(fault) = never.filter(|_| taken == 0) {
            return Err(self.after_data(fault, answers.next()));
        }
        let go = match answers.next() {
            Some(go) => go,
            None => self.ask("DATA\r\n").await,
        };
        go.map_err(|error| Fault::of(&error))?;
        let sent = timeout(PATIENCE, self.smtp.message(mail)).await;
        match sent.map_err(|_| too_slow())? {
            Ok(_) => Ok(()),
            Err(error) => Err(match u16::from_code(&error) {
                // Mailboxes that are full are told so, too.
                552 if !error.to_string().contains("5.2.2") => {
                    Fault::TooLarge(mail.len().saturating_sub(1))
                }
                _ => Fault::of(&error),
            }),
        }
    }

    /// A mail that is not to go after all, though the server may wait for it: then only the end of
    /// the connection keeps it from being taken.
    fn after_data(&self, fault: Fault, data: Option<Result<Response, Error>>) -> Fault {
        match data {
            Some(Ok(_)) => match fault {
                Fault::Never(words) | Fault::Later(words) => Fault::Broken(words),
                fault => fault,
            },
            _ => fault,
        }
    }

    /// Says commands, in one packet where the server takes that. An answer that does not come is
    /// an error of its own.
    async fn exchange(
        &mut self,
        commands: &[String],
    ) -> Result<Vec<Result<Response, Error>>, Fault> {
        let mut answers = Vec::with_capacity(commands.len());
        let single = commands.last().is_some_and(|last| last.starts_with("DATA"));
        if !self.pipelining {
            for (number, command) in commands.iter().enumerate() {
                let answer = self.ask(command).await;
                let refused = answer.is_err();
                answers.push(known(answer)?);
                // One of several recipients is no reason to stop.
                if refused && (number == 0 || single) {
                    break;
                }
            }
            return Ok(answers);
        }
        answers.push(known(self.ask(commands.concat()).await)?);
        for _ in commands.iter().skip(1) {
            let answer = timeout(PATIENCE, self.smtp.read_response()).await;
            answers.push(known(answer.map_err(|_| too_slow())?)?);
        }
        Ok(answers)
    }

    async fn ask(&mut self, command: impl Display) -> Result<Response, Error> {
        // Without an answer in time the connection goes, and the question with it.
        match timeout(PATIENCE, self.smtp.command(command)).await {
            Ok(answer) => answer,
            Err(_) => {
                self.smtp.abort().await;
                self.smtp.read_response().await
            }
        }
    }
}

/// An answer, also a refusal; whatever else happened ends the connection.
fn known(answer: Result<Response, Error>) -> Result<Result<Response, Error>, Fault> {
    match answer {
        Err(error) if error.status().is_none() => Err(Fault::of(&error)),
        answer => Ok(answer),
    }
}

fn too_slow() -> Fault {
    Fault::Broken("the server is too slow".to_owned())
}

/// What stands behind a keyword among a server's abilities.
fn offers<'a>(able: &'a Response, keyword: &str) -> Option<&'a str> {
    able.message().skip(1).find_map(|line| {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        word.eq_ignore_ascii_case(keyword).then_some(rest)
    })
}

/// RFC 1870: no number, or 0, is no limit.
fn size(able: &Response) -> Option<usize> {
    let told = offers(able, "SIZE")?;
    Some(told.trim().parse().unwrap_or(0))
}

/// The number of a refusal; 0 for what is none.
trait FromCode {
    fn from_code(error: &Error) -> u16;
}

impl FromCode for u16 {
    fn from_code(error: &Error) -> Self {
        error.status().map_or(0, Into::into)
    }
}
