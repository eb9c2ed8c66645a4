//! A mail server hands mails over, and mallory comes to the same door.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a story that goes wrong must fail the test"
)]

use std::sync::Arc;
use std::time::Duration;

use packmule_bus::link::{Listener, Port, Transport, Way};
use packmule_conformance::requests::{self, Pair};
use packmule_mail::{
    Address, Inbound, InboundLimits, Limits, Lmtp, Mailto, Outbox, Protocol, Server, Smtp, Taken,
    compose,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

fn inbound(limits: InboundLimits) -> Inbound {
    Inbound {
        taken: vec![
            Taken::parse("bob@edge.test").unwrap(),
            Taken::parse("kiosk.test").unwrap(),
        ],
        limits,
        mail: Limits {
            mail: 4 << 20,
            ..Limits::default()
        },
    }
}

async fn listen(transport: &dyn Transport) -> Box<dyn Listener> {
    let at = format!("{}://127.0.0.1:0", transport.name());
    let listener = transport.listen(&Way::parse(&at).unwrap()).await;
    listener.expect("listens")
}

async fn lmtp(limits: InboundLimits) -> Box<dyn Listener> {
    listen(&Lmtp::new(inbound(limits))).await
}

/// Alice's own submission server is bob's door.
async fn pair() -> Pair {
    let kiosk = listen(&Smtp::new(inbound(InboundLimits::default()))).await;
    let url = kiosk.way().to_string();
    let server = Server::parse(&url, Protocol::Smtp, true, None, Arc::default()).unwrap();
    let alice = Address::parse("alice@kiosk.test").unwrap();
    let mailto = Mailto::new(Arc::new(Outbox::new(server, alice)));
    let bob = Way::parse("mailto:bob@edge.test").unwrap();
    match mailto.open(&bob).await {
        Ok(Port::Mailbox(alice)) => (alice, kiosk),
        _ => panic!("no way to bob"),
    }
}

/// All promises of a request but the replies: mail has none.
#[tokio::test]
async fn keeps_the_promises_of_a_request() {
    requests::letters_come_whole(pair().await).await.unwrap();
    requests::taken_is_settled(pair().await).await.unwrap();
    requests::let_go_is_not_taken(pair().await).await.unwrap();
    requests::visitors_side_by_side(pair().await).await.unwrap();
    requests::a_visitor_who_leaves_is_seen(pair().await)
        .await
        .unwrap();
    requests::nobody_receives(pair().await).await.unwrap();
}

struct Visitor(BufReader<TcpStream>);

impl Visitor {
    async fn come(kiosk: &dyn Listener) -> Self {
        let way = kiosk.way().to_string();
        let (_, address) = way.split_once("://").unwrap();
        let stream = TcpStream::connect(address).await.expect("a door");
        let mut visitor = Self(BufReader::new(stream));
        assert!(visitor.hear().await.starts_with("220"));
        visitor
    }

    async fn hear(&mut self) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            let hearing = timeout(Duration::from_secs(20), self.0.read_line(&mut line));
            let heard = hearing.await.expect("an answer").unwrap_or(0);
            all.push_str(&line);
            if heard == 0 || line.as_bytes().get(3) != Some(&b'-') {
                return all;
            }
        }
    }

    async fn say(&mut self, words: &[u8]) {
        // The other side may have had enough.
        let _ = self.0.get_mut().write_all(words).await;
    }

    async fn ask(&mut self, words: &str) -> String {
        self.say(format!("{words}\r\n").as_bytes()).await;
        self.hear().await
    }

    async fn introduce(&mut self, whom: &[&str]) {
        assert!(self.ask("LHLO mx").await.contains("250-SIZE 4194304"));
        assert!(
            self.ask("MAIL FROM:<> SIZE=100 BODY=8BITMIME")
                .await
                .starts_with("250")
        );
        for whom in whom {
            assert!(
                self.ask(&format!("RCPT TO:<{whom}>"))
                    .await
                    .starts_with("250")
            );
        }
        assert!(self.ask("DATA").await.starts_with("354"));
    }
}

fn jwe(word: &str) -> String {
    format!(
        "{{\"protected\":\"e30\",\"encrypted_key\":\"AAAA\",\"iv\":\"AAAA\",\"ciphertext\":\"{word}\",\"tag\":\"AAAA\"}}"
    )
}

