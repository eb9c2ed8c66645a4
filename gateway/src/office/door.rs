//! The door for HTTP.
//!
//! What is it: the office as the web server's [`Reception`]. Who calls it: the server, for each
//! request. What can go wrong: a visitor that leaves before it is answered: what it brought is
//! followed to its end all the same.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use packmule_bus::link::{BoxFut, Port};
use packmule_http::hyper::body::Bytes;
use packmule_http::hyper::{Request, Response};
use packmule_http::server::{Answer, Reception, Visitor};
use tokio::time::sleep;

use super::to_its_end::ToItsEnd;
use super::{Office, Refused};
use crate::counters::Count;
use crate::mediator::{Via, Visit};
use crate::rates::network;

/// The office, as the server sees it.
pub(crate) struct Door {
    office: Arc<Office>,
    links: tokio::sync::mpsc::Sender<Port>,
}

impl Door {
    /// Links of our own kind are passed on to the node.
    pub(crate) const fn new(office: Arc<Office>, links: tokio::sync::mpsc::Sender<Port>) -> Self {
        Self { office, links }
    }
}

impl Reception for Door {
    fn receive(&self, packed: Vec<u8>, visitor: Visitor) -> BoxFut<'_, Answer> {
        let office = Arc::clone(&self.office);
        Box::pin(async move {
            office.counters.one(Count::ByHttp);
            let posted = async move { office.posted(packed, &visitor).await };
            let outcome = ToItsEnd::of(posted).await;
            outcome.unwrap_or_else(|refused| {
                let (status, retry_after) = refused.status();
                Answer::Refused {
                    status,
                    retry_after,
                }
            })
        })
    }

    fn page(&self, request: Request<Bytes>, visitor: Visitor) -> BoxFut<'_, Response<Bytes>> {
        Box::pin(async move { self.office.page(request, &visitor).await })
    }

    fn socket(&self, port: Port, visitor: Visitor) -> BoxFut<'_, ()> {
        Box::pin(async move {
            match port {
                Port::Mailbox(mailbox) => self.office.talk(Arc::from(mailbox), &visitor).await,
                // The node has ended: so does the visit.
                link => drop(self.links.send(link).await),
            }
        })
    }
}

impl Office {
    /// May one more message of this address be read?
    pub(super) fn let_in(&self, visitor: &Visitor) -> Result<(), Refused> {
        let from = network(visitor.address.ip());
        if self.stands_for_many(from) {
            return Ok(());
        }
        let held = self.addresses.take(from, Instant::now());
        held.map_err(|wait| self.refuse(Refused::TooMany(wait)))
    }

    /// Waits until one more message of this address may be read.
    pub(super) async fn pace(&self, visitor: &Visitor) {
        let from = network(visitor.address.ip());
        if self.stands_for_many(from) {
            return;
        }
        while let Err(wait) = self.addresses.take(from, Instant::now()) {
            self.counters.one(Count::Paced);
            sleep(wait).await;
        }
    }

    /// For the quota of those who do not say who they are. None: nothing tells them apart, and a
    /// share for all of them together would let one of them take it from everybody.
    pub(super) fn anonymous(&self, visitor: &Visitor) -> Option<String> {
        let from = network(visitor.address.ip());
        (!self.stands_for_many(from)).then(|| from.to_string())
    }

    /// Is it a proxy, behind which many come from one address?
    pub(super) const fn stands_for_many(&self, from: IpAddr) -> bool {
        self.settings.proxied && from.is_loopback()
    }

    async fn posted(
        self: &Arc<Self>,
        packed: Vec<u8>,
        visitor: &Visitor,
    ) -> Result<Answer, Refused> {
        self.let_in(visitor)?;
        let mut visit = Visit::by(Via::Http);
        visit.from = self.anonymous(visitor);
        let followed = self.take(packed, &visit).await?;
        // Whoever brings it must keep it, or find another way: an acceptance would be believed.
        if followed.for_nobody {
            return Err(Refused::NoRecipient);
        }
        let Some(sender) = followed.sender else {
            return Ok(Answer::Accepted);
        };
        let mut back = None;
        for reply in followed.replies {
            if back.is_none() && followed.back {
                // What cannot be packed for its sender never will be; it was done.
                let _packing = followed.span.part("pack");
                back = self.pack(&sender, reply).await.ok();
                if back.is_none() {
                    self.counters.one(Count::AnswerLost);
                }
            } else {
                self.answer_elsewhere(&sender, reply).await;
            }
        }
        Ok(match back {
            Some(packed) => {
                self.counters.one(Count::AnsweredHere);
                Answer::Reply(packed)
            }
            None => Answer::Accepted,
        })
    }
}
