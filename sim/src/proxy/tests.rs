//! The proxy keeps its channel's word: exactly on tokio's paused clock, and over real sockets
//! nothing is lost or changed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::line::{Line, Way};
use super::{Metrics, Proxy, ProxyError, Shared, pipe};
use crate::presets::Channel;

fn channel(text: &str) -> Channel {
    Channel::parse(text).expect(text)
}

/// Sends `bytes` through a channel in paused time: how long the first and the last byte took.
async fn through(channel: Channel, bytes: usize) -> (Duration, Duration, Metrics) {
    let (mut alice, near) = duplex(1 << 20);
    let (far, mut bob) = duplex(1 << 20);
    let shared: Shared = Arc::new(Mutex::new(Metrics::default()));
    let line = Line::new(channel, 7, 0);
    let metrics = Arc::clone(&shared);
    let carried = tokio::spawn(async move {
        let (near, far) = (split(near), split(far));
        pipe::carry(near, far, line, metrics).await;
    });
    let began = Instant::now();
    let sent: Vec<u8> = (0..bytes).map(|n| (n % 251) as u8).collect();
    let expected = sent.clone();
    let writer = tokio::spawn(async move {
        alice.write_all(&sent).await.expect("alice writes");
        alice.shutdown().await.expect("alice is done");
        let mut rest = Vec::new();
        alice.read_to_end(&mut rest).await.expect("bob's end");
    });
    let mut first = [0; 1];
    bob.read_exact(&mut first).await.expect("the first byte");
    let first_after = began.elapsed();
    let mut got = first.to_vec();
    bob.read_to_end(&mut got).await.expect("the rest");
    let last_after = began.elapsed();
    assert_eq!(got, expected, "every byte, in order");
    bob.shutdown().await.expect("bob is done");
    writer.await.expect("alice's task");
    carried.await.expect("the pipe ends when both are done");
    let metrics = *shared.lock().expect("not poisoned");
    (first_after, last_after, metrics)
}

#[tokio::test(start_paused = true)]
async fn a_transfer_takes_what_rate_and_latency_say() {
    let wire = channel("latency_ms = 30\nbytes_per_s = 100000\nmtu = [1000]");
    let (first, last, metrics) = through(wire, 200_000).await;
    // 1000 bytes are 10 ms of air, less the credit of a silent line.
    assert!(first >= Duration::from_millis(30) && first <= Duration::from_millis(41));
    let ideal = Duration::from_millis(2030);
    assert!(
        last >= ideal.mul_f64(0.95) && last <= ideal.mul_f64(1.05),
        "{last:?}"
    );
    assert_eq!((metrics.forth_bytes, metrics.pdus), (200_000, 200));
}

