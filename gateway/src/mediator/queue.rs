//! Pickup: what waits for an account, and what has arrived.
//!
//! Called by the mediator for asks, and by the gateway's live connections for [`Mediator::push`].
//! What can go wrong: somebody asks for another's queue; a page is more than its reader can open.
//! Nothing leaves a mailbox but by the acknowledgement of its owner.

use packmule_agent::message::Message;
use packmule_agent::protocol::pickup::{self, Ask, LIVE_NOT_SUPPORTED, Status, Version};
use packmule_bus::EnvelopeId;

use super::problems::Problem;
use super::{Answer, Asker, Count, Heard, Live, Mediator, Stored};
use crate::store::{Moment, StoreError, Waiting, canonical};

/// What an attachment costs beside its base64, in bytes: `{"id":"…52…","data":{"base64":"…"}},`.
const ATTACHMENT: u64 = 96;
/// What a delivery costs beside its attachments and DIDs: ids, type, body, and the header of the
/// encryption.
const REST: u64 = 2048;

impl Mediator {
    pub(super) async fn pick_up(
        &self,
        asker: &Asker<'_>,
        version: Version,
        ask: Ask,
        heard: &mut Heard,
    ) -> Answer {
        match ask {
            Ask::Status { recipient } => {
                let account = self.account(asker).await?;
                self.own(&account, recipient.as_deref(), asker).await?;
                self.status(asker, version, &account, recipient, asker.visit.live)
                    .await
            }
            Ask::Delivery { limit, recipient } => {
                if let Some(recipient) = &recipient {
                    let account = self.account(asker).await?;
                    self.own(&account, Some(recipient), asker).await?;
                }
                self.page(asker, version, limit, recipient).await
            }
            Ask::Received(ids) => self.received(asker, version, &ids, heard).await,
            Ask::Live(wanted) => {
                let account = self.account(asker).await?;
                self.live(asker, version, account, wanted, heard).await
            }
        }
    }

    /// Ends what its account has. What is acknowledged twice is gone already, and its name is
    /// known for longer than an old acknowledgement counts: a replay changes nothing.
    async fn received(
        &self,
        asker: &Asker<'_>,
        version: Version,
        ids: &[String],
        heard: &mut Heard,
    ) -> Answer {
        let ids: Vec<EnvelopeId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        let acked = self.store.ack(asker.name(), &ids, asker.now).await?;
        if acked.count == 0 {
            // It may be that there is no such account.
            self.account(asker).await?;
        }
        self.tally.add_many(Count::Acked, acked.count);
        heard.acked = ids;
        let status = told(&acked.left, None, asker.visit.live, asker.now);
        Ok(Some(pickup::status(asker.message, version, &status)))
    }

    /// Refuses a question about a DID that is not the account's. Whether it is somebody else's
    /// is not told.
    async fn own(
        &self,
        account: &str,
        recipient: Option<&str>,
        asker: &Asker<'_>,
    ) -> Result<(), Problem> {
        let Some(recipient) = recipient else {
            return Ok(());
        };
        let found = self.store.account_of(recipient).await?;
        let known = match found {
            Some(found) => found.did == account,
            // It was this account's once, and messages for it still wait.
            None => {
                let waiting = self.store.status(account, Some(recipient), asker.now);
                waiting.await?.count > 0
            }
        };
        known.then_some(()).ok_or_else(|| {
            let comment = "That DID is not registered by this account.";
            Problem::new("e.m.trust", comment)
        })
    }

    async fn status(
        &self,
        asker: &Asker<'_>,
        version: Version,
        account: &str,
        recipient: Option<String>,
        live: bool,
    ) -> Answer {
        let waiting = self.store.status(account, recipient.as_deref(), asker.now);
        let status = told(&waiting.await?, recipient, live, asker.now);
        Ok(Some(pickup::status(asker.message, version, &status)))
    }

    async fn page(
        &self,
        asker: &Asker<'_>,
        version: Version,
        limit: u32,
        recipient: Option<String>,
    ) -> Answer {
        let account = asker.name();
        let limit = limit.min(self.policy().page_messages);
        let room = self.room(asker.did, recipient.as_deref());
        let mut held = Vec::new();
        if limit > 0 {
            // Base64 makes four bytes of three.
            let bytes = room / 4 * 3;
            let page = self
                .store
                .page(account, recipient.as_deref(), limit, bytes, asker.now);
            held = page.await?;
        }
        if held.is_empty() {
            // It may be that there is no such account.
            self.account(asker).await?;
        }
        if held.is_empty() && version == Version::V3 {
            return self
                .status(asker, version, account, recipient, asker.visit.live)
                .await;
        }
        let fitting = fitting(held.iter().map(|one| one.packed.len()), room);
        let items: Vec<(String, Vec<u8>)> = held
            .into_iter()
            .take(fitting)
            .map(|one| (one.id.to_string(), one.packed))
            .collect();
        self.tally.add_many(Count::Delivered, items.len() as u64);
        let recipient = recipient.as_deref();
        Ok(Some(pickup::delivery(
            asker.message,
            version,
            recipient,
            &items,
        )))
    }

