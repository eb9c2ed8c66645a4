//! What the bus knows, as lines for people and scripts.

use data_encoding::HEXLOWER;
use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::{Event, Held, HeldState, NodeKey, Origin};
use packmule_bus::depot::{Next, Why};
use packmule_bus::receipt::Rung;

use super::{Driver, Reach};
use crate::control::{
    DeadLetter, EventLine, LinkReport, Refusal, StatusReport, TakerReport, WhyReport,
};
use crate::desk::date::rfc3339;

/// For what a newer bus may say: there is none such, since both are built together.
const UNKNOWN: &str = "something that this program has no words for";

impl Driver {
    pub(super) fn status(&self) -> StatusReport {
        let status = self.bus.status();
        let links = status.links.iter().map(|link| LinkReport {
            link: link.link.0,
            transport: link.transport.clone(),
            way: link.way.as_ref().map(ToString::to_string),
            node: link.peer.map(hex),
            proven: link
                .proven
                .iter()
                .map(|tag| self.reach.name(*tag))
                .collect(),
            outgoing: link.outgoing,
            incoming: link.incoming,
        });
        StatusReport {
            count: status.totals.count,
            bytes: status.totals.bytes,
            strangers_bytes: status.totals.strangers_bytes,
            dead: status.totals.dead,
            receipts: status.totals.receipts,
            arriving: status.arriving,
            writing_bytes: status.writing_bytes,
            disk: status.disk.map(|reason| reason.to_string()),
            links: links.collect(),
            troubles: self.troubles(),
            ..StatusReport::default()
        }
    }

    /// What does not work for the moment.
    fn troubles(&self) -> Vec<String> {
        let judging = self
            .clerk
            .trouble()
            .map(|why| format!("what came cannot be opened now, and is tried again: {why}"));
        let posting = self
            .post
            .trouble()
            .map(|why| format!("some of the outbox waits, and is tried again: {why}"));
        judging.into_iter().chain(posting).collect()
    }

    pub(super) fn why(&self, id: &EnvelopeId) -> Option<WhyReport> {
        let why = self.bus.why(self.clock.now(), id)?;
        Some(report(&why))
    }

    pub(super) fn dead_letters(&self) -> Vec<DeadLetter> {
        self.bus.held().filter_map(dead_letter).collect()
    }
}

fn report(why: &Why) -> WhyReport {
    let takers = why.takers.iter().map(|taker| TakerReport {
        node: taker.node.map(hex),
        transport: taker.transport.clone(),
        at: taker.at,
        sure: taker.sure,
    });
    let refusals = why.refusals.iter().map(|(node, reason, again)| Refusal {
        node: hex(*node),
        why: reason.to_string(),
        again_in: *again,
    });
    WhyReport {
        id: why.id.to_string(),
        origin: origin(why.origin).to_owned(),
        rung: rung(why.rung),
        bytes: why.bytes,
        since: why.since,
        expires: why.label.expires,
        hops: why.label.hops,
        copies: why.label.copies,
        takers: takers.collect(),
        refusals: refusals.collect(),
        next: why.next.iter().map(next).collect(),
    }
}

fn next(next: &Next) -> String {
    match next {
        Next::Writing => "it is being written".to_owned(),
        Next::Offered(node) => format!("it is on its way to node {}", short(*node)),
        Next::Trying(way) => format!("{way} is being tried"),
        Next::TryIn(way, seconds, 0) => format!("{way} is tried in {seconds} s"),
        Next::TryIn(way, seconds, failures) => {
            format!("{way} is tried again in {seconds} s ({failures} failures)")
        }
        Next::Barred(way, why) => format!("{way} will never take it: {why}"),
        Next::AwaitReceipt => "its recipient has it; the receipt is awaited".to_owned(),
        Next::AwaitRecipient => "it waits to meet its recipient".to_owned(),
        Next::AwaitCarriers(copies) => {
            format!("it waits to meet its recipient, or anybody who carries a copy ({copies} left)")
        }
        Next::ExpireAt(end) => format!("its time is over at {}", rfc3339(*end)),
        Next::Person => {
            "nothing, unless you let it try again: `packmule dead-letters retry`".to_owned()
        }
        _ => UNKNOWN.to_owned(),
    }
}

