//! Whole messages: handed over to mailboxes, and collected from them.
//!
//! Called by the driver. A message is settled at its source after its commit, by the bus's word;
//! until then a mailbox has at most [`UNSETTLED`] of them out. What the bus does not take goes back
//! after a while, and may come again. What can go wrong: the channel, which the bus is told; bytes
//! that are no message, which are left where they are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use packmule_agent::pack::{Limits, peek};
use packmule_bus::bus::io::{HandFault, Input};
use packmule_bus::label::DidTag;
use packmule_bus::link::{Collected, LinkError, Mailbox, Port, Settle, Transport, Way};
use packmule_bus::{DecodeError, Envelope, EnvelopeId, Kind};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::links::Visit;
use super::routes::Onion;
use super::{Driver, Heard, Mouth};
use crate::desk::address::tag_of;

/// Messages of one mailbox that are here and not settled.
const UNSETTLED: usize = 16;
/// A message that the bus did not take keeps its place among them so long, so that a mailbox full
/// of such messages costs little …
const REFUSED: Duration = Duration::from_secs(2);
/// … and goes back into its mailbox so much later, so that those behind it have their turn. Of one
/// mailbox no more than `UNSETTLED * (AGAIN / REFUSED + 1)` messages are out.
const AGAIN: Duration = Duration::from_secs(30);
/// How long handing over may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// After bytes that are no message.
const BREATH: Duration = Duration::from_secs(1);

/// Mailboxes that were opened to hand over.
#[derive(Default)]
pub(crate) struct Boxes {
    open: BTreeMap<Way, Arc<dyn Mailbox>>,
}

impl Boxes {
    /// Most of them kept open: more are opened anew each time.
    const KEPT: usize = 64;

    pub(crate) fn add(&mut self, way: Way, mailbox: Arc<dyn Mailbox>) {
        if self.open.len() >= Self::KEPT && !self.open.contains_key(&way) {
            self.open.pop_first();
        }
        self.open.insert(way, mailbox);
    }
}

impl Driver {
    pub(super) fn deliver(&mut self, id: EnvelopeId, way: Way, wire: Vec<u8>) {
        let transport = self.transports.get(way.transport()).cloned();
        let known = self.boxes.open.get(&way).cloned();
        let onion = self.onion(&id, &way);
        let mouth = self.mouth.clone();
        self.tasks.spawn(async move {
            let hand = async {
                let envelope =
                    Envelope::decode(&wire).map_err(|error| HandFault::Never(error.to_string()))?;
                let (packed, kind) = match onion {
                    None => (envelope.to_json(), envelope.kind()),
                    Some(onion) => (wrapped(envelope, onion).await?, Kind::Encrypted),
                };
                let kept = known.is_some();
                if let Some(mailbox) = known {
                    match mailbox.deliver(packed.clone(), kind).await {
                        // Its connection has ended since: another one, for this message and others.
                        Err(LinkError::Closed) => {}
                        outcome => return outcome.map_err(|error| fault(&error)),
                    }
                }
                let mailbox = reached(transport.as_deref(), &way).await?;
                if kept {
                    let (way, mailbox) = (way.clone(), Arc::clone(&mailbox));
                    let _ = mouth.answers.send(Heard::Reached(way, mailbox));
                }
                let outcome = mailbox.deliver(packed, kind).await;
                outcome.map_err(|error| fault(&error))
            };
            let outcome = match timeout(PATIENCE, hand).await {
                Ok(outcome) => outcome,
                Err(_) => Err(HandFault::Later("it took too long".to_owned())),
            };
            mouth.tell(Input::Handed { id, way, outcome });
        });
    }

    /// Collects what waits in a mailbox for as long as it is there.
    pub(super) fn collect(
        &mut self,
        mailbox: Box<dyn Mailbox>,
        transport: &'static str,
        visit: Option<Visit>,
    ) -> Arc<dyn Mailbox> {
        let mailbox: Arc<dyn Mailbox> = Arc::from(mailbox);
        self.collect_from(&mailbox, transport, visit);
        mailbox
    }

