//! What another medium began, a stick finishes: the rest is asked for, answered, and taken in.
//!
//! Who calls it: `take`, which asks and takes in; `carry`, which answers. A link or codes have
//! brought a part; the wish on the stick says which, and the sender writes as many frames as are
//! lacking (`drive::Want`). What can go wrong: a medium that takes no wish (then the whole comes,
//! or nothing), frames of a stranger (the whole is checked like any other message, and what was
//! here before them stays), a message that turns out to be for somebody else (its frames are left
//! where they are), a wish for what is not ours to send (it is left for whom it is meant).

use std::collections::{BTreeMap, BTreeSet};

use packmule_bus::fountain::{Catcher, Caught, Frame, Limits, Partial, TransferId};
use packmule_bus::{Envelope, EnvelopeId, Fragment};
use packmule_node::{Change, Home, OutRow};
use packmule_transports::drive::{Folder, Token, Want};

use crate::fault::Fault;
use crate::flow::partials::{self, Held, MAX_KEPT};

/// Bytes of a symbol when no codes have chosen one: an end of what a link brought that is no
/// whole symbol comes once more, and each frame has 15 bytes beside its symbol.
const SYMBOL: usize = 512;
/// So many wishes are answered for one message: it is cut in one way by whoever has begun it.
const ANSWERS: usize = 2;
/// The topic of notes on what was asked for, by transfer.
const ASKED: &str = "asked-on-sticks";

/// What a message is known by before it is whole.
type Name = (TransferId, u32);

/// What lay there of messages that other media began.
#[derive(Default)]
pub(crate) struct Finished {
    /// Those that are whole now.
    pub(crate) envelopes: Vec<Envelope>,
    /// Files that were left where they are, with the reason.
    pub(crate) left: Vec<(String, String)>,
    /// Where frames of use lay, and of which messages.
    files: Vec<(Token, BTreeSet<Name>)>,
    /// What is still not whole.
    held: Held,
}

/// Takes in frames of what has begun here, and of nothing else. Nothing is written yet.
pub(crate) fn finish(home: &Home, folder: &Folder) -> Result<Option<Finished>, Fault> {
    let held = partials::load(home)?;
    let begun = names(&held);
    if begun.is_empty() {
        return Ok(None);
    }
    let mut finished = Finished::default();
    let mut limits = Limits::default();
    limits.sessions = MAX_KEPT;
    let mut catcher = Catcher::new(limits);
    for fragment in &held.begun {
        catcher.know(fragment.clone());
    }
    let mut spoiled = BTreeSet::new();
    for partial in &held.partials {
        finished.note(catcher.merge(partial).ok());
    }
    for rest in folder.rests()? {
        let rest = match rest {
            Ok(rest) => rest,
            Err(err) => {
                let name = err.file().unwrap_or_default().to_owned();
                finished.left.push((name, err.to_string()));
                continue;
            }
        };
        let (mut of, mut wrong) = (BTreeSet::new(), false);
        for bytes in rest.frames() {
            let Ok(frame) = Frame::parse(bytes) else {
                continue;
            };
            let name = (frame.transfer, frame.shape.object_bytes());
            if !begun.contains(&name) {
                continue;
            }
            of.insert(name);
            let caught = catcher.catch(bytes).ok();
            wrong |= matches!(caught, Some(Caught::Mismatch(_)));
            finished.note(caught);
        }
        if wrong {
            let why = "with it a message does not become what it was".to_owned();
            finished.left.push((rest.name, why));
            spoiled.extend(of);
        } else if !of.is_empty() {
            finished.files.push((rest.token, of));
        }
    }
    // Of what forged frames have spoiled, all that was here before is kept.
    let is_spoiled = |one: &Partial| spoiled.contains(&name(one));
    let mut partials = catcher.partials();
    partials.retain(|one| !is_spoiled(one));
    let done: BTreeSet<Name> = finished.envelopes.iter().map(name_of).collect();
    let before = held.partials.into_iter();
    partials.extend(before.filter(|one| is_spoiled(one) && !done.contains(&name(one))));
    finished.held = Held {
        partials,
        parts: held.parts,
        begun: Vec::new(),
    };
    Ok(Some(finished))
}

impl Finished {
    fn note(&mut self, caught: Option<Caught>) {
        if let Some(Caught::Complete { object, .. }) = caught {
            self.envelopes.extend(Envelope::decode(&object));
        }
    }

