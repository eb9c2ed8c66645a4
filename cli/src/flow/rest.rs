//! What another medium began, a stick finishes: the rest is asked for, answered, and taken in.
//!
//! Who calls it: `take`, which asks and takes in; `carry`, which answers. A link or codes have
//! brought a part; the wish on the stick says which, and the sender writes as many frames as are
//! lacking (`drive::Want`). What can go wrong: a medium that takes no wish (then the whole comes,
//! or nothing), frames of a stranger (the whole is checked like any other message), a wish for
//! what is not ours to send (it is left for whom it is meant).

use std::collections::BTreeSet;

use packmule_bus::fountain::{Catcher, Caught, Frame, Limits, Partial, TransferId};
use packmule_bus::{Envelope, EnvelopeId, Fragment};
use packmule_node::{Home, OutRow};
use packmule_transports::drive::{DeliverError, Folder, Token, Want};

use crate::fault::Fault;
use crate::flow::partials::{self, Held, MAX_KEPT};

/// Bytes of a symbol when no codes have chosen one: an end of what a link brought that is no
/// whole symbol comes once more, and each frame has 15 bytes beside its symbol.
const SYMBOL: usize = 512;

/// What lay there of messages that other media began.
#[derive(Default)]
pub(crate) struct Finished {
    /// Those that are whole now.
    pub(crate) envelopes: Vec<Envelope>,
    /// Where frames lay that were of use: to be settled once all else is durable.
    pub(crate) tokens: Vec<Token>,
    /// Files that were left where they are, with the reason.
    pub(crate) left: Vec<(String, String)>,
    /// What is still not whole.
    held: Held,
}

/// Takes in frames of what has begun here, and of nothing else. Nothing is written yet.
pub(crate) fn finish(home: &Home, folder: &Folder) -> Result<Option<Finished>, Fault> {
    let held = partials::load(home)?;
    if held.partials.is_empty() && held.begun.is_empty() {
        return Ok(None);
    }
    let rests = folder.rests()?;
    if rests.is_empty() {
        return Ok(None);
    }
    let mut finished = Finished::default();
    let mut limits = Limits::default();
    limits.sessions = MAX_KEPT;
    let mut catcher = Catcher::new(limits);
    let begun = |transfer, bytes| {
        let cut = |one: &Fragment| one.cut(SYMBOL);
        let of_links = held.begun.iter().filter_map(cut);
        let mut all = held.partials.iter().cloned().chain(of_links);
        all.any(|p: Partial| p.transfer() == transfer && p.shape().object_bytes() == bytes)
    };
    for fragment in &held.begun {
        catcher.know(fragment.clone());
    }
    for partial in &held.partials {
        finished.note(catcher.merge(partial).ok());
    }
    for rest in rests {
        let rest = match rest {
            Ok(rest) => rest,
            Err(err) => {
                let name = err.file().unwrap_or_default().to_owned();
                finished.left.push((name, err.to_string()));
                continue;
            }
        };
        let mut ours = false;
        for bytes in &rest.frames {
            let Ok(frame) = Frame::parse(bytes) else {
                continue;
            };
            if begun(frame.transfer, frame.shape.object_bytes()) {
                ours = true;
                finished.note(catcher.catch(bytes).ok());
            }
        }
        if ours {
            finished.tokens.push(rest.token);
        }
    }
    finished.held = Held {
        partials: catcher.partials(),
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

    /// Keeps what is still not whole. Before the frames are settled.
    pub(crate) fn keep(&self, home: &Home) -> Result<(), Fault> {
        partials::keep(home, &self.held)
    }
}

/// Says on the medium how far we are with what has begun; how many messages that is. What it does
/// not take is no fault: somebody brings the whole.
pub(crate) fn ask(home: &Home, folder: &Folder, whole: &[Envelope]) -> Result<usize, Fault> {
    let held = partials::load(home)?;
    let scanned: BTreeSet<TransferId> = held.partials.iter().map(Partial::transfer).collect();
    let of_links = held.begun.iter().filter_map(|one| one.cut(SYMBOL));
    let of_links = of_links.filter(|partial| !scanned.contains(&partial.transfer()));
    let wants: Vec<Want> = held
        .partials
        .iter()
        .map(|scanned| together(scanned, &held.begun))
        .chain(of_links)
        .map(|partial| Want::rest_of(&partial))
        .filter(|want| want.received > 0)
        .collect();
    if !whole.is_empty() {
        let done: BTreeSet<TransferId> = whole
            .iter()
            .map(|one| TransferId::of(&one.to_wire()))
            .collect();
        for want in folder.wanted().unwrap_or_default() {
            if done.contains(&want.transfer) {
                let _ = folder.forget_want(&want);
            }
        }
    }
    Ok(match folder.ask(&wants) {
        Ok(()) => wants.len(),
        Err(_) => 0,
    })
}

/// What codes brought, and what links brought beside them.
fn together(scanned: &Partial, begun: &[Fragment]) -> Partial {
    let mut catcher = Catcher::new(Limits::default());
    begun.iter().for_each(|one| catcher.know(one.clone()));
    let _ = catcher.merge(scanned);
    let all = catcher.partials().into_iter().next();
    all.unwrap_or_else(|| scanned.clone())
}

/// What was answered.
#[derive(Default)]
pub(crate) struct Answered {
    /// Messages whose rest lies in the folder now, durably.
    pub(crate) ids: BTreeSet<EnvelopeId>,
    /// Why it stopped before the end.
    pub(crate) broken: Option<Fault>,
}

/// Writes what is asked for of these messages, and takes the wishes away.
pub(crate) fn answer(
    home: &Home,
    folder: &Folder,
    rows: &[OutRow],
    now: u64,
) -> Result<Answered, Fault> {
    // A folder that cannot be read is told of by whoever writes to it.
    let mut wanted = folder.wanted().unwrap_or_default();
    let mut answered = Answered::default();
    for row in rows {
        if wanted.is_empty() {
            break;
        }
        let Some(wire) = home.outgoing_wire(&row.id)? else {
            continue;
        };
        let transfer = TransferId::of(&wire);
        let is_it = |want: &Want| {
            want.transfer == transfer && want.shape.object_bytes() as usize == wire.len()
        };
        for want in wanted.extract_if(.., |want| is_it(want)) {
            match folder.deliver_rest(&wire, &want, now) {
                Ok(_) => _ = answered.ids.insert(row.id),
                // Nobody can answer it: the whole goes.
                Err(DeliverError::NotAMessage) => {}
                Err(err) => {
                    answered.broken = Some(err.into());
                    return Ok(answered);
                }
            }
            // Killed before this, the same bytes are found next time.
            let _ = folder.forget_want(&want);
        }
    }
    Ok(answered)
}
