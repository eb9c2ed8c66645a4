//! Bytes through a line, in real time (or in tokio's paused time).

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::line::{Line, Way};
use super::{Shared, note};

/// Bytes read at once when the channel's PDUs are longer.
const LARGEST: usize = 65_536;
/// PDUs on their way at a time, beyond which a sender waits.
const UNDER_WAY: usize = 4_096;

/// What both directions share.
struct Both {
    line: Mutex<Line>,
    began: Instant,
    /// When a byte last went, either way.
    last: Mutex<Instant>,
    metrics: Shared,
}

/// Carries both directions until both ends are done or the channel ends it.
pub(super) async fn carry<R1, W1, R2, W2>(
    client: (R1, W1),
    server: (R2, W2),
    line: Line,
    metrics: Shared,
) where
    R1: AsyncRead + Unpin,
    W1: AsyncWrite + Unpin,
    R2: AsyncRead + Unpin,
    W2: AsyncWrite + Unpin,
{
    let began = Instant::now();
    let (life, idle) = (line.life(), line.idle());
    let both = Arc::new(Both {
        line: Mutex::new(line),
        began,
        last: Mutex::new(began),
        metrics: Arc::clone(&metrics),
    });
    let forth = pump(client.0, server.1, Way::Forth, &both);
    let back = pump(server.0, client.1, Way::Back, &both);
    tokio::select! {
        _ = async { tokio::join!(forth, back) } => {}
        () = ended(&both, life, idle) => note(&metrics, |metrics| metrics.dropped += 1),
    }
}

/// When the channel ends the connection.
async fn ended(both: &Both, life: Option<Duration>, idle: Option<Duration>) {
    let lives = async {
        match life {
            Some(life) => sleep_until(both.began + life).await,
            None => pending().await,
        }
    };
    let silent = async {
        let Some(idle) = idle else {
            return pending().await;
        };
        loop {
            let last = *both.last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.elapsed() >= idle {
                return;
            }
            sleep_until(last + idle).await;
        }
    };
    tokio::select! {
        () = lives => {}
        () = silent => {}
    }
}

/// One direction: cuts PDUs, waits for the line, hands each over when it arrives. Its end is
/// handed on too, after the last byte.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    way: Way,
    both: &Both,
) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let read = async move {
        let longest = locked(both).mtu().min(LARGEST);
        let mut buffer = vec![0; longest];
        while let Ok(length) = from.read(&mut buffer).await {
            if length == 0 {
                break;
            }
            let now = Instant::now();
            *both.last.lock().unwrap_or_else(PoisonError::into_inner) = now;
            let sent = locked(both).send(way, now - both.began, length);
            note(&both.metrics, |metrics| {
                metrics.pdus += 1;
                metrics.resent += u64::from(sent.resent);
                metrics.held_back += u64::from(sent.held_back);
            });
            let pdu = buffer.get(..length).unwrap_or_default().to_vec();
            if sender.send((both.began + sent.arrives, pdu)).await.is_err() {
                break;
            }
            // Back-pressure: nothing more is taken before the line is free.
            sleep_until(both.began + sent.departs).await;
        }
    };
    let write = async move {
        while let Some((arrives, pdu)) = receiver.recv().await {
            sleep_until(arrives).await;
            if to.write_all(&pdu).await.is_err() {
                return;
            }
            let bytes = pdu.len() as u64;
            note(&both.metrics, |metrics| match way {
                Way::Forth => metrics.forth_bytes += bytes,
                Way::Back => metrics.back_bytes += bytes,
            });
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}

fn locked(both: &Both) -> std::sync::MutexGuard<'_, Line> {
    both.line.lock().unwrap_or_else(PoisonError::into_inner)
}
