//! Beacons that break their promises.

#![expect(
    clippy::expect_used,
    reason = "a liar whose lock is poisoned must fail the test"
)]

use std::sync::{Arc, Mutex};

use packmule_bus::link::{Beacon, BoxFut, LinkError};
use packmule_conformance::beacons::{self, Stand, beacons};

use crate::caught;

const LONGEST: usize = 120;

#[derive(Clone, Copy, PartialEq)]
enum Habit {
    None,
    /// Says Ok, and shows nothing.
    Sleeps,
    /// Shows what it can of a frame that is too long.
    Cuts,
    /// A dropped show leaves half a frame on the screen.
    Tears,
    /// Shows its first frame again and again.
    Sticks,
    /// Whoever begins to show takes the screen.
    Hides,
}

struct Liar {
    habit: Habit,
    screen: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Stand for Liar {
    fn beacon(&self) -> Box<dyn Beacon> {
        Box::new(Lamp {
            habit: self.habit,
            screen: Arc::clone(&self.screen),
            first: None,
        })
    }

    fn look(&self) -> BoxFut<'_, Vec<Vec<u8>>> {
        Box::pin(async { std::mem::take(&mut *self.screen.lock().expect("a screen")) })
    }

    fn longest(&self) -> usize {
        LONGEST
    }
}

struct Lamp {
    habit: Habit,
    screen: Arc<Mutex<Vec<Vec<u8>>>>,
    first: Option<Vec<u8>>,
}

impl Lamp {
    fn light(&mut self, frame: Vec<u8>) {
        let mut screen = self.screen.lock().expect("a screen");
        match self.habit {
            Habit::Sleeps => {}
            Habit::Sticks => screen.push(self.first.get_or_insert(frame).clone()),
            Habit::Hides => *screen = vec![frame],
            _ => screen.push(frame),
        }
    }
}

impl Beacon for Lamp {
    fn show(&mut self, mut frame: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            if frame.len() > LONGEST && self.habit != Habit::Cuts {
                let (bytes, limit) = (frame.len(), LONGEST);
                return Err(LinkError::TooLarge { bytes, limit });
            }
            frame.truncate(LONGEST);
            if self.habit == Habit::Tears {
                let half = frame.len() / 2;
                self.light(frame[..half].to_vec());
                tokio::task::yield_now().await;
                self.screen.lock().expect("a screen").pop();
            }
            self.light(frame);
            Ok(())
        })
    }
}

fn lying(habit: Habit) -> Liar {
    Liar {
        habit,
        screen: Arc::default(),
    }
}

#[tokio::test(start_paused = true)]
async fn an_honest_lamp_passes() {
    beacons(async || lying(Habit::None)).await.expect("honest");
}

#[tokio::test(start_paused = true)]
async fn a_lamp_that_sleeps_cuts_tears_sticks_or_hides_another() {
    let seen = "a frame is seen as it was shown";
    for habit in [Habit::Sleeps, Habit::Sticks] {
        caught(
            beacons::every_frame_is_seen_whole(&lying(habit)).await,
            seen,
        );
    }
    caught(
        beacons::too_long_is_refused(&lying(Habit::Cuts)).await,
        "a frame that is too long is refused",
    );
    caught(
        beacons::cancelled_show_tears_nothing(&lying(Habit::Tears)).await,
        "a dropped show tears nothing",
    );
    caught(
        beacons::a_reader_that_blinks_gets_it_all(&lying(Habit::Sticks)).await,
        "whoever sees enough frames has the object",
    );
    caught(
        beacons::two_beacons_disturb_nothing(&lying(Habit::Hides)).await,
        "two beacons are seen both",
    );
}
