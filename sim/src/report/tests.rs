//! Pages: whole, escaped, without a word from elsewhere, and true to what they draw.

use super::Report;
use crate::contacts::{Contacts, Limits};
use crate::timeline::{ContactSpan, Fate, Hop, Mark, MessageLine, NodeLine, Timeline};
use crate::trace::{TraceConfig, replay_contacts};

fn valley() -> Report {
    let node = |name: &str| NodeLine {
        name: name.into(),
        role: "honest".into(),
        down: vec![(2_000, 3_000)],
    };
    let hop = |from: &str, to: &str, at| Hop {
        from: from.into(),
        to: to.into(),
        at,
    };
    Report {
        title: "valley".into(),
        about: "alice writes to bob".into(),
        timeline: Timeline {
            ends_ms: 10_000,
            nodes: ["alice", "<mule>", "bob"].map(node).to_vec(),
            contacts: vec![ContactSpan {
                a: "alice".into(),
                b: "<mule>".into(),
                link: "ble".into(),
                from: 1_000,
                to: 2_000,
                bytes: 9,
            }],
            messages: vec![MessageLine {
                id: 0,
                from: "alice".into(),
                to: "bob".into(),
                bytes: 2_000,
                born: 500,
                hops: vec![hop("alice", "<mule>", 1_500), hop("<mule>", "bob", 8_500)],
                delivered_at: Some(8_500),
                earliest: Some(8_000),
                fate: Fate::Delivered,
            }],
            events: vec![Mark {
                at: 2_000,
                node: Some("alice".into()),
                kind: "crash".into(),
                text: "\"power\" & <script>alert(1)</script>".into(),
            }],
            ..Timeline::default()
        },
        ..Report::default()
    }
}

/// Every tag that is opened is closed, in order.
fn well_formed(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    for piece in page.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("a tag ends");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "before …{piece}");
        } else if !tag.ends_with('/') && !tag.starts_with('!') && !tag.starts_with("meta") {
            open.push(tag.split_whitespace().next().expect("a name"));
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

#[test]
fn a_page_is_whole_and_nothing_on_it_comes_from_elsewhere_or_runs() {
    let page = valley().html();
    well_formed(&page);
    for word in [
        "http", "<script", "url(", "@import", "src=", "<mule>", "onload",
    ] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("&lt;mule&gt;") && page.contains("prefers-color-scheme:dark"));
    assert!(page.contains("All promises were kept"));
    // The way of the message: along alice's lane, up to the mule's, on to bob's.
    assert!(page.contains("after 8.0 s") && page.contains("class=\"path\""));
}

#[test]
fn a_broken_promise_is_the_first_thing_on_the_page() {
    let mut report = valley();
    report.broken = vec!["lost: message 3 <b>".into()];
    report.fired = [("disk_full".to_owned(), 4)].into();
    let page = report.html();
    well_formed(&page);
    let verdict = page.find("1 promise was broken").expect("the verdict");
    assert!(verdict < page.find("Delivery").expect("the curve"));
    assert!(page.contains("<td>disk full</td><td class=\"n\">4</td>"));
}

#[test]
fn nothing_at_all_is_a_page_too() {
    let page = Report::default().html();
    well_formed(&page);
    assert!(page.contains("Nothing was delivered"));
}

#[test]
fn a_replayed_trace_shows_what_was_possible_beside_what_was() {
    let text = "1 CONN alice mule up\n60 CONN alice mule down\n100 CONN mule bob up\n900 CONN bob mule down\n";
    let contacts =
        Contacts::from_reader(text.as_bytes(), &Limits::default()).expect("a small trace");
    let config = TraceConfig {
        seeds: 1..2,
        bytes: (1_000, 2_000),
        timeline: true,
        ..TraceConfig::default()
    };
    let result = replay_contacts(&contacts, &config, &mut |_| {}).expect("a replay");
    assert!(result.runs[0].delivered > 0, "{result:?}");
    let report = Report::of_trace("valley", &contacts, &config, &result).expect("a timeline");
    for message in &report.timeline.messages {
        if let (Some(real), Some(possible)) = (message.delivered_at, message.earliest) {
            assert!(real >= possible, "{message:?}");
        }
    }
    let page = report.html();
    well_formed(&page);
    assert!(page.contains("class=\"ideal\""));
}
