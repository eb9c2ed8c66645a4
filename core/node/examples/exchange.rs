//! Two nodes of one process exchange messages over TCP on the loopback, durably, with receipts.
//!
//! usage: cargo run --release -p packmule-node --example exchange -- FOLDER COUNT BYTES [serial]
//! Prints messages and megabytes a second until the last receipt, and the memory of both.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use packmule_agent::did::{Method, NewDid, create};
use packmule_agent::keystore::Cost;
use packmule_agent::message::Message;
use packmule_bus::link::{Transport, Way};
use packmule_node::control::EventLine;
use packmule_node::desk::Protection;
use packmule_node::{Home, Node, NodeConfig, PeerRecord, Submit};
use packmule_tcp::Tcp;
use serde_json::json;
use tokio::sync::watch;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, count, bytes, rest @ ..] = args.as_slice() else {
        return Err("usage: exchange FOLDER COUNT BYTES [serial]".into());
    };
    let (count, bytes): (usize, usize) = (count.parse()?, bytes.parse()?);
    let place = tempfile::tempdir_in(folder)?;
    let (alice, alices) = home(&place.path().join("alice"))?;
    let (bob, bobs) = home(&place.path().join("bob"))?;
    knows(&alice, "bob", &bobs)?;
    knows(&bob, "alice", &alices)?;
    let mut config = NodeConfig::default();
    let b = {
        config.listen = vec![Way::parse("tcp://127.0.0.1:0").ok_or("a way")?];
        start(bob, config.clone()).await?
    };
    config.listen = Vec::new();
    alice.set_ways("bob", &b.listening())?;
    let a = start(alice, config).await?;

    let words = "x".repeat(bytes.saturating_mul(3) / 4);
    let mut packed = Vec::new();
    // Packed beforehand, so that packing is not measured; no more of them than memory allows.
    let count = count.min((256 << 20) / bytes.max(1)).max(1);
    for _ in 0..count {
        let mut message = Message::new("https://didcomm.org/basicmessage/2.0/message");
        message.body = Some(json!({ "content": words }));
        packed.extend(a.desk().records(&bobs.did, message, Protection::Auth)?);
    }
    let delivered = receipts(a.events());
    let start = Instant::now();
    let reader = {
        let b = b.clone();
        tokio::spawn(async move {
            for _ in 0..count {
                if let Some(received) = b.receive().await {
                    let _ = received.done().await;
                }
            }
        })
    };
    if rest.first().is_some_and(|word| word == "serial") {
        for (sent, record) in (1..).zip(packed) {
            let options = Submit::default();
            a.submit(record.packed, &bobs.did, options).await?;
            delivered.clone().wait_for(|done| *done >= sent).await?;
        }
    } else {
        let mut producers = tokio::task::JoinSet::new();
        let packed = Arc::new(tokio::sync::Mutex::new(packed));
        for _ in 0..16 {
            let (a, packed, to) = (a.clone(), Arc::clone(&packed), bobs.did.clone());
            producers.spawn(async move {
                loop {
                    let next = packed.lock().await.pop();
                    let Some(record) = next else { return };
                    if let Err(error) = a.submit(record.packed, &to, Submit::default()).await {
                        eprintln!("{error}");
                    }
                }
            });
        }
        while producers.join_next().await.is_some() {}
        println!("submitted after {:.3?}", start.elapsed());
        delivered.clone().wait_for(|done| *done >= count).await?;
    }
    let took = start.elapsed().as_secs_f64();
    reader.await?;
    println!(
        "{count} messages: {:.0}/s, {:.1} MB/s until the last receipt; read after {:.3?}; {}",
        count as f64 / took,
        (count * bytes) as f64 / took / 1e6,
        start.elapsed(),
        memory()
    );
    a.stop().await;
    b.stop().await;
    Ok(())
}

async fn start(home: Arc<Home>, config: NodeConfig) -> Outcome<Node> {
    let keys = home.unlock(b"exchange")?;
    let tcp: Arc<dyn Transport> = Arc::new(Tcp);
    Ok(Node::start(home, keys, vec![tcp], config).await?)
}

fn home(dir: &Path) -> Outcome<(Arc<Home>, NewDid)> {
    let cheap = Cost {
        memory_kib: 64,
        passes: 1,
        ..Cost::STANDARD
    };
    let did = create(Method::Key, &[])?;
    Ok((
        Arc::new(Home::create_with(dir, &did, b"exchange", cheap)?),
        did,
    ))
}

fn knows(home: &Home, name: &str, other: &NewDid) -> Outcome<()> {
    home.add_peer(&PeerRecord {
        name: name.to_owned(),
        did: other.did.clone(),
        doc: other.doc.to_json(),
        added: 0,
    })?;
    Ok(())
}

/// Counts the receipts, from now on.
fn receipts(mut events: packmule_node::Events) -> watch::Receiver<usize> {
    let (counting, counted) = watch::channel(0);
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match event {
                EventLine::Progress { rung, .. } if rung == "delivered" => {
                    counting.send_modify(|count| *count += 1);
                }
                EventLine::Other { what } => println!("{what}"),
                _ => {}
            }
        }
    });
    counted
}

/// What the system says of this process.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.unwrap_or("memory unknown").to_owned()
}
