//! An edge device in a program of your own: a node, a reading to send, a receipt that it arrived.
//!
//! usage: cargo run -p packmule-node --example device
//!
//! Alice's pump measures and bob's tablet reads. Each has a home (a folder: keys, peers, messages,
//! durable) and a node that runs on it over TCP; any transport of packmule does, as a `dyn` value.
//! The pump writes while nobody is there: its message waits on its disk. Then the tablet comes,
//! the two find that they can talk, and the pump learns by bob's signed receipt that he has it.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use packmule_agent::did::{Method, NewDid, create};
use packmule_agent::keystore::Cost;
use packmule_agent::message::Message;
use packmule_bus::link::{Transport, Way};
use packmule_node::control::EventLine;
use packmule_node::desk::Protection;
use packmule_node::{Home, Node, NodeConfig, PeerRecord, Submit};
use packmule_tcp::Tcp;
use serde_json::json;

type Outcome<T> = Result<T, Box<dyn Error>>;

const PASSPHRASE: &[u8] = b"correct horse";

#[tokio::main]
async fn main() -> Outcome<()> {
    let place = tempfile::tempdir()?;
    let (pumps_home, pump) = home(&place.path().join("pump"))?;
    let (tablets_home, tablet) = home(&place.path().join("tablet"))?;
    // In life an invitation does this: a QR code on the pump's lid.
    knows(&pumps_home, "bob", &tablet)?;
    knows(&tablets_home, "pump", &pump)?;

    // Where the tablet will be; nobody is there yet.
    let port = std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port();
    let way = Way::parse(&format!("tcp://127.0.0.1:{port}")).ok_or("a way")?;
    pumps_home.set_ways("bob", std::slice::from_ref(&way))?;

    let pumps_node = start(pumps_home, NodeConfig::default()).await?;
    let mut news = pumps_node.events();

    // The desk packs: who it is from, whom it is for, what it says. What comes out is opaque to
    // every channel and carrier.
    let mut reading = Message::new("https://didcomm.org/basicmessage/2.0/message");
    reading.body = Some(json!({ "content": "kilometre 40: 12 litres a minute" }));
    for packed in pumps_node
        .desk()
        .records(&tablet.did, reading, Protection::Auth)?
    {
        // When this returns it is on the disk: a power cut from here on loses nothing.
        let options = Submit::default();
        pumps_node
            .submit(packed.packed, &tablet.did, options)
            .await?;
    }
    println!("the pump has written, and nobody is there");

    let config = NodeConfig {
        listen: vec![way],
        ..NodeConfig::default()
    };
    let tablets_node = start(tablets_home, config).await?;
    println!("the tablet listens on {:?}", tablets_node.listening());

    let arrived = tablets_node.receive().await.ok_or("the node ended")?;
    println!("the tablet has it");
    // Until this it is said again, in the next life of the node too: no message falls between.
    arrived.done().await?;

    while let Some(event) = news.next().await {
        if let EventLine::Progress { rung, .. } = event {
            println!("the pump hears: {rung}");
            if rung == "delivered" {
                break;
            }
        }
    }
    pumps_node.stop().await;
    tablets_node.stop().await;
    Ok(())
}

/// A home with a DID that needs no network and no registry.
fn home(dir: &Path) -> Outcome<(Arc<Home>, NewDid)> {
    let did = create(Method::Key, &[])?;
    // A device with little memory pays less for its passphrase; `Home::create` pays the usual.
    let cost = Cost {
        memory_kib: 8 << 10,
        passes: 1,
        ..Cost::STANDARD
    };
    let home = Home::create_with(dir, &did, PASSPHRASE, cost)?;
    Ok((Arc::new(home), did))
}

async fn start(home: Arc<Home>, config: NodeConfig) -> Outcome<Node> {
    let keys = home.unlock(PASSPHRASE)?;
    let transports: Vec<Arc<dyn Transport>> = vec![Arc::new(Tcp)];
    Ok(Node::start(home, keys, transports, config).await?)
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
