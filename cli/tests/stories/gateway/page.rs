//! What visitors' page asks of a gateway, without a browser; that one is in `tests/page`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use packmule_agent::message::Message;
use packmule_agent::protocol::{mediation, pickup};
use packmule_bus::Envelope;
use serde_json::Value;

use super::client::Client;
use super::service::Gateway;
use crate::stage::Stage;

/// Whatever is sent, and the status, the head and the body that come back.
pub(super) fn raw(gateway: &Gateway, request: &[u8]) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(&gateway.address).unwrap();
    let patience = Some(Duration::from_secs(60));
    stream.set_read_timeout(patience).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let body = answer.split_off(end.expect("a head") + 4);
    let head = String::from_utf8(answer).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body)
}

pub(super) fn get(gateway: &Gateway, path: &str, headers: &str) -> (u16, String, Vec<u8>) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    raw(gateway, request.as_bytes())
}

fn drop_off(gateway: &Gateway, file: &[u8]) -> (u16, Value) {
    let head = format!(
        "POST /drop HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
        file.len()
    );
    let (status, _, body) = raw(gateway, &[head.as_bytes(), file].concat());
    (status, serde_json::from_slice(&body).unwrap())
}

fn fate(gateway: &Gateway, id: &str) -> Value {
    let (_, head, body) = get(gateway, &format!("/messages/{id}"), "");
    assert!(head.contains("sandbox"), "data is not shown as a page");
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn a_file_is_left_followed_and_taken_along_by_its_id() {
    let stage = Stage::new();
    let gateway = Gateway::start(&stage, "kiosk", &[]);
    let (alice, bob) = (Client::of(&gateway), Client::of(&gateway));
    bob.ask(mediation::request(mediation::Version::V3));

    // The compact form is the same message.
    let letter = alice.letter(&bob, "by file");
    let envelope = Envelope::from_packed(&letter).unwrap();
    let id = envelope.id().to_string();
    assert_eq!(fate(&gateway, &id)["state"], "unknown");
    for file in [&letter, &envelope.to_wire()] {
        let (status, told) = drop_off(&gateway, file);
        assert_eq!((status, &told["outcome"]), (200, &"taken".into()), "{told}");
        assert_eq!(
            (&told["id"], &told["state"]),
            (&id.clone().into(), &"held".into())
        );
    }
    let told = fate(&gateway, &id);
    assert_eq!(
        (&told["state"], &told["copy"]),
        (&"held".into(), &true.into())
    );
    assert!(!told.to_string().contains("did:"), "{told}");
    let (status, head, copy) = get(&gateway, &format!("/messages/{id}.dcem"), "");
    assert_eq!(status, 200);
    assert!(
        head.contains("attachment") && head.contains("didcomm-encrypted+json"),
        "{head}"
    );
    assert_eq!(bob.read(&copy).as_deref(), Some("by file"));

    // In a forward it is the message inside that is followed.
    let inner = alice.letter(&bob, "forwarded");
    let (_, told) = drop_off(&gateway, &alice.forwarded(bob.did(), &inner));
    let inner = Envelope::from_packed(&inner).unwrap().id().to_string();
    assert_eq!(
        (&told["id"], &told["state"]),
        (&inner.into(), &"held".into())
    );

    bob.ask(pickup::received(
        pickup::Version::V3,
        std::slice::from_ref(&id),
    ));
    assert_eq!(fate(&gateway, &id)["state"], "collected");
    assert_eq!(get(&gateway, &format!("/messages/{id}.dcem"), "").0, 404);

    // What wants an answer gets it as a file.
    let mut ask = mediation::request(mediation::Version::V3);
    ask.return_route = Some("all".to_owned());
    let (_, told) = drop_off(&gateway, &alice.pack(ask));
    let answer = alice.open(told["answer"].as_str().unwrap().as_bytes());
    let answer: Message = answer.unwrap();
    assert!(answer.type_uri.ends_with("mediate-grant"), "{answer:?}");
}

#[test]
fn what_is_left_and_refused_says_why_and_is_counted() {
    let stage = Stage::new();
    let limits = [("PACKMULE_GATEWAY_LIMITS__MAX_MESSAGE", "100kB")];
    let gateway = Gateway::start(&stage, "kiosk", &limits);
    let (alice, bob) = (Client::of(&gateway), Client::of(&gateway));
    for (file, status, reason) in [
        (b"{\"protected\":".to_vec(), 400, "unopened"),
        (b"\xff\xfe\x00".to_vec(), 400, "unopened"),
        (Vec::new(), 400, "unopened"),
        (alice.letter(&bob, "x"), 404, "no-recipient"),
    ] {
        let (told, why) = drop_off(&gateway, &file);
        assert_eq!((told, &why["reason"]), (status, &reason.into()), "{why}");
    }
    let head = "POST /drop HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                Content-Type: application/octet-stream\r\nContent-Length: 200000\r\n\r\n";
    assert_eq!(raw(&gateway, head.as_bytes()).0, 413);
    // As a page of elsewhere could post without asking.
    for kind in [
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
    ] {
        let head = format!(
            "POST /drop HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\n\
             Content-Length: 2\r\n\r\n{{}}"
        );
        assert_eq!(raw(&gateway, head.as_bytes()).0, 415, "{kind}");
    }
    let metrics = gateway.get("/metrics").1;
    assert!(metrics.contains("reason=\"unopened\"} 3"), "{metrics}");
    assert!(
        metrics.contains("received_total{door=\"page\"} 4"),
        "{metrics}"
    );
}

#[test]
fn odd_paths_lead_to_nothing_and_others_are_served() {
    let stage = Stage::new();
    let gateway = Gateway::start(&stage, "kiosk", &[]);
    let (status, head, _) = get(
        &gateway,
        "/",
        "Accept: text/html\r\nAccept-Language: \u{fe}\r\n",
    );
    assert_eq!(status, 200);
    assert!(
        head.contains("text/html") && head.contains("frame-ancestors 'none'"),
        "{head}"
    );
    let long = format!("/page/{}", "a/../".repeat(2_000));
    for path in [
        "/page/../keystore",
        "/page/%2e%2e/%2e%2e/etc/passwd",
        "/page/..%2fstyle.css",
        "//page/style.css",
        "/page//style.css",
        "/page/style.css%00.html",
        "/page/style.css;x",
        "/page\\style.css",
        "/messages",
        "/drop",
        "/DROP",
        "/page/words/en.json",
        "/keys.sealed",
        long.as_str(),
    ] {
        assert_eq!(get(&gateway, path, "").0, 404, "{path}");
    }
    for id in [
        "",
        ".dcem",
        "%ff",
        "x",
        "../x",
        &"A".repeat(52),
        &"a".repeat(51),
        &"8".repeat(52),
    ] {
        assert_eq!(get(&gateway, &format!("/messages/{id}"), "").0, 400, "{id}");
    }
    // Not even HTTP.
    for request in [
        &b"GET /page/style.css\0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"[..],
        b"GET /messages/\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET ../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ] {
        let (status, ..) = raw(&gateway, request);
        assert!((400..500).contains(&status), "{status}: {request:?}");
    }
    assert_eq!(
        raw(
            &gateway,
            format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(40_000)).as_bytes()
        )
        .0 / 100,
        4
    );
    assert_eq!(get(&gateway, "/page/style.css", "").0, 200);
}

