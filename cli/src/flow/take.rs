//! Taking messages in: accepted durably first, removed from their channel afterwards.
//!
//! Who calls it: `import`, `qr read`, the demo. What can go wrong: files that are no messages
//! (reported and left where they are), a full disk under the home (nothing is removed from the
//! folder), a drive that is pulled out (what was accepted stays; the rest is taken next time).
//! Killed between the two steps, the next run finds duplicates and removes them. Only what names
//! us is taken: the rest may be on its way to somebody else, and neither fills our disk nor is
//! removed, unless a person says that we carry it: then it waits in the outbox like our own.

use std::collections::BTreeSet;

use packmule_agent::did::did_of;
use packmule_agent::pack::{Limits, peek};
use packmule_bus::depot::Policy;
use packmule_bus::{Envelope, EnvelopeId, Kind};
use packmule_node::desk::address::{self, Whose};
use packmule_node::desk::answers_to;
use packmule_node::{Accepted, Arrival, Home, OutRecord};
use packmule_transports::drive::{Folder, Item, Settled, Token};

use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::rest;
use crate::ui::progress::Progress;
use crate::ui::time::now;

/// Messages a transaction takes. Larger ones win little: each costs two fsyncs.
const BATCH: usize = 500;
/// Bytes a transaction takes, so that a few huge messages do not pile up in memory.
const BATCH_BYTES: usize = 4 << 20;

/// Whose messages are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// Those that name us.
    Us,
    /// What is for others too, to be carried on.
    Everybody,
}

impl For {
    /// As `--carry` says.
    pub(crate) const fn of(carry: bool) -> Self {
        if carry { Self::Everybody } else { Self::Us }
    }
}

/// What came of taking a folder in.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Messages that were new.
    pub(crate) new: usize,
    /// Messages that had been seen before.
    pub(crate) duplicate: usize,
    /// Files that were left where they are, with the reason.
    pub(crate) left: Vec<(String, String)>,
    /// Messages that are addressed to somebody else, on a medium that serves several: left
    /// where they are for whom they are meant, and not stored.
    pub(crate) for_others: usize,
    /// Messages for others that are carried on from here.
    pub(crate) carried: usize,
    /// Which.
    pub(crate) carried_ids: BTreeSet<EnvelopeId>,
    /// Messages that other media began and that this one made whole; they count as new, too.
    pub(crate) finished: usize,
    /// Messages that have begun to come, of which the medium asks for the rest now.
    pub(crate) asked: usize,
    /// The medium is read-only, so nothing was removed from it.
    pub(crate) read_only: bool,
    /// The medium vanished or failed in the middle.
    pub(crate) broken: Option<Fault>,
}

impl Taken {
    /// The exit code that tells of files left behind or a broken medium.
    pub(crate) fn exit(&self) -> Exit {
        match &self.broken {
            Some(fault) => fault.exit,
            None if self.left.is_empty() => Exit::Ok,
            None => Exit::Damaged,
        }
    }
}

/// Takes every message out of a folder.
pub(crate) fn take_folder(
    home: &Home,
    folder: &Folder,
    whose: For,
    quiet: bool,
) -> Result<Taken, Fault> {
    let mut taken = Taken::default();
    loop {
        let listing = folder.collect()?;
        let more = listing.truncated();
        let before = taken.new + taken.carried;
        let mut progress = Progress::new("importing", listing.remaining() as u64, quiet);
        let mut batch = Batch::new(home, whose);
        for item in listing {
            match item {
                Ok(item) => batch.push(item, &mut taken),
                Err(err) => match err.file() {
                    Some(file) => taken.left.push((file.to_owned(), err.to_string())),
                    None => {
                        taken.broken = Some(err.into());
                        break;
                    }
                },
            }
            progress.add(1);
            if batch.is_full() {
                batch.land(home, folder, &mut taken)?;
            }
        }
        batch.land(home, folder, &mut taken)?;
        // A folder of more files than one listing holds is listed again, as long as that helps.
        if !more || taken.new + taken.carried == before || taken.read_only || taken.broken.is_some()
        {
            break;
        }
    }
    if taken.broken.is_none() {
        take_rests(home, folder, &mut taken)?;
    }
    if taken.new + taken.duplicate + taken.carried > 0 && taken.broken.is_none() {
        folder.sync()?;
    }
    Ok(taken)
}

/// Takes in the rest of what other media began, and asks for what is lacking then.
fn take_rests(home: &Home, folder: &Folder, taken: &mut Taken) -> Result<(), Fault> {
    if let Some(finished) = rest::finish(home, folder)? {
        let arrived = take_envelopes(home, &finished.envelopes, "drive")?;
        taken.finished += arrived.new;
        taken.new += arrived.new;
        taken.duplicate += arrived.duplicate;
        taken.for_others += arrived.for_others;
        taken.left.extend(arrived.left);
        taken.left.extend_from_slice(&finished.left);
        let mut stored = BTreeSet::new();
        for envelope in &finished.envelopes {
            if home.has_arrived(&envelope.id())? {
                stored.insert(envelope.id());
            }
        }
        for token in finished.keep(home, &stored)? {
            match folder.settle(token) {
                Ok(Settled::ReadOnly) => taken.read_only = true,
                Ok(_) => {}
                Err(err) => {
                    taken.broken = Some(err.into());
                    return Ok(());
                }
            }
        }
    }
    taken.asked = rest::ask(home, folder)?;
    Ok(())
}

