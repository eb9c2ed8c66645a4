use packmule_bus::link::{Port, Transport, Way};
use tokio::time::{sleep, timeout};

use super::*;
use crate::Ble;
use crate::air::{Air, Stack};
use crate::plan;
use crate::radio::{Address, Radio};

fn way(text: &str) -> Way {
    Way::parse(text).expect("a way")
}

/// A central's mailbox at the kiosk, and the kiosk's end of it; the kiosk is there as long as its
/// door.
struct Meeting {
    air: Air,
    door: Box<dyn packmule_bus::link::Listener>,
}

impl Meeting {
    async fn new() -> Self {
        let air = Air::new(Stack::default());
        let kiosk = Ble::over(air.device("kiosk"), crate::tags());
        let at = way("ble:any?didcomm");
        let door = kiosk.listen(&at).await.expect("listens");
        Self { air, door }
    }

    async fn meet(&mut self) -> (Letters, Box<dyn Mailbox>) {
        let alice = self.air.device("alice");
        let to = Address("kiosk".to_owned());
        let near = alice.connect(&to, &plan::DIDCOMM, false).await;
        let far = self.door.accept().await.expect("comes");
        let Port::Mailbox(far) = far else {
            panic!("a link")
        };
        (Letters::over(near.expect("connects")), far)
    }
}

#[tokio::test(start_paused = true)]
async fn alice_hears_that_her_message_arrived_when_it_is_durable_and_not_sooner() {
    let (near, far) = Meeting::new().await.meet().await;
    let mut going = near.deliver(b"{1}".to_vec(), Kind::Encrypted);
    let taken = tokio::select! {
        sent = &mut going => panic!("nobody has it: {sent:?}"),
        taken = far.collect() => taken.expect("comes"),
    };
    assert_eq!(taken.bytes, b"{1}");
    let early = timeout(Duration::from_secs(3), &mut going).await;
    assert!(early.is_err(), "it is not durable yet");
    taken.settle.settle().await.expect("told");
    going.await.expect("alice hears it");
}

#[tokio::test(start_paused = true)]
async fn alice_hears_that_a_message_was_not_taken() {
    let (near, far) = Meeting::new().await.meet().await;
    let (sent, ()) = tokio::join!(near.deliver(b"{1}".to_vec(), Kind::Encrypted), async {
        drop(far.collect().await.expect("comes").settle);
    });
    assert!(matches!(sent, Err(LinkError::Closed)), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_of_which_a_part_went_does_not_spoil_the_next_one() {
    let mut meeting = Meeting::new().await;
    let (near, far) = meeting.meet().await;
    // More than the connection holds: it stands still in the middle, and is given up.
    let long = vec![b'x'; 100_000];
    let given_up = timeout(Duration::from_secs(1), near.deliver(long, Kind::Encrypted));
    assert!(given_up.await.is_err());
    let next = near.deliver(b"{2}".to_vec(), Kind::Encrypted).await;
    assert!(matches!(next, Err(LinkError::Closed)), "{next:?}");
    let collected = near.collect().await.map(|one| one.bytes);
    assert!(matches!(collected, Err(LinkError::Closed)));
    // The connection has ended with it, and nothing of that message came.
    let came = far.collect().await.map(|one| one.bytes);
    assert!(matches!(came, Err(LinkError::Closed)), "{came:?}");
    let (near, far) = meeting.meet().await;
    let (sent, ()) = tokio::join!(near.deliver(b"{3}".to_vec(), Kind::Encrypted), async {
        let came = far.collect().await.expect("comes");
        assert_eq!(came.bytes, b"{3}");
        came.settle.settle().await.expect("told");
    });
    sent.expect("goes");
}

#[tokio::test(start_paused = true)]
async fn a_silent_stranger_gives_the_place_up_and_one_who_writes_keeps_it() {
    let (near, far) = Meeting::new().await.meet().await;
    let kept = async {
        for _ in 0..5 {
            sleep(IDLE * 2 / 3).await;
            near.deliver(b"{}".to_vec(), Kind::Encrypted)
                .await
                .expect("goes");
        }
    };
    let taken = async {
        for _ in 0..5 {
            let came = far.collect().await.expect("comes");
            came.settle.settle().await.expect("told");
        }
        far.collect().await.map(|one| one.bytes)
    };
    let ((), over) = tokio::join!(kept, taken);
    assert!(matches!(over, Err(LinkError::Closed)), "{over:?}");
    // Both halves have gone, and so has the connection.
    let next = near.deliver(b"{}".to_vec(), Kind::Encrypted).await;
    assert!(matches!(next, Err(LinkError::Closed)), "{next:?}");
}
