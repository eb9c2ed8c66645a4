//! A collector of our own, which reads what it is sent as the protocol's description says
//! (opentelemetry-proto, `collector/trace/v1/trace_service.proto`).

use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// What a span tells.
#[derive(Debug, Default)]
struct Told {
    id: Vec<u8>,
    parent: Vec<u8>,
    trace: Vec<u8>,
}

/// The fields of a protobuf message that are bytes, by their numbers.
fn fields(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        match key & 7 {
            0 => drop(varint(&mut bytes)),
            1 => bytes = &bytes[8..],
            2 => {
                let length = usize::try_from(varint(&mut bytes)).unwrap();
                let (field, rest) = bytes.split_at(length);
                all.push((key >> 3, field));
                bytes = rest;
            }
            5 => bytes = &bytes[4..],
            other => panic!("wire type {other}"),
        }
    }
    all
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return value;
        }
    }
}

fn within(messages: Vec<&[u8]>, number: u64) -> Vec<&[u8]> {
    let all = messages.into_iter().flat_map(fields);
    all.filter_map(|(field, bytes)| (field == number).then_some(bytes))
        .collect()
}

/// Spans by their names.
fn spans(body: &[u8]) -> BTreeMap<String, Told> {
    let mut told = BTreeMap::new();
    for span in within(within(within(vec![body], 1), 2), 2) {
        let (mut one, mut name) = (Told::default(), String::new());
        for (field, bytes) in fields(span) {
            match field {
                1 => one.trace = bytes.to_vec(),
                2 => one.id = bytes.to_vec(),
                4 => one.parent = bytes.to_vec(),
                5 => name = String::from_utf8(bytes.to_vec()).unwrap(),
                _ => {}
            }
        }
        told.insert(name, one);
    }
    told
}

/// Answers one request with this status; gives its head and its body.
async fn collects(listener: TcpListener, status: &str) -> (String, Vec<u8>) {
    let (mut line, _) = listener.accept().await.unwrap();
    let (mut heard, mut some) = (Vec::new(), [0; 4096]);
    loop {
        let read = line.read(&mut some).await.unwrap();
        assert!(read > 0, "it left half way");
        heard.extend_from_slice(&some[..read]);
        let Some(end) = heard.windows(4).position(|it| it == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8(heard[..end].to_vec()).unwrap();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.parse::<usize>().unwrap())
        });
        if heard.len() == end + 4 + length.unwrap() {
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            line.write_all(answer.as_bytes()).await.unwrap();
            return (head, heard.split_off(end + 4));
        }
    }
}

fn to(listener: &TcpListener, share: f64) -> Traces {
    let endpoint = format!("http://{}/", listener.local_addr().unwrap());
    Traces::start(&config::Traces {
        endpoint: Some(endpoint),
        share,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_is_told_of_a_message_and_of_its_parts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let traces = to(&listener, 1.0);
    let collector = tokio::spawn(collects(listener, "200 OK"));
    {
        let message = traces.message("http", 1234);
        let part = message.part("mediate");
        part.fact("packmule.protocol", "routing");
    }
    timeout(Duration::from_secs(30), traces.end())
        .await
        .unwrap();
    let (head, body) = collector.await.unwrap();
    assert!(head.starts_with("POST /v1/traces HTTP/1.1"), "{head}");
    assert!(head.to_lowercase().contains("application/x-protobuf"));
    let told = spans(&body);
    let (message, part) = (&told["message"], &told["mediate"]);
    assert!(message.parent.is_empty() && message.id.len() == 8);
    assert_eq!(part.parent, message.id);
    assert_eq!(part.trace, message.trace);
    for fact in ["packmule.door", "http", "routing", "packmule-gateway"] {
        let here = body.windows(fact.len()).any(|it| it == fact.as_bytes());
        assert!(here, "{fact}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_or_ill_holds_nobody_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ill = to(&listener, 1.0);
    let collector = tokio::spawn(collects(listener, "503 Service Unavailable"));
    drop(ill.message("websocket", 1));
    timeout(Duration::from_secs(30), ill.end()).await.unwrap();
    collector.await.unwrap();

    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let away = to(&gone, 1.0);
    drop(gone);
    drop(away.message("link", 1));
    timeout(Duration::from_secs(30), away.end()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_or_a_share_nothing_is_sent() {
    let none = Traces::start(&config::Traces::default());
    none.message("http", 1).part("open").fact("a", "b");
    none.end().await;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let never = to(&listener, 0.0);
    drop(never.message("http", 1));
    timeout(Duration::from_secs(30), never.end()).await.unwrap();
    let called = timeout(Duration::from_millis(200), listener.accept()).await;
    assert!(called.is_err(), "somebody called");
}
