//! Held against The ONE: its trace, its traffic, its buffers, its definitions.

use super::{TraceConfig, replay, replay_contacts};
use crate::contacts::{Contacts, Limits};

/// The ONE's own Spray-and-Wait with six copies on this trace (fixtures/contacts/README.md).
const RIVAL_DELIVERY: f64 = 0.4600;
const RIVAL_OVERHEAD: f64 = 10.3;

fn helsinki() -> &'static str {
    concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../fixtures/contacts/one-helsinki-126n-12h.conn.zst"
    )
}

#[test]
fn a_city_for_half_a_day_gets_more_delivered_with_less_than_the_one() {
    let config = TraceConfig {
        seeds: 1..2,
        ..TraceConfig::default()
    };
    let result = replay(helsinki().as_ref(), &config).expect("the trace");
    println!("{result:?}");
    assert_eq!(result.nodes, 126);
    let [run] = result.runs.as_slice() else {
        panic!("one seed, one run")
    };
    assert!((1400..1480).contains(&run.created), "{run:?}");
    assert!(result.delivery > RIVAL_DELIVERY, "{run:?}");
    assert!(result.overhead < RIVAL_OVERHEAD, "{run:?}");
    // Handshakes, offers and receipts were paid for.
    assert!(run.control_bytes > 10_000_000, "{run:?}");
}

/// alice meets the mule, who meets bob.
fn valley() -> Contacts {
    let text = "1 CONN alice mule up\n61 CONN alice mule down\n100 CONN mule bob up\n900 CONN bob mule down\n";
    Contacts::from_reader(text.as_bytes(), &Limits::default()).expect("a small trace")
}

fn small() -> TraceConfig {
    TraceConfig {
        seeds: 1..4,
        bytes: (1_000, 2_000),
        ..TraceConfig::default()
    }
}

#[test]
fn the_same_seed_gives_the_same_replay() {
    let mut results = Vec::new();
    for _ in 0..2 {
        let mut result = replay_contacts(&valley(), &small(), &mut |_| {}).expect("a replay");
        for run in &mut result.runs {
            run.cpu_s = 0.0;
        }
        results.push(result.runs);
    }
    assert_eq!(results[0], results[1]);
    assert!(results[0].iter().any(|run| run.delivered > 0));
    assert_ne!(results[0][0].latencies_s, results[0][1].latencies_s);
}

#[test]
fn what_a_contact_cut_goes_on_at_the_next_one_if_that_is_wanted() {
    // Ten contacts of one second between two; a message takes four.
    let text: String = (0..60)
        .flat_map(|n| {
            [
                format!("{} CONN alice bob up\n", n * 60),
                format!("{} CONN alice bob down\n", n * 60 + 1),
            ]
        })
        .collect();
    let contacts = Contacts::from_reader(text.as_bytes(), &Limits::default()).expect("a trace");
    let config = TraceConfig {
        seeds: 1..2,
        every_s: (500.0, 600.0),
        bytes: (1_000_000, 1_000_000),
        ..TraceConfig::default()
    };
    let with = replay_contacts(&contacts, &config, &mut |_| {}).expect("a replay");
    assert!(
        with.runs[0].delivered > 2 && with.runs[0].resumed > 5,
        "{with:?}"
    );
    let config = TraceConfig {
        resume: false,
        ..config
    };
    let without = replay_contacts(&contacts, &config, &mut |_| {}).expect("a replay");
    assert_eq!(without.runs[0].delivered, 0);
}

#[test]
fn what_is_no_trace_or_no_traffic_is_told() {
    let empty = Contacts::new(vec!["alice".into(), "bob".into()], Vec::new());
    assert!(replay_contacts(&empty, &small(), &mut |_| {}).is_err());
    let none = TraceConfig {
        seeds: 3..3,
        ..small()
    };
    assert!(replay_contacts(&valley(), &none, &mut |_| {}).is_err());
    let never = TraceConfig {
        every_s: (0.0, 0.0),
        ..small()
    };
    assert!(replay_contacts(&valley(), &never, &mut |_| {}).is_err());
}
