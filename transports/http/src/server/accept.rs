//! Lets visitors in.
//!
//! What is it: the loop that accepts, and a task for each connection: TLS if there is any, then
//! HTTP, then the WebSocket if that was agreed. Who calls it: `Server::serve`. What can go wrong:
//! a process without free descriptors waits; a visitor without a seat is told so and let go.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use packmule_ws::{Duplex, HANDSHAKE};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::guard::Guard;
use super::seats::{Crowded, Seat, Seats};
use super::talk::Talk;
use super::{Config, Reception, Server};
use crate::server::body::Room;

/// How long to wait for descriptors or memory to become free: the system queues meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

/// What all connections share.
pub(super) struct House {
    pub(super) config: Config,
    pub(super) reception: Arc<dyn Reception>,
    pub(super) room: Room,
    pub(super) seats: Arc<Seats>,
}

pub(super) async fn serve(
    server: Server,
    reception: Arc<dyn Reception>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let Server {
        socket,
        config,
        seats,
        ..
    } = server;
    let house = Arc::new(House {
        room: Room::new(config.limits.held),
        config,
        reception,
        seats: Arc::clone(&seats),
    });
    let (leave, leaving) = watch::channel(false);
    let mut talks = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = talks.join_next() => {}
            visitor = socket.accept() => match visitor {
                Ok((stream, from)) => match seats.take(from.ip()) {
                    Ok(seat) => {
                        let house = Arc::clone(&house);
                        talks.spawn(welcome(house, stream, from, seat, leaving.clone()));
                    }
                    Err(crowded) => turn_away(stream, crowded, house.config.certificate.is_some()),
                },
                // The listening socket is none any more.
                Err(fault) if fault.kind() == io::ErrorKind::InvalidInput => break,
                // This visitor, or a want of descriptors: later is better.
                Err(_) => sleep(PAUSE).await,
            }
        }
    }
    drop(socket);
    leave.send_replace(true);
    let finished = async { while talks.join_next().await.is_some() {} };
    let _ = timeout(house.config.limits.farewell, finished).await;
}

/// Says that there is no seat, if the system takes the words at once.
fn turn_away(stream: TcpStream, crowded: Crowded, secure: bool) {
    let words: &[u8] = match crowded {
        // Under TLS there is no way to say it that costs nothing.
        _ if secure => return,
        Crowded::House => {
            b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        }
        Crowded::Address => {
            b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        }
    };
    // By the system's own call: of a connection this new the runtime does not know yet whether it
    // can be written to.
    let _ = stream.into_std().and_then(|mut stream| stream.write(words));
}

/// Waits until the server stops.
async fn told(leaving: &mut watch::Receiver<bool>) {
    let _ = leaving.wait_for(|leaving| *leaving).await;
}

async fn welcome(
    house: Arc<House>,
    stream: TcpStream,
    from: SocketAddr,
    seat: Seat,
    mut leaving: watch::Receiver<bool>,
) {
    // Fails only if the visitor has gone already, which the next call will tell.
    let _ = stream.set_nodelay(true);
    let limits = &house.config.limits;
    let stream: Box<dyn Duplex> = match &house.config.certificate {
        None => Box::new(stream),
        Some(certificate) => {
            match timeout(HANDSHAKE, certificate.acceptor().accept(stream)).await {
                Ok(Ok(stream)) => Box::new(stream),
                _ => return,
            }
        }
    };
    let talk = Talk::new(Arc::clone(&house), from);
    let guarded = TokioIo::new(Guard::new(stream, limits, seat, talk.changed_over()));
    let answering = service_fn(|request| talk.answer(request));
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_header_size(limits.head)
        .max_buf_size(limits.head.max(64 << 10))
        .serve_connection(guarded, answering)
        .with_upgrades();
    let mut http = pin!(http);
    // How a visit by HTTP ends changes nothing: whatever was answered was answered.
    tokio::select! {
        _ = http.as_mut() => {}
        () = told(&mut leaving) => {
            http.as_mut().graceful_shutdown();
            let _ = http.await;
        }
    }
    talk.change_over().await;
}
