//! Two nodes as processes of their own, with scratch homes, joined by TCP on this machine.
//!
//! Who calls it: `bench link`. What can go wrong: a child that does not start; it is told what it
//! said. Dropping a child kills it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use packmule_agent::did::{Method, NewDid, create};
use packmule_agent::keystore::Cost;
use packmule_agent::protocol::trust_ping;
use packmule_bus::link::Way;
use packmule_node::control::{Client, Request};
use packmule_node::desk::{Desk, Protection};
use packmule_node::{Home, OutState, PeerRecord};
use serde_json::Value;

use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::{node, party};
use crate::ui::passphrase::VARIABLE;
use crate::ui::time::now;

/// It guards nothing: the homes are scratch.
pub(super) const PASSPHRASE: &str = "bench";
/// How long the two may take to meet.
const MEETING: Duration = Duration::from_secs(30);
/// Guessing costs nothing either.
const CHEAP: Cost = Cost {
    memory_kib: 8 << 10,
    ..Cost::STANDARD
};

/// Alice's node and bob's, who know each other and have a link.
pub(super) struct Pair {
    pub(super) alice: Node,
    pub(super) bob: Node,
}

impl Pair {
    /// Makes the homes, starts the nodes, and waits until they have met.
    pub(super) fn start(dir: &Path) -> Result<Self, Fault> {
        homes(dir)?;
        let bob = Node::start(&dir.join("bob"))?;
        Home::open(&dir.join("alice"))?.set_ways("bob", std::slice::from_ref(&bob.way))?;
        let alice = Node::start(&dir.join("alice"))?;
        let pair = Self { alice, bob };
        pair.meet()?;
        Ok(pair)
    }

    /// The link, the proofs over it and a first hello are no part of what is measured.
    fn meet(&self) -> Result<(), Fault> {
        let desk = Desk::unlock(Home::open(&self.alice.home)?, PASSPHRASE.as_bytes())?;
        let bob = party::peer(desk.home(), "bob")?;
        desk.submit(&bob, trust_ping::ping(false), Protection::Auth)?;
        node::poke(&self.alice.home);
        let until = Instant::now() + MEETING;
        while Instant::now() < until {
            let done = desk.home().outbox(Some(OutState::Acknowledged), 0, 1)?;
            if !done.is_empty() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(Fault::new(Exit::Internal, "the two nodes did not meet"))
    }
}

/// Alice's home and bob's, who know each other.
pub(super) fn homes(dir: &Path) -> Result<(), Fault> {
    let (alice, bob) = (create(Method::Peer2, &[])?, create(Method::Peer2, &[])?);
    let homes = [
        ("alice", &alice, "bob", &bob),
        ("bob", &bob, "alice", &alice),
    ];
    for (name, own, other, theirs) in homes {
        let home = Home::create_with(&dir.join(name), own, PASSPHRASE.as_bytes(), CHEAP)?;
        home.add_peer(&peer(other, theirs))?;
    }
    Ok(())
}

fn peer(name: &str, new: &NewDid) -> PeerRecord {
    PeerRecord {
        name: name.to_owned(),
        did: new.did.clone(),
        doc: new.doc.to_json(),
        added: now(),
    }
}

/// One `packmule run`.
pub(super) struct Node {
    pub(super) home: PathBuf,
    way: Way,
    child: Child,
}

impl Node {
    fn start(home: &Path) -> Result<Self, Fault> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([
                "run",
                "--json",
                "--no-discover",
                "--listen",
                "tcp://127.0.0.1:0",
            ])
            .arg("--home")
            .arg(home)
            .env(VARIABLE, PASSPHRASE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let ready: Value = serde_json::from_str(&line).unwrap_or(Value::Null);
        let way = ready.pointer("/listen/0").and_then(Value::as_str);
        let Some(way) = way.and_then(Way::parse) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Fault::new(
                Exit::Internal,
                format!("a node did not start: {}", line.trim()),
            ));
        };
        Ok(Self {
            home: home.to_owned(),
            way,
            child,
        })
    }

    /// A conversation with it.
    pub(super) fn client(&self) -> Result<Client, Fault> {
        node::running(&self.home)?.ok_or_else(|| Fault::new(Exit::Internal, "a node has died"))
    }

    /// The most memory that it has ever held, in bytes (`VmHWM`).
    pub(super) fn peak(&self) -> Result<u64, Fault> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: Option<u64> =
            line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        kib.map(|kib| kib << 10)
            .ok_or_else(|| Fault::new(Exit::Internal, "this system does not tell peak memory"))
    }

    /// Ends it gracefully.
    pub(super) fn stop(mut self) -> Result<(), Fault> {
        self.client()?.ask(&Request::Stop)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
