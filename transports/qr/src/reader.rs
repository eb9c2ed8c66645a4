//! The reading side: pictures in any order in, envelopes out.

use std::path::Path;

use packmule_bus::fountain::{
    Catcher, Caught, Frame, Limits, Partial, Progress, Shape, TransferId,
};
use packmule_bus::{Envelope, Fragment, Kind};

use crate::ack::{Ack, Acks};
use crate::bbqr;
use crate::grey::{Grey, PictureError, pictures};
use crate::scan::scan;
use crate::source::{SourceError, load};
use crate::text::{TextError, frame_of_bytes};
use crate::ur::{self, Count, Part, PartError};

/// What one code, or one file, led to.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Found {
    /// An envelope, whole and checked against its hash.
    Envelope(Envelope),
    /// A frame that brought a transfer further.
    Fresh(Progress),
    /// A frame that was here before.
    Duplicate(Progress),
    /// A frame of a transfer that was completed before.
    Again(TransferId),
    /// An out-of-band invitation URL.
    Invitation(String),
    /// Some other code; what it says, with what is not text replaced.
    Foreign(String),
    /// One of our codes that cannot be used, and why.
    Damaged(String),
    /// A transfer whose frames do not fit each other: someone forges. It goes on.
    Mismatch(TransferId),
    /// How far somebody is who reads our codes, and shows it.
    Ack(Ack),
    /// A part of a message in a foreign row of codes (UR, BBQr), new or known.
    Part(Count),
}

/// How much of what a reader has seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Tally {
    /// Pictures looked at, each frame of an animation counted.
    pub pictures: u32,
    /// Pictures without a code.
    pub blank: u32,
    /// Codes read.
    pub codes: u32,
    /// Frames that were new.
    pub fresh: u32,
    /// Frames that were here before, or belong to a completed transfer.
    pub duplicate: u32,
    /// Codes that were not ours.
    pub foreign: u32,
    /// Codes of ours that could not be used.
    pub damaged: u32,
}

/// The codes of one unfinished message in a foreign row (UR, BBQr), as they were read: told to a
/// reader again they lead as far as before.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Parts {
    name: (u8, u32),
    codes: Vec<Vec<u8>>,
}

impl Parts {
    /// A name for it, of letters and digits; another one for every row that a reader holds.
    #[must_use]
    pub fn name(&self) -> String {
        let (kind, number) = self.name;
        format!("{}{number:08x}", char::from(kind))
    }

    /// For a store: one code a line.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.codes.join(&b'\n')
    }

    /// What [`Self::to_bytes`] wrote. Lines that are none of a row are passed over by whoever reads
    /// them, as they would be before a camera.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self {
            codes: bytes
                .split(|byte| *byte == b'\n')
                .map(<[u8]>::to_vec)
                .collect(),
            ..Self::default()
        }
    }
}

/// Reads envelopes and invitations from pictures, several transfers at once.
#[derive(Default)]
pub struct Reader {
    catcher: Catcher,
    urs: ur::Collector,
    bbqrs: bbqr::Collector,
    /// What the two hold, as it was read.
    parts: Vec<Parts>,
    acks: Acks,
    tally: Tally,
}