    /// Live delivery goes on or off on this connection, if it lasts.
    async fn live(
        &self,
        asker: &Asker<'_>,
        version: Version,
        account: String,
        wanted: bool,
        heard: &mut Heard,
    ) -> Answer {
        if wanted && !asker.visit.persistent {
            let comment =
                "Live delivery needs a connection that lasts, such as a WebSocket or a link.";
            return Err(Problem::new(LIVE_NOT_SUPPORTED, comment));
        }
        // Who plays an old wish again on a connection of its own gets nothing there.
        let status = self.status(asker, version, &account, None, wanted);
        let Some(status) = self.once(asker, status, |_| true).await? else {
            return Ok(None);
        };
        if asker.visit.persistent {
            let about = Message {
                body: None,
                ..asker.message.clone()
            };
            heard.live = Some(Live {
                wanted,
                account,
                version,
                about,
            });
        }
        Ok(status)
    }

    /// Deliveries of what was stored just now, for a live connection; one or more plaintexts,
    /// to be packed and sent. They stay in the mailbox until they are acknowledged.
    #[must_use]
    pub fn push<'a>(
        &self,
        live: &Live,
        stored: impl IntoIterator<Item = &'a Stored>,
    ) -> Vec<Message> {
        let to = live.about.from.clone().unwrap_or_default();
        let room = self.room(&to, None);
        let mut mine: Vec<&Stored> = stored.into_iter().collect();
        mine.retain(|one| canonical(&one.account) == live.account);
        let (mut rest, mut pushes) = (mine.as_slice(), Vec::new());
        while !rest.is_empty() {
            let fitting = fitting(rest.iter().map(|one| one.packed.len()), room);
            let (page, later) = rest.split_at(fitting);
            let items: Vec<(String, Vec<u8>)> = page
                .iter()
                .map(|one| (one.id.to_string(), one.packed.clone()))
                .collect();
            self.tally.add_many(Count::Delivered, items.len() as u64);
            let delivery = pickup::delivery(&live.about, live.version, None, &items);
            pushes.push(self.addressed(delivery, &to));
            rest = later;
        }
        pushes
    }

    /// How much waits now for whoever has live delivery on a connection: the answer to its wish,
    /// and the word that something was not pushed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn live_status(&self, live: &Live, now: Moment) -> Result<Message, StoreError> {
        let waiting = self.store.status(&live.account, None, now).await?;
        let status = told(&waiting, None, live.wanted, now);
        let to = live.about.from.clone().unwrap_or_default();
        Ok(self.addressed(pickup::status(&live.about, live.version, &status), &to))
    }

    /// Bytes for attachments in a delivery to this DID. Its key ids and ours stand in the header
    /// of the encryption too, some of them as base64 of base64.
    fn room(&self, to: &str, recipient: Option<&str>) -> u64 {
        let names = 4 * (to.len() + self.did.len()) + recipient.map_or(0, str::len);
        let most = self.policy().page_bytes;
        most.saturating_sub(REST + names as u64)
    }
}

/// What waits, in the protocol's words.
fn told(waiting: &Waiting, recipient: Option<String>, live: bool, now: Moment) -> Status {
    Status {
        count: waiting.count,
        recipient,
        bytes: Some(waiting.bytes),
        oldest: waiting.oldest.map(|at| at.as_millis()),
        newest: waiting.newest.map(|at| at.as_millis()),
        waited: waiting.oldest.map(|since| now.since(since).as_secs()),
        live: Some(live),
    }
}

/// How many messages of these lengths fit; the first always.
fn fitting(lengths: impl Iterator<Item = usize>, room: u64) -> usize {
    let mut used = 0_u64;
    let fits = |index: usize, length: usize| {
        used = used.saturating_add((length as u64).saturating_mul(4) / 3 + 4 + ATTACHMENT);
        index == 0 || used <= room
    };
    let mut fits = fits;
    lengths
        .enumerate()
        .take_while(|(index, length)| fits(*index, *length))
        .count()
}
