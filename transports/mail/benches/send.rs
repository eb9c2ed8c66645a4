//! Sending through a real Postfix: us, lettre's pooled transport, and Postfix's own load
//! generator, in one run. Ends with an error where we are slower than we promise to be.
//!
//! `cargo bench -p packmule-mail --bench send`

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench without its servers measures nothing"
)]

use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lettre::address::Envelope;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use packmule_mail::{Address, Outbox, Protocol, Server, compose};
use packmule_places::MailServer;

/// Mails one after the other.
const SINGLE: usize = 60;
/// Mails in all, eight at a time.
const MANY: usize = 1_600;

fn jwe(bytes: usize) -> Vec<u8> {
    let text = "AbC-".repeat(bytes / 4);
    format!("{{\"protected\":\"e30\",\"encrypted_key\":\"AAAA\",\"iv\":\"AAAA\",\"ciphertext\":\"{text}\",\"tag\":\"AAAA\"}}").into_bytes()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn ours(outbox: &Outbox, to: &Address) -> Duration {
    let mut times = Vec::new();
    for _ in 0..SINGLE {
        let began = Instant::now();
        let sent = outbox.send(&jwe(2_000), std::slice::from_ref(to)).await;
        sent.expect("taken");
        times.push(began.elapsed());
    }
    median(times)
}

async fn rival(port: u16, mail: &[u8]) -> Duration {
    let pooled = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
        .port(port)
        .build();
    let from = "alice@kiosk.test".parse().unwrap();
    let envelope = Envelope::new(Some(from), vec!["bob@edge.test".parse().unwrap()]).unwrap();
    let mut times = Vec::new();
    for _ in 0..SINGLE {
        let began = Instant::now();
        pooled.send_raw(&envelope, mail).await.expect("taken");
        times.push(began.elapsed());
    }
    median(times)
}

async fn many(outbox: &Arc<Outbox>, to: &Address) -> f64 {
    let began = Instant::now();
    let sending: Vec<_> = (0..8)
        .map(|_| {
            let (outbox, to) = (Arc::clone(outbox), to.clone());
            tokio::spawn(async move {
                for _ in 0..MANY / 8 {
                    let sent = outbox.send(&jwe(2_000), std::slice::from_ref(&to)).await;
                    sent.expect("taken");
                }
            })
        })
        .collect();
    for one in sending {
        one.await.expect("sent");
    }
    MANY as f64 / began.elapsed().as_secs_f64()
}

fn smtp_source(port: u16) -> f64 {
    let began = Instant::now();
    let ran = Command::new("/usr/sbin/smtp-source")
        .args(["-d", "-s", "8", "-l", "2900", "-m", &MANY.to_string()])
        .args(["-f", "alice@kiosk.test", "-t", "bob@edge.test"])
        .arg(format!("127.0.0.1:{port}"))
        .stdin(Stdio::null())
        .status();
    assert!(ran.expect("smtp-source runs").success());
    MANY as f64 / began.elapsed().as_secs_f64()
}

fn main() -> ExitCode {
    // Asked for by `cargo test --benches`: there is nothing to be measured then.
    if std::env::args().any(|word| word == "--test") {
        return ExitCode::SUCCESS;
    }
    let server = MailServer::start();
    let port = server.ports().smtp;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = format!("smtp://127.0.0.1:{port}");
    let submission = Server::parse(&url, Protocol::Smtp, true, None, Arc::default()).unwrap();
    let alice = Address::parse("alice@kiosk.test").unwrap();
    let bob = Address::parse("bob@edge.test").unwrap();
    let outbox = Arc::new(Outbox::new(submission, alice.clone()));
    let wire = |bytes: usize| {
        let packed = jwe(bytes);
        let letter = compose(&packed, &alice, std::slice::from_ref(&bob), 0).unwrap();
        (letter.bytes.len(), packed.len(), letter.bytes)
    };
    let (small, payload, mail) = wire(2_000);
    let (large, large_payload, _) = wire(10_000_000);
    for bytes in [2_000, 20_000, 200_000, 10_000_000] {
        let (sent, carried, _) = wire(bytes);
        let ratio = sent as f64 / carried as f64;
        println!("{carried} bytes of JSON: {sent} bytes of mail, {ratio:.4} for each");
    }
    // What each byte of a message costs, beyond what each mail does.
    let each = (large - small) as f64 / (large_payload - payload) as f64;
    println!("each byte beyond the first {payload}: {each:.4}");
    runtime.block_on(outbox.greet()).expect("Postfix");
    let us = runtime.block_on(ours(&outbox, &bob));
    let them = runtime.block_on(rival(port, &mail));
    let times = them.as_secs_f64() / us.as_secs_f64();
    println!("one at a time: median {us:?}, lettre's pool {them:?}: {times:.1} times");
    // In turns, since Postfix is busy handing over meanwhile.
    let (mut rates, mut rivals) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        rivals.push(smtp_source(port));
        rates.push(runtime.block_on(many(&outbox, &bob)));
    }
    rates.sort_unstable_by(f64::total_cmp);
    rivals.sort_unstable_by(f64::total_cmp);
    let share = rates[1] / rivals[1];
    println!(
        "eight at a time: {:.0}/s, smtp-source {:.0}/s: {:.0} %",
        rates[1],
        rivals[1],
        share * 100.0
    );
    if times >= 10.0 && share >= 0.8 && each <= 1.05 {
        println!("as promised");
        ExitCode::SUCCESS
    } else {
        println!("NOT as promised: 10 times, 80 %, 1.05");
        ExitCode::FAILURE
    }
}