fn dead_letter(held: &Held) -> Option<DeadLetter> {
    let HeldState::Dead(reason) = held.state else {
        return None;
    };
    Some(DeadLetter {
        id: held.id.to_string(),
        origin: origin(held.origin).to_owned(),
        why: reason.to_string(),
        bytes: held.bytes,
        since: held.since,
    })
}

/// An event as a line; names are the address book's.
pub(super) fn line(event: &Event, reach: &Reach) -> EventLine {
    match event {
        Event::Received(arrived) => EventLine::Received {
            id: arrived.id.to_string(),
            transport: arrived.transport.clone(),
        },
        Event::Progress {
            id,
            rung: reached,
            by,
            transport,
        } => EventLine::Progress {
            id: id.to_string(),
            rung: rung(*reached),
            node: by.map(hex),
            transport: transport.clone(),
        },
        Event::Carrying(id) => EventLine::Carrying { id: id.to_string() },
        Event::NotTaken(id, reason) => EventLine::Progress {
            id: id.to_string(),
            rung: rung(Rung::Refused(*reason)),
            node: None,
            transport: None,
        },
        Event::Dead(id, reason) => EventLine::Dead {
            id: id.to_string(),
            why: reason.to_string(),
        },
        Event::Evicted(id) => EventLine::Evicted { id: id.to_string() },
        Event::Met(link, node) => EventLine::Met {
            link: link.0,
            node: hex(*node),
        },
        Event::Proved(link, tag) => EventLine::Proved {
            link: link.0,
            who: reach.name(*tag),
        },
        Event::Parted(link, why) => EventLine::Parted {
            link: link.0,
            why: why.clone(),
        },
        Event::DiskFull => EventLine::DiskFull,
        Event::DiskRoom => EventLine::DiskRoom,
        _ => EventLine::Other {
            what: UNKNOWN.to_owned(),
        },
    }
}

fn rung(rung: Rung) -> String {
    match rung {
        Rung::Queued => "queued".to_owned(),
        Rung::Custody => "custody".to_owned(),
        Rung::Delivered => "delivered".to_owned(),
        Rung::Expired => "expired".to_owned(),
        Rung::Refused(reason) => format!("refused: {reason}"),
        _ => UNKNOWN.to_owned(),
    }
}

const fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Own => "own",
        Origin::From(_) | Origin::Friend(_) => "carried",
        Origin::Mailbox => "mailbox",
    }
}

/// 64 hex digits.
pub(crate) fn hex(node: NodeKey) -> String {
    HEXLOWER.encode(&node.0)
}

fn short(node: NodeKey) -> String {
    hex(node).chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use packmule_bus::link::Way;

    use super::*;

    #[test]
    fn what_happens_next_is_told_in_words() {
        let way = Way::parse("tcp://bob:1").unwrap();
        let told = [
            Next::Writing,
            Next::Offered(NodeKey([7; 32])),
            Next::Trying(way.clone()),
            Next::TryIn(way.clone(), 0, 0),
            Next::TryIn(way.clone(), 9, 2),
            Next::Barred(way, "too long".to_owned()),
            Next::AwaitReceipt,
            Next::AwaitRecipient,
            Next::AwaitCarriers(3),
            Next::ExpireAt(1_795_269_642),
            Next::Person,
        ]
        .map(|step| next(&step));
        for line in &told {
            assert!(line.starts_with(|c: char| c.is_lowercase()), "{line}");
            assert!(line.contains(' '), "{line}");
            assert_ne!(line, UNKNOWN);
        }
        assert_eq!(told[9], "its time is over at 2026-11-21T14:00:42Z");
    }
}
