//! Links to those who do not read.

use packmule_bus::link::{BoxFut, Role};

use super::*;

/// Takes nothing, and never says so.
struct Stuck;

impl LinkTx for Stuck {
    fn send(&mut self, _: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(std::future::pending())
    }
}

impl LinkRx for Stuck {
    fn recv(&mut self) -> BoxFut<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(std::future::pending())
    }
}

fn stuck() -> Link {
    let facts = LinkFacts {
        mtu: 1200,
        ordered: true,
        reliable: true,
        half_duplex: false,
        sealed: false,
        rate: None,
    };
    Link {
        facts,
        role: Role::Listener,
        with: "mallory".to_owned(),
        tx: Box::new(Stuck),
        rx: Box::new(Stuck),
    }
}

/// Mallory shakes hands, asks, reads nothing and is hung up on.
#[tokio::test(start_paused = true)]
async fn whoever_reads_nothing_gives_the_seat_back() {
    let (answers, _heard) = mpsc::unbounded_channel();
    let (brought, _ears) = mpsc::channel(1);
    let mouth = Mouth { answers, brought };
    let seats = Arc::new(Semaphore::new(1));
    let visit = Arc::clone(&seats).try_acquire_owned().unwrap();
    let mut links = Links::default();
    let (link, _) = links.add(stuck(), Some(visit), &mouth);
    links.send(link, vec![0; 1200]);
    tokio::task::yield_now().await;
    assert!(links.remove(link));
    assert_eq!(seats.available_permits(), 0, "what was given may still go");
    sleep(PARTING * 2).await;
    assert_eq!(seats.available_permits(), 1);
}
