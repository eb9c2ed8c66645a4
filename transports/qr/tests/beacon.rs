//! The suite that every beacon passes, from frames to pictures and back.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a promise that is not kept must fail the test"
)]

use std::sync::{Arc, Mutex};

use packmule_bus::fountain::OVERHEAD;
use packmule_bus::link::{Beacon, BoxFut};
use packmule_conformance::beacons::{Stand, beacons};
use packmule_qr::{Board, Grey, Picture, Profile, frame_of_text, scan};

/// A picture of a screen, with so many pixels for a module.
fn photograph(picture: &Picture, px: usize) -> Grey {
    let side = picture.full_width() * px;
    let dark = |x: usize, y: usize| picture.is_dark(x / px, y / px);
    let pixels = (0..side * side)
        .map(|n| if dark(n % side, n / side) { 0 } else { 255 })
        .collect();
    Grey::new(side as u32, side as u32, pixels).unwrap()
}

/// A screen, and a camera before it that sees every picture.
struct Stage {
    largest: u8,
    screen: Arc<Mutex<Vec<Picture>>>,
}

impl Stand for Stage {
    fn beacon(&self) -> Box<dyn Beacon> {
        let screen = Arc::clone(&self.screen);
        Box::new(Board::new(self.largest, move |picture| {
            screen.lock().unwrap().push(picture);
            Ok(())
        }))
    }

    fn look(&self) -> BoxFut<'_, Vec<Vec<u8>>> {
        let pictures = std::mem::take(&mut *self.screen.lock().unwrap());
        let read = |picture: Picture| {
            let codes = scan(&photograph(&picture, 3));
            let code = codes.first().expect("a picture shows a code");
            frame_of_text(std::str::from_utf8(code).unwrap()).unwrap()
        };
        let frames = pictures.into_iter().map(read).collect();
        Box::pin(async { frames })
    }

    fn longest(&self) -> usize {
        Profile::symbol_bytes_of(self.largest) + OVERHEAD
    }
}

#[tokio::test]
async fn keeps_the_promises_of_a_beacon() {
    for largest in [6, Profile::Robust.version()] {
        let fresh = async || Stage {
            largest,
            screen: Arc::default(),
        };
        if let Err(broken) = beacons(fresh).await {
            panic!("version {largest}: {broken}");
        }
    }
}
