//! Links that lose, delay, double, reorder and corrupt.
//!
//! What is it: wrappers around the receiving half of one side of a link; wrap both sides for
//! both directions. Every decision is the next roll of a seeded [`Dice`], one per PDU that
//! comes. Who calls it: tests of sessions and nodes. What can go wrong: nothing of their own: an
//! end of the link passes through, after what is kept back.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use packmule_bus::link::{BoxFut, Link, LinkError, LinkRx};
use tokio::time::{Instant, sleep_until};

use crate::Dice;

/// PDUs that a wrapper keeps back at most.
const KEPT: usize = 64;

/// Loses PDUs.
#[derive(Clone, Copy, Debug)]
pub struct Lossy {
    /// Decides which.
    pub seed: u64,
    /// How many of 1,000.
    pub per_mille: u16,
}

/// Doubles PDUs.
#[derive(Clone, Copy, Debug)]
pub struct Doubling {
    /// Decides which.
    pub seed: u64,
    /// How many of 1,000.
    pub per_mille: u16,
}

/// Lets PDUs overtake one another, where more than one is on the way.
#[derive(Clone, Copy, Debug)]
pub struct Reordering {
    /// Decides which.
    pub seed: u64,
    /// How many of 1,000 are kept back until the next one has passed, or none is on the way.
    pub per_mille: u16,
}

/// Flips a bit, cuts or lengthens PDUs (never above the MTU).
#[derive(Clone, Copy, Debug)]
pub struct Corrupting {
    /// Decides which, and how.
    pub seed: u64,
    /// How many of 1,000.
    pub per_mille: u16,
}

/// Delivers PDUs later, in their order.
#[derive(Clone, Copy, Debug)]
pub struct Delayed {
    /// Decides by how much more than `least`.
    pub seed: u64,
    /// The shortest delay.
    pub least: Duration,
    /// The longest.
    pub most: Duration,
}

impl Lossy {
    /// The link, of which what this side receives is thinned.
    #[must_use]
    pub fn wrap(self, link: Link) -> Link {
        let mut dice = Dice::new(self.seed);
        mangled(link, move |pdu, out| {
            if !dice.hit(self.per_mille) {
                out.push_back(pdu);
            }
        })
    }
}

impl Doubling {
    /// The link, of which what this side receives sometimes comes twice.
    #[must_use]
    pub fn wrap(self, link: Link) -> Link {
        let mut dice = Dice::new(self.seed);
        mangled(link, move |pdu, out| {
            if dice.hit(self.per_mille) {
                out.push_back(pdu.clone());
            }
            out.push_back(pdu);
        })
    }
}

impl Corrupting {
    /// The link, of which what this side receives is sometimes altered.
    #[must_use]
    pub fn wrap(self, link: Link) -> Link {
        let mut dice = Dice::new(self.seed);
        let mtu = link.facts.mtu;
        mangled(link, move |mut pdu, out| {
            if dice.hit(self.per_mille) {
                let at = dice.below(pdu.len());
                match dice.below(3) {
                    0 => pdu.truncate(at),
                    1 if pdu.len() < mtu => pdu.push(7),
                    _ => {
                        if let Some(byte) = pdu.get_mut(at) {
                            *byte ^= 1 << dice.below(8);
                        }
                    }
                }
            }
            out.push_back(pdu);
        })
    }
}

impl Reordering {
    /// The link, of which what this side receives sometimes changes its order.
    #[must_use]
    pub fn wrap(self, mut link: Link) -> Link {
        link.facts.ordered = false;
        link.rx = Box::new(Shuffle {
            inner: link.rx,
            dice: Dice::new(self.seed),
            per_mille: self.per_mille,
            back: None,
        });
        link
    }
}

impl Delayed {
    /// The link, of which what this side receives comes later.
    #[must_use]
    pub fn wrap(self, mut link: Link) -> Link {
        link.rx = Box::new(Later {
            inner: link.rx,
            dice: Dice::new(self.seed),
            delay: self,
            kept: VecDeque::new(),
            ended: false,
        });
        link
    }
}

/// What becomes of one PDU: it goes into the queue as often and as altered as it pleases.
type Fate = Box<dyn FnMut(Vec<u8>, &mut VecDeque<Vec<u8>>) + Send>;

fn mangled(
    mut link: Link,
    fate: impl FnMut(Vec<u8>, &mut VecDeque<Vec<u8>>) + Send + 'static,
) -> Link {
    link.facts.reliable = false;
    link.rx = Box::new(Mangled {
        inner: link.rx,
        fate: Box::new(fate),
        ready: VecDeque::new(),
    });
    link
}

struct Mangled {
    inner: Box<dyn LinkRx>,
    fate: Fate,
    ready: VecDeque<Vec<u8>>,
}

impl LinkRx for Mangled {
    fn recv(&mut self) -> BoxFut<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(async {
            loop {
                if let Some(pdu) = self.ready.pop_front() {
                    return Ok(pdu);
                }
                let pdu = self.inner.recv().await?;
                (self.fate)(pdu, &mut self.ready);
            }
        })
    }
}

struct Shuffle {
    inner: Box<dyn LinkRx>,
    dice: Dice,
    per_mille: u16,
    back: Option<Vec<u8>>,
}

impl LinkRx for Shuffle {
    fn recv(&mut self) -> BoxFut<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(async {
            loop {
                if self.back.is_none() {
                    let pdu = self.inner.recv().await?;
                    if !self.dice.hit(self.per_mille) {
                        return Ok(pdu);
                    }
                    self.back = Some(pdu);
                }
                // Whatever is here already passes the one that is kept back.
                let next = at_once(self.inner.recv()).await;
                if let Some(Ok(pdu)) = next {
                    return Ok(pdu);
                }
                if let Some(pdu) = self.back.take() {
                    return Ok(pdu);
                }
            }
        })
    }
}

struct Later {
    inner: Box<dyn LinkRx>,
    dice: Dice,
    delay: Delayed,
    kept: VecDeque<(Instant, Vec<u8>)>,
    ended: bool,
}

impl LinkRx for Later {
    fn recv(&mut self) -> BoxFut<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(async {
            loop {
                let due = self.kept.front().map(|(due, _)| *due);
                let Some(due) = due else {
                    if self.ended {
                        return Err(LinkError::Closed);
                    }
                    let came = self.inner.recv().await;
                    self.keep(came);
                    continue;
                };
                if self.ended || self.kept.len() >= KEPT {
                    sleep_until(due).await;
                } else {
                    tokio::select! {
                        biased;
                        () = sleep_until(due) => {}
                        came = self.inner.recv() => {
                            self.keep(came);
                            continue;
                        }
                    }
                }
                if let Some((_, pdu)) = self.kept.pop_front() {
                    return Ok(pdu);
                }
            }
        })
    }
}

impl Later {
    fn keep(&mut self, came: Result<Vec<u8>, LinkError>) {
        let Ok(pdu) = came else {
            self.ended = true;
            return;
        };
        let spread = self.delay.most.saturating_sub(self.delay.least);
        let more =
            spread.mul_f64(f64::from(u16::try_from(self.dice.below(1000)).unwrap_or(0)) / 1000.0);
        let mut due = Instant::now() + self.delay.least + more;
        if let Some((last, _)) = self.kept.back() {
            due = due.max(*last);
        }
        self.kept.push_back((due, pdu));
    }
}

/// What a future gives when polled once.
async fn at_once<T>(mut future: BoxFut<'_, T>) -> Option<T> {
    poll_fn(|cx| {
        Poll::Ready(match Pin::new(&mut future).poll(cx) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}
