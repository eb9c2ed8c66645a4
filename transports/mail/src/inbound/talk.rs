//! A conversation by LMTP (RFC 2033) or SMTP (RFC 5321).
//!
//! What is it: nine commands and their answers. Who calls it: the door, for each visitor. What can
//! go wrong: visitors who speak otherwise are answered with errors, and sent away after some.

use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::lines::{Lines, Trouble};
use super::visit::{Here, Visit};
use super::{House, Tongue};
use crate::address::Address;
use crate::read::read;
use packmule_bus::link::Port;

const OK: &str = "250 2.0.0 ok\r\n";

/// A mail that is being introduced.
#[derive(Default)]
struct Letter {
    /// MAIL was said.
    begun: bool,
    recipients: usize,
}

pub(super) async fn talk(stream: TcpStream, house: &House) {
    let mut lines = Lines::new(stream);
    let silence = house.inbound.limits.silence;
    let words = match converse(&mut lines, house).await {
        Err(Trouble::TooSlow) => "421 4.4.2 too slow\r\n",
        Err(Trouble::TooLong) => "500 5.5.2 the line is too long\r\n",
        Ok(()) | Err(Trouble::Gone | Trouble::NoRoom) => return,
    };
    let _ = lines.say(words, silence).await;
}

async fn converse(lines: &mut Lines, house: &House) -> Result<(), Trouble> {
    let limits = &house.inbound.limits;
    let say = limits.silence;
    lines.say("220 packmule\r\n", say).await?;
    let (mut known, mut letter, mut nonsense) = (false, Letter::default(), 0);
    loop {
        let line = lines.command(limits.silence).await?;
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let verb = verb.to_ascii_uppercase();
        let answer: String = match verb.as_str() {
            "LHLO" | "EHLO" | "HELO" if (verb == "LHLO") == (house.tongue == Tongue::Lmtp) => {
                (known, letter) = (true, Letter::default());
                if verb == "HELO" {
                    OK.to_owned()
                } else {
                    format!(
                        "250-packmule\r\n250-PIPELINING\r\n250-SIZE {}\r\n250-8BITMIME\r\n\
                         250 ENHANCEDSTATUSCODES\r\n",
                        house.inbound.mail.mail
                    )
                }
            }
            "MAIL" if known && !letter.begun => mail(rest, house, &mut letter),
            "RCPT" if letter.begun => rcpt(rest, house, &mut letter),
            "DATA" if letter.recipients > 0 => {
                lines.say("354 go on\r\n", say).await?;
                let answer = data(lines, house).await?;
                let times = match house.tongue {
                    Tongue::Lmtp => letter.recipients,
                    Tongue::Smtp => 1,
                };
                letter = Letter::default();
                answer.repeat(times)
            }
            "RSET" => {
                letter = Letter::default();
                OK.to_owned()
            }
            "NOOP" => OK.to_owned(),
            "VRFY" => "252 2.5.0 send it and see\r\n".to_owned(),
            "QUIT" => {
                lines.say("221 2.0.0 bye\r\n", say).await?;
                return Ok(());
            }
            "MAIL" | "RCPT" | "DATA" | "LHLO" | "EHLO" | "HELO" => {
                nonsense += 1;
                match (verb.as_str(), letter.begun) {
                    ("DATA", true) => "503 5.5.1 no valid recipients\r\n".to_owned(),
                    _ => "503 5.5.1 not now\r\n".to_owned(),
                }
            }
            _ => {
                nonsense += 1;
                "500 5.5.2 no such command\r\n".to_owned()
            }
        };
        if nonsense > limits.patience {
            lines.say("421 4.7.0 too many errors\r\n", say).await?;
            return Ok(());
        }
        lines.say(&answer, say).await?;
    }
}

/// The address between angle brackets behind a keyword, and what follows it.
fn path<'a>(rest: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let head = rest.get(..keyword.len())?;
    let rest = rest.get(keyword.len()..)?.trim_start();
    head.eq_ignore_ascii_case(keyword)
        .then(|| rest.strip_prefix('<')?.split_once('>'))?
}

/// Who a mail is from is not looked at: `<>` in bounces, and nothing that could be trusted else.
fn mail(rest: &str, house: &House, letter: &mut Letter) -> String {
    let Some((_, params)) = path(rest, "FROM:") else {
        return "501 5.5.4 MAIL FROM:<ADDRESS>\r\n".to_owned();
    };
    let told = params.split(' ').find_map(|param| {
        let (name, value) = param.split_once('=')?;
        name.eq_ignore_ascii_case("SIZE").then_some(value)
    });
    let told = told.and_then(|value| value.parse::<usize>().ok());
    if told.is_some_and(|size| size > house.inbound.mail.mail) {
        return "552 5.3.4 the mail is too long\r\n".to_owned();
    }
    letter.begun = true;
    OK.to_owned()
}

fn rcpt(rest: &str, house: &House, letter: &mut Letter) -> String {
    let Some((whom, _)) = path(rest, "TO:") else {
        return "501 5.5.4 RCPT TO:<ADDRESS>\r\n".to_owned();
    };
    let address = Address::parse(whom);
    if !address.is_some_and(|address| house.inbound.takes(&address)) {
        return "550 5.1.1 no such recipient here\r\n".to_owned();
    }
    if letter.recipients >= house.inbound.limits.recipients {
        return "452 4.5.3 too many recipients\r\n".to_owned();
    }
    letter.recipients += 1;
    "250 2.1.5 ok\r\n".to_owned()
}

/// Takes a mail; answers when everything in it is durable.
async fn data(lines: &mut Lines, house: &House) -> Result<String, Trouble> {
    let limits = &house.inbound.limits;
    let mail = match lines
        .mail(house.inbound.mail.mail, limits, &house.room)
        .await
    {
        Ok(mail) => mail,
        Err(Trouble::TooLong) => return Ok("552 5.3.4 the mail is too long\r\n".to_owned()),
        Err(Trouble::NoRoom) => return Ok("452 4.3.1 no room now\r\n".to_owned()),
        Err(trouble) => return Err(trouble),
    };
    let found = read(&mail.bytes, &house.inbound.mail);
    if let Some(why) = found.damage() {
        // Part of a mail cannot be refused; whoever wrote it hears, and sends it whole.
        return Ok(format!("550 5.6.0 {why}\r\n"));
    }
    let messages: Vec<Vec<u8>> = found.messages().into_iter().map(<[u8]>::to_vec).collect();
    if messages.is_empty() {
        return Ok("550 5.6.1 there is no DIDComm message in it\r\n".to_owned());
    }
    let later = || Ok("451 4.3.0 not now\r\n".to_owned());
    let (answer, answered) = oneshot::channel();
    let (visit, here): (Visit, Here) = Visit::new(messages, answer);
    let handing = async {
        let door = house.door.send(Port::Mailbox(Box::new(visit))).await;
        door.is_ok() && answered.await == Ok(true)
    };
    let taken = tokio::select! {
        taken = timeout(limits.commit, handing) => taken.unwrap_or(false),
        () = lines.gone() => return Err(Trouble::Gone),
    };
    drop(here);
    drop(mail);
    if taken { Ok(OK.to_owned()) } else { later() }
}
