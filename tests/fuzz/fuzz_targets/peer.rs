//! Mallory as a well-formed peer of a real bus: a handshake that completes, then PDUs built from
//! values (offers, wants, custody, receipts, claims, segments of real letters, acknowledgements),
//! sealed and numbered as they should be; between them late and failed commits, power cuts that
//! keep what was committed, links that come and go, time. Whatever is said and whenever: nothing
//! is acknowledged before it was committed (but what its recipient has signed for, docs/adr/0023),
//! no DID is proven that mallory has no key of, nobody but alice makes a letter to alice
//! *delivered*, room and MTU are kept, and memory stays bounded.
#![no_main]

#[path = "../peer/mallory.rs"]
mod mallory;
#[path = "../peer/victim.rs"]
mod victim;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

use mallory::Mallory;
use victim::Victim;

/// Most that happens in one run.
const STEPS: usize = 200;

fn play(u: &mut Unstructured<'_>) -> Result<()> {
    let mut kiosk = Victim::new();
    let mut mallory = Mallory::meet(u, &mut kiosk)?;
    for _ in 0..STEPS {
        if u.is_empty() {
            break;
        }
        match u.int_in_range(0..=15)? {
            0..=8 => mallory.speak(u, &mut kiosk)?,
            9 => kiosk.pass(u.int_in_range(1..=3_000_000)?),
            10 => kiosk.commit(u.int_in_range(1..=8)?),
            11 => kiosk.fail(u.int_in_range(1..=3)?, u.arbitrary()?),
            12 => kiosk.submit(u.int_in_range(0..=7)?, u.arbitrary()?),
            13 => kiosk.agent(u.arbitrary()?),
            14 => {
                // A new link, beside the old one or after it.
                if u.arbitrary()? {
                    mallory.leave(&mut kiosk);
                }
                mallory = Mallory::meet(u, &mut kiosk)?;
            }
            _ => {
                kiosk.power_cut();
                mallory = Mallory::meet(u, &mut kiosk)?;
            }
        }
        mallory.listen(&mut kiosk);
    }
    kiosk.commit(usize::MAX);
    mallory.listen(&mut kiosk);
    kiosk.power_cut();
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    // Out of bytes: the rest of the story is not told.
    let _ = play(&mut Unstructured::new(data));
});
