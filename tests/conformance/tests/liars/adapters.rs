//! Links that break one promise each.
//!
//! Each habit sits in the sending half, the receiving half or both of an honest link in memory.

use std::collections::VecDeque;
use std::future::pending;

use packmule_bus::link::{BoxFut, Link, LinkError, LinkFacts, LinkRx, LinkTx};
use tokio::task::yield_now;

/// What an adapter does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Habit {
    None,
    DropsEveryTenth,
    SendsToNobody,
    SendsTwice,
    Swaps,
    CutsLong,
    Merges,
    TakesAnyLength,
    DiesOfOversize,
    DiesOfEmpty,
    OneWayAtATime,
    Unbounded,
    LosesOnCancel,
    TearsOnCancel,
    HidesClose,
    ClosesOnce,
    WaitsForEver,
    ForgetsLastWords,
}

/// Honest links, four PDUs each way.
pub(crate) fn pair(facts: LinkFacts) -> (Link, Link) {
    packmule_mem::pair(facts, 4)
}

/// The same pair with a habit on both sides.
pub(crate) fn liar((near, far): (Link, Link), habit: Habit) -> (Link, Link) {
    (with(near, habit), with(far, habit))
}

fn with(link: Link, habit: Habit) -> Link {
    let mtu = link.facts.mtu;
    Link {
        tx: Box::new(Tx {
            inner: Some(link.tx),
            habit,
            mtu,
            count: 0,
            held: VecDeque::new(),
        }),
        rx: Box::new(Rx {
            inner: link.rx,
            habit,
            told: false,
        }),
        ..link
    }
}

struct Tx {
    inner: Option<Box<dyn LinkTx>>,
    habit: Habit,
    mtu: usize,
    count: usize,
    held: VecDeque<Vec<u8>>,
}

impl LinkTx for Tx {
    fn send(&mut self, pdu: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            self.count += 1;
            match self.habit {
                Habit::DropsEveryTenth if self.count.is_multiple_of(10) => Ok(()),
                Habit::SendsToNobody => {
                    let _ = self.inner()?.send(pdu).await;
                    Ok(())
                }
                Habit::SendsTwice => {
                    self.inner()?.send(pdu.clone()).await?;
                    self.inner()?.send(pdu).await
                }
                Habit::Swaps => {
                    if self.count % 2 == 1 {
                        self.held.push_back(pdu);
                        return Ok(());
                    }
                    self.inner()?.send(pdu).await?;
                    let earlier = self.held.pop_front().unwrap_or_default();
                    self.inner()?.send(earlier).await
                }
                Habit::CutsLong => {
                    let kept = pdu.iter().copied().take(90).collect();
                    self.inner()?.send(kept).await
                }
                Habit::Merges if pdu.len() < 10 => {
                    self.held.push_back(pdu);
                    if self.held.len() < 2 {
                        return Ok(());
                    }
                    let both = self.held.drain(..).flatten().collect();
                    self.inner()?.send(both).await
                }
                Habit::TakesAnyLength => {
                    let kept = pdu.into_iter().take(self.mtu).collect();
                    self.inner()?.send(kept).await
                }
                Habit::DiesOfOversize if pdu.len() > self.mtu => {
                    self.inner = None;
                    Err(LinkError::TooLarge {
                        bytes: pdu.len(),
                        limit: self.mtu,
                    })
                }
                Habit::DiesOfEmpty if pdu.is_empty() => {
                    self.inner = None;
                    Err(LinkError::Refused("empty".to_owned()))
                }
                Habit::Unbounded => {
                    self.held.push_back(pdu);
                    Ok(())
                }
                Habit::TearsOnCancel => {
                    let half = pdu.len() / 2;
                    let head = pdu.iter().copied().take(half).collect();
                    self.inner()?.send(head).await?;
                    yield_now().await;
                    self.inner()?.send(pdu).await
                }
                Habit::WaitsForEver => match self.inner()?.send(pdu).await {
                    Ok(()) => Ok(()),
                    Err(_) => pending().await,
                },
                Habit::ForgetsLastWords => {
                    // A queue of its own: the medium gets a PDU when the next but two comes.
                    self.held.push_back(pdu);
                    match self.held.len() {
                        0..=2 => Ok(()),
                        _ => {
                            let oldest = self.held.pop_front().unwrap_or_default();
                            self.inner()?.send(oldest).await
                        }
                    }
                }
                Habit::OneWayAtATime if self.count > 50 => pending().await,
                _ => self.inner()?.send(pdu).await,
            }
        })
    }
}

impl Tx {
    fn inner(&mut self) -> Result<&mut Box<dyn LinkTx>, LinkError> {
        self.inner.as_mut().ok_or(LinkError::Closed)
    }
}

struct Rx {
    inner: Box<dyn LinkRx>,
    habit: Habit,
    told: bool,
}

impl LinkRx for Rx {
    fn recv(&mut self) -> BoxFut<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(async move {
            if self.told && self.habit == Habit::ClosesOnce {
                return Ok(Vec::new());
            }
            let came = self.inner.recv().await;
            match self.habit {
                Habit::LosesOnCancel => yield_now().await,
                Habit::HidesClose if came.is_err() => pending().await,
                _ => {}
            }
            self.told |= came.is_err();
            came
        })
    }
}
