//! Handshakes and frames by bytes: strangers, liars, and those who say nothing.

#![expect(
    clippy::expect_used,
    reason = "a story that goes wrong must fail the test"
)]

use std::time::Duration;

use packmule_bus::Kind;
use packmule_bus::link::{LinkError, Listener, OpenError, Port, Transport, Way};
use packmule_ws::Ws;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Longer than anything here takes; only ends what hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// The example of RFC 6455, 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn way(text: &str) -> Way {
    Way::parse(text).expect("a way")
}

async fn kiosk() -> Box<dyn Listener> {
    let at = way("ws://127.0.0.1:0/didcomm");
    Ws::with_limit(1000).listen(&at).await.expect("listens")
}

fn address(kiosk: &dyn Listener) -> String {
    let way = kiosk.way();
    let text = way.as_str().trim_start_matches("ws://");
    text.trim_end_matches("/didcomm").to_owned()
}

fn request(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: kiosk\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    )
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("an answer"));
    }
    String::from_utf8(head).expect("text")
}

/// A masked frame of a client; the mask is zero, so that the bytes show.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("short");
    assert!(length < 126, "short frames only");
    let mut bytes = vec![first, 0x80 | length, 0, 0, 0, 0];
    bytes.extend_from_slice(payload);
    bytes
}

/// A raw visitor, let in.
async fn visit(kiosk: &mut dyn Listener, more: &str) -> (TcpStream, String, Port) {
    let mut raw = TcpStream::connect(address(kiosk)).await.expect("connects");
    let asked = request("/didcomm", more);
    raw.write_all(asked.as_bytes()).await.expect("written");
    let (port, head) = tokio::join!(timeout(PATIENCE, kiosk.accept()), read_head(&mut raw));
    (raw, head, port.expect("in time").expect("let in"))
}

#[tokio::test]
async fn a_stranger_is_a_mailbox_byte_by_byte() {
    let mut kiosk = kiosk().await;
    let (mut raw, head, port) = visit(&mut *kiosk, "").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains(ACCEPT), "{head}");
    assert!(!head.to_lowercase().contains("protocol:"), "{head}");
    let Port::Mailbox(mailbox) = port else {
        panic!("a stranger is no link");
    };
    // A text, a message in two frames with a ping between, and bytes.
    for part in [
        frame(0x81, b"{\"a\":1}"),
        frame(0x01, b"{\"b\""),
        frame(0x89, b"there?"),
        frame(0x80, b":2}"),
        frame(0x82, b"\x00\xff"),
    ] {
        raw.write_all(&part).await.expect("written");
    }
    for expected in [&b"{\"a\":1}"[..], b"{\"b\":2}", b"\x00\xff"] {
        let came = timeout(PATIENCE, mailbox.collect()).await.expect("in time");
        let came = came.expect("comes");
        assert_eq!(came.bytes, expected);
        came.settle.settle().await.expect("nothing to do");
    }
    let mut pong = [0; 8];
    raw.read_exact(&mut pong).await.expect("answers a ping");
    assert_eq!(&pong, b"\x8a\x06there?");
    // Back: a text, then a ping; taken when its answer is here.
    let answering = async {
        let mut text = [0; 4];
        raw.read_exact(&mut text).await.expect("a text");
        assert_eq!(&text, b"\x81\x02{}");
        let mut ping = [0; 10];
        raw.read_exact(&mut ping).await.expect("a ping");
        assert_eq!(ping.first_chunk(), Some(&[0x89, 8]));
        let payload = ping.last_chunk::<8>().expect("eight bytes");
        raw.write_all(&frame(0x8a, payload)).await.expect("written");
        raw
    };
    let reading = timeout(Duration::from_millis(50), mailbox.collect());
    let (sent, raw, _) = tokio::join!(
        mailbox.deliver(b"{}".to_vec(), Kind::Plaintext),
        answering,
        reading
    );
    sent.expect("taken");
    drop(raw);
    let came = timeout(PATIENCE, mailbox.collect()).await.expect("in time");
    assert!(matches!(came, Err(LinkError::Closed)));
}

