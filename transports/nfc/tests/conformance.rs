//! The suite that every transport passes, over a field in memory.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a promise that is not kept must fail the test"
)]

use packmule_bus::link::{Link, Port, Transport, Way};
use packmule_conformance::links;
use packmule_nfc::Nfc;
use packmule_nfc::field::{Field, Lost};

async fn touch(field: &Field) -> (Link, Link) {
    let nfc = Nfc::over(field.clone());
    let kiosk = Way::parse("nfc:kiosk?card").expect("a way");
    let alice = Way::parse("nfc:alice").expect("a way");
    let mut kiosk = nfc.listen(&kiosk).await.expect("listens");
    match tokio::join!(nfc.open(&alice), kiosk.accept()) {
        (Ok(Port::Link(near)), Ok(Port::Link(far))) => (near, far),
        _ => panic!("they did not meet"),
    }
}

#[tokio::test]
async fn a_reader_speaks_to_a_card() {
    if let Err(broken) = links(async || touch(&Field::default()).await).await {
        panic!("{broken}");
    }
}

#[tokio::test]
async fn a_card_speaks_to_a_reader() {
    let turned = async || {
        let (mut near, mut far) = touch(&Field::default()).await;
        // What it says of who dialled is the other way round, and nothing else.
        std::mem::swap(&mut near.role, &mut far.role);
        (far, near)
    };
    if let Err(broken) = links(turned).await {
        panic!("{broken}");
    }
}

#[tokio::test]
async fn a_shaking_hand_is_the_same_link() {
    let shaking = async || {
        let field = Field::default();
        let cuts = (0..40_u32).map(|n| {
            let lost = if n % 3 == 0 {
                Lost::Command
            } else {
                Lost::Answer
            };
            (1 + n * 7 % 23, lost)
        });
        let pair = touch(&field).await;
        field.cut(cuts);
        pair
    };
    if let Err(broken) = links(shaking).await {
        panic!("{broken}");
    }
}
