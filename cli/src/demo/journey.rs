//! One message by three media: a radio begins it, codes go on, a stick ends it; each brings what is
//! lacking, and its receipt takes the last copy away.
//!
//! The radio is one in memory (`transports/ble`'s room of devices), so that this plays on any
//! computer: the plan of values, the session over it and the nodes are those of real radios.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use packmule_agent::message::Attachment;
use packmule_agent::protocol::basic_message;
use packmule_bus::Envelope;
use packmule_bus::fountain::Partial;
use packmule_bus::link::{Transport, Way};
use packmule_node::desk::Protection;
use packmule_node::{Home, OutState};
use packmule_transports::ble::Ble;
use packmule_transports::ble::air::{Air, Stack};
use packmule_transports::drive::Folder;

use super::stage::{Stage, expect, newest, open_all};
use crate::args::PictureFormat;
use crate::fault::Fault;
use crate::flow::embark::Aboard;
use crate::flow::party::{self, Party};
use crate::flow::pictures::{self, Saving};
use crate::flow::settings::Settings;
use crate::flow::{carry, partials, take};
use crate::ui::output::size;

/// Longer than this nothing here takes, even on a telephone.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of the message's attachment: with its letter some 60 kB.
const PHOTO: usize = 44_000;
/// After so many bytes bob is out of reach.
const RADIO: u64 = 22_000;
/// What a telephone agrees on.
const MTU: usize = 247;
const WORDS: &str = "All that we found, in one picture.";

/// Plays it.
pub(super) fn media(stage: &mut Stage) -> Result<Vec<String>, Fault> {
    let (alice, bob) = (stage.alice()?, stage.bob()?);
    let envelope = written(alice)?;
    let whole = envelope.to_wire().len() as u64;
    // A copy for somebody who may meet bob.
    let spare = Folder::open(stage.place("spare-stick")?)?;
    carry::export(alice.home(), &spare, None, carry::Form::Files, true)?;
    alice.home().requeue(&envelope.id())?;

    let sent = by_radio(alice, bob)?;
    let radio = here(bob)?;
    let codes = by_codes(stage, &envelope)?;
    let scanned = here(bob)?;

    let stick = Folder::open(stage.place("last-stick/DIDCOMM")?)?;
    let asked = take::take_folder(bob.home(), &stick, take::For::Us, true)?;
    expect(asked.asked == 1, "bob asked for nothing")?;
    let answered = carry::export(alice.home(), &stick, None, carry::Form::Files, true)?;
    expect(answered.rests == 1, "alice did not answer what bob asked")?;
    let rest = weigh(&stick)?;
    let taken = take::take_folder(bob.home(), &stick, take::For::Us, true)?;
    expect(taken.finished == 1, "the stick did not make it whole")?;
    open_all(bob)?;
    expect(
        newest(bob)?.text() == Some(WORDS),
        "the words changed on the way",
    )?;
    let all = radio + codes + rest;
    expect(all * 100 < whole * 112, "bytes came twice")?;

    // Word of it on the same stick; then the spare copy is of no use to anybody.
    carry::export(bob.home(), &stick, None, carry::Form::Files, true)?;
    take::take_folder(alice.home(), &stick, take::For::Us, true)?;
    open_all(alice)?;
    let acknowledged = carry::rows(alice.home(), Some(OutState::Acknowledged))?;
    let known = acknowledged.iter().any(|row| row.id == envelope.id());
    expect(known, "no acknowledgement came")?;
    let purged = carry::export(alice.home(), &spare, None, carry::Form::Files, true)?;
    expect(purged.purged == 1, "the copy on the spare stick stays")?;
    let kb = |bytes: u64| size(bytes);
    Ok(vec![
        format!(
            "alice's message has {}; bob walks away from her radio: {} of {} that were sent are on his disk",
            kb(whole),
            kb(radio),
            kb(sent)
        ),
        format!(
            "he films some of the codes she shows: {} more, {} now",
            kb(codes),
            kb(scanned)
        ),
        format!(
            "his stick asks for the rest, hers brings it: {} and not one more",
            kb(rest)
        ),
        format!(
            "in all {} for {}; his acknowledgement removes the copy from a spare stick",
            kb(all),
            kb(whole)
        ),
    ])
}