    /// Keeps what is still not whole; then, what settles the frames that are not needed any more:
    /// all that they brought is here, as a part or in the store, which has these messages.
    pub(crate) fn keep(
        &self,
        home: &Home,
        stored: &BTreeSet<EnvelopeId>,
    ) -> Result<Vec<&Token>, Fault> {
        partials::keep(home, &self.held)?;
        let elsewhere = |one: &&Envelope| !stored.contains(&one.id());
        let others: BTreeSet<Name> = self
            .envelopes
            .iter()
            .filter(elsewhere)
            .map(name_of)
            .collect();
        let files = self.files.iter();
        let ours = files.filter(|(_, of)| of.is_disjoint(&others));
        Ok(ours.map(|(token, _)| token).collect())
    }
}

fn name(partial: &Partial) -> Name {
    (partial.transfer(), partial.shape().object_bytes())
}

fn name_of(envelope: &Envelope) -> Name {
    let wire = envelope.to_wire();
    (
        TransferId::of(&wire),
        u32::try_from(wire.len()).unwrap_or(u32::MAX),
    )
}

fn names(held: &Held) -> BTreeSet<Name> {
    let links = held.begun.iter().filter_map(|one| one.cut(SYMBOL));
    let links = links.map(|partial| name(&partial));
    held.partials.iter().map(name).chain(links).collect()
}

/// Says on a medium that has a folder how far we are with what has begun, and takes away what was
/// asked for there and is not lacking any more; how many messages are asked for. What the medium
/// does not take is no fault: somebody brings the whole.
pub(crate) fn ask(home: &Home, folder: &Folder) -> Result<usize, Fault> {
    if !folder.path().is_dir() {
        return Ok(0);
    }
    let held = partials::load(home)?;
    let scanned: BTreeSet<Name> = held.partials.iter().map(name).collect();
    let of_links = held.begun.iter().filter_map(|one| one.cut(SYMBOL));
    let of_links = of_links.filter(|partial| !scanned.contains(&name(partial)));
    let wants: BTreeMap<TransferId, Want> = held
        .partials
        .iter()
        .map(|scanned| together(scanned, &held.begun))
        .chain(of_links)
        .map(|partial| (partial.transfer(), Want::rest_of(&partial)))
        .filter(|(_, want)| want.received > 0)
        .collect();
    let asked: BTreeSet<String> = home.notes(ASKED)?.into_iter().map(|(key, _)| key).collect();
    if !asked.is_empty() {
        for old in folder.wanted().unwrap_or_default() {
            let ours = asked.contains(&old.transfer.to_string());
            if ours && !wants.contains_key(&old.transfer) {
                let _ = folder.forget_want(&old);
            }
        }
    }
    let fresh = wants.keys().map(TransferId::to_string);
    let fresh = fresh
        .filter(|key| !asked.contains(key))
        .map(|key| Change::Note {
            topic: ASKED.to_owned(),
            key,
            value: Some(String::new()),
        });
    let fresh: Vec<Change> = fresh.collect();
    if !fresh.is_empty() {
        home.apply(&fresh)?;
    }
    let wants: Vec<Want> = wants.into_values().collect();
    Ok(folder.ask(&wants).map_or(0, |()| wants.len()))
}

/// What codes brought, and what links brought beside them.
fn together(scanned: &Partial, begun: &[Fragment]) -> Partial {
    let mut catcher = Catcher::new(Limits::default());
    begun.iter().for_each(|one| catcher.know(one.clone()));
    let _ = catcher.merge(scanned);
    let all = catcher.partials().into_iter().next();
    all.unwrap_or_else(|| scanned.clone())
}

/// Writes what is asked for of these messages, and takes the wishes away: whose rest lies in the
/// folder now, durably. Best effort: whoever is not answered gets the whole.
pub(crate) fn answer(
    home: &Home,
    folder: &Folder,
    rows: &[OutRow],
    now: u64,
) -> Result<BTreeSet<EnvelopeId>, Fault> {
    let mut answered = BTreeSet::new();
    // A folder that cannot be read is told of by whoever writes to it.
    let mut wanted = folder.wanted().unwrap_or_default();
    for row in rows {
        // No wire form is longer than its JSON, but for a few bytes.
        let may_be = |want: &Want| u64::from(want.shape.object_bytes()) <= row.bytes + 64;
        if !wanted.iter().any(may_be) {
            continue;
        }
        let Some(envelope) = home.outgoing_envelope(&row.id)? else {
            continue;
        };
        let wire = envelope.to_wire();
        let transfer = TransferId::of(&wire);
        let is_it = |want: &mut Want| {
            want.transfer == transfer && want.shape.object_bytes() as usize == wire.len()
        };
        let of_it: Vec<Want> = wanted.extract_if(.., is_it).collect();
        for want in of_it.iter().take(ANSWERS) {
            if folder.deliver_rest(&wire, want, now).is_ok() {
                answered.insert(row.id);
                // Killed before this, the same bytes are found next time.
                let _ = folder.forget_want(want);
            }
        }
    }
    Ok(answered)
}