#[tokio::test]
async fn kin_is_a_link_byte_by_byte() {
    let mut kiosk = kiosk().await;
    let asked = "Sec-WebSocket-Protocol: other, packmule.v1\r\n";
    let (mut raw, head, port) = visit(&mut *kiosk, asked).await;
    let lower = head.to_lowercase();
    assert!(
        lower.contains("sec-websocket-protocol: packmule.v1\r\n"),
        "{head}"
    );
    assert!(lower.contains("packmule: 1\r\n"), "{head}");
    let Port::Link(mut link) = port else {
        panic!("kin is a link");
    };
    raw.write_all(&frame(0x82, b"pdu")).await.expect("written");
    let came = timeout(PATIENCE, link.rx.recv()).await.expect("in time");
    assert_eq!(came.expect("comes"), b"pdu");
    link.tx.send(b"back".to_vec()).await.expect("sent");
    let mut back = [0; 6];
    raw.read_exact(&mut back).await.expect("comes");
    assert_eq!(&back, b"\x82\x04back");
    // Words where PDUs were agreed end it.
    raw.write_all(&frame(0x81, b"hello"))
        .await
        .expect("written");
    let came = timeout(PATIENCE, link.rx.recv()).await.expect("in time");
    assert!(matches!(came, Err(LinkError::Io(_))), "{came:?}");
    assert!(matches!(link.rx.recv().await, Err(LinkError::Closed)));
}

#[tokio::test]
async fn too_much_ends_the_conversation() {
    let mut kiosk = kiosk().await;
    // The limit is 1,000 here; a length of 2 to the 40 is refused before anything of it comes.
    let huge = [0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let (mut raw, _, port) = visit(&mut *kiosk, "").await;
    let Port::Mailbox(mailbox) = port else {
        panic!("a stranger is no link");
    };
    raw.write_all(&huge).await.expect("written");
    let came = timeout(PATIENCE, mailbox.collect()).await.expect("in time");
    assert!(matches!(came, Err(LinkError::Io(_))));
    let sent = mailbox.deliver(vec![b' '; 1001], Kind::Plaintext).await;
    assert!(matches!(sent, Err(LinkError::TooLarge { limit: 1000, .. })));
    assert!(
        mailbox
            .deliver(b"{}".to_vec(), Kind::Plaintext)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn visitors_who_want_something_else_hear_so() {
    let mut kiosk = kiosk().await;
    let door = address(&*kiosk);
    let mallory = async {
        for (said, answer) in [
            (request("/other", ""), "HTTP/1.1 404 "),
            (
                "GET /didcomm HTTP/1.1\r\nHost: kiosk\r\n\r\n".to_owned(),
                "HTTP/1.1 400 ",
            ),
            (
                "POST /didcomm HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}".to_owned(),
                "HTTP/1.1 400 ",
            ),
            (
                "\x16\x03\x01 this is TLS\r\n\r\n".to_owned(),
                "HTTP/1.1 400 ",
            ),
            (
                format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(40_000)),
                "HTTP/1.1 400 ",
            ),
        ] {
            let mut raw = TcpStream::connect(&door).await.expect("connects");
            // The kiosk may have hung up before it heard everything.
            let _ = raw.write_all(said.as_bytes()).await;
            let mut heard = Vec::new();
            let _ = raw.read_to_end(&mut heard).await;
            let heard = String::from_utf8_lossy(&heard).into_owned();
            if said.len() < 20_000 {
                assert!(heard.starts_with(answer), "{said:?} heard {heard:?}");
            }
        }
        // Those who say nothing, or half of it, and stay.
        let mut silent = Vec::new();
        for _ in 0..20 {
            let mut raw = TcpStream::connect(&door).await.expect("connects");
            raw.write_all(b"GET /didcomm HT").await.expect("written");
            silent.push(raw);
        }
        let alice = Ws::default()
            .open(&way(&format!("ws://{door}/didcomm")))
            .await;
        assert!(matches!(alice, Ok(Port::Link(_))), "alice was kept waiting");
        silent
    };
    let (_silent, port) = tokio::join!(
        async { timeout(PATIENCE, mallory).await.expect("in time") },
        kiosk.accept()
    );
    assert!(matches!(port, Ok(Port::Link(_))));
}

/// A server that answers with exactly these bytes.
async fn answers(text: String) -> Result<Port, OpenError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let door = way(&format!("ws://{}/", listener.local_addr().expect("one")));
    let ws = Ws::default();
    let serving = async {
        let (mut raw, _) = listener.accept().await.expect("a visitor");
        let asked = read_head(&mut raw).await;
        let key = asked
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let key = key.expect("a key").trim();
        let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
        let text = text.replace("ACCEPT", &accept);
        raw.write_all(text.as_bytes()).await.expect("written");
        raw
    };
    let (opened, _raw) = tokio::join!(timeout(PATIENCE, ws.open(&door)), serving);
    opened.expect("in time")
}

fn switching(more: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: ACCEPT\r\n{more}\r\n"
    )
}

