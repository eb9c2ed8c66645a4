//! Mallory forges a sender and changes a message on the stick; bob's agent refuses both.

use std::fs;

use packmule_agent::did::{DidDoc, Method, create};
use packmule_agent::keys::Keyring;
use packmule_agent::pack::{Jose, PackPlan, Packer};
use packmule_agent::protocol::basic_message;
use packmule_agent::resolve::DocBook;
use packmule_bus::Kind;
use packmule_node::desk::Refusal;
use packmule_transports::drive::Folder;

use super::stage::{Stage, expect};
use crate::fault::Fault;
use crate::flow::{party, take};
use crate::ui::time::now;

/// Mallory encrypts with her own key a message that says it is from alice.
pub(super) fn forged(stage: &mut Stage) -> Result<Vec<String>, Fault> {
    let alice = stage.alice()?.did().to_owned();
    let bob = stage.bob()?.did().to_owned();
    let mallory = create(Method::Key, &[])?;
    let mut keys = Keyring::new();
    keys.extend(mallory.secrets.clone());
    // Our own packer would not emit this. So mallory lies to hers: a document for alice's DID
    // that lists mallory's keys.
    let mut docs = DocBook::new();
    docs.insert(DidDoc {
        id: alice.clone(),
        ..mallory.doc
    });
    let mut message = basic_message::message("Bring the money to the well. Alice");
    message.from = Some(alice.clone());
    message.to = vec![bob.clone()];
    let plan = PackPlan {
        from: Some(alice),
        to: vec![bob],
        ..PackPlan::default()
    };
    let packed = Jose.pack(&message.to_json(), &plan, &keys, &docs)?.concat();
    let refusal = bring(stage, &packed)?;
    Ok(vec![
        "mallory writes in alice's name, with her own key".into(),
        format!("refused: {} ({})", refusal.reason, refusal.problem),
    ])
}

/// Mallory changes one character of alice's ciphertext.
pub(super) fn tampered(stage: &mut Stage) -> Result<Vec<String>, Fault> {
    let mut packed = stage.copied.clone();
    let marker = br#""ciphertext":""#;
    let at = packed
        .windows(marker.len())
        .position(|window| window == marker)
        .map(|start| start + marker.len() + 100);
    let Some(byte) = at.and_then(|at| packed.get_mut(at)) else {
        return expect(false, "the copied message has no ciphertext").map(|()| Vec::new());
    };
    *byte = if *byte == b'A' { b'B' } else { b'A' };
    let refusal = bring(stage, &packed)?;
    Ok(vec![
        "mallory changes one character of a message on the stick".into(),
        format!("refused: {} ({})", refusal.reason, refusal.problem),
    ])
}

/// Puts bytes on the stick, lets bob import, and wants exactly one refusal and nothing else.
fn bring(stage: &mut Stage, packed: &[u8]) -> Result<Refusal, Fault> {
    let stick = stage.place("stick")?;
    let folder = Folder::open(&stick)?;
    folder.deliver(packed, Kind::Encrypted, now())?;
    let bob = stage.bob()?;
    let before = bob.home().inbox(0, 1000)?.len();
    take::take_folder(bob.home(), &folder, take::For::Us, true)?;
    let judged = party::judge(bob, true)?;
    let after = bob.home().inbox(0, 1000)?.len();
    expect(
        before == after && judged.opened == 0,
        "a forgery reached the inbox",
    )?;
    let listed = bob.home().refused(0, 1000)?;
    let refusal = judged.refused.into_iter().next();
    let refusal = refusal.ok_or_else(|| Fault::not_found("the forgery was not refused"))?;
    expect(
        listed.iter().any(|row| row.id == refusal.id),
        "the refusal is not in the list of refused messages",
    )?;
    fs::create_dir_all(stage.dir.join("mallory"))?;
    let kept = stage
        .dir
        .join("mallory")
        .join(format!("{}.dcem", refusal.id.short()));
    fs::write(&kept, packed).map_err(|err| Fault::file("write", &kept, &err))?;
    Ok(refusal)
}