    fn collect_from(
        &mut self,
        mailbox: &Arc<dyn Mailbox>,
        transport: &'static str,
        visit: Option<Visit>,
    ) {
        let emptied = empty(Arc::clone(mailbox), transport, self.mouth.clone());
        self.tasks.spawn(async move {
            let _visit = visit;
            emptied.await;
        });
    }

    /// A mailbox whose connection had ended has another one.
    pub(super) fn reached(&mut self, way: Way, mailbox: Arc<dyn Mailbox>) {
        if let Some(transport) = self.transports.get(way.transport()) {
            let transport = transport.name();
            self.collect_from(&mailbox, transport, None);
            self.boxes.add(way, mailbox);
        }
    }
}

/// Opens a mailbox.
async fn reached(
    transport: Option<&dyn Transport>,
    way: &Way,
) -> Result<Arc<dyn Mailbox>, HandFault> {
    let Some(transport) = transport else {
        return Err(HandFault::Never("no such transport here".to_owned()));
    };
    let port = transport.open(way).await;
    match port.map_err(|error| HandFault::Later(error.to_string()))? {
        Port::Mailbox(mailbox) => Ok(Arc::from(mailbox)),
        _ => Err(HandFault::Never("it is no mailbox".to_owned())),
    }
}

/// Cryptography, away from the runtime's threads.
async fn wrapped(envelope: Envelope, onion: Arc<Onion>) -> Result<Vec<u8>, HandFault> {
    let wrapping = spawn_blocking(move || onion.wrap(&envelope.to_json()));
    let crashed = |_| Err(HandFault::Later("it could not be wrapped".to_owned()));
    wrapping.await.unwrap_or_else(crashed)
}

fn fault(error: &LinkError) -> HandFault {
    match error {
        LinkError::TooLarge { .. } | LinkError::Refused(_) => HandFault::Never(error.to_string()),
        _ => HandFault::Later(error.to_string()),
    }
}

async fn empty(mailbox: Arc<dyn Mailbox>, transport: &'static str, mouth: Mouth) {
    let unsettled = Arc::new(Semaphore::new(UNSETTLED));
    loop {
        let Ok(seat) = Arc::clone(&unsettled).acquire_owned().await else {
            return;
        };
        let Collected { bytes, settle, .. } = match mailbox.collect().await {
            Ok(collected) => collected,
            Err(LinkError::Busy(_)) => {
                sleep(BREATH).await;
                continue;
            }
            Err(_) => return,
        };
        let Some((envelope, to)) = read(&bytes) else {
            sleep(BREATH).await;
            continue;
        };
        let heard = Heard::Collected {
            envelope,
            to,
            transport,
            settle: Seated { settle, seat },
        };
        if mouth.brought.send(heard).await.is_err() {
            return;
        }
    }
}

/// A message that is here and neither settled nor put back, and its place among [`UNSETTLED`].
pub(crate) struct Seated {
    settle: Box<dyn Settle>,
    seat: OwnedSemaphorePermit,
}

impl Seated {
    /// It is durable here. If settling fails the message comes again, and is known then.
    pub(super) async fn settle(self) {
        let _ = self.settle.settle().await;
        drop(self.seat);
    }

    /// It was not taken.
    pub(super) async fn put_back(self) {
        sleep(REFUSED).await;
        drop(self.seat);
        sleep(AGAIN).await;
        drop(self.settle);
    }
}

/// A DIDComm message and whom its header names.
fn read(bytes: &[u8]) -> Option<(Envelope, Vec<DidTag>)> {
    let envelope = match Envelope::decode(bytes) {
        Err(DecodeError::NotAnEnvelope) => Envelope::from_packed(bytes).ok()?,
        other => other.ok()?,
    };
    if envelope.kind() == Kind::Other {
        return None;
    }
    let peek = peek(&envelope.to_json(), &Limits::default()).ok()?;
    let named = peek.to.unwrap_or(peek.recipient_kids);
    let mut tags: Vec<DidTag> = named.iter().map(|named| tag_of(named)).collect();
    tags.sort_unstable();
    tags.dedup();
    Some((envelope, tags))
}