impl Reader {
    /// A reader that holds no more than `limits` allow.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            catcher: Catcher::new(limits),
            ..Self::default()
        }
    }

    /// Reads a PNG, APNG, JPEG or GIF file.
    ///
    /// # Errors
    /// The file cannot be read, or is not a picture that can.
    pub fn read_file(&mut self, path: &Path) -> Result<Vec<Found>, SourceError> {
        let bytes = load(path)?;
        self.read_pictures(bytes)
            .map_err(|source| SourceError::Picture {
                path: path.to_owned(),
                source,
            })
    }

    /// Reads the contents of such a file. An animation that breaks off after some frames is no
    /// error: what those frames said counts, and a [`Found::Damaged`] tells of the rest.
    ///
    /// # Errors
    /// Not a picture that can be read.
    pub fn read_bytes(&mut self, file: &[u8]) -> Result<Vec<Found>, PictureError> {
        self.read_pictures(file.to_vec())
    }

    fn read_pictures(&mut self, file: Vec<u8>) -> Result<Vec<Found>, PictureError> {
        let mut found = Vec::new();
        let mut none_yet = true;
        for picture in pictures(file)? {
            match picture {
                Ok(picture) => found.extend(self.feed(&picture)),
                Err(error) if none_yet => return Err(error),
                Err(error) => {
                    self.tally.damaged += 1;
                    found.push(Found::Damaged(error.to_string()));
                }
            }
            none_yet = false;
        }
        Ok(found)
    }

    /// Reads a picture: a camera's, say.
    pub fn feed(&mut self, picture: &Grey) -> Vec<Found> {
        self.take_picture(&scan(picture))
    }

    /// Takes what all the codes of one picture say, from whatever decoder.
    pub fn take_picture(&mut self, codes: &[Vec<u8>]) -> Vec<Found> {
        self.tally.pictures += 1;
        if codes.is_empty() {
            self.tally.blank += 1;
        }
        codes.iter().map(|code| self.take(code)).collect()
    }

    /// Takes what one code says, from whatever decoder.
    pub fn take(&mut self, code: &[u8]) -> Found {
        self.tally.codes += 1;
        let found = match frame_of_bytes(code) {
            Ok(frame) => self.catch(&frame),
            Err(TextError::NotOurs) => return self.take_other(code),
            Err(error) => Found::Damaged(error.to_string()),
        };
        self.counted(found, true)
    }

    /// Counts what a code led to; `fresh` tells of parts whether they were new.
    fn counted(&mut self, found: Found, fresh: bool) -> Found {
        match found {
            Found::Envelope(_) | Found::Fresh(_) => self.tally.fresh += 1,
            Found::Duplicate(_) | Found::Again(_) => self.tally.duplicate += 1,
            Found::Foreign(_) => self.tally.foreign += 1,
            Found::Damaged(_) | Found::Mismatch(_) => self.tally.damaged += 1,
            Found::Part(_) if fresh => self.tally.fresh += 1,
            Found::Part(_) => self.tally.duplicate += 1,
            Found::Invitation(_) | Found::Ack(_) => {}
        }
        found
    }

    /// The unfinished transfers.
    #[must_use]
    pub fn progress(&self) -> Vec<Progress> {
        self.catcher.progress()
    }

    /// What is held of the unfinished messages in foreign rows of codes, for a store to keep.
    #[must_use]
    pub fn parts(&self) -> &[Parts] {
        &self.parts
    }

    /// Takes up what a store kept of a foreign row: how far that is, if it is still of use.
    pub fn resume_parts(&mut self, parts: &Parts) -> Option<Count> {
        // They were counted when they were seen.
        let tally = self.tally;
        let mut last = None;
        for code in &parts.codes {
            match self.take(code) {
                Found::Part(count) => last = Some(count),
                // Whole, or damaged: what is of use of it was told before it was kept.
                _ => last = None,
            }
        }
        self.tally = tally;
        last
    }

    /// How far messages in foreign rows of codes are.
    #[must_use]
    pub fn foreign_progress(&self) -> Vec<Count> {
        let mut all = self.urs.counts();
        all.extend(self.bbqrs.counts());
        all
    }

    /// What could be told to the senders of the transfers met, the latest last.
    #[must_use]
    pub fn acks(&self) -> &[Ack] {
        self.acks.all()
    }

    /// What is held of the unfinished transfers, for a store to keep until more is seen.
    #[must_use]
    pub fn partials(&self) -> Vec<Partial> {
        self.catcher.partials()
    }

    /// The transfers that were pushed out unfinished, because there were too many, since this was
    /// asked last.
    #[must_use]
    pub fn take_evicted(&mut self) -> Vec<Progress> {
        self.catcher.take_evicted()
    }

    /// What another medium brought of a message: counted with the first of its codes.
    pub fn know(&mut self, fragment: Fragment) {
        self.catcher.know(fragment);
    }

    /// Takes up what a store kept.
    pub fn resume(&mut self, partial: &Partial) -> Found {
        match self.catcher.merge(partial) {
            Ok(caught) => self.told(caught, partial.shape()),
            Err(error) => Found::Damaged(error.to_string()),
        }
    }

    /// What was seen so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// A frame as bytes, an envelope unframed, a foreign row of codes, an invitation, or a
    /// stranger's code.
    fn take_other(&mut self, code: &[u8]) -> Found {
        if Frame::parse(code).is_ok() {
            let found = self.catch(code);
            return self.counted(found, true);
        }
        if let Some(ack) = Ack::read(code) {
            let found = ack.map_or_else(|why| Found::Damaged(why.to_owned()), Found::Ack);
            return self.counted(found, true);
        }
        if let Some(envelope) = bare_envelope(code) {
            return self.counted(Found::Envelope(envelope), true);
        }
        let (found, fresh) = match Part::read(code) {
            // A UR of another kind is a wallet's, most likely: not ours, and not damaged.
            Some(part) if part != Err(PartError::Kind) => {
                let (found, fresh) = self.take_ur(part);
                self.note(b'u', code, &found, fresh);
                (found, fresh)
            }
            None if bbqr::is_part(code) => {
                let (found, fresh) = self.take_bbqr(code);
                self.note(b'b', code, &found, fresh);
                (found, fresh)
            }
            _ => {
                let text = String::from_utf8_lossy(code).into_owned();
                let found = if is_invitation(&text) {
                    Found::Invitation(text)
                } else {
                    Found::Foreign(text)
                };
                (found, true)
            }
        };
        self.counted(found, fresh)
    }

    /// Keeps a code that told something new with the others of its row, and lets go of rows that
    /// are whole or made room.
    fn note(&mut self, kind: u8, code: &[u8], found: &Found, fresh: bool) {
        if let Found::Part(count) = found
            && fresh
        {
            let name = (kind, count.name);
            let row = self.parts.iter_mut().find(|row| row.name == name);
            match row {
                Some(row) => row.codes.push(code.to_vec()),
                None => self.parts.push(Parts {
                    name,
                    codes: vec![code.to_vec()],
                }),
            }
        }
        let held = [(b'u', self.urs.counts()), (b'b', self.bbqrs.counts())];
        self.parts.retain(|row| {
            let mut rows = held.iter().filter(|(kind, _)| *kind == row.name.0);
            rows.any(|(_, counts)| counts.iter().any(|count| count.name == row.name.1))
        });
    }

    fn take_ur(&mut self, part: Result<Part, PartError>) -> (Found, bool) {
        let part = match part {
            Ok(part) => part,
            Err(error) => return (Found::Damaged(error.to_string()), true),
        };
        match self.urs.take(&part) {
            ur::Taken::Fresh(count) => (Found::Part(count), true),
            ur::Taken::Known(count) => (Found::Part(count), false),
            ur::Taken::Whole(bytes) => (in_foreign(&bytes), true),
            ur::Taken::Spoiled => (Found::Damaged("UR parts contradict".into()), true),
        }
    }

    fn take_bbqr(&mut self, code: &[u8]) -> (Found, bool) {
        match self.bbqrs.take(code) {
            bbqr::Taken::Fresh(count) => (Found::Part(count), true),
            bbqr::Taken::Known(count) => (Found::Part(count), false),
            bbqr::Taken::Whole(bytes) => (in_foreign(&bytes), true),
            bbqr::Taken::Damaged(why) => (Found::Damaged(format!("BBQr: {why}")), true),
        }
    }

    fn catch(&mut self, frame: &[u8]) -> Found {
        let shape = match Frame::parse(frame) {
            Ok(frame) => frame.shape,
            Err(error) => return Found::Damaged(error.to_string()),
        };
        match self.catcher.catch(frame) {
            Ok(caught) => self.told(caught, shape),
            Err(error) => Found::Damaged(error.to_string()),
        }
    }

    fn told(&mut self, caught: Caught, shape: Shape) -> Found {
        match &caught {
            Caught::Fresh(progress) | Caught::Duplicate(progress) => {
                if let Some(ack) = Ack::of(progress) {
                    self.acks.note(ack);
                }
            }
            Caught::Complete { object, .. } => self.acks.note(Ack::whole(object, shape)),
            Caught::Again(transfer) => self.acks.again(*transfer),
            _ => {}
        }
        match caught {
            Caught::Fresh(progress) => Found::Fresh(progress),
            Caught::Duplicate(progress) => Found::Duplicate(progress),
            Caught::Again(transfer) => Found::Again(transfer),
            Caught::Mismatch(transfer) => Found::Mismatch(transfer),
            Caught::Complete { object, .. } => match Envelope::decode(&object) {
                Ok(envelope) => Found::Envelope(envelope),
                Err(error) => Found::Damaged(error.to_string()),
            },
            // A newer fountain may tell of more than this reader knows to pass on.
            other => Found::Damaged(format!("{other:?}")),
        }
    }
}

/// What a foreign row of codes held. Those carry anything; only what is surely a message counts.
fn in_foreign(bytes: &[u8]) -> Found {
    match bare_envelope(bytes) {
        Some(envelope) => Found::Envelope(envelope),
        None => Found::Foreign(String::from_utf8_lossy(bytes).into_owned()),
    }
}

/// A message in a code of its own: compact, or the JSON that any agent writes.
fn bare_envelope(code: &[u8]) -> Option<Envelope> {
    if code.starts_with(b"{") {
        let envelope = Envelope::from_packed(code).ok()?;
        return Some(envelope).filter(|e| e.kind() != Kind::Other);
    }
    Envelope::decode(code).ok()
}

/// Whether a text is a URL with an out-of-band message (DIDComm v2.1 §9.5: `_oob` holds one,
/// `_oobid` refers to one; version 1 wrote `oob`).
#[must_use]
pub fn is_invitation(text: &str) -> bool {
    let Some((base, query)) = text.split_once('?') else {
        return false;
    };
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    base.contains(':')
        && query.split('&').any(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            matches!(name, "_oob" | "_oobid" | "oob") && !value.is_empty()
        })
}
