//! What HTTP carries on this machine: POSTs answered 202, by 127.0.0.1, through our own client
//! and the engine under a gateway.
//!
//! `cargo bench -p packmule-http`

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails fails the bench"
)]

use std::sync::Arc;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use packmule_bus::Kind;
use packmule_bus::link::{BoxFut, Mailbox, Port, Transport, Way};
use packmule_http::Http;
use packmule_http::server::{Answer, Config, Reception, Server, Visitor};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// Messages in one round.
const COUNT: usize = 500;

struct Sink;

impl Reception for Sink {
    fn receive(&self, packed: Vec<u8>, _: Visitor) -> BoxFut<'_, Answer> {
        drop(packed);
        Box::pin(async { Answer::Accepted })
    }
}

fn main() {
    divan::main();
}

fn stage() -> (Runtime, Arc<dyn Mailbox>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let mailbox = runtime.block_on(async {
        let server = Server::bind(Config::at("127.0.0.1:0"))
            .await
            .expect("binds");
        let way = Way::parse(&format!("http://{}/", server.addr())).expect("a way");
        tokio::spawn(server.serve(Arc::new(Sink), std::future::pending()));
        match Http::default().open(&way).await {
            Ok(Port::Mailbox(mailbox)) => Arc::from(mailbox),
            _ => panic!("the server is there"),
        }
    });
    (runtime, mailbox)
}

fn letter(length: usize) -> Vec<u8> {
    let text = "A".repeat(length);
    format!("{{\"protected\":\"e30\",\"ciphertext\":\"{text}\",\"recipients\":[]}}").into_bytes()
}

#[divan::bench(args = [1_500, 65_536], sample_count = 10)]
fn one_after_the_other(bencher: Bencher<'_, '_>, size: usize) {
    let (runtime, mailbox) = stage();
    bencher
        .counter(ItemsCount::new(COUNT))
        .counter(BytesCount::new(COUNT * size))
        .bench_local(|| {
            runtime.block_on(async {
                for _ in 0..COUNT {
                    let sent = mailbox.deliver(letter(size), Kind::Encrypted);
                    sent.await.expect("taken");
                }
            });
        });
}

#[divan::bench(args = [1_500, 65_536], sample_count = 10)]
fn eight_at_once(bencher: Bencher<'_, '_>, size: usize) {
    let (runtime, mailbox) = stage();
    bencher
        .counter(ItemsCount::new(COUNT))
        .counter(BytesCount::new(COUNT * size))
        .bench_local(|| {
            runtime.block_on(async {
                let mut tasks = JoinSet::new();
                for _ in 0..COUNT {
                    let mailbox = Arc::clone(&mailbox);
                    tasks.spawn(async move {
                        let sent = mailbox.deliver(letter(size), Kind::Encrypted);
                        sent.await.expect("taken");
                    });
                }
                while let Some(done) = tasks.join_next().await {
                    done.expect("no panic");
                }
            });
        });
}