fn mail(word: &str) -> Vec<u8> {
    let alice = Address::parse("alice@kiosk.test").unwrap();
    let letter = compose(
        jwe(word).as_bytes(),
        &alice,
        std::slice::from_ref(&alice),
        0,
    );
    letter.expect("a message").bytes
}

/// Takes everything that comes, for ever.
fn take_all(mut kiosk: Box<dyn Listener>) -> tokio::sync::mpsc::UnboundedReceiver<Vec<u8>> {
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok(Port::Mailbox(mail)) = kiosk.accept().await {
            while let Ok(came) = mail.collect().await {
                let _ = tell.send(came.bytes);
                let _ = came.settle.settle().await;
            }
        }
    });
    told
}

#[tokio::test]
async fn each_recipient_is_answered_and_a_mail_is_taken_whole() {
    let kiosk = lmtp(InboundLimits::default()).await;
    let mut mx = Visitor::come(&*kiosk).await;
    let mut told = take_all(kiosk);
    mx.introduce(&["bob@edge.test", "Anybody@KIOSK.test"]).await;
    mx.say(&mail("SGVsbG8")).await;
    mx.say(b"\r\n.\r\n").await;
    assert!(mx.hear().await.starts_with("250"));
    assert!(mx.hear().await.starts_with("250"));
    assert_eq!(told.recv().await.unwrap(), jwe("SGVsbG8").into_bytes());
    // Another one on the same connection, in pieces, with dots at the starts of lines.
    mx.ask("MAIL FROM:<a@b.test>").await;
    mx.ask("RCPT TO:<bob@edge.test>").await;
    mx.ask("DATA").await;
    let hand = format!(
        "Content-Type: multipart/mixed; boundary=x\r\n\r\n..\r\n--x\r\nContent-Type: text/plain; name=a.dcem\r\n\r\n{}\r\n--x\r\nContent-Type: text/plain; name=b.dcem\r\n\r\n{}\r\n--x--\r\n",
        jwe("AAAA"),
        jwe("BBBB")
    );
    for piece in hand.as_bytes().chunks(7) {
        mx.say(piece).await;
    }
    mx.say(b".\r\n").await;
    assert!(mx.hear().await.starts_with("250"));
    assert_eq!(told.recv().await.unwrap(), jwe("AAAA").into_bytes());
    assert_eq!(told.recv().await.unwrap(), jwe("BBBB").into_bytes());
    assert!(mx.ask("QUIT").await.starts_with("221"));
}

#[tokio::test]
async fn what_is_not_for_us_is_refused_for_ever_and_says_why() {
    let kiosk = lmtp(InboundLimits::default()).await;
    let mut mx = Visitor::come(&*kiosk).await;
    let _told = take_all(kiosk);
    mx.ask("LHLO mx").await;
    assert!(
        mx.ask("EHLO mx").await.starts_with("503"),
        "LMTP is no SMTP"
    );
    assert!(mx.ask("RCPT TO:<bob@edge.test>").await.starts_with("503"));
    assert!(
        mx.ask("MAIL FROM:<a@b.test> SIZE=4194305")
            .await
            .starts_with("552 5.3.4")
    );
    assert!(mx.ask("MAIL FROM:<a@b.test>").await.starts_with("250"));
    for whom in [
        "mallory@edge.test",
        "bob@other.test",
        "bob",
        "",
        "bob@edge.test@kiosk.test.",
    ] {
        let said = mx.ask(&format!("RCPT TO:<{whom}>")).await;
        assert!(said.starts_with("550 5.1.1"), "{whom}: {said}");
    }
    assert!(mx.ask("DATA").await.starts_with("503 5.5.1 no valid"));
    for (text, why) in [
        ("Subject: lunch?\r\n\r\nAt one?\r\n".to_owned(), "550 5.6.1"),
        (
            String::from_utf8(mail("SGVsbG8"))
                .unwrap()
                .replace("SGVsbG8", "SGVsbG9"),
            "550 5.6.0",
        ),
    ] {
        mx.ask("RSET").await;
        mx.introduce(&["bob@edge.test"]).await;
        mx.say(format!("{text}.\r\n").as_bytes()).await;
        let said = mx.hear().await;
        assert!(said.starts_with(why), "{said}");
    }
    // Too long a mail is read to its end, and the next one is taken.
    mx.introduce(&["bob@edge.test"]).await;
    mx.say(&vec![b'x'; 5 << 20]).await;
    mx.say(b"\r\n.\r\n").await;
    assert!(mx.hear().await.starts_with("552 5.3.4"));
    mx.introduce(&["bob@edge.test"]).await;
    mx.say(&mail("AAAA")).await;
    mx.say(b".\r\n").await;
    assert!(mx.hear().await.starts_with("250"));
}

