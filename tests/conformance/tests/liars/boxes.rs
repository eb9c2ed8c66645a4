//! Mailboxes that break one promise each.

#![expect(
    clippy::expect_used,
    reason = "a story that goes wrong must fail the test"
)]

use std::sync::Mutex;

use packmule_bus::Kind;
use packmule_bus::link::{BoxFut, Collected, LinkError, Mailbox, Settle};
use packmule_conformance::{mailboxes, mailboxes::Post};
use packmule_mem::Mem;
use tokio::task::yield_now;

use super::caught;

/// What a mailbox does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Habit {
    None,
    SettlesAtOnce,
    /// Never deletes: what was settled comes again.
    NeverSettles,
    /// Says Ok and drops.
    Drops,
    /// Takes a message, then waits before it hands it over.
    LosesOnCancel,
}

struct Box1 {
    air: Mem,
    habit: Habit,
}

fn post(habit: Habit) -> Box1 {
    Box1 {
        air: Mem::new(),
        habit,
    }
}

impl Post for Box1 {
    fn poster(&self) -> BoxFut<'_, Box<dyn Mailbox>> {
        Box::pin(async { self.side(self.air.post("bob")) })
    }

    fn collector(&self) -> BoxFut<'_, Box<dyn Mailbox>> {
        Box::pin(async { self.side(self.air.collector("bob")) })
    }
}

impl Box1 {
    fn side(&self, inner: Box<dyn Mailbox>) -> Box<dyn Mailbox> {
        Box::new(Side {
            inner,
            habit: self.habit,
            back: self.air.post("bob"),
            held: Mutex::default(),
        })
    }
}

struct Side {
    inner: Box<dyn Mailbox>,
    habit: Habit,
    back: Box<dyn Mailbox>,
    held: Mutex<u32>,
}

struct Nothing;

impl Settle for Nothing {
    fn settle(self: Box<Self>) -> BoxFut<'static, Result<(), LinkError>> {
        Box::pin(async { Ok(()) })
    }
}

impl Mailbox for Side {
    fn deliver(&self, packed: Vec<u8>, kind: Kind) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            let count = {
                let mut held = self.held.lock().expect("unpoisoned");
                *held += 1;
                *held
            };
            if self.habit == Habit::Drops && count == 3 {
                return Ok(());
            }
            self.inner.deliver(packed, kind).await
        })
    }

    fn collect(&self) -> BoxFut<'_, Result<Collected, LinkError>> {
        Box::pin(async {
            let came = self.inner.collect().await?;
            let bytes = came.bytes.clone();
            match self.habit {
                Habit::None | Habit::Drops => Ok(came),
                Habit::SettlesAtOnce | Habit::LosesOnCancel => {
                    came.settle.settle().await?;
                    if self.habit == Habit::LosesOnCancel {
                        yield_now().await;
                    }
                    let settle = Box::new(Nothing);
                    Ok(Collected { bytes, settle })
                }
                Habit::NeverSettles => {
                    came.settle.settle().await?;
                    self.back.deliver(bytes.clone(), Kind::Other).await?;
                    let settle = Box::new(Nothing);
                    Ok(Collected { bytes, settle })
                }
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn an_honest_mailbox_passes_with_the_same_tools() {
    mailboxes(async || post(Habit::None)).await.expect("honest");
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_that_deletes_before_the_commit() {
    caught(
        mailboxes::unsettled_comes_again(&post(Habit::SettlesAtOnce)).await,
        "what was not settled comes again",
    );
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_that_never_deletes() {
    caught(
        mailboxes::settled_does_not(&post(Habit::NeverSettles)).await,
        "what was settled does not come again",
    );
    caught(
        mailboxes::letters_come_whole(&post(Habit::NeverSettles)).await,
        "what is delivered is collected, each once",
    );
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_that_drops() {
    caught(
        mailboxes::letters_come_whole(&post(Habit::Drops)).await,
        "what is delivered is collected, each once",
    );
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_that_loses_when_a_collect_is_dropped() {
    caught(
        mailboxes::cancelled_collect_loses_nothing(&post(Habit::LosesOnCancel)).await,
        "a dropped collect loses nothing",
    );
}

/// A conversation: two mailboxes, of which the sides use opposite ends.
struct Talk {
    out: Box<dyn Mailbox>,
    back: Box<dyn Mailbox>,
}

impl Mailbox for Talk {
    fn deliver(&self, packed: Vec<u8>, kind: Kind) -> BoxFut<'_, Result<(), LinkError>> {
        self.out.deliver(packed, kind)
    }

    fn collect(&self) -> BoxFut<'_, Result<Collected, LinkError>> {
        self.back.collect()
    }
}

/// It hides that the other side went, and takes without end.
fn deaf() -> (Box<dyn Mailbox>, Box<dyn Mailbox>) {
    let air = Mem::new();
    let side = |out, back| {
        Box::new(Talk {
            out: air.post(out),
            back: air.collector(back),
        })
    };
    (side("there", "back"), side("back", "there"))
}

#[tokio::test(start_paused = true)]
async fn a_conversation_that_hides_its_end() {
    caught(
        mailboxes::live_collect_sees_the_end(deaf()).await,
        "collect sees the end",
    );
    caught(
        mailboxes::live_deliver_sees_the_end(deaf()).await,
        "deliver sees the end",
    );
}

#[tokio::test(start_paused = true)]
async fn a_conversation_that_takes_without_end() {
    caught(
        mailboxes::live_slow_reader(deaf()).await,
        "a reader who does not read stops the writer",
    );
}

#[tokio::test(start_paused = true)]
async fn a_conversation_in_memory_carries_letters() {
    mailboxes::live_letters_both_ways(deaf())
        .await
        .expect("both ways");
}
