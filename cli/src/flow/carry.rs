//! Carrying messages out: written durably to a folder, and marked sent afterwards.
//!
//! Who calls it: `export`, the demo. What can go wrong: a full, read-only or vanished medium;
//! what was written is marked, the rest waits on. Killed between the two steps, the next run
//! finds the same bytes in the folder, writes nothing, and marks them then; of batches only if
//! the same messages wait, otherwise they are written once more, and their recipient knows them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use packmule_bus::{EnvelopeId, Kind};
use packmule_node::{Home, OutRow, OutState};
use packmule_transports::drive::{DeliverError, Delivered, FileHash, Folder, MAX_IN_BATCH};

use crate::fault::Fault;
use crate::flow::{copies, rest};
use crate::ui::progress::Progress;
use crate::ui::time::now;

/// Rows read at a time.
const PAGE: usize = 1000;

/// What an export did.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    /// Messages written now.
    pub(crate) written: usize,
    /// Messages whose bytes lay in the folder already.
    pub(crate) duplicate: usize,
    /// Messages of which the folder asked for the rest, and has it now.
    pub(crate) rests: usize,
    /// Files in the folder whose messages have long arrived, and that are gone now.
    pub(crate) purged: usize,
    /// Messages that had expired and were not sent.
    pub(crate) expired: usize,
    /// Why it stopped before the end.
    pub(crate) broken: Option<Fault>,
}

/// Every row of the outbox in one state (or all), oldest first.
pub(crate) fn rows(home: &Home, state: Option<OutState>) -> Result<Vec<OutRow>, Fault> {
    let mut rows = Vec::new();
    let mut after = 0;
    loop {
        let page = home.outbox(state, after, PAGE)?;
        let Some(last) = page.last() else {
            return Ok(rows);
        };
        after = last.seq;
        rows.extend(page);
    }
}

/// Keeps the rows for this peer (a name or a DID): those to its former DIDs too, which it reads.
pub(crate) fn only_for(home: &Home, peer: &str, rows: &mut Vec<OutRow>) -> Result<(), Fault> {
    let dids = home.dids_of(peer)?;
    rows.retain(|row| dids.contains(&row.peer));
    Ok(())
}

/// How messages lie in the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A file each, as the convention has it.
    Files,
    /// Short ones together, a file for each recipient.
    Batches,
}

impl Form {
    /// As `--batch` says.
    pub(crate) const fn of(batch: bool) -> Self {
        if batch { Self::Batches } else { Self::Files }
    }
}

/// Writes what waits (for all, or for the peer with this name or DID) into a folder.
pub(crate) fn export(
    home: &Home,
    folder: &Folder,
    peer: Option<&str>,
    form: Form,
    quiet: bool,
) -> Result<Carried, Fault> {
    let expired = home.expire(now())?;
    let wanted = |state| {
        let mut all = rows(home, Some(state))?;
        if let Some(did) = peer {
            only_for(home, did, &mut all)?;
        }
        Ok::<_, Fault>(all)
    };
    let (waiting, sent) = (wanted(OutState::Queued)?, wanted(OutState::Sent)?);
    let carried = write(home, folder, (waiting, sent), form, quiet)?;
    Ok(Carried { expired, ..carried })
}

/// The same for a stick that may go to anybody: what other sticks have taken and nobody has
/// acknowledged goes along again, and what has just come from this one does not.
pub(crate) fn export_again(
    home: &Home,
    folder: &Folder,
    but: &BTreeSet<EnvelopeId>,
    form: Form,
) -> Result<Carried, Fault> {
    let expired = home.expire(now())?;
    let mut waiting = rows(home, Some(OutState::Queued))?;
    let by_stick = |row: &OutRow| {
        let mut channels = row.sent_by.iter().flat_map(|by| by.split(','));
        channels.any(|channel| channel == "drive")
    };
    let sent = rows(home, Some(OutState::Sent))?;
    let (again, sent): (Vec<OutRow>, Vec<OutRow>) = sent.into_iter().partition(by_stick);
    waiting.extend(again);
    waiting.retain(|row| !but.contains(&row.id));
    let carried = write(home, folder, (waiting, sent), form, true)?;
    Ok(Carried { expired, ..carried })
}

/// Writes what waits; of what has been sent, only what the folder asks for.
fn write(
    home: &Home,
    folder: &Folder,
    (mut waiting, sent): (Vec<OutRow>, Vec<OutRow>),
    form: Form,
    quiet: bool,
) -> Result<Carried, Fault> {
    let now = now();
    let mut done = BTreeSet::new();
    let mut carried = Carried {
        purged: copies::purge(home, folder)?,
        ..Carried::default()
    };
    // What waits goes on to wait: whether the rest is all that is lacking is its recipient's word.
    for rows in [&waiting, &sent] {
        let answered = rest::answer(home, folder, rows, now)?;
        carried.rests += answered.len();
        done.extend(answered);
    }
    waiting.retain(|row| !done.contains(&row.id));
    if waiting.is_empty() {
        if carried.rests + carried.purged > 0 {
            folder.sync()?;
        }
        return Ok(carried);
    }
    let mut writing = Writing {
        home,
        folder,
        now,
        progress: Progress::new("exporting", waiting.len() as u64, quiet),
        carried,
        unmarked: Vec::new(),
        files: BTreeMap::new(),
        mark_fault: None,
    };
    let (long, short): (Vec<OutRow>, Vec<OutRow>) = match form {
        Form::Files => (waiting, Vec::new()),
        Form::Batches => waiting
            .into_iter()
            .partition(|row| row.bytes > SHORT as u64),
    };
    let mut by_peer: BTreeMap<&str, Vec<&OutRow>> = BTreeMap::new();
    for row in &short {
        by_peer.entry(&row.peer).or_default().push(row);
    }
    let mut written = Ok(());
    for rows in by_peer.values() {
        written = written.and_then(|()| writing.batches(rows));
    }
    let long: Vec<&OutRow> = long.iter().collect();
    if !long.is_empty() {
        written = written.and_then(|()| writing.files(&long));
    }
    writing.mark()?;
    if let Some(fault) = writing.mark_fault {
        return Err(fault);
    }
    let mut carried = writing.carried;
    match written {
        Ok(()) => folder.sync()?,
        Err(fault) => carried.broken = Some(fault),
    }
    Ok(carried)
}