/// Accepts envelopes that came as a whole by another channel.
pub(crate) fn take_envelopes(
    home: &Home,
    envelopes: &[Envelope],
    channel: &str,
) -> Result<Taken, Fault> {
    let mut taken = Taken::default();
    let own = address::own_dids(home);
    let mut ours = Vec::new();
    for envelope in envelopes {
        if taken.is_ours(envelope, &envelope.to_json(), &own, || {
            envelope.id().to_string()
        }) {
            ours.push(envelope);
        }
    }
    let accepted = home.accept_all(ours.iter().copied(), &arrival(channel))?;
    answer_again(home, ours.into_iter().zip(&accepted))?;
    for one in accepted {
        taken.count(one);
    }
    Ok(taken)
}

/// A message that comes again tells that our automatic answers to it were lost: they wait again.
/// Called before the channel lets go of it, so that a kill between does not lose that news.
fn answer_again<'a>(
    home: &Home,
    accepted: impl IntoIterator<Item = (&'a Envelope, &'a Accepted)>,
) -> Result<usize, Fault> {
    let beginnings: Vec<String> = accepted
        .into_iter()
        .filter(|(_, accepted)| **accepted == Accepted::Duplicate)
        .map(|(envelope, _)| answers_to(&envelope.id()))
        .collect();
    Ok(home.requeue_beginning(&beginnings)?)
}

impl Taken {
    /// Is this to be stored? What is not is counted or listed, under the name given.
    fn is_ours(
        &mut self,
        envelope: &Envelope,
        packed: &[u8],
        own: &[String],
        name: impl FnOnce() -> String,
    ) -> bool {
        let why = match address::whose(packed, own) {
            _ if envelope.kind() == Kind::Other => "holds no DIDComm message".into(),
            Whose::Ours => return true,
            Whose::Others => {
                self.for_others += 1;
                return false;
            }
            Whose::Unknown(why) => format!("cannot tell for whom it is: {why}"),
        };
        self.left.push((name(), why));
        false
    }

    fn count(&mut self, accepted: Accepted) {
        match accepted {
            Accepted::New => self.new += 1,
            Accepted::Duplicate => self.duplicate += 1,
        }
    }
}

/// Items read and not yet accepted.
struct Batch {
    /// Our DIDs.
    own: Vec<String>,
    held: Vec<(Envelope, Token)>,
    whose: For,
    /// For others, and where they lay.
    carried: Vec<(OutRecord, EnvelopeId, Token)>,
    bytes: usize,
}

impl Batch {
    fn new(home: &Home, whose: For) -> Self {
        Self {
            own: address::own_dids(home),
            held: Vec::new(),
            whose,
            carried: Vec::new(),
            bytes: 0,
        }
    }

    fn push(&mut self, item: Item, taken: &mut Taken) {
        let name = item.name.clone();
        let (envelope, token) = match item.into_envelope() {
            (Ok(envelope), token) => (envelope, token),
            (Err(err), _) => {
                taken.left.push((name, err.to_string()));
                return;
            }
        };
        // Whose it is stands in its head.
        let head = envelope.to_json_apart().map(|(head, _)| head);
        let head = head.unwrap_or_else(|| envelope.to_json());
        let bytes = envelope.identity().len();
        if let Some(record) = self.for_others(&envelope, &head) {
            self.bytes += bytes;
            self.carried.push((record, envelope.id(), token));
        } else if taken.is_ours(&envelope, &head, &self.own, || name) {
            self.bytes += bytes;
            self.held.push((envelope, token));
        }
    }

    /// What is to be carried on for somebody else.
    fn for_others(&self, envelope: &Envelope, head: &[u8]) -> Option<OutRecord> {
        let carries = self.whose == For::Everybody && envelope.kind() == Kind::Encrypted;
        if !carries || address::whose(head, &self.own) != Whose::Others {
            return None;
        }
        let seen = peek(head, &Limits::default()).ok()?;
        let named = seen.to.unwrap_or(seen.recipient_kids);
        let created = now();
        Some(OutRecord {
            packed: envelope.to_json(),
            peer: did_of(named.first()?).to_owned(),
            message_id: envelope.id().to_string(),
            created,
            expires: Some(created + Policy::default().lifetime_s),
            ..OutRecord::default()
        })
    }

    fn is_full(&self) -> bool {
        self.held.len() + self.carried.len() >= BATCH || self.bytes >= BATCH_BYTES
    }

    /// Accepts the batch in one transaction; only then removes its files.
    fn land(&mut self, home: &Home, folder: &Folder, taken: &mut Taken) -> Result<(), Fault> {
        let held = std::mem::take(&mut self.held);
        let carried = std::mem::take(&mut self.carried);
        self.bytes = 0;
        let (mut records, mut tokens) = (Vec::new(), Vec::new());
        for (record, id, token) in carried {
            // What we carried before, perhaps onto this very medium, is on its way from here.
            if home.outbox_row(&id)?.is_some() {
                taken.for_others += 1;
            } else {
                taken.carried_ids.insert(id);
                records.push(record);
                tokens.push(token);
            }
        }
        home.queue_all(&records)?;
        taken.carried += records.len();
        if held.is_empty() && tokens.is_empty() {
            return Ok(());
        }
        let accepted =
            home.accept_all(held.iter().map(|(envelope, _)| envelope), &arrival("drive"))?;
        answer_again(
            home,
            held.iter().map(|(envelope, _)| envelope).zip(&accepted),
        )?;
        for one in accepted {
            taken.count(one);
        }
        tokens.extend(held.into_iter().map(|(_, token)| token));
        for token in &tokens {
            match folder.settle(token) {
                Ok(Settled::ReadOnly) => taken.read_only = true,
                Ok(_) => {}
                Err(err) => {
                    taken.broken = Some(err.into());
                    break;
                }
            }
        }
        Ok(())
    }
}

fn arrival(channel: &str) -> Arrival {
    Arrival {
        channel: channel.to_owned(),
        received: now(),
    }
}
