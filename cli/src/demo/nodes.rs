//! Two running nodes exchange a message over TCP; a mule brings one between two that never meet.

use std::time::{Duration, Instant};

use packmule_agent::did::{Method, create};
use packmule_agent::protocol::basic_message;
use packmule_bus::link::Way;
use packmule_node::desk::Protection;
use packmule_node::{Home, OutState};

use super::stage::{Stage, expect, newest};
use crate::cmd::accept;
use crate::fault::Fault;
use crate::flow::carry;
use crate::flow::embark::Aboard;
use crate::flow::party::{self, Party};
use crate::flow::settings::Settings;

/// Longer than this nothing here takes, even on a telephone.
const PATIENCE: Duration = Duration::from_secs(60);

/// Alice's and bob's nodes meet on this computer's loopback.
pub(super) fn link(stage: &mut Stage) -> Result<Vec<String>, Fault> {
    let (alice, bob) = (stage.alice()?, stage.bob()?);
    let bobs = embark(bob)?;
    let way = door(&bobs)?;
    alice.home().set_ways("bob", std::slice::from_ref(&way))?;
    let alices = embark(alice)?;
    let begun = Instant::now();
    let id = write(alice, "bob", "By a live link this time.", &alices)?;
    wait(alice, &id, OutState::Acknowledged)?;
    let took = begun.elapsed();
    alices.leave();
    bobs.leave();
    Ok(vec![
        format!("two nodes run, as with `packmule run`; bob's listens on {way}"),
        "the link is sealed (Noise XX); each proves its DID over it".into(),
        format!(
            "alice's message was stored by bob, opened, and its signed receipt was back after {} ms",
            took.as_millis()
        ),
    ])
}

/// The mule meets alice first, and bob later.
pub(super) fn mule(stage: &mut Stage) -> Result<Vec<String>, Fault> {
    let home = Home::create(
        &stage.dir.join("mule"),
        &create(Method::Key, &[])?,
        super::stage::PASSPHRASE,
    )?;
    let mule = Party::unlock(home, super::stage::PASSPHRASE)?;
    let (alice, bob) = (stage.alice()?, stage.bob()?);
    for one in [alice, bob] {
        accept::accept(one, mule.did(), None, Some("mule"), true)?;
    }
    let mules = embark(&mule)?;
    let way = door(&mules)?;
    alice.home().set_ways("mule", std::slice::from_ref(&way))?;
    // Bob is not at home.
    alice.home().set_ways("bob", &[])?;
    let alices = embark(alice)?;
    let id = write(alice, "bob", "By mule.", &alices)?;
    wait(alice, &id, OutState::Sent)?;
    alices.leave();
    bob.home().set_ways("mule", std::slice::from_ref(&way))?;
    let bobs = embark(bob)?;
    let until = Instant::now() + PATIENCE;
    while newest(bob)?.text() != Some("By mule.") {
        expect(Instant::now() < until, "the mule brought nothing")?;
        std::thread::sleep(Duration::from_millis(20));
    }
    bobs.leave();
    mules.leave();
    Ok(vec![
        "alice's node gives a copy to the mule's, which is no party to it and cannot read it"
            .into(),
        "alice's node ends; later the mule meets bob, who proves that he is bob, and gets it"
            .into(),
    ])
}

/// A node on the home of a party, on a port of the system's choice.
fn embark(party: &Party) -> Result<Aboard, Fault> {
    let dir = party.home().dir();
    let mut settings = Settings::of_home(dir)?;
    settings.listen = Way::parse("tcp://127.0.0.1:0").into_iter().collect();
    settings.discover = false;
    Aboard::start(Home::open(dir)?, party.keys().clone(), &settings)
}

fn door(aboard: &Aboard) -> Result<Way, Fault> {
    let way = aboard.node.listening().into_iter().next();
    way.ok_or_else(|| Fault::not_found("loopback cannot be listened on"))
}

fn write(from: &Party, to: &str, words: &str, aboard: &Aboard) -> Result<String, Fault> {
    let peer = party::peer(from.home(), to)?;
    let queued = from.submit(&peer, basic_message::message(words), Protection::Auth)?;
    aboard.runtime.block_on(aboard.node.poke());
    Ok(queued.message_id)
}

fn wait(party: &Party, id: &str, state: OutState) -> Result<(), Fault> {
    let until = Instant::now() + PATIENCE;
    loop {
        let rows = carry::rows(party.home(), Some(state))?;
        if rows.iter().any(|row| row.message_id == id) {
            return Ok(());
        }
        expect(Instant::now() < until, "nobody took the message")?;
        std::thread::sleep(Duration::from_millis(20));
    }
}
