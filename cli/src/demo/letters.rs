//! Messages cross as QR frames and in a folder; an acknowledgement returns.

use std::fs;

use packmule_agent::protocol::basic_message;
use packmule_bus::Envelope;
use packmule_node::OutState;
use packmule_node::desk::Protection;
use packmule_transports::drive::Folder;

use super::stage::{Stage, expect, newest, open_all, sizes};
use crate::args::PictureFormat;
use crate::fault::Fault;
use crate::flow::partials::Held;
use crate::flow::pictures::{self, Saving};
use crate::flow::{attachments, carry, files, party, take};
use crate::ui::output::{one_line, size};
use crate::ui::time::now;

/// What bob writes: long enough to need several codes.
fn report() -> String {
    (1..=60)
        .map(|n| {
            format!(
                "Kilometre {n}: {}.\n",
                [
                    "the well is dry",
                    "the track is washed out",
                    "water, and shade"
                ][n % 3]
            )
        })
        .collect()
}

/// Bob's hello and his message go as pictures; every fourth frame is lost; alice reads the rest.
pub(super) fn frames(stage: &mut Stage) -> Result<Vec<String>, Fault> {
    let dir = stage.place("qr")?;
    let words = report();
    let bob = stage.bob()?;
    let alice_peer = party::peer(bob.home(), "alice")?;
    let queued = bob.submit(
        &alice_peer,
        basic_message::message(&words),
        Protection::Auth,
    )?;
    let mut told = Vec::new();
    let mut lost = 0;
    for row in carry::rows(bob.home(), Some(OutState::Queued))? {
        let (packed, _) = carry::packed(bob.home(), &row)?;
        let envelope = Envelope::from_packed(&packed)?;
        let how = Saving {
            format: PictureFormat::Png,
            redundancy: Some(170),
            ..Saving::default()
        };
        let paths = pictures::save(&envelope, &dir, how, true)?.files;
        bob.home().mark_sent(&[row.id], "qr", now())?;
        let hello = row.message_id != queued.message_id;
        told.push(format!(
            "bob's {}: {}; {} picture(s)",
            if hello { "hello" } else { "message" },
            sizes(&packed)?,
            paths.len()
        ));
        if paths.len() > 1 {
            for path in paths.iter().step_by(4) {
                fs::remove_file(path).map_err(|err| Fault::file("remove", path, &err))?;
                lost += 1;
            }
        }
    }
    expect(lost > 0, "no frame could be lost")?;
    let alice = stage.alice()?;
    let gathered = pictures::read(std::slice::from_ref(&dir), &Held::default(), true)?;
    take::take_envelopes(alice.home(), &gathered.envelopes, "qr")?;
    let judged = open_all(alice)?;
    expect(judged.met.len() == 1, "alice did not meet bob")?;
    let arrived = newest(alice)?;
    expect(
        arrived.text() == Some(words.as_str()),
        "the words changed on the way",
    )?;
    told.push(format!(
        "{lost} pictures were lost; alice read {} codes in {} and has the whole message",
        gathered.tally.codes,
        dir.display()
    ));
    told.push("the hello named her invitation, so bob is her peer now; she calls him bob".into());
    let met = party::peer(alice.home(), &judged.met.concat())?;
    let renamed = packmule_node::PeerRecord {
        name: "bob".into(),
        ..met.clone()
    };
    alice.home().update_peer(&met.did, &renamed)?;
    told.push(format!(
        "from: {}; protected: {}; \"{}\"",
        renamed.name,
        arrived.protection().join(", "),
        one_line(&words, 40)
    ));
    Ok(told)
}

/// Alice answers with a picture attached, by a folder such as a USB stick.
pub(super) fn folder(stage: &mut Stage) -> Result<Vec<String>, Fault> {
    let stick = stage.place("stick")?;
    let photo_path = stage.dir.join("invitation.png");
    stage.photo = files::read_input(Some(&photo_path))?;
    let alice = stage.alice()?;
    let bob_peer = party::peer(alice.home(), "bob")?;
    let mut answer = basic_message::message("Thank you. The code that I showed you is attached.");
    answer
        .attachments
        .push(attachments::from_file(&photo_path)?);
    answer.please_ack = vec![String::new()];
    let queued = alice.submit(&bob_peer, answer, Protection::Auth)?;
    let folder = Folder::open(&stick)?;
    let mut packed = Vec::new();
    for row in carry::rows(alice.home(), Some(OutState::Queued))? {
        if row.message_id == queued.message_id {
            packed = carry::packed(alice.home(), &row)?.0;
        }
    }
    let carried = carry::export(alice.home(), &folder, None, carry::Form::Files, true)?;
    if let Some(fault) = carried.broken {
        return Err(fault);
    }
    let mut told = vec![format!("alice's answer: {}", sizes(&packed)?)];
    stage.copied = packed;
    stage.answer_id = queued.message_id;
    let dir = stage.place("received")?;
    let bob = stage.bob()?;
    let taken = take::take_folder(bob.home(), &folder, take::For::Us, true)?;
    expect(
        taken.new >= 1 && taken.broken.is_none(),
        "the folder brought nothing",
    )?;
    open_all(bob)?;
    let arrived = newest(bob)?;
    let saved = attachments::save_all(&arrived.letter.message.attachments, &dir)?;
    let path = saved
        .first()
        .and_then(|one| one.path.clone())
        .unwrap_or_default();
    let same = files::read_input(Some(&path))? == stage.photo;
    expect(same, "the attachment changed on the way")?;
    told.push(format!(
        "written to {}, and taken out by bob: \"{}\"",
        folder.path().display(),
        one_line(arrived.text().unwrap_or(""), 60)
    ));
    told.push(format!(
        "its attachment ({}) lies unchanged in {}",
        size(stage.photo.len() as u64),
        path.display()
    ));
    Ok(told)
}

/// Alice asked for an acknowledgement: it goes back by the same stick.
pub(super) fn ack(stage: &mut Stage) -> Result<Vec<String>, Fault> {
    let folder = Folder::open(stage.place("stick")?)?;
    let carried = carry::export(stage.bob()?.home(), &folder, None, carry::Form::Files, true)?;
    expect(carried.written >= 1, "bob's agent answered nothing")?;
    let wanted = stage.answer_id.clone();
    let alice = stage.alice()?;
    take::take_folder(alice.home(), &folder, take::For::Us, true)?;
    open_all(alice)?;
    let acknowledged = carry::rows(alice.home(), Some(OutState::Acknowledged))?;
    expect(
        acknowledged.iter().any(|row| row.message_id == wanted),
        "no acknowledgement came",
    )?;
    Ok(vec![format!(
        "bob's agent acknowledged message {wanted} by itself; alice's outbox says \"acknowledged\""
    )])
}

/// The same message once more, by another channel: it is known.
pub(super) fn twice(stage: &mut Stage) -> Result<Vec<String>, Fault> {
    let envelope = Envelope::from_packed(&stage.copied)?;
    let bob = stage.bob()?;
    let before = bob.home().inbox(0, 1000)?.len();
    let taken = take::take_envelopes(bob.home(), &[envelope], "qr")?;
    let after = bob.home().inbox(0, 1000)?.len();
    expect(
        taken.duplicate == 1 && before == after,
        "a message arrived twice",
    )?;
    Ok(vec![
        "alice's answer is brought again, as a picture this time: bob has it once".into(),
    ])
}
