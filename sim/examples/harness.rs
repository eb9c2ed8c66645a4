//! A test harness of your own: a protocol over simulated links, by a seed, in virtual time.
//!
//! usage: cargo run -p packmule-sim --example harness
//!
//! The protocol under test is yours; here it is the smallest there is, stop and wait: alice sends
//! a numbered piece, waits for bob to say its number, and says it again when a second has passed.
//! The link is Bluetooth LE with every fifth PDU lost, some twice and some late. Hours of it take
//! milliseconds, the same seed does the same on every machine, and what is broken on purpose is
//! found: without its numbers the protocol takes a piece that came twice for two.

use packmule_sim::dice::Fnv;
use packmule_sim::marks::Fired;
use packmule_sim::medium::{End, LinkSpec, Medium};
use packmule_sim::presets::{Channel, Loss};
use packmule_sim::world::World;

/// Pieces that alice has to say.
const PIECES: u8 = 100;
/// How long she waits before she says one again, in microseconds.
const PATIENCE: u64 = 1_000_000;
/// An hour is enough for anybody.
const END: u64 = 3_600_000_000;

/// What can happen.
enum Event {
    /// A PDU arrives at this end.
    Arrive(End, Vec<u8>),
    /// Alice has waited for the answer to this piece for long enough.
    Again(u8),
}

/// One run: what bob took for alice's pieces, when it was over, and its fingerprint.
struct Run {
    taken: Vec<u8>,
    seconds: u64,
    hash: u64,
}

fn run(link: &LinkSpec, seed: u64, with_numbers: bool) -> Run {
    let mut world: World<Event> = World::default();
    let mut medium = Medium::new(link.clone(), seed, "alice-bob", 0);
    let (mut fired, mut trace) = (Fired::default(), Fnv::default());
    let (mut saying, mut taken) = (0_u8, Vec::new());
    world.after(0, Event::Again(0));
    while let Some(event) = world.next(END) {
        trace.number(world.now());
        let said = match event {
            Event::Again(piece) if piece == saying => {
                world.after(PATIENCE, Event::Again(piece));
                Some((End::Dialer, vec![piece]))
            }
            // It was answered meanwhile.
            Event::Again(_) => None,
            Event::Arrive(End::Listener, pdu) => {
                let piece = pdu.first().copied().unwrap_or_default();
                if !with_numbers || usize::from(piece) == taken.len() {
                    taken.push(piece);
                }
                Some((End::Listener, pdu))
            }
            Event::Arrive(End::Dialer, pdu) => {
                if pdu.first() == Some(&saying) {
                    saying += 1;
                    if saying == PIECES {
                        break;
                    }
                    world.after(0, Event::Again(saying));
                }
                None
            }
        };
        if let Some((from, pdu)) = said {
            // What becomes of a PDU: nothing, once, or twice, each at its own time.
            for (at, pdu) in medium.send(world.now(), from, pdu, &mut fired).arrivals {
                world.at(at, Event::Arrive(from.other(), pdu));
            }
        }
    }
    Run {
        taken,
        seconds: world.now() / 1_000_000,
        hash: trace.value(),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut channel = Channel::preset("ble")?;
    // The preset resends below us; here the protocol has to.
    channel.reliable = false;
    channel.ordered = false;
    channel.loss = Loss::even(0.2);
    channel.duplicate = 0.05;
    channel.reorder = 0.05;
    // A link with a cipher of its own loses what was damaged instead of handing it over.
    let link = LinkSpec {
        sealed: true,
        ..LinkSpec::of(channel)
    };
    let whole: Vec<u8> = (0..PIECES).collect();

    for seed in 0..200 {
        let seen = run(&link, seed, true);
        assert_eq!(seen.taken, whole, "seed {seed} breaks the protocol");
        assert_eq!(seen.hash, run(&link, seed, true).hash, "a seed is a run");
    }
    let seen = run(&link, 7, true);
    println!(
        "200 seeds, each {PIECES} pieces once and in order; seed 7 took {} s",
        seen.seconds
    );

    // Does the harness find what it is for? A bug that is put in must show.
    let found = (0..200).find(|seed| run(&link, *seed, false).taken != whole);
    let seed = found.ok_or("a protocol without numbers survives 200 seeds of this link")?;
    println!("without numbers: seed {seed} shows a piece that was taken twice");
    Ok(())
}