#[test]
fn who_looks_up_too_often_waits_and_others_do_not() {
    let stage = Stage::new();
    let gateway = Gateway::start(&stage, "kiosk", &[]);
    let path = format!("/messages/{}", "a".repeat(52));
    let held_back = (0..500).find_map(|_| {
        let (status, head, _) = get(&gateway, &path, "");
        (status == 429).then_some(head)
    });
    assert!(held_back.unwrap().contains("retry-after"));
    assert_eq!(gateway.get("/").0, 200);
    let bob = Client::of(&gateway);
    bob.ask(mediation::request(mediation::Version::V3));
}

#[test]
fn operators_see_everything_with_the_token_and_nothing_without() {
    let stage = Stage::new();
    let gateway = Gateway::start(&stage, "kiosk", &[]);
    let kiosk = crate::stage::Party {
        home: stage.path("kiosk"),
    };
    let token = kiosk.json(["gateway", "token"])["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let asks = |name: &str, header: &str| {
        let (status, head, body) = get(&gateway, &format!("/operator/{name}"), header);
        assert!(head.contains("sandbox"));
        (status, serde_json::from_slice::<Value>(&body).unwrap())
    };
    let right = format!("Authorization: Bearer {token}\r\n");
    let in_the_url = format!("state.json?token={token}");
    for (name, header) in [
        ("state.json", ""),
        ("log.json", "Authorization: Bearer \u{fe}\r\n"),
        (in_the_url.as_str(), ""),
    ] {
        assert_eq!(
            asks(name, header),
            (401, serde_json::json!({ "reason": "no-token" }))
        );
    }
    let bob = Client::of(&gateway);
    bob.ask(mediation::request(mediation::Version::V3));
    let (status, state) = asks("state.json", &right);
    assert_eq!((status, &state["did"]), (200, &gateway.did.clone().into()));
    assert_eq!(state["mailboxes"]["accounts"], 1);
    assert_eq!(state["counts"]["refused"]["no-token"], 3);
    assert_eq!(asks("queues.json", &right).1["queues"][0]["did"], bob.did());
    let log = asks("log.json", &right).1;
    assert!(log["lines"].to_string().contains("no-token") && !log.to_string().contains(&token));
}
