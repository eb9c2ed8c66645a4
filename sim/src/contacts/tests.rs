//! Contacts from every source: what stands in the file is what is there, hostile files are
//! refused by line, and the oracle finds what waiting would have found.

use std::time::Duration;

use packmule_bus::time::Time;

use super::arrival::{Oracle, Start, earliest};
use super::{Changes, Contact, Contacts, ContactsError, Limits, Waypoint};

fn read(text: &str) -> Result<Contacts, ContactsError> {
    Contacts::from_reader(text.as_bytes(), &Limits::default())
}

fn at(seconds: f64) -> Time {
    Time::from_micros((seconds * 1e6).round() as u64)
}

fn windows(contacts: &Contacts) -> Vec<(&str, &str, f64, f64)> {
    let name = |node: u32| contacts.nodes()[node as usize].as_str();
    contacts
        .contacts()
        .iter()
        .map(|c| {
            let s = |t: Time| t.as_micros() as f64 / 1e6;
            (name(c.a), name(c.b), s(c.from), s(c.to))
        })
        .collect()
}

#[test]
fn a_trace_gives_its_windows_and_what_is_still_up_ends_with_it() {
    let text = "0.10 CONN 10 2 up\n# mule passes\n3.5 CONN 2 1 up\n4.25 CONN 2 10 down\n9 CONN 1 10 up\n9.5 CONN 10 1 down\n";
    let contacts = read(text).expect("a trace");
    assert_eq!(contacts.nodes(), ["1", "2", "10"], "natural order");
    assert_eq!(
        windows(&contacts),
        [
            ("2", "10", 0.1, 4.25),
            ("1", "2", 3.5, 9.5),
            ("1", "10", 9.0, 9.5)
        ]
    );
    let packed = zstd::bulk::compress(text.as_bytes(), 3).expect("zstd");
    let again = Contacts::from_reader(packed.as_slice(), &Limits::default());
    assert_eq!(again.expect("the same, compressed"), contacts);
}

#[test]
fn the_trace_of_the_one_has_the_contacts_it_is_known_for() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../fixtures/contacts/one-helsinki-126n-12h.conn.zst"
    );
    let contacts = Contacts::read(path.as_ref(), &Limits::default()).expect("the trace");
    assert_eq!(contacts.nodes().len(), 126);
    // 30,877 ups: one pair has two radios and comes up twice, one has no time left.
    assert_eq!(contacts.contacts().len(), 30_875);
    assert!(contacts.end() > at(43_190.0));
}

#[test]
fn a_trace_can_be_read_change_by_change() {
    let text = "1 CONN a b up\n2 CONN a b down\n";
    let changes: Vec<(Time, bool)> = Changes::new(text.as_bytes(), &Limits::default())
        .map(|change| change.map(|c| (c.at, c.up)))
        .collect::<Result<_, _>>()
        .expect("a trace");
    assert_eq!(changes, [(at(1.0), true), (at(2.0), false)]);
}

#[test]
fn a_contact_plan_of_ion_gives_rates_delays_and_directions() {
    let contacts = read(
        "# moon\n1 1 ion.ionconfig\ns\nm production 1000000\n\
         a contact +10 +20 1 2 125000\na contact +10 +20 2 1 9600 0.9\na range +0 +60 1 2 3\n\
         a contact +0 +86400 1 1 100000\n",
    )
    .expect("a plan");
    assert_eq!(
        windows(&contacts),
        [("1", "2", 10.0, 20.0), ("2", "1", 10.0, 20.0)]
    );
    let [forth, back] = contacts.contacts() else {
        panic!("two contacts")
    };
    assert_eq!((forth.rate, back.rate), (Some(125_000), Some(9600)));
    assert_eq!(forth.delay, Some(Duration::from_secs(3)));
    assert_eq!(back.delay, forth.delay, "a range counts both ways");
    assert!(forth.one_way);
}

#[test]
fn absolute_times_of_a_plan_begin_with_the_plan() {
    let absolute = read(
        "a contact 2026/02/28-23:59:50 2026/03/01-00:00:10 1 2 1000\n\
         a contact 2028/02/29-00:00:00 2028/03/01-00:00:00 1 2 1000\n",
    )
    .expect("a plan");
    // Two years and a day less ten seconds, through no leap day but its own.
    assert_eq!(
        windows(&absolute),
        [
            ("1", "2", 0.0, 20.0),
            (
                "1",
                "2",
                731.0 * 86_400.0 - 86_390.0,
                732.0 * 86_400.0 - 86_390.0
            )
        ]
    );
    let mixed =
        "a contact 2026/02/28-23:59:50 2026/03/01-00:00:10 1 2 1000\na contact +5 +6 1 2 9\n";
    assert!(read(mixed).is_err());
    let anchored = format!("@ 2026/02/28-23:59:40\n{mixed}");
    assert_eq!(
        windows(&read(&anchored).expect("a plan")),
        [("1", "2", 5.0, 6.0), ("1", "2", 10.0, 30.0)]
    );
}

