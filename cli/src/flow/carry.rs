//! Carrying messages out: written durably to a folder, and marked sent afterwards.
//!
//! Who calls it: `export`, the demo. What can go wrong: a full, read-only or vanished medium;
//! what was written is marked, the rest waits on. Killed between the two steps, the next run
//! finds the same bytes in the folder, writes nothing, and marks them then.

use std::collections::BTreeMap;

use packmule_bus::{Envelope, EnvelopeId, Kind};
use packmule_node::{Home, HomeError, OutRow, OutState};
use packmule_transports::drive::{Delivered, Folder, MAX_IN_BATCH};

use crate::fault::Fault;
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

/// Writes what waits (for all, or for the peer with this name or DID) into a folder.
pub(crate) fn export(
    home: &Home,
    folder: &Folder,
    peer: Option<&str>,
    form: Form,
    quiet: bool,
) -> Result<Carried, Fault> {
    let now = now();
    let carried = Carried {
        expired: home.expire(now)?,
        ..Carried::default()
    };
    let mut waiting = rows(home, Some(OutState::Queued))?;
    if let Some(did) = peer {
        only_for(home, did, &mut waiting)?;
    }
    if waiting.is_empty() {
        return Ok(carried);
    }
    let mut writing = Writing {
        home,
        folder,
        now,
        progress: Progress::new("exporting", waiting.len() as u64, quiet),
        carried,
        unmarked: Vec::new(),
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
    if let Some(err) = writing.mark_fault {
        return Err(err.into());
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
    mark_fault: Option<HomeError>,
}

impl Writing<'_> {
    fn files(&mut self, rows: &[&OutRow]) -> Result<(), Fault> {
        let (home, folder, now) = (self.home, self.folder, self.now);
        let mut unread = None;
        let messages = readable(rows, &mut unread, |row| packed(home, row));
        let delivered = folder.deliver_all(messages, now, |index, one| {
            self.landed(rows.get(index), one);
        });
        delivered?;
        unread.map_or(Ok(()), Err)
    }

    fn batches(&mut self, rows: &[&OutRow]) -> Result<(), Fault> {
        let (home, folder, now) = (self.home, self.folder, self.now);
        let mut unread = None;
        let wires = readable(rows, &mut unread, |row| wire(home, row));
        let delivered = folder.deliver_batches(wires, now, |index, one| {
            self.landed(rows.get(index), one);
        });
        delivered?;
        unread.map_or(Ok(()), Err)
    }

    fn landed(&mut self, row: Option<&&OutRow>, one: &Delivered) {
        self.unmarked.extend(row.map(|row| row.id));
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

    fn mark(&mut self) -> Result<(), HomeError> {
        let marked = std::mem::take(&mut self.unmarked);
        self.home.mark_sent(&marked, "drive", self.now)
    }
}

/// What can be read of these rows, up to the first that cannot.
fn readable<'a, T>(
    rows: &'a [&OutRow],
    unread: &'a mut Option<Fault>,
    read: impl Fn(&OutRow) -> Result<T, Fault> + 'a,
) -> impl Iterator<Item = T> + 'a {
    rows.iter().map_while(move |row| match read(row) {
        Ok(message) => Some(message),
        Err(fault) => {
            *unread = Some(fault);
            None
        }
    })
}

/// One waiting message in its compact form.
fn wire(home: &Home, row: &OutRow) -> Result<Vec<u8>, Fault> {
    let (bytes, _) = packed(home, row)?;
    Ok(Envelope::from_packed(&bytes)?.to_wire())
}

/// The bytes of one waiting message, and what they are.
pub(crate) fn packed(home: &Home, row: &OutRow) -> Result<(Vec<u8>, Kind), Fault> {
    let bytes = home.outgoing(&row.id)?.ok_or_else(|| {
        Fault::not_found(format!(
            "message {} left the outbox meanwhile",
            row.message_id
        ))
    })?;
    let kind = Envelope::from_packed(&bytes)?.kind();
    Ok((bytes, kind))
}
