//! Guests with wishes of their own: in browsers, in groups, and those who are nobody's guest.

use std::io::{Read, Write};
use std::net::TcpStream;

use data_encoding::BASE64URL_NOPAD;
use packmule_agent::protocol::mediation::{self, Version as Mediation};
use packmule_agent::protocol::pickup::{self, Answer, Version};
use packmule_agent::protocol::{basic_message, trust_ping};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::client::{Client, Socket, letters, post};
use super::service::Gateway;
use crate::stage::Stage;

/// The head of the answer to a request that is written as it is.
fn asked(gateway: &Gateway, request: &str) -> String {
    let mut stream = TcpStream::connect(&gateway.address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.to_lowercase()
}

#[test]
fn a_wallet_in_a_browser_may_post() {
    let stage = Stage::new();
    let gateway = Gateway::start(&stage, "kiosk", &[]);
    let asks = "OPTIONS / HTTP/1.1\r\nHost: kiosk\r\nOrigin: https://wallet.example\r\n\
                Access-Control-Request-Method: POST\r\n\
                Access-Control-Request-Headers: content-type\r\nConnection: close\r\n\r\n";
    let answer = asked(&gateway, asks);
    assert!(answer.starts_with("http/1.1 204"), "{answer}");
    assert!(answer.contains("access-control-allow-origin: *"));
    assert!(answer.contains("access-control-allow-headers: content-type"));
    let alice = Client::of(&gateway);
    let packed = String::from_utf8(alice.pack(trust_ping::ping(true))).unwrap();
    let posts = format!(
        "POST / HTTP/1.1\r\nHost: kiosk\r\nOrigin: https://wallet.example\r\n\
         Content-Type: application/didcomm-encrypted+json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{packed}",
        packed.len()
    );
    let answer = asked(&gateway, &posts);
    assert!(answer.starts_with("http/1.1 202"), "{answer}");
    assert!(answer.contains("access-control-allow-origin: *"));
    // Pages are for those who look at them here.
    let page = asked(
        &gateway,
        "GET /metrics HTTP/1.1\r\nHost: kiosk\r\nConnection: close\r\n\r\n",
    );
    assert!(!page.contains("access-control"), "{page}");
}

#[test]
fn what_is_for_several_reaches_each_of_them() {
    let stage = Stage::new();
    let gateway = Gateway::start(&stage, "kiosk", &[]);
    let (alice, bob, carol) = (
        Client::of(&gateway),
        Client::of(&gateway),
        Client::of(&gateway),
    );
    for one in [&alice, &bob] {
        one.ask(mediation::request(Mediation::V3));
    }
    // As agents write it that encrypt once for all; only they can open it.
    let all = [&alice, &bob, &carol].map(|one| format!("{}#key-2", one.did()));
    let mut sorted = all.clone();
    sorted.sort_unstable();
    let apv = BASE64URL_NOPAD.encode(&Sha256::digest(sorted.join(".")));
    let head = json!({
        "typ": "application/didcomm-encrypted+json",
        "alg": "ECDH-ES+A256KW",
        "enc": "A256CBC-HS512",
        "apv": apv,
        "epk": { "kty": "OKP", "crv": "X25519", "x": "A".repeat(43) },
    });
    let each = all.map(|kid| json!({ "header": { "kid": kid }, "encrypted_key": "AAAA" }));
    let packed = json!({
        "protected": BASE64URL_NOPAD.encode(head.to_string().as_bytes()),
        "recipients": each,
        "iv": "AAAAAAAAAAAAAAAAAAAAAA", "ciphertext": "AAAAAAAA", "tag": "AAAAAAAA",
    });
    for _ in 0..2 {
        assert_eq!(carol.post(packed.to_string().as_bytes()), 202);
    }
    for one in [&alice, &bob] {
        let got = letters(&one.ask(pickup::delivery_request(Version::V3, 10, None)));
        assert_eq!(got.len(), 1);
        let got: Value = serde_json::from_slice(&got[0].1).unwrap();
        assert_eq!(got["recipients"], packed["recipients"]);
    }
}

#[test]
fn who_listens_slowly_is_told_what_was_not_pushed() {
    let stage = Stage::new();
    let few = [("PACKMULE_GATEWAY_LIMITS__UNACKED", "1")];
    let gateway = Gateway::start(&stage, "kiosk", &few);
    let (alice, stranger) = (Client::of(&gateway), Client::of(&gateway));
    alice.ask(mediation::request(Mediation::V3));
    let mut socket = Socket::open(&gateway);
    socket.ask(&alice, pickup::live(Version::V3, true));
    // She reads nothing meanwhile: one is on its way, one waits, and there is no room for more.
    for number in 0..6 {
        let letter = stranger.letter(&alice, &number.to_string());
        assert_eq!(stranger.forward(alice.did(), &letter), 202);
    }
    let mut pushed = 0;
    let left = loop {
        let heard = socket.next(&alice);
        match pickup::read_answer(&heard) {
            Some(Answer::Status(status)) => break status,
            _ => pushed += letters(&heard).len(),
        }
    };
    assert!((1..6).contains(&pushed), "{pushed} were pushed");
    assert_eq!((left.count, left.live), (6, Some(true)));
}

#[test]
fn nobody_fills_the_keepers_disk_by_naming_an_invitation() {
    let stage = Stage::new();
    let gateway = Gateway::start(&stage, "kiosk", &[]);
    let mallory = Client::of(&gateway);
    let mut message = basic_message::message("x".repeat(10_000).as_str());
    message.pthid = Some("an invitation that never was".to_owned());
    // Plain, and with keys.
    let plain = message.to_json();
    let kind = "application/didcomm-plain+json";
    assert_eq!(post(&gateway.address, kind, &plain).0, 403);
    assert_eq!(mallory.post(&mallory.pack(message)), 403);
}
