//! Servers by bytes: what the client does when a connection dies under a message.

use std::time::Duration;

use packmule_bus::Kind;
use packmule_bus::link::{LinkError, Mailbox, OpenError, Port, Transport, Way};
use packmule_http::Http;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Longer than anything here takes; only ends what hangs.
const PATIENCE: Duration = Duration::from_secs(60);

const TAKEN: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";

/// Reads one request, head and body.
async fn request(raw: &mut TcpStream) -> String {
    let mut said = Vec::new();
    while !said.ends_with(b"{\"m\":1}") {
        said.push(raw.read_u8().await.expect("a request"));
    }
    String::from_utf8(said).expect("text")
}

async fn open(cloud: &TcpListener) -> (Box<dyn Mailbox>, TcpStream) {
    let here = cloud.local_addr().expect("an address");
    let way = Way::parse(&format!("http://{here}/didcomm")).expect("a way");
    let http = Http::default();
    let (opened, visitor) = tokio::join!(http.open(&way), cloud.accept());
    let Ok(Port::Mailbox(mailbox)) = opened else {
        panic!("no mailbox by {way}");
    };
    (mailbox, visitor.expect("a visitor").0)
}

async fn deliver(mailbox: &dyn Mailbox) -> Result<(), LinkError> {
    let deliver = mailbox.deliver(b"{\"m\":1}".to_vec(), Kind::Encrypted);
    timeout(PATIENCE, deliver).await.expect("in time")
}

async fn bind() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("listens")
}

#[tokio::test]
async fn a_request_is_what_the_convention_says() {
    let cloud = bind().await;
    let (alice, mut raw) = open(&cloud).await;
    let answering = async {
        let said = request(&mut raw).await.to_lowercase();
        raw.write_all(TAKEN).await.expect("written");
        said
    };
    let (said, asked) = tokio::join!(deliver(&*alice), answering);
    said.expect("taken");
    assert!(asked.starts_with("post /didcomm http/1.1\r\n"), "{asked}");
    for header in [
        "content-type: application/didcomm-encrypted+json\r\n",
        "content-length: 7\r\n",
        &format!("host: {}\r\n", cloud.local_addr().expect("an address")),
    ] {
        assert!(asked.contains(header), "{asked}");
    }
}

#[tokio::test]
async fn a_kept_connection_that_gives_no_byte_is_replaced_once() {
    let cloud = bind().await;
    let (alice, mut raw) = open(&cloud).await;
    let hanging_up = async {
        request(&mut raw).await;
        drop(raw);
        let (mut again, _) = cloud.accept().await.expect("a second visit");
        request(&mut again).await;
        again.write_all(TAKEN).await.expect("written");
        again
    };
    let (said, mut again) = tokio::join!(deliver(&*alice), hanging_up);
    said.expect("taken by the second connection");
    // The second was kept. When a new one dies as well, that is the answer.
    let hanging_up = async {
        request(&mut again).await;
        drop(again);
        let (mut third, _) = cloud.accept().await.expect("a third visit");
        request(&mut third).await;
    };
    let (said, ()) = tokio::join!(deliver(&*alice), hanging_up);
    assert!(matches!(said, Err(LinkError::Closed)), "{said:?}");
    let more = timeout(Duration::from_millis(200), cloud.accept()).await;
    assert!(more.is_err(), "it was tried a third time");
}

#[tokio::test]
async fn a_connection_that_dies_within_an_answer_is_not_replaced() {
    let cloud = bind().await;
    let (alice, mut raw) = open(&cloud).await;
    let hanging_up = async {
        request(&mut raw).await;
        raw.write_all(b"HTTP/1.1 2").await.expect("written");
        drop(raw);
    };
    let (said, ()) = tokio::join!(deliver(&*alice), hanging_up);
    assert!(said.is_err());
    let more = timeout(Duration::from_millis(200), cloud.accept()).await;
    assert!(more.is_err(), "it was sent twice");
}

#[tokio::test]
async fn answers_that_are_no_http_and_bodies_without_end() {
    for words in [
        "SSH-2.0-OpenSSH\r\n\r\n".to_owned(),
        "HTTP/1.1 99999 Yes\r\n\r\n".to_owned(),
        format!("HTTP/1.1 202 {}\r\n\r\n", "x".repeat(1 << 20)),
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned(),
    ] {
        let cloud = bind().await;
        let (alice, mut raw) = open(&cloud).await;
        let answering = async {
            request(&mut raw).await;
            // It may have hung up before it heard everything.
            let _ = raw.write_all(words.as_bytes()).await;
            let _ = raw.shutdown().await;
            drop(raw);
        };
        let (said, ()) = tokio::join!(deliver(&*alice), answering);
        let shown: String = words.chars().take(40).collect();
        assert!(said.is_err(), "{shown}");
    }
    // A body above the limit is not read: the status stands.
    let cloud = bind().await;
    let (alice, mut raw) = open(&cloud).await;
    let answering = async {
        request(&mut raw).await;
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\nxx";
        raw.write_all(head).await.expect("written");
        raw
    };
    let (said, _raw) = tokio::join!(deliver(&*alice), answering);
    said.expect("taken");
}

#[tokio::test]
async fn nobody_there_is_no_answer() {
    let cloud = bind().await;
    let here = cloud.local_addr().expect("an address");
    drop(cloud);
    let way = Way::parse(&format!("http://{here}/")).expect("a way");
    let said = Http::default().open(&way).await;
    assert!(matches!(said, Err(OpenError::NoAnswer(_))));
    for text in ["http:cloud", "http://cloud/<", "http://alice@cloud/"] {
        let way = Way::parse(text).expect("a way");
        let said = Http::default().open(&way).await;
        assert!(matches!(said, Err(OpenError::BadWay { .. })), "{text}");
    }
}
