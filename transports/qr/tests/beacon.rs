//! The suite that every beacon passes, from frames to pictures and back.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a promise that is not kept must fail the test"
)]

use std::sync::{Arc, Mutex};

use packmule_bus::fountain::OVERHEAD;
use packmule_bus::link::{Beacon, BoxFut};
use packmule_conformance::beacons::{Stand, beacons};
use packmule_qr::{Board, Grey, Picture, Profile, frame_of_text, scan};

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
            let (px, quiet) = (3, 4);
            let side = picture.full_width() * px;
            let dark = |x: usize, y: usize| {
                let at = |n: usize| (n / px).checked_sub(quiet);
                let inside = |n: usize| at(n).filter(|n| *n < picture.width());
                inside(x)
                    .zip(inside(y))
                    .is_some_and(|(x, y)| picture.is_dark(x, y))
            };
            let pixels = (0..side * side)
                .map(|n| if dark(n % side, n / side) { 0 } else { 255 })
                .collect();
            let grey = Grey::new(side as u32, side as u32, pixels).unwrap();
            let codes = scan(&grey);
            assert_eq!(codes.len(), 1, "a picture shows one code");
            frame_of_text(std::str::from_utf8(&codes[0]).unwrap()).unwrap()
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
