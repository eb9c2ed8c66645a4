//! Pictures, videos and cameras to messages.
//!
//! Who calls it: `qr scan`, `qr read`, `accept`, the demo. What can go wrong: a source that cannot
//! be opened (an error), a picture among many that cannot be read (told at the end), codes of
//! strangers (counted), frames missing (what there is, is kept).

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use packmule_bus::Envelope;
use packmule_bus::fountain::{Limits, Progress as Transfer, TransferId};
use packmule_transports::qr::{
    Ack, Count, Found, FrameSource, Hints, Pace, Reader, Seen, SourceError, Stills, Tally, open,
    watch,
};

use crate::fault::Fault;
use crate::flow::partials::{self, Held};
use crate::ui::progress::Live;

/// How often what is held of unfinished transfers is kept while a scan runs.
const KEEP_EVERY: Duration = Duration::from_secs(2);

/// What a scan brought.
#[derive(Default)]
pub(crate) struct Gathered {
    /// Whole messages.
    pub(crate) envelopes: Vec<Envelope>,
    /// Invitation URLs.
    pub(crate) invitations: Vec<String>,
    /// Transfers that need more frames, and what is held of them.
    pub(crate) unfinished: Vec<Transfer>,
    pub(crate) held: Held,
    /// Foreign rows of codes that need more.
    pub(crate) foreign_left: Vec<Count>,
    /// Transfers that were dropped, because there were too many at the same time.
    pub(crate) dropped: Vec<Transfer>,
    /// Files that could not be read, with the reason.
    pub(crate) unreadable: Vec<(PathBuf, String)>,
    /// Codes seen.
    pub(crate) tally: Tally,
    /// Pictures of a camera that there was no time for.
    pub(crate) skipped: u32,
    /// Frames held and needed of every transfer met, finished or not.
    pub(crate) frames: BTreeMap<TransferId, (u32, u32)>,
    /// The same of the foreign row of codes (UR, BBQr) that was seen last.
    pub(crate) foreign: Option<(u32, u32)>,
}

/// When a scan ends before its sources do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// It does not.
    Exhausted,
    /// One message is whole.
    FirstMessage,
    /// Something arrived, and no transfer that was seen lacks anything: for cameras.
    NothingLacks,
    /// The talk says so.
    Told,
}

/// A conversation with whoever shows the codes.
pub(crate) trait Talk {
    /// The other side tells how far it is with what we show.
    fn heard(&self, ack: &Ack);

    /// What we could tell it; `fresh`: a code brought something new.
    fn answer(&self, acks: &[Ack], fresh: bool);

    /// Whether there is no more to be said; `lacking`: of what it shows, something is missing.
    fn is_over(&self, lacking: bool) -> bool;
}

/// How to scan.
pub(crate) struct Scan<'a> {
    pub(crate) paths: &'a [PathBuf],
    /// What was held before.
    pub(crate) held: &'a Held,
    pub(crate) hints: Hints,
    /// 0: as many as the machine has.
    pub(crate) threads: usize,
    pub(crate) until: Until,
    pub(crate) quiet: bool,
    /// Pictures only: nothing is tried as a video.
    pub(crate) stills: bool,
    /// Who talks with the other side, if anybody does.
    pub(crate) talk: Option<&'a dyn Talk>,
}

impl<'a> Scan<'a> {
    /// A look at picture files and folders of them.
    pub(crate) fn stills(paths: &'a [PathBuf], held: &'a Held, quiet: bool) -> Self {
        Self {
            paths,
            held,
            hints: Hints::default(),
            threads: 0,
            until: Until::Exhausted,
            quiet,
            stills: true,
            talk: None,
        }
    }

    /// Scans. `keep` is given what is held of unfinished transfers every few seconds, so that
    /// whoever is killed has lost little.
    pub(crate) fn run(
        &self,
        keep: &mut dyn FnMut(&Held) -> Result<(), Fault>,
    ) -> Result<Gathered, Fault> {
        let mut limits = Limits::default();
        limits.sessions = partials::MAX_KEPT;
        let mut reader = Reader::new(limits);
        let mut state = State::new(self, keep);
        for fragment in &self.held.begun {
            reader.know(fragment.clone());
        }
        for partial in &self.held.partials {
            let found = reader.resume(partial);
            state.take_in(found, false);
        }
        for row in &self.held.parts {
            if let Some(count) = reader.resume_parts(row) {
                state.take_in(Found::Part(count), false);
            }
        }
        for path in self.paths {
            if state.is_over(&reader) {
                break;
            }
            let mut source = match self.open(path) {
                Ok(source) => source,
                Err(err @ (SourceError::File { .. } | SourceError::NoFfmpeg(_))) => {
                    return Err(err.into());
                }
                Err(err) => {
                    state.miss(path, &err);
                    continue;
                }
            };
            let skipped = watch(
                source.as_mut(),
                &mut reader,
                self.threads,
                |reader, seen| state.step(path, reader, seen),
            );
            state.gathered.skipped += skipped;
            if let Some(fault) = state.failed.take() {
                return Err(fault);
            }
        }
        let mut gathered = state.gathered;
        gathered.unfinished = reader.progress();
        gathered.held = Held::of(&reader);
        gathered.foreign_left = reader.foreign_progress();
        gathered.dropped = reader.take_evicted();
        gathered.tally = reader.tally();
        Ok(gathered)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn FrameSource>, SourceError> {
        if self.stills {
            Ok(Box::new(Stills::of(path)?))
        } else {
            open(path, self.hints)
        }
    }
}

/// A scan under way.
struct State<'a> {
    gathered: Gathered,
    until: Until,
    keep: &'a mut dyn FnMut(&Held) -> Result<(), Fault>,
    live: Live,
    began: Instant,
    kept: Instant,
    fresh: bool,
    /// Foreign codes were seen by this scan.
    rows: bool,
    paces: BTreeMap<TransferId, Pace>,
    talk: Option<&'a dyn Talk>,
    failed: Option<Fault>,
}