#[test]
fn a_bus_a_postman_and_a_kiosk_meet_by_their_timetable() {
    let contacts = read(
        r#"
        days = 2
        rate = 1000000
        [[place]]
        name = "kiosk"
        open = ["08:00-12:00"]
        on = ["mon"]
        [[place]]
        name = "crossroads"
        node = false
        [[round]]
        who = "bus-7"
        every = "2h"
        until = "11:00"
        stops = [["kiosk", "07:58", "5m"], ["crossroads", "08:30", "10m"]]
        [[round]]
        who = "postman"
        on = ["mon"]
        stops = [["crossroads", "10:35", "30m"]]
        "#,
    )
    .expect("a timetable");
    let h = 3600.0;
    assert_eq!(
        windows(&contacts),
        [
            // Open at eight: the bus of 07:58 waits two minutes before a closed door.
            ("bus-7", "kiosk", 8.0 * h, 8.0 * h + 180.0),
            ("bus-7", "kiosk", 10.0 * h - 120.0, 10.0 * h + 180.0),
            ("bus-7", "postman", 10.0 * h + 2100.0, 10.0 * h + 2400.0),
        ]
    );
    assert!(
        contacts
            .contacts()
            .iter()
            .all(|c| c.rate == Some(1_000_000))
    );
}

