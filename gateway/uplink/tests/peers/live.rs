//! Live mode: new messages come as they arrive, in both shapes that were seen.

use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Duration;

use packmule_agent::protocol::pickup::{self, Version};
use packmule_uplink::{State, Uplink};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{self, WebSocket};

use super::desk::Person;
use super::kiosk::Kiosk;
use super::peer::{Peer, Shape};
use super::wire::{Request, Response};

/// Talks on a WebSocket: answers, and pushes what it is given.
pub(crate) fn serve(peer: &Peer, request: &Request, mut stream: TcpStream) {
    assert_eq!(
        request.header("sec-websocket-protocol"),
        None,
        "no session is wanted"
    );
    let token = peer
        .state()
        .token
        .clone()
        .map(|token| format!("Bearer {token}"));
    if request.header("authorization") != token.as_deref() {
        return Response::empty(401).write(&mut stream).unwrap();
    }
    peer.state().asked += 1;
    let key = derive_accept_key(request.header("sec-websocket-key").unwrap().as_bytes());
    let agreed = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {key}\r\n\r\n"
    );
    std::io::Write::write_all(&mut stream, agreed.as_bytes()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
    let (pushes, pushed) = mpsc::channel::<Vec<u8>>();
    loop {
        if peer.state().mute {
            // The network is gone, and nobody was told.
            std::thread::sleep(Duration::from_millis(20));
            continue;
        }
        while let Ok(packed) = pushed.try_recv() {
            if packed.is_empty() {
                return;
            }
            let text = String::from_utf8(packed).unwrap();
            if socket.send(tungstenite::Message::text(text)).is_err() {
                return;
            }
        }
        match socket.read() {
            Ok(tungstenite::Message::Text(text)) => {
                let Some((asked, sender)) = peer.opened(text.as_bytes()) else {
                    return;
                };
                if let Some(Ok((_, pickup::Ask::Live(true)))) = pickup::read_ask(&asked) {
                    peer.sockets.lock().unwrap().push(pushes.clone());
                }
                if let Some(reply) = peer.follow(&asked) {
                    let packed = String::from_utf8(peer.person.pack(reply, &sender)).unwrap();
                    socket.send(tungstenite::Message::text(packed)).unwrap();
                }
            }
            Ok(_) => {}
            Err(tungstenite::Error::Io(fault))
                if matches!(
                    fault.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) => {}
            Err(_) => return,
        }
    }
}

fn push(peer: &Peer, packed: Vec<u8>) {
    peer.sockets
        .lock()
        .unwrap()
        .retain(|socket| socket.send(packed.clone()).is_ok());
}

async fn live_with(shape: Shape) -> (std::sync::Arc<Peer>, Kiosk, Person) {
    let (peer, mut kiosk, stranger) = (Peer::start(shape), Kiosk::new().await, Person::at(&[]));
    peer.state().put(stranger.letter(kiosk.did(), "before"));
    // Whoever polls would come again in an hour.
    kiosk.call_with(peer.did(), |upstream| {
        upstream.live = true;
        upstream.poll = Duration::from_secs(3600);
    });
    kiosk.until_got(&["before".to_owned()]).await;
    kiosk
        .until("live", |kiosk| {
            kiosk.uplink.as_ref().map(Uplink::status).unwrap()[0].state == State::Live
        })
        .await;
    (peer, kiosk, stranger)
}

#[tokio::test]
async fn a_push_that_names_its_messages_is_acknowledged_on_the_socket() {
    let (peer, kiosk, stranger) = live_with(Shape::Estoc).await;
    for number in 0..20 {
        let words = format!("pushed {number}");
        peer.state().put(stranger.letter(kiosk.did(), &words));
        let page = peer.state().page(100);
        let about = pickup::live(Version::V3, true);
        let delivery = pickup::delivery(&about, Version::V3, None, &page);
        push(&peer, peer.person.pack(delivery, kiosk.did()));
        kiosk.until_got(&[words]).await;
        kiosk
            .until("it is acknowledged", |_| peer.state().len() == 0)
            .await;
    }
    let got = kiosk.shelf.got();
    assert!(got.values().all(|count| *count == 1), "{got:?}");
}

#[tokio::test]
async fn a_bare_push_is_taken_at_once_and_acknowledged_by_its_name_afterwards() {
    let (peer, kiosk, stranger) = live_with(Shape::Affinidi).await;
    for number in 0..3 {
        let words = format!("pushed {number}");
        let packed = stranger.letter(kiosk.did(), &words);
        peer.state().put(packed.clone());
        push(&peer, packed);
        kiosk.until_got(&[words]).await;
        kiosk
            .until("it is acknowledged", |_| peer.state().len() == 0)
            .await;
    }
}

#[tokio::test]
async fn a_socket_that_ends_is_opened_again_and_nothing_falls_between() {
    let (peer, kiosk, stranger) = live_with(Shape::Estoc).await;
    for number in 0..3 {
        // The server ends the socket.
        push(&peer, Vec::new());
        let words = format!("between {number}");
        peer.state().put(stranger.letter(kiosk.did(), &words));
        kiosk.until_got(&[words]).await;
    }
}

#[tokio::test]
async fn a_socket_that_falls_silent_is_noticed_and_opened_again() {
    let (peer, mut kiosk, stranger) = (
        Peer::start(Shape::Estoc),
        Kiosk::new().await,
        Person::at(&[]),
    );
    kiosk.call_with(peer.did(), |upstream| {
        upstream.live = true;
        upstream.poll = Duration::from_millis(500);
        upstream.patience = Duration::from_secs(2);
    });
    kiosk
        .until("live", |_| peer.sockets.lock().unwrap().len() == 1)
        .await;
    peer.state().mute = true;
    kiosk
        .until("another socket is tried", |_| peer.state().asked >= 2)
        .await;
    peer.state()
        .put(stranger.letter(kiosk.did(), "behind a wall"));
    kiosk.until_got(&["behind a wall".to_owned()]).await;
    peer.state().mute = false;
    kiosk
        .until("live again", |_| peer.sockets.lock().unwrap().len() >= 2)
        .await;
}