#[tokio::test]
async fn what_only_looks_like_the_end_of_a_mail_is_none() {
    let kiosk = lmtp(InboundLimits::default()).await;
    let mut mx = Visitor::come(&*kiosk).await;
    let mut told = take_all(kiosk);
    mx.introduce(&["bob@edge.test"]).await;
    mx.say(&mail("AAAA")).await;
    for smuggled in [&b"\n.\n"[..], b"\n.\r\n", b"\r.\r", b"\r\n.\n"] {
        mx.say(smuggled).await;
        mx.say(b"MAIL FROM:<mallory@evil.test>\r\nRCPT TO:<bob@edge.test>\r\nDATA\r\n")
            .await;
    }
    mx.say(b"\r\n.\r\n").await;
    assert!(mx.hear().await.starts_with("250"));
    assert_eq!(told.recv().await.unwrap(), jwe("AAAA").into_bytes());
    assert!(mx.ask("NOOP").await.starts_with("250 2.0.0 ok"));
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn visitors_who_dawdle_rave_or_crowd_are_sent_away() {
    let limits = InboundLimits {
        connections: 3,
        silence: Duration::from_secs(3),
        patience: 5,
        ..InboundLimits::default()
    };
    let kiosk = lmtp(limits).await;
    // Says nothing.
    let mut silent = Visitor::come(&*kiosk).await;
    assert!(silent.hear().await.starts_with("421 4.4.2"));
    // A byte now and then: a command has its time, not each byte.
    let mut slow = Visitor::come(&*kiosk).await;
    let began = tokio::time::Instant::now();
    for _ in 0..36 {
        slow.say(b"N").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(
        slow.hear().await.starts_with("421"),
        "{:?}",
        began.elapsed()
    );
    // The same within a mail: it must go on by a rate.
    let mut slow = Visitor::come(&*kiosk).await;
    slow.introduce(&["bob@edge.test"]).await;
    for _ in 0..36 {
        slow.say(b"x\r\n").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(slow.hear().await.starts_with("421"));
    // Lines without end, and nonsense without end.
    let mut raving = Visitor::come(&*kiosk).await;
    raving.say(&vec![b'N'; 1 << 20]).await;
    let mut rest = Vec::new();
    let _ = raving.0.read_to_end(&mut rest).await;
    let mut raving = Visitor::come(&*kiosk).await;
    let mut said = String::new();
    for _ in 0..6 {
        said = raving.ask("XYZZY").await;
    }
    assert!(said.starts_with("421 4.7.0"), "{said}");
    // The seats are all taken.
    let mut seated = Vec::new();
    for _ in 0..3 {
        seated.push(Visitor::come(&*kiosk).await);
    }
    let way = kiosk.way().to_string();
    let address = way.strip_prefix("lmtp://").unwrap();
    let mut late = BufReader::new(TcpStream::connect(address).await.unwrap());
    let mut line = String::new();
    let _ = late.read_line(&mut line).await;
    assert!(line.starts_with("421 4.3.2"), "{line}");
}

#[tokio::test]
async fn mails_of_all_visitors_share_the_room() {
    let limits = InboundLimits {
        room: 1 << 20,
        ..InboundLimits::default()
    };
    let mut kiosk = lmtp(limits).await;
    let (mut one, mut two) = (Visitor::come(&*kiosk).await, Visitor::come(&*kiosk).await);
    one.introduce(&["bob@edge.test"]).await;
    let pad = format!("X-Pad: {}\r\n", "x".repeat(900_000));
    one.say(pad.as_bytes()).await;
    one.say(&mail("AAAA")).await;
    one.say(b".\r\n").await;
    let Ok(Port::Mailbox(held)) = kiosk.accept().await else {
        panic!("no mail")
    };
    let came = held.collect().await.expect("a message");
    two.introduce(&["bob@edge.test"]).await;
    two.say(pad.as_bytes()).await;
    two.say(b"\r\n.\r\n").await;
    assert!(two.hear().await.starts_with("452 4.3.1"));
    came.settle.settle().await.expect("heard");
    assert!(one.hear().await.starts_with("250"));
    two.introduce(&["bob@edge.test"]).await;
    two.say(pad.as_bytes()).await;
    two.say(b"\r\n.\r\n").await;
    assert!(two.hear().await.starts_with("550"), "there is room again");
}