#[tokio::test]
async fn a_server_that_agrees_to_anything_is_a_stranger() {
    // As Node's `ws` does: the first subprotocol offered.
    let echoed = switching("Sec-WebSocket-Protocol: packmule.v1\r\n");
    assert!(matches!(answers(echoed).await, Ok(Port::Mailbox(_))));
    let silent = switching("");
    assert!(matches!(answers(silent).await, Ok(Port::Mailbox(_))));
    let kin = switching("Sec-WebSocket-Protocol: packmule.v1\r\nPackmule: 1\r\n");
    assert!(matches!(answers(kin).await, Ok(Port::Link(_))));
}

#[tokio::test]
async fn answers_that_are_no_handshake_are_refused() {
    for (text, why) in [
        ("HTTP/1.1 401 Unauthorized\r\n\r\n".to_owned(), "401"),
        ("HTTP/1.1 200 OK\r\n\r\n<html>".to_owned(), "200"),
        (switching("").replace("ACCEPT", ACCEPT), "something else"),
        (switching("").replace("websocket", "h2c"), "no WebSocket"),
        (switching("Sec-WebSocket-Extensions: x\r\n"), "extension"),
        (switching("Sec-WebSocket-Protocol: soap\r\n"), "subprotocol"),
        ("SSH-2.0-OpenSSH\r\n\r\n".to_owned(), "no HTTP"),
    ] {
        match answers(text.clone()).await {
            Err(OpenError::NoAnswer(said)) => assert!(said.contains(why), "{text}: {said}"),
            Err(other) => panic!("{text}: {other}"),
            Ok(_) => panic!("{text} was believed"),
        }
    }
}

// In the next two, time is paused: it jumps to the end of the bound when nothing else happens.

#[tokio::test(start_paused = true)]
async fn a_visitor_who_never_finishes_the_request_is_let_go() {
    let mut kiosk = kiosk().await;
    let mut raw = TcpStream::connect(address(&*kiosk))
        .await
        .expect("connects");
    raw.write_all(b"GET /didcomm HT").await.expect("written");
    let mut heard = Vec::new();
    tokio::select! {
        _ = kiosk.accept() => panic!("half a request was enough"),
        _ = raw.read_to_end(&mut heard) => assert!(heard.is_empty()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_no_answer() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let door = way(&format!("ws://{}/", silent.local_addr().expect("one")));
    match Ws::default().open(&door).await {
        Err(OpenError::NoAnswer(why)) => assert!(why.contains("in time"), "{why}"),
        _ => panic!("silence was an answer"),
    }
}