impl<'a> State<'a> {
    fn new(scan: &Scan<'a>, keep: &'a mut dyn FnMut(&Held) -> Result<(), Fault>) -> Self {
        let now = Instant::now();
        Self {
            gathered: Gathered::default(),
            until: scan.until,
            keep,
            live: Live::new(scan.quiet),
            began: now,
            kept: now,
            fresh: false,
            rows: false,
            paces: BTreeMap::new(),
            talk: scan.talk,
            failed: None,
        }
    }

    fn miss(&mut self, path: &Path, err: &SourceError) {
        let path = match err {
            SourceError::Picture { path, .. } => path,
            _ => path,
        };
        self.gathered
            .unreadable
            .push((path.to_owned(), err.to_string()));
    }

    fn step(&mut self, path: &Path, reader: &Reader, seen: Seen) -> ControlFlow<()> {
        match seen {
            Seen::Missed(err) => self.miss(path, &err),
            Seen::Picture(found) => {
                let new = |one: &Found| matches!(one, Found::Fresh(_) | Found::Envelope(_));
                let fresh = found.iter().any(new);
                found.into_iter().for_each(|one| self.take_in(one, true));
                if let Some(talk) = self.talk {
                    talk.answer(reader.acks(), fresh);
                }
            }
        }
        self.tell(reader);
        if self.fresh && self.kept.elapsed() >= KEEP_EVERY {
            self.kept = Instant::now();
            self.fresh = false;
            if let Err(fault) = (self.keep)(&Held::of(reader)) {
                self.failed = Some(fault);
                return ControlFlow::Break(());
            }
        }
        if self.is_over(reader) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// `now`: by this scan, not from what was held before.
    fn take_in(&mut self, found: Found, now: bool) {
        match found {
            Found::Fresh(progress) | Found::Duplicate(progress) => {
                let count = (progress.received, progress.needed);
                self.gathered.frames.insert(progress.transfer, count);
                if now {
                    self.fresh = true;
                    let pace = self.paces.entry(progress.transfer).or_default();
                    pace.note(self.began.elapsed(), progress.received);
                }
            }
            Found::Part(count) => {
                self.gathered.foreign = Some((count.received, count.needed));
                self.fresh |= now;
                self.rows |= now;
            }
            Found::Envelope(envelope) => {
                let transfer = TransferId::of(&envelope.to_wire());
                self.paces.remove(&transfer);
                if !self.gathered.envelopes.contains(&envelope) {
                    // The frame that made it whole was not told of as one more. What lacked one
                    // part of a foreign row, and is whole now, came by that.
                    let foreign = self.gathered.foreign.filter(|f| f.0 + 1 == f.1);
                    let count = self.gathered.frames.entry(transfer);
                    let count = count.or_insert_with(|| foreign.unwrap_or((0, 1)));
                    count.0 += 1;
                    self.gathered.envelopes.push(envelope);
                }
            }
            Found::Ack(ack) => {
                if let Some(talk) = self.talk {
                    talk.heard(&ack);
                }
            }
            Found::Invitation(url) if !self.gathered.invitations.contains(&url) => {
                self.gathered.invitations.push(url);
            }
            _ => {}
        }
    }

    fn is_over(&self, reader: &Reader) -> bool {
        let arrived = !self.gathered.envelopes.is_empty();
        match self.until {
            Until::Exhausted => false,
            Until::FirstMessage => arrived,
            Until::Told => self
                .talk
                .is_none_or(|talk| talk.is_over(self.lacks(reader))),
            Until::NothingLacks => {
                let any = arrived || !self.gathered.invitations.is_empty();
                any && !self.lacks(reader)
            }
        }
    }

    /// Whether of anything that was seen just now something is missing.
    fn lacks(&self, reader: &Reader) -> bool {
        let seen_now = |t: &Transfer| self.paces.contains_key(&t.transfer);
        reader.progress().iter().any(seen_now) || self.rows && !reader.foreign_progress().is_empty()
    }

    fn tell(&mut self, reader: &Reader) {
        if !self.live.is_due() {
            return;
        }
        let mut lines = Vec::new();
        for transfer in reader.progress() {
            let Some(pace) = self.paces.get(&transfer.transfer) else {
                continue;
            };
            let left = match pace.left(transfer.needed) {
                Some(left) => format!(", {} s left", left.as_secs() + 1),
                None => String::new(),
            };
            lines.push(format!(
                "{} of {} frames{left}",
                transfer.received, transfer.needed
            ));
        }
        for count in reader.foreign_progress() {
            lines.push(format!("{} of {} parts", count.received, count.needed));
        }
        if lines.is_empty() {
            let tally = reader.tally();
            lines.push(format!(
                "{} pictures, {} codes",
                tally.pictures, tally.codes
            ));
        }
        self.live.say(lines.join("; "));
    }
}