fn written(alice: &Party) -> Result<Envelope, Fault> {
    let peer = party::peer(alice.home(), "bob")?;
    let mut noise = 9_u32;
    let photo: Vec<u8> = std::iter::repeat_with(|| {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        noise.to_be_bytes()[0]
    })
    .take(PHOTO)
    .collect();
    let mut message = basic_message::message(WORDS);
    message.please_ack = vec![String::new()];
    message.attachments.push(Attachment::base64(&photo));
    let queued = alice.submit(&peer, message, Protection::Auth)?;
    for row in carry::rows(alice.home(), Some(OutState::Queued))? {
        if row.message_id == queued.message_id {
            return Ok(Envelope::from_packed(
                &carry::packed(alice.home(), &row)?.0,
            )?);
        }
    }
    Err(Fault::not_found("the message is not in the outbox"))
}

/// Until bob is out of reach. How many bytes were sent.
fn by_radio(alice: &Party, bob: &Party) -> Result<u64, Fault> {
    let air = Air::new(Stack {
        central_mtu: MTU,
        peripheral_mtu: MTU,
        ..Stack::default()
    });
    alice.home().set_ways(
        "bob",
        &Way::parse("ble:bob").into_iter().collect::<Vec<_>>(),
    )?;
    let bobs = embark(bob, &air, "bob")?;
    air.end_after(RADIO);
    let alices = embark(alice, &air, "alice")?;
    let until = Instant::now() + PATIENCE;
    while !air.carried().1 {
        expect(Instant::now() < until, "the radio carries nothing")?;
        std::thread::sleep(Duration::from_millis(5));
    }
    alices.leave();
    bobs.leave();
    alice.home().set_ways("bob", &[])?;
    Ok(air.carried().0)
}

fn embark(party: &Party, air: &Air, address: &str) -> Result<Aboard, Fault> {
    let dir = party.home().dir();
    let mut settings = Settings::of_home(dir)?;
    settings.listen = Way::parse("ble:radio").into_iter().collect();
    settings.discover = false;
    let radio: Arc<dyn Transport> = Arc::new(Ble::new(air.device(address)));
    Aboard::by(
        Home::open(dir)?,
        party.keys().clone(),
        &settings,
        vec![radio],
    )
}

/// Bytes of the message that bob has.
fn here(bob: &Party) -> Result<u64, Fault> {
    let held = partials::load(bob.home())?;
    let links = held.begun.iter().filter_map(|one| one.cut(16));
    let all = held.partials.into_iter().chain(links);
    let bytes = |one: Partial| u64::from(one.shape().symbol_bytes()) * one.symbols().count() as u64;
    Ok(all.map(bytes).max().unwrap_or(0))
}

/// Bob sees the last codes of a row and no more. How many bytes they hold.
fn by_codes(stage: &Stage, envelope: &Envelope) -> Result<u64, Fault> {
    let dir = stage.place("some-codes")?;
    let how = Saving {
        format: PictureFormat::Png,
        ..Saving::default()
    };
    let shown = pictures::save(envelope, &dir, how, true)?.files;
    let seen: Vec<PathBuf> = shown.iter().rev().take(shown.len() / 5).cloned().collect();
    let bob = stage.bob()?;
    let held = partials::load(bob.home())?;
    let gathered = pictures::read(&seen, &held, true)?;
    partials::keep(bob.home(), &gathered.held)?;
    expect(gathered.envelopes.is_empty(), "a few codes were all of it")?;
    let symbol = gathered
        .unfinished
        .first()
        .map_or(0, |one| one.symbol_bytes);
    Ok(u64::from(symbol) * seen.len() as u64)
}

/// Bytes of what lies in the folder itself, but for its README.
fn weigh(folder: &Folder) -> Result<u64, Fault> {
    let entries =
        std::fs::read_dir(folder.path()).map_err(|err| Fault::file("list", folder.path(), &err))?;
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry
            .ok()
            .filter(|entry| entry.file_name() != "README.TXT")?;
        entry.metadata().ok().filter(std::fs::Metadata::is_file)
    };
    Ok(entries.filter_map(file).map(|meta| meta.len()).sum())
}
