//! How much of a link a session uses: `cargo bench -p packmule-bus --bench session`.
//!
//! Virtual time, so the same figures on every machine; the last table is in seconds of this
//! thread's CPU (Linux): two sessions back to back.
#![expect(
    clippy::unwrap_used,
    reason = "a bench may stop where its own messages fail"
)]

#[expect(
    dead_code,
    unreachable_pub,
    reason = "this user needs a part of it, and shares it"
)]
mod joined;

use joined::{ALICE, Line, World, facts, takes};
use packmule_bus::label::Priority;
use packmule_bus::link::Role;
use packmule_bus::session::{Answer, Event, Session, SessionConfig};
use packmule_bus::time::Time;

fn main() {
    // Cargo asks benches of their own harness too when it lists or tests.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    clean();
    lossy();
    small();
    throughput();
}

/// Of the time that latency and byte rate alone would take.
fn clean() {
    println!("| clean link, 30 ms, sealed | rate | 100 kB | 1 MB |\n|---|---:|---:|---:|");
    for (mtu, rate) in [
        (20, 10_000),
        (244, 20_000),
        (244, 100_000),
        (244, 180_000),
        (517, 500_000),
    ] {
        let line = Line {
            rate,
            ..Line::clean(mtu)
        };
        let share = |bytes: usize| {
            let ideal = 0.03 + bytes as f64 / rate as f64;
            100.0 * ideal / takes(line, bytes, 1)
        };
        println!(
            "| MTU {mtu} | {} kB/s | {:.1} % | {:.1} % |",
            rate / 1000,
            share(100_000),
            share(1_000_000)
        );
    }
}

/// Of (1 − p) × capacity.
fn lossy() {
    println!(
        "\n| 1 MB, 30 ms, 100 kB/s, sealed | p = 0 | 5 % | 20 % | 30 % |\n|---|---:|---:|---:|---:|"
    );
    for (name, mtu, ordered) in [
        ("MTU 244", 244, true),
        ("MTU 244, out of order by up to 20 ms", 244, false),
        ("MTU 1200", 1200, true),
    ] {
        let shares = [0.0, 0.05, 0.2, 0.3].map(|loss| {
            let mut line = Line::lossy(mtu, loss);
            line.facts.ordered = ordered;
            line.jitter = if ordered { 0 } else { 20_000 };
            let ideal = 1_000_000.0 / (line.rate as f64 * (1.0 - loss));
            let runs = 3;
            let taken: f64 = (0..runs).map(|seed| takes(line, 1_000_000, seed)).sum();
            100.0 * ideal * runs as f64 / taken
        });
        let [none, five, twenty, thirty] = shares;
        println!("| {name} | {none:.1} % | {five:.1} % | {twenty:.1} % | {thirty:.1} % |");
    }
}

/// From an offer to its custody, in round trips.
fn small() {
    println!("\n| 100 bytes, 30 ms, offer to custody | round trips |\n|---|---:|");
    for (name, line) in [
        ("records, MTU 244", Line::clean(244)),
        ("packets, MTU 244", Line::lossy(244, 0.0)),
    ] {
        let mut world = World::new(line, 1);
        world.up();
        world.run(1000);
        let start = world.now;
        world.offer(ALICE, 100, Priority::Normal);
        world.run(1000);
        let end = world
            .when(ALICE, |e| matches!(e, Event::Custody(_)))
            .unwrap();
        println!("| {name} | {:.2} |", (end - start) as f64 / 60_000.0);
    }
}

/// Two sessions back to back, as fast as one core goes.
fn throughput() {
    println!("\n| back to back, one thread, 4 × 16 MB | MB/s of CPU time |\n|---|---:|");
    for (name, mtu, reliable, sealed) in [
        ("records, sealed, MTU 65535", 65535, true, false),
        ("records, clear, MTU 65535", 65535, true, true),
        ("packets, sealed, MTU 65535", 65535, false, false),
        ("packets, sealed, MTU 1200", 1200, false, false),
        ("packets, sealed, MTU 244", 244, false, false),
    ] {
        let facts = facts(mtu, reliable, true, sealed);
        println!("| {name} | {:.0} |", back_to_back(facts));
    }
}

fn back_to_back(facts: packmule_bus::link::LinkFacts) -> f64 {
    let (messages, bytes) = (4, 16 << 20);
    let mut world = World::new(
        Line {
            facts,
            ..Line::clean(facts.mtu)
        },
        1,
    );
    let offers: Vec<_> = (0..messages)
        .map(|_| world.shelve(ALICE, bytes, Priority::Normal))
        .collect();
    let shelf = &mut world.ends[ALICE].shelf;
    let mut empty = joined::Shelf::default();
    let session = |role, n: u8| {
        let config = SessionConfig::default();
        Session::new(Time::default(), facts, role, &[n; 32], [n; 32], config)
    };
    let (mut alice, mut bob) = (session(Role::Dialer, 1), session(Role::Listener, 2));
    for offer in offers {
        alice.offer(offer);
    }
    let start = cpu_seconds();
    let (mut now, mut came, mut settled) = (0, 0, 0);
    while settled < messages {
        now += 100;
        let time = Time::from_micros(now);
        for session in [&mut alice, &mut bob] {
            if session.deadline().is_some_and(|at| at <= time) {
                session.timeout(time);
            }
        }
        for _ in 0..16 {
            let Some(pdu) = alice.transmit(time, shelf) else {
                break;
            };
            bob.receive(time, &pdu);
            while let Some(event) = bob.poll() {
                match event {
                    Event::Offered(offers) => {
                        for offer in offers {
                            let all = packmule_bus::ranges::Ranges::of(0..offer.bytes);
                            bob.answer(&offer.id, Answer::Want(all));
                        }
                    }
                    Event::Data {
                        id, bytes: part, ..
                    } => {
                        came += part.len();
                        if came.is_multiple_of(bytes) {
                            bob.stored(&id);
                        }
                    }
                    _ => {}
                }
            }
        }
        while let Some(pdu) = bob.transmit(time, &mut empty) {
            alice.receive(time, &pdu);
        }
        while let Some(event) = alice.poll() {
            settled += usize::from(matches!(event, Event::Custody(_)));
        }
    }
    (messages * bytes) as f64 / 1e6 / (cpu_seconds() - start)
}

/// What this thread has used so far; what others do on the machine does not count.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split(' ').next().and_then(|n| n.parse::<f64>().ok());
    nanos.unwrap_or(f64::NAN) / 1e9
}
