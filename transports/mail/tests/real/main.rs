//! Through a real Postfix and a real Dovecot.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a story that goes wrong must fail the test"
)]

mod stage;
mod stories;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use packmule_bus::link::{BoxFut, Mailbox};
use packmule_conformance::mailboxes::{Post, mailboxes};
use packmule_mail::After;
use stage::{Stage, newcomer};

/// A folder of its own for each check, so that no check meets mails of another.
struct Fresh<'a> {
    stage: &'a Stage,
    whom: String,
    after: After,
}

impl Post for Fresh<'_> {
    fn poster(&self) -> BoxFut<'_, Box<dyn Mailbox>> {
        Box::pin(async { self.stage.way(&self.whom).await })
    }

    fn collector(&self) -> BoxFut<'_, Box<dyn Mailbox>> {
        Box::pin(async {
            let mut account = self.stage.account(&self.whom);
            account.after = self.after.clone();
            account.open().await.expect("it lets us in")
        })
    }

    fn carries_anything(&self) -> bool {
        false
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_the_promises_of_a_mailbox() {
    let stage = Stage::set().await;
    let count = AtomicUsize::new(0);
    for after in [After::Move("DIDComm".to_owned()), After::Delete] {
        let fresh = async || {
            let number = count.fetch_add(1, SeqCst);
            Fresh {
                stage: &stage,
                whom: newcomer(number),
                after: after.clone(),
            }
        };
        if let Err(broken) = mailboxes(fresh).await {
            panic!("{after:?}: {broken}\n{}", stage.server.told());
        }
    }
}