#[test]
fn what_makes_no_sense_is_refused_by_its_line() {
    for (text, line) in [
        ("1 CONN 1 2 up\n0.5 CONN 1 2 down\n", 2),
        ("1 CONN 1 2 up\n2 CONN 1 3 down\n", 2),
        ("1 CONN 1 2 up\n2 CONN 1 2 sideways\n", 2),
        ("1 CONN 1 1 up\n", 1),
        ("-1 CONN 1 2 up\n", 1),
        ("1e9 CONN 1 2 up\n", 1),
        ("99999999999999999999 CONN 1 2 up\n", 1),
        ("1 CONN 1 2 up extra\n", 1),
        ("a contact +1 +2 1 2 1\na contact +5 +4 1 2 9\n", 2),
        ("a contact +1 +2 1 2 fast\n", 1),
        ("a contact 2026/13/01-00:00:00 +2 1 2 9\n", 1),
        ("s\na pigeon +1 +2 1 2 9\n", 2),
    ] {
        match read(text) {
            Err(ContactsError::Line { line: found, .. }) => assert_eq!(found, line, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    let long = format!("1 CONN {} 2 up\n", "x".repeat(5000));
    assert!(matches!(
        read(&long),
        Err(ContactsError::Line { line: 1, .. })
    ));
    for text in ["", "# nothing\n", "hello world\n", "\u{0}\u{1}"] {
        assert!(matches!(read(text), Err(ContactsError::Format)), "{text:?}");
    }
    for text in [
        "days = 0",
        "[[round]]\nwho = \"bus\"\nstops = []",
        "[[round]]\nwho = \"bus\"\nstops = [[\"nowhere\", \"07:00\", \"1m\"]]",
        "[[place]]\nname = \"kiosk\"\nopen = [\"8-12\"]",
        "[[place]]\nname = \"kiosk\"\non = [\"monday\"]",
        "wings = true",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn spans_of_a_timetable_are_as_long_as_a_timetable_at_most() {
    let stay = |span: &str| {
        read(&format!(
            "[[place]]\nname = \"yard\"\n[[round]]\nwho = \"bus\"\nstops = [[\"yard\", \"07:00\", \"{span}\"]]"
        ))
    };
    let longest = stay("3660d").expect("ten years");
    assert_eq!(longest.end(), at(7.0 * 86_400.0), "no longer than the days");
    for span in ["3661d", "4294967295d", "4294967295h", "4294967296s", "0s"] {
        assert!(stay(span).is_err(), "{span}");
    }
    let week = Limits {
        horizon: Duration::from_secs(6 * 86_400),
        ..Limits::default()
    };
    let text = "days = 7\n[[place]]\nname = \"yard\"";
    assert!(Contacts::from_reader(text.as_bytes(), &week).is_err());
}

/// What the fuzzer once broke us with, and its seeds: none panics.
#[test]
fn hostile_files_are_read_or_refused() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/hostile/contacts");
    let limits = Limits {
        nodes: 100,
        contacts: 2000,
        bytes: 100_000,
        horizon: Duration::from_secs(1_000_000_000),
    };
    let mut files = 0;
    for file in std::fs::read_dir(folder).expect("the folder") {
        let bytes = std::fs::read(file.expect("an entry").path()).expect("a file");
        files += 1;
        let changes = Changes::new(bytes.as_slice(), &limits);
        assert!(changes.flatten().is_sorted_by_key(|change| change.at));
        let Ok(contacts) = Contacts::from_reader(bytes.as_slice(), &limits) else {
            continue;
        };
        assert!(contacts.contacts().len() <= limits.contacts);
        let start = Start {
            until: contacts.end(),
            ..from_alice(1000)
        };
        let found = Oracle::new(&contacts).all(start);
        assert!(contacts.nodes().is_empty() || found.at(0).is_some());
    }
    assert!(files > 9, "only {files} files");
}

#[test]
fn a_file_cannot_make_us_hold_more_than_the_limits() {
    let small = Limits {
        nodes: 3,
        contacts: 2,
        bytes: 60,
        ..Limits::default()
    };
    let read = |text: &str| Contacts::from_reader(text.as_bytes(), &small);
    let too_much = |text: &str| matches!(read(text), Err(ContactsError::TooMuch { .. }));
    assert!(too_much("1 CONN 1 2 up\n1 CONN 3 4 up\n"), "nodes");
    assert!(
        too_much("1 CONN 1 2 up\n1 CONN 1 3 up\n1 CONN 2 3 up\n"),
        "contacts"
    );
    assert!(
        too_much(&"# comment\n".repeat(9).replacen('#', "1 CONN 1 2 up\n#", 1)),
        "bytes"
    );
    // A bomb is not unpacked further than its limit.
    let bomb = zstd::bulk::compress(&b"1 CONN 1 2 up\n".repeat(100_000), 19).expect("zstd");
    assert!(bomb.len() < 1000);
    assert!(matches!(
        Contacts::from_reader(bomb.as_slice(), &small),
        Err(ContactsError::TooMuch { .. })
    ));
    // Somebody everywhere for ever, in a place that never opens.
    let crowd = "days = 3000\n[[place]]\nname = \"yard\"\nnode = false\non = [\"mon\"]\nopen = [\"08:00-08:01\"]\n\
                 [[round]]\nwho = \"ghost\"\nevery = \"60s\"\nstops = [[\"yard\", \"09:00\", \"3000d\"]]\n";
    let limits = Limits {
        contacts: 100_000,
        ..Limits::default()
    };
    assert!(matches!(
        Contacts::from_reader(crowd.as_bytes(), &limits),
        Err(ContactsError::TooMuch { .. })
    ));
}

#[test]
fn random_walks_meet_where_small_steps_find_them_near() {
    let walk = Waypoint {
        nodes: 8,
        area_m: [120.0, 80.0],
        duration_s: 1200.0,
        ..Waypoint::default()
    };
    let contacts = walk.contacts(7).expect("they walk");
    assert!(contacts.contacts().len() > 20, "{contacts:?}");
    assert_eq!(walk.contacts(7).expect("again"), contacts, "a seed decides");
    assert_ne!(walk.contacts(8).expect("other"), contacts);
    // One more walker moves nobody else.
    let more = Waypoint {
        nodes: 9,
        ..walk.clone()
    };
    let among_eight: Vec<Contact> = more
        .contacts(7)
        .expect("they walk")
        .contacts()
        .iter()
        .filter(|c| c.a < 8 && c.b < 8)
        .copied()
        .collect();
    assert_eq!(among_eight, contacts.contacts());
    // In a room smaller than the range all are always together: one contact a pair.
    let room = Waypoint {
        area_m: [5.0, 5.0],
        ..walk
    };
    let together = room.contacts(1).expect("they walk");
    assert_eq!(together.contacts().len(), 8 * 7 / 2);
    assert!(
        together
            .contacts()
            .iter()
            .all(|c| c.from == at(0.0) && c.to >= at(1199.9) && c.to <= at(1200.0))
    );
}

#[test]
fn walks_that_make_no_sense_are_refused_by_the_key() {
    for (walk, key) in [
        (
            Waypoint {
                nodes: 1,
                ..Waypoint::default()
            },
            "nodes",
        ),
        (
            Waypoint {
                range_m: f64::NAN,
                ..Waypoint::default()
            },
            "range_m",
        ),
        (
            Waypoint {
                speed_m_s: [2.0, 1.0],
                ..Waypoint::default()
            },
            "speed_m_s",
        ),
        (
            Waypoint {
                duration_s: f64::INFINITY,
                ..Waypoint::default()
            },
            "duration_s",
        ),
    ] {
        let why = walk.contacts(1).expect_err(key).to_string();
        assert!(why.starts_with(key), "{why}");
    }
}

/// alice(0) meets the mule(1), who meets the kiosk(2) twice, who meets bob(3).
fn valley() -> Contacts {
    let nodes = ["alice", "mule", "kiosk", "bob"]
        .map(str::to_owned)
        .to_vec();
    let contact = |a, b, from: f64, to: f64| Contact::new(a, b, at(from), at(to));
    Contacts::new(
        nodes,
        vec![
            contact(0, 1, 10.0, 14.0),
            contact(1, 2, 12.0, 15.0),
            contact(1, 2, 100.0, 110.0),
            contact(2, 3, 20.0, 300.0),
        ],
    )
}

fn from_alice(bytes: u64) -> Start {
    Start {
        node: 0,
        at: at(0.0),
        bytes,
        rate: 1000,
        until: at(1e6),
    }
}

#[test]
fn the_oracle_takes_the_first_contact_that_is_long_enough() {
    let valley = valley();
    let small = earliest(&valley, from_alice(0));
    assert_eq!(small.at(3), Some(at(20.0)));
    assert_eq!(small.path(3), [0, 1, 2, 3]);
    // 2 s each hop: over at 12, at the kiosk at 14.
    assert_eq!(earliest(&valley, from_alice(2000)).at(2), Some(at(14.0)));
    // 3.5 s: over at 13.5, the kiosk's first window is too short.
    let large = earliest(&valley, from_alice(3500));
    assert_eq!(large.at(2), Some(at(103.5)));
    assert_eq!(large.at(3), Some(at(107.0)));
    // 5 s never leaves alice; neither does anything after the mule has gone.
    assert_eq!(earliest(&valley, from_alice(5000)).at(1), None);
    assert!(earliest(&valley, from_alice(5000)).path(3).is_empty());
    let late = Start {
        at: at(14.0),
        ..from_alice(0)
    };
    assert_eq!(earliest(&valley, late).at(1), None);
    let soon = Start {
        until: at(19.0),
        ..from_alice(0)
    };
    assert_eq!(earliest(&valley, soon).at(3), None, "too late is never");
}

#[test]
fn one_way_contacts_lead_one_way_and_delays_count() {
    let mut contact = Contact::new(0, 1, at(0.0), at(10.0));
    contact.one_way = true;
    contact.delay = Some(Duration::from_secs(480));
    contact.rate = Some(100);
    let link = Contacts::new(vec!["earth".into(), "mars".into()], vec![contact]);
    let start = |node| Start {
        node,
        ..from_alice(1000)
    };
    assert_eq!(earliest(&link, start(0)).at(1), Some(at(490.0)));
    assert_eq!(earliest(&link, start(1)).at(0), None);
}

#[test]
fn the_oracle_agrees_with_flooding_over_random_walks() {
    let walk = Waypoint {
        nodes: 10,
        area_m: [200.0, 200.0],
        duration_s: 900.0,
        ..Waypoint::default()
    };
    for seed in 0..20 {
        let contacts = walk.contacts(seed).expect("they walk");
        let oracle = Oracle::new(&contacts);
        // Flooding with no transmission time: relax every contact until nothing changes.
        let mut flood = vec![None; 10];
        flood[0] = Some(at(0.0));
        loop {
            let before = flood.clone();
            for c in contacts.contacts() {
                for (from, to) in [(c.a, c.b), (c.b, c.a)] {
                    let Some(here) = flood[from as usize] else {
                        continue;
                    };
                    let there = c.from.max(here);
                    if there < c.to || (there == c.to && here < c.to) {
                        let known = &mut flood[to as usize];
                        *known = Some(known.map_or(there, |k: Time| k.min(there)));
                    }
                }
            }
            if before == flood {
                break;
            }
        }
        let start = Start {
            rate: 0,
            ..from_alice(0)
        };
        let found = oracle.all(start);
        for node in 0..10 {
            assert_eq!(
                found.at(node),
                flood[node as usize],
                "seed {seed}, node {node}"
            );
            assert_eq!(oracle.earliest(start, node), flood[node as usize]);
        }
    }
}