/// Messages of more bytes go into files of their own. The compact form is shorter, or hardly longer.
const SHORT: usize = MAX_IN_BATCH - 1024;

/// An export on its way.
struct Writing<'a> {
    home: &'a Home,
    folder: &'a Folder,
    now: u64,
    progress: Progress,
    carried: Carried,
    /// Durable in the folder, and not marked yet.
    unmarked: Vec<EnvelopeId>,
    /// Those of them that have files of their own.
    files: BTreeMap<FileHash, EnvelopeId>,
    mark_fault: Option<Fault>,
}

impl Writing<'_> {
    fn files(&mut self, rows: &[&OutRow]) -> Result<(), Fault> {
        self.put(rows, true, still_there, |folder, messages, now, done| {
            folder.deliver_all(messages, now, done)
        })
    }

    fn batches(&mut self, rows: &[&OutRow]) -> Result<(), Fault> {
        self.put(rows, false, wire, |folder, wires, now, done| {
            folder.deliver_batches(wires, now, done)
        })
    }

    fn put<T>(
        &mut self,
        rows: &[&OutRow],
        apart: bool,
        read: fn(&Home, &OutRow) -> Result<Option<T>, Fault>,
        deliver: Deliver<T>,
    ) -> Result<(), Fault> {
        let (home, folder, now) = (self.home, self.folder, self.now);
        let (given, unread) = (RefCell::new(Vec::new()), RefCell::new(None));
        let mut messages = readable(rows, &given, &unread, |row| read(home, row));
        deliver(folder, &mut messages, now, &mut |index, one| {
            let id = given.borrow().get(index).copied();
            self.landed(id, one, apart);
        })?;
        drop(messages);
        unread.into_inner().map_or(Ok(()), Err)
    }

    /// `apart`: it has a file of its own.
    fn landed(&mut self, id: Option<EnvelopeId>, one: &Delivered, apart: bool) {
        if let Some(id) = id {
            self.unmarked.push(id);
            if apart && !one.duplicate {
                self.files.insert(one.hash.clone(), id);
            }
        }
        if one.duplicate {
            self.carried.duplicate += 1;
        } else {
            self.carried.written += 1;
        }
        self.progress.add(1);
        // Often enough that a kill makes the next run re-read little.
        if self.unmarked.len() >= PAGE && self.mark_fault.is_none() {
            self.mark_fault = self.mark().err();
        }
    }

    fn mark(&mut self) -> Result<(), Fault> {
        let marked = std::mem::take(&mut self.unmarked);
        let files = std::mem::take(&mut self.files);
        copies::note(self.home, &files)?;
        Ok(self.home.mark_sent(&marked, "drive", self.now)?)
    }
}

/// One of the folder's ways to write messages down; each is told once it is durable.
type Deliver<T> = fn(
    &Folder,
    &mut dyn Iterator<Item = T>,
    u64,
    &mut dyn FnMut(usize, &Delivered),
) -> Result<usize, DeliverError>;

/// What can be read of these rows, up to the first that cannot; `given`: which. What has left the
/// outbox meanwhile, as a node that runs beside us heard of it, is left out.
fn readable<'a, T>(
    rows: &'a [&OutRow],
    given: &'a RefCell<Vec<EnvelopeId>>,
    unread: &'a RefCell<Option<Fault>>,
    read: impl Fn(&OutRow) -> Result<Option<T>, Fault> + 'a,
) -> impl Iterator<Item = T> + 'a {
    let all = rows.iter().map_while(move |row| match read(row) {
        Ok(message) => {
            given
                .borrow_mut()
                .extend(message.is_some().then_some(row.id));
            Some(message)
        }
        Err(fault) => {
            unread.replace(Some(fault));
            None
        }
    });
    all.flatten()
}

/// One waiting message in its compact form.
fn wire(home: &Home, row: &OutRow) -> Result<Option<Vec<u8>>, Fault> {
    let envelope = home.outgoing_envelope(&row.id)?;
    Ok(envelope.map(|envelope| envelope.to_wire()))
}

/// The bytes of one waiting message, and what they are.
pub(crate) fn packed(home: &Home, row: &OutRow) -> Result<(Vec<u8>, Kind), Fault> {
    still_there(home, row)?.ok_or_else(|| {
        Fault::not_found(format!(
            "message {} left the outbox meanwhile",
            row.message_id
        ))
    })
}

fn still_there(home: &Home, row: &OutRow) -> Result<Option<(Vec<u8>, Kind)>, Fault> {
    let envelope = home.outgoing_envelope(&row.id)?;
    Ok(envelope.map(|envelope| (envelope.to_json(), envelope.kind())))
}