#[tokio::test(start_paused = true)]
async fn every_preset_keeps_within_a_tenth_of_its_rate() {
    for name in Channel::names() {
        let mut channel = Channel::preset(&name).expect(&name);
        if channel.one_way {
            continue;
        }
        // Rate alone: what the air loses, and people who walk away, have tests of their own.
        channel.loss = crate::presets::Loss::default();
        channel.corrupt = 0.0;
        channel.life = None;
        let payload = channel.mtu_of(0).min(65_536) as f64;
        let share = payload / (payload + channel.overhead as f64);
        let bytes = (channel.rate * 20).clamp(2_000, 3_000_000) as usize;
        let ideal = bytes as f64 / (channel.rate as f64 * share);
        let latency = (
            channel.latency,
            channel.latency + channel.jitter + channel.reorder_by,
        );
        let (_, last, _) = through(channel, bytes).await;
        let least = ideal * 0.9 + latency.0.as_secs_f64() - 0.006;
        let most = ideal * 1.1 + latency.1.as_secs_f64() + 0.010;
        let took = last.as_secs_f64();
        assert!(
            least <= took && took <= most,
            "{name}: {least} <= {took} <= {most}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_air_loses_is_late_and_all_there() {
    let lossy = channel(
        "latency_ms = 10\nbytes_per_s = 100000\nmtu = [1000]\n[loss]\nto_good = 1.0\ngood = 0.2\nbad = 0.2",
    );
    let (_, last, metrics) = through(lossy, 200_000).await;
    assert!((30..=75).contains(&metrics.resent), "{metrics:?}");
    // Each resend costs a round trip and its air again.
    let waits = Duration::from_millis(30) * u32::try_from(metrics.resent).expect("few");
    let ideal = Duration::from_millis(2010) + waits;
    assert!(
        last >= ideal.mul_f64(0.95) && last <= ideal.mul_f64(1.05),
        "{last:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_ends_when_its_life_or_its_patience_does() {
    for (text, ends) in [("idle_ms = 2000", 2.0..2.1), ("life_ms = 5000", 0.0..60.0)] {
        let (mut alice, near) = duplex(1000);
        let (far, _bob) = duplex(1000);
        let shared = Shared::default();
        let began = Instant::now();
        let line = Line::new(channel(text), 3, 0);
        pipe::carry(split(near), split(far), line, Arc::clone(&shared)).await;
        let after = began.elapsed().as_secs_f64();
        assert!(ends.contains(&after), "{text}: {after}");
        assert_eq!(shared.lock().expect("not poisoned").dropped, 1);
        assert_eq!(alice.read(&mut [0; 8]).await.expect("an end"), 0);
    }
}

#[test]
fn half_duplex_lets_one_side_wait_for_the_other_and_pays_for_turning() {
    let text = "latency_ms = 0\nbytes_per_s = 1000\nmtu = [100]\nhalf_duplex = true\nturnaround_ms = 50\nburst_bytes = 1";
    let mut line = Line::new(channel(text), 1, 0);
    let at = Duration::from_millis;
    assert_eq!(line.send(Way::Forth, at(1000), 100).departs, at(1095));
    assert_eq!(line.send(Way::Back, at(1000), 100).departs, at(1245));
    assert_eq!(line.send(Way::Back, at(1000), 100).departs, at(1345));
    assert_eq!(line.send(Way::Forth, at(1400), 100).departs, at(1550));
    let mut duplex = Line::new(
        channel(&text.replace("half_duplex = true", "half_duplex = false")),
        1,
        0,
    );
    assert_eq!(duplex.send(Way::Forth, at(1000), 100).departs, at(1095));
    assert_eq!(duplex.send(Way::Back, at(1000), 100).departs, at(1095));
}

#[test]
fn the_same_seed_gives_the_same_weather_on_every_run() {
    let channel = Channel::preset("lora").expect("there is one");
    let weather = |seed| {
        let mut line = Line::new(channel.clone(), seed, 4);
        (0..50)
            .map(|n| line.send(Way::Forth, Duration::from_secs(n * 10), 200))
            .collect::<Vec<_>>()
    };
    assert_eq!(weather(1), weather(1));
    assert_ne!(weather(1), weather(2));
}

#[tokio::test]
async fn bytes_cross_real_sockets_unchanged_both_ways() {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let to = server.local_addr().expect("its address");
    let echo = tokio::spawn(async move {
        let (mut socket, _) = server.accept().await.expect("a visitor");
        let mut all = Vec::new();
        socket.read_to_end(&mut all).await.expect("bytes");
        all.reverse();
        socket.write_all(&all).await.expect("an answer");
    });
    let any = "127.0.0.1:0".parse().expect("an address");
    let fast = channel(
        "latency_ms = 2\nbytes_per_s = 50000000\nmtu = [1400]\nreorder = 0.05\nreorder_ms = 3\n[loss]\nto_good = 1.0\ngood = 0.05\nbad = 0.05",
    );
    let proxy = Proxy::bind(any, to, fast, 1).await.expect("it listens");
    let at = proxy.local_addr().expect("its address");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(proxy.serve(async move {
        let _ = stopped.await;
    }));
    let mut alice = TcpStream::connect(at).await.expect("the proxy");
    let sent: Vec<u8> = (0..100_000_u32).map(|n| (n % 253) as u8).collect();
    alice.write_all(&sent).await.expect("bytes");
    alice.shutdown().await.expect("done");
    let mut got = Vec::new();
    alice.read_to_end(&mut got).await.expect("an answer");
    got.reverse();
    assert_eq!(got, sent);
    echo.await.expect("the server");
    let _ = stop.send(());
    let metrics = served.await.expect("metrics");
    assert_eq!((metrics.connections, metrics.dropped), (1, 0));
    assert_eq!(
        (metrics.forth_bytes, metrics.back_bytes),
        (100_000, 100_000)
    );
    assert!(metrics.resent > 0);
}

#[tokio::test]
async fn a_channel_that_goes_one_way_is_refused_and_a_dead_server_is_counted() {
    let any = "127.0.0.1:0".parse().expect("an address");
    let stick = Channel::preset("stick").expect("there is one");
    let refused = Proxy::bind(any, any, stick, 1).await;
    assert!(matches!(refused, Err(ProxyError::OneWay(_))));
    // A port that was just free: nobody answers there.
    let nobody = {
        let listener = TcpListener::bind(any).await.expect("a port");
        listener.local_addr().expect("its address")
    };
    let proxy = Proxy::bind(any, nobody, Channel::default(), 1)
        .await
        .expect("it listens");
    let at = proxy.local_addr().expect("its address");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(proxy.serve(async move {
        let _ = stopped.await;
    }));
    let mut alice = TcpStream::connect(at).await.expect("the proxy");
    assert_eq!(alice.read(&mut [0; 8]).await.unwrap_or(0), 0);
    let _ = stop.send(());
    assert_eq!(served.await.expect("metrics").unanswered, 1);
}
