//! Requests by bytes: strangers, liars, and those who take their time.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::stage::{ENCRYPTED, Kiosk, PATIENCE, post, to_end};
use packmule_http::server::{Answer, Config, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

fn small() -> Limits {
    Limits {
        message: 1000,
        page: 100,
        ..Limits::default()
    }
}

/// Limits of time so short that a test can wait for them.
fn hasty() -> Limits {
    Limits {
        head_time: Duration::from_millis(300),
        body_time: Duration::from_millis(300),
        body_rate: 1 << 20,
        ..small()
    }
}

#[tokio::test]
async fn a_message_is_answered_202_and_nothing() {
    let kiosk = Kiosk::open(small()).await;
    let heard = kiosk.hears(post("", "{}")).await;
    assert!(heard.starts_with("HTTP/1.1 202 Accepted\r\n"), "{heard}");
    assert!(heard.ends_with("\r\n\r\n"), "no body: {heard}");
    assert_eq!(
        *kiosk.desk.came.lock().expect("unpoisoned"),
        [b"{}".to_vec()]
    );
}

#[tokio::test]
async fn media_types_are_compared_without_parameters() {
    let kiosk = Kiosk::open(small()).await;
    for (kind, status) in [
        ("application/didcomm-encrypted+json; charset=utf-8", 202),
        ("Application/DIDCOMM-plain+JSON", 202),
        ("application/didcomm-signed+json ;a=\"b\"", 202),
        ("application/x.packmule.envelope", 202),
        ("application/json", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("\u{ff}", 415),
    ] {
        let said = post("", "{}").replace(ENCRYPTED, kind);
        let heard = kiosk.hears(said).await;
        assert!(
            heard.starts_with(&format!("HTTP/1.1 {status} ")),
            "{kind}: {heard}"
        );
        assert_eq!(heard.contains("accept-post: "), status == 415, "{heard}");
    }
    let bare = post("", "{}").replace(&format!("Content-Type: {ENCRYPTED}\r\n"), "");
    assert!(kiosk.hears(bare).await.starts_with("HTTP/1.1 415 "));
    let packed = post("Content-Encoding: gzip\r\n", "{}");
    assert!(kiosk.hears(packed).await.starts_with("HTTP/1.1 415 "));
    let lenient = Config {
        path: "/didcomm".to_owned(),
        json_too: true,
        ..Config::at("127.0.0.1:0")
    };
    let lenient = Kiosk::with(lenient, Answer::Accepted).await;
    let json = post("", "{}").replace(ENCRYPTED, "application/json");
    assert!(lenient.hears(json).await.starts_with("HTTP/1.1 202 "));
}

#[tokio::test]
async fn other_methods_and_other_paths() {
    let kiosk = Kiosk::open(small()).await;
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
        let said = post("", "").replace("POST", method);
        let heard = kiosk.hears(said).await;
        assert!(heard.starts_with("HTTP/1.1 405 "), "{method}: {heard}");
        assert!(heard.contains("allow: POST\r\n"), "{method}: {heard}");
    }
    for path in [
        "/",
        "/didcomm/",
        "/didcomm/..",
        "/x/../didcomm",
        "/./didcomm",
        "//didcomm",
        "/%64idcomm",
        "/didcomm%00",
        "/didcomm%2f..%2f..%2fetc%2fpasswd",
        "/DIDCOMM",
        "/didcomm;a",
        "*",
        "/didcomm\\",
    ] {
        let said = post("", "{}").replace(" /didcomm ", &format!(" {path} "));
        let heard = kiosk.hears(said).await;
        let told = heard.starts_with("HTTP/1.1 404 ") || heard.starts_with("HTTP/1.1 400 ");
        assert!(told, "{path}: {heard}");
    }
    assert_eq!(kiosk.came(), 0);
    for path in ["/didcomm?a=b", "http://elsewhere/didcomm"] {
        let said = post("", "{}").replace(" /didcomm ", &format!(" {path} "));
        assert!(
            kiosk.hears(said).await.starts_with("HTTP/1.1 202 "),
            "{path}"
        );
    }
}

#[tokio::test]
async fn bytes_that_are_no_request() {
    let kiosk = Kiosk::open(small()).await;
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(40_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(5000));
    for said in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is TLS\r\n\r\n"[..],
        b"POST /didcomm\xff\xfe HTTP/1.1\r\n\r\n",
        b"POST /did\x00comm HTTP/1.1\r\n\r\n",
        b"POST /didcomm HTTP/3.7\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"POST /didcomm HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /didcomm HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /didcomm HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
        b"POST /didcomm HTTP/1.1\r\nContent-Length: 99999999999999999999999999\r\n\r\n",
        b"POST /didcomm HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        long.as_bytes(),
        many.as_bytes(),
    ] {
        let heard = kiosk.hears(said).await;
        let words = String::from_utf8_lossy(said)
            .chars()
            .take(60)
            .collect::<String>();
        assert!(
            heard.is_empty() || heard.starts_with("HTTP/1.1 4"),
            "{words}: {heard}"
        );
    }
    assert_eq!(kiosk.came(), 0);
    assert!(
        kiosk
            .hears(post("", "{}"))
            .await
            .starts_with("HTTP/1.1 202 ")
    );
}

