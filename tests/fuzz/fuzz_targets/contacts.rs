//! Files of contacts: traces of The ONE, ION contact plans, timetables, plain or compressed.
//! Whatever a file says, nothing panics, no more is held than the limits allow, and every
//! contact is sorted, not empty, and between nodes that have a name.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use packmule_bus::time::Time;
use packmule_sim::contacts::arrival::{Oracle, Start};
use packmule_sim::contacts::{Changes, Contacts, Limits};
use packmule_sim::presets::Channel;

fuzz_target!(|data: &[u8]| {
    let mut limits = Limits::default();
    limits.nodes = 100;
    limits.contacts = 2000;
    limits.bytes = 100_000;
    limits.horizon = Duration::from_secs(1_000_000_000);
    let mut last = Time::default();
    for change in Changes::new(data, &limits).flatten() {
        assert!(change.at >= last && change.a != change.b);
        last = change.at;
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(channel) = Channel::parse(text)
    {
        let saved = toml::to_string(&channel).expect("a channel can be written");
        assert_eq!(toml::from_str::<Channel>(&saved).ok(), Some(channel));
    }
    let Ok(contacts) = Contacts::from_reader(data, &limits) else {
        return;
    };
    assert!(contacts.nodes().len() <= 100 && contacts.contacts().len() <= 2000);
    assert!(contacts.contacts().is_sorted());
    for contact in contacts.contacts() {
        assert!(contact.from < contact.to && contact.a != contact.b);
        let nodes = contacts.nodes().len() as u32;
        assert!(contact.a < nodes && contact.b < nodes);
    }
    let start = Start {
        node: 0,
        at: Time::default(),
        bytes: 1000,
        rate: 1000,
        until: contacts.end(),
    };
    let found = Oracle::new(&contacts).all(start);
    for node in 0..contacts.nodes().len() as u32 {
        let path = found.path(node);
        assert_eq!(path.is_empty(), found.at(node).is_none());
        assert!(path.len() <= contacts.nodes().len());
    }
});
