//! Receipts for what came by a channel on which nothing comes back by itself.
//!
//! Who calls it: a batch, for messages of peers. Over a link a receipt travels by itself; a mail's
//! sender hears no more than that its own server took it. So whoever we know a way to is told by
//! the headers that DIDComm has for it: an empty message with `ack`, one for up to [`MOST`]
//! messages, which is carried like any other. What can go wrong: a way that leads nowhere; then
//! the receipt expires. A receipt is owed for no receipt: two agents would never stop.

use std::collections::BTreeMap;

use packmule_agent::protocol::empty;
use packmule_bus::EnvelopeId;
use packmule_bus::receipt::Receipt;

use super::Letter;
use crate::desk::Desk;
use crate::desk::submit::Protection;
use crate::home::now;
use crate::{Change, HomeError, InRow, PeerRecord};

/// Channels by which nothing comes back by itself: all that brings mail.
const MUTE: [&str; 3] = ["imap", "lmtp", "smtp"];
/// Messages acknowledged by one.
const MOST: usize = Receipt::MAX_IDS;
/// Bytes of an id that is worth repeating.
const LONGEST: usize = 256;
/// Seconds after which it is of no use any more to tell.
const LIFETIME: u64 = 7 * 24 * 3600;

/// One message that somebody is to be told of.
struct Here {
    row: EnvelopeId,
    id: String,
    thread: String,
}

/// What is owed, by peer.
#[derive(Default)]
pub(super) struct Owed(BTreeMap<String, Vec<Here>>);

impl Owed {
    /// Notes that a peer is to hear of this message, if it has no other way to, and we know one
    /// to it.
    pub(super) fn note(
        &mut self,
        desk: &Desk,
        row: &InRow,
        letter: &Letter,
        peer: &PeerRecord,
    ) -> Result<(), HomeError> {
        let message = &letter.message;
        let asked = message.wants_ack().contains(&message.id.as_str());
        if !MUTE.contains(&row.channel.as_str())
            || asked
            || message.id.len() > LONGEST
            || message.from.is_none()
            || message.is(empty::PIURI, "empty")
            || !is_reached(desk, peer)?
        {
            return Ok(());
        }
        let thread = message.thid.as_ref().unwrap_or(&message.id);
        self.0.entry(peer.did.clone()).or_default().push(Here {
            row: row.id,
            id: message.id.clone(),
            thread: thread.clone(),
        });
        Ok(())
    }

    /// The messages that tell it. A peer whose keys do not fit ours hears nothing.
    pub(super) fn pay(self, desk: &Desk) -> Vec<Change> {
        let mut changes = Vec::new();
        for (peer, all) in self.0 {
            for some in all.chunks(MOST) {
                let Some(first) = some.first() else { continue };
                let mut told = empty::message();
                // Named after what it tells of: asking again leads to no second one.
                told.id = format!("had-{}", first.row.short());
                told.thid = (some.len() == 1).then(|| first.thread.clone());
                told.ack = some.iter().map(|here| here.id.clone()).collect();
                told.expires_time = Some(now().saturating_add(LIFETIME));
                let records = desk.records(&peer, told, Protection::Auth);
                changes.extend(records.into_iter().flatten().map(Change::Queue));
            }
        }
        changes
    }
}

/// Do we know any way to it?
fn is_reached(desk: &Desk, peer: &PeerRecord) -> Result<bool, HomeError> {
    let published = peer.doc["service"]
        .as_array()
        .is_some_and(|services| !services.is_empty());
    Ok(published || !desk.home().ways(&peer.did)?.is_empty())
}