#[tokio::test]
async fn chunks_old_versions_and_empty_messages() {
    let kiosk = Kiosk::open(small()).await;
    let chunked = |body: &str| {
        format!(
            "POST /didcomm HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\
             Content-Type: {ENCRYPTED}\r\n\r\n{body}"
        )
    };
    let heard = kiosk
        .hears(chunked("1\r\n{\r\n1;x=y\r\n}\r\n0\r\nT: t\r\n\r\n"))
        .await;
    assert!(heard.starts_with("HTTP/1.1 202 "), "{heard}");
    let heard = kiosk.hears(chunked("zz\r\n{}\r\n")).await;
    assert!(heard.starts_with("HTTP/1.1 400 "), "{heard}");
    let heard = kiosk.hears(chunked("ffffffffffffffff\r\n{}\r\n")).await;
    assert!(heard.starts_with("HTTP/1.1 4"), "{heard}");
    let endless = chunked("64\r\n") + &format!("{}\r\n64\r\n", "x".repeat(100)).repeat(99);
    let heard = kiosk.hears(endless).await;
    assert!(heard.starts_with("HTTP/1.1 413 "), "{heard}");
    let heard = kiosk.hears(post("", "")).await;
    assert!(heard.starts_with("HTTP/1.1 400 "), "{heard}");
    let old = format!(
        "POST /didcomm HTTP/1.0\r\nContent-Type: {ENCRYPTED}\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    let heard = kiosk.hears(old).await;
    assert!(heard.starts_with("HTTP/1.0 202 "), "{heard}");
    assert_eq!(kiosk.came(), 2);
}

#[tokio::test]
async fn somebody_who_asks_first_whether_to_continue() {
    let kiosk = Kiosk::open(small()).await;
    let mut raw = kiosk.visitor().await;
    let ask = |length: usize| {
        post("Expect: 100-continue\r\n", "").replace("Length: 0", &format!("Length: {length}"))
    };
    raw.write_all(ask(2).as_bytes()).await.expect("written");
    let mut said = [0; 25];
    timeout(PATIENCE, raw.read_exact(&mut said))
        .await
        .expect("in time")
        .expect("an answer");
    assert_eq!(&said, b"HTTP/1.1 100 Continue\r\n\r\n");
    raw.write_all(b"{}").await.expect("written");
    assert!(to_end(&mut raw).await.starts_with("HTTP/1.1 202 "));
    // Too long: it hears so, and sends nothing.
    let heard = kiosk.hears(ask(1001)).await;
    assert!(heard.starts_with("HTTP/1.1 413 "), "{heard}");
}

#[tokio::test]
async fn whoever_sends_too_much_sees_the_status() {
    let kiosk = Kiosk::open(small()).await;
    // More than the buffers of the system between us hold.
    let giant = post("", &"x".repeat(40 << 20));
    let mut raw = kiosk.visitor().await;
    raw.write_all(giant.as_bytes())
        .await
        .expect("it is drained, not reset");
    let heard = to_end(&mut raw).await;
    assert!(heard.starts_with("HTTP/1.1 413 "), "{heard}");
    assert!(heard.contains("1000 bytes"), "{heard}");
    // A length alone reserves nothing and is answered at once.
    let told = post("", "").replace("Length: 0", "Length: 1099511627776");
    let heard = kiosk.hears(told).await;
    assert!(heard.starts_with("HTTP/1.1 413 "), "{heard}");
    let page = post("", &"x".repeat(101)).replace("/didcomm", "/page");
    assert!(kiosk.hears(page).await.starts_with("HTTP/1.1 413 "));
    assert_eq!(kiosk.came(), 0);
}

#[tokio::test]
async fn what_is_drained_is_bounded() {
    let limits = Limits {
        linger: 1 << 20,
        linger_time: Duration::from_millis(500),
        ..small()
    };
    let kiosk = Kiosk::open(limits).await;
    let mut raw = kiosk.visitor().await;
    let head = post("", "").replace("Length: 0", "Length: 1099511627776");
    raw.write_all(head.as_bytes()).await.expect("written");
    let part = vec![b'x'; 1 << 16];
    let began = Instant::now();
    while raw.write_all(&part).await.is_ok() {
        assert!(began.elapsed() < PATIENCE, "it reads for ever");
    }
}

#[tokio::test]
async fn pipelined_requests_and_garbage_behind_one() {
    let kiosk = Kiosk::open(small()).await;
    let one = post("", "{}").replace("Connection: close\r\n", "");
    let heard = kiosk.hears(format!("{one}{one}{}", post("", "{}"))).await;
    assert_eq!(heard.matches("HTTP/1.1 202 ").count(), 3, "{heard}");
    let heard = kiosk.hears(format!("{one}\x00\x01 garbage\r\n\r\n")).await;
    assert!(heard.starts_with("HTTP/1.1 202 "), "{heard}");
    assert_eq!(heard.matches("HTTP/1.1 400 ").count(), 1, "{heard}");
    // A body that is longer than it says is the next request, and none.
    let smuggled = one.replace("Length: 2", "Length: 1");
    let heard = kiosk.hears(smuggled).await;
    assert_eq!(heard.matches("HTTP/1.1 400 ").count(), 1, "{heard}");
}

#[tokio::test]
async fn those_who_take_their_time_are_let_go() {
    let kiosk = Kiosk::open(hasty()).await;
    let drip = async |head: &str| {
        let mut raw = kiosk.visitor().await;
        raw.write_all(head.as_bytes()).await.expect("written");
        let began = Instant::now();
        let dripping = async {
            let (mut ear, mut mouth) = raw.split();
            let talk = async {
                while mouth.write_all(b"a").await.is_ok() {
                    sleep(Duration::from_millis(50)).await;
                }
            };
            let mut heard = Vec::new();
            tokio::select! {
                _ = ear.read_to_end(&mut heard) => {}
                () = talk => {}
            }
            String::from_utf8_lossy(&heard).into_owned()
        };
        let heard = timeout(PATIENCE, dripping).await.expect("let go");
        assert!(
            began.elapsed() >= Duration::from_millis(250),
            "no patience at all"
        );
        heard
    };
    let heard = drip("POST /didcomm").await;
    assert!(!heard.contains("202"), "{heard}");
    let slow = post("", "").replace("Length: 0", "Length: 900");
    let heard = drip(&slow).await;
    assert!(heard.starts_with("HTTP/1.1 408 "), "{heard}");
    // Idle behind an answer, and silent from the beginning.
    let kept = post("", "{}").replace("Connection: close\r\n", "");
    let heard = kiosk.hears(kept).await;
    assert!(heard.starts_with("HTTP/1.1 202 "), "{heard}");
    assert_eq!(kiosk.hears("").await, "");
}

#[tokio::test]
async fn too_many_from_one_address_and_in_total() {
    let limits = Limits {
        connections: 3,
        per_address: 2,
        local_free: false,
        ..small()
    };
    let kiosk = Kiosk::open(limits).await;
    let kept = post("", "{}").replace("Connection: close\r\n", "");
    let mut here = Vec::new();
    for _ in 0..2 {
        let mut raw = kiosk.visitor().await;
        raw.write_all(kept.as_bytes()).await.expect("written");
        let mut said = [0; 12];
        raw.read_exact(&mut said).await.expect("an answer");
        assert_eq!(&said, b"HTTP/1.1 202");
        here.push(raw);
    }
    let heard = kiosk.hears("").await;
    assert!(heard.starts_with("HTTP/1.1 429 "), "{heard}");
    assert!(heard.contains("Retry-After: "), "{heard}");
    // Another address of this machine.
    let from = |last: u8| async move {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, last], 0).into()).expect("bound");
        socket
    };
    let mut third = from(2)
        .await
        .connect(kiosk.address)
        .await
        .expect("connects");
    third.write_all(kept.as_bytes()).await.expect("written");
    let mut said = [0; 12];
    third.read_exact(&mut said).await.expect("an answer");
    assert_eq!(&said, b"HTTP/1.1 202");
    let mut fourth = from(3)
        .await
        .connect(kiosk.address)
        .await
        .expect("connects");
    let heard = to_end(&mut fourth).await;
    assert!(heard.starts_with("HTTP/1.1 503 "), "{heard}");
    // Those who leave make room.
    here.clear();
    let until = Instant::now() + PATIENCE;
    while !kiosk
        .hears(post("", "{}"))
        .await
        .starts_with("HTTP/1.1 202 ")
    {
        assert!(Instant::now() < until, "no seat became free");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn bodies_have_a_room_and_no_more() {
    let limits = Limits {
        held: 2048,
        message: 4096,
        ..Limits::default()
    };
    let kiosk = Kiosk::open(limits).await;
    let heard = kiosk.hears(post("", &"x".repeat(3000))).await;
    assert!(heard.starts_with("HTTP/1.1 503 "), "{heard}");
    for _ in 0..5 {
        let heard = kiosk.hears(post("", &"x".repeat(2000))).await;
        assert!(heard.starts_with("HTTP/1.1 202 "), "given back: {heard}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_trusted_tells_who_comes_and_no_other_does() {
    for (trusted, visitor) in [(&["127.0.0.0/8"][..], "192.0.2.1"), (&[], "127.0.0.1")] {
        let config = Config {
            path: "/didcomm".to_owned(),
            proxies: trusted
                .iter()
                .map(|it| it.parse().expect("a network"))
                .collect(),
            ..Config::at("127.0.0.1:0")
        };
        let kiosk = Kiosk::with(config, Answer::Accepted).await;
        kiosk
            .hears(post("X-Forwarded-For: 8.8.8.8, 192.0.2.1\r\n", "{}"))
            .await;
        let came = kiosk.desk.visitors.lock().expect("unpoisoned");
        assert_eq!(came[0].address.ip().to_string(), visitor);
    }
}

#[tokio::test]
async fn a_body_counts_as_long_as_it_is_worked_on_though_its_visitor_has_left() {
    let limits = Limits {
        held: 2048,
        message: 4096,
        ..Limits::default()
    };
    let kiosk = Kiosk::open(limits).await;
    kiosk.desk.keeps.store(true, Ordering::Relaxed);
    let full = post("", &"x".repeat(2000));
    for status in [202, 503] {
        let heard = kiosk.hears(&full).await;
        assert!(heard.starts_with(&format!("HTTP/1.1 {status} ")), "{heard}");
    }
    // It is done.
    kiosk.desk.visitors.lock().expect("unpoisoned").clear();
    let heard = kiosk.hears(&full).await;
    assert!(heard.starts_with("HTTP/1.1 202 "), "{heard}");
}

#[tokio::test]
async fn a_reply_and_a_refusal() {
    let config = || Config {
        path: "/didcomm".to_owned(),
        ..Config::at("127.0.0.1:0")
    };
    let kiosk = Kiosk::with(config(), Answer::Reply(b"{\"a\":1}".to_vec())).await;
    let heard = kiosk.hears(post("", "{}")).await;
    assert!(heard.starts_with("HTTP/1.1 200 "), "{heard}");
    assert!(
        heard.contains(&format!("content-type: {ENCRYPTED}\r\n")),
        "{heard}"
    );
    assert!(heard.ends_with("\r\n\r\n{\"a\":1}"), "{heard}");
    for (status, said) in [(429, 429), (503, 503), (410, 410), (200, 503), (7, 503)] {
        let answer = Answer::Refused {
            status,
            retry_after: Some(7),
        };
        let kiosk = Kiosk::with(config(), answer).await;
        let heard = kiosk.hears(post("", "{}")).await;
        assert!(heard.starts_with(&format!("HTTP/1.1 {said} ")), "{heard}");
        assert!(heard.contains("retry-after: 7\r\n"), "{heard}");
    }
}
