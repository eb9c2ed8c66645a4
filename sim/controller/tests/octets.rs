//! Controllers by their octets and times alone: what honest hosts get, and what mallory does.

#![expect(
    clippy::expect_used,
    reason = "a promise that is not kept must fail the test"
)]

use packmule_controller::{Air, COMMAND, EVENT, Framer, Id};
use proptest::prelude::*;

/// What every packet for a host looks like; how many packets there were.
fn drain(air: &mut Air, id: Id) -> usize {
    let mut packets = 0;
    while let Some(packet) = air.take(id) {
        let mut framer = Framer::default();
        framer.push(&packet);
        let whole = framer.next_packet().expect("an indicator");
        assert_eq!(whole, Some(packet), "one packet and nothing else");
        packets += 1;
    }
    packets
}

/// Gives a command; its status.
fn status(air: &mut Air, id: Id, code: u16, parameters: &[u8]) -> Option<u8> {
    drain(air, id);
    let mut packet = vec![COMMAND];
    packet.extend_from_slice(&code.to_le_bytes());
    packet.push(u8::try_from(parameters.len()).expect("short"));
    packet.extend_from_slice(parameters);
    air.host(id, &packet);
    let told = air.take(id)?;
    let [low, high] = code.to_le_bytes();
    match told[..] {
        [EVENT, 0x0e, _, 1, a, b, status, ..] if [a, b] == [low, high] => Some(status),
        [EVENT, 0x0f, 4, status, 1, a, b] if [a, b] == [low, high] => Some(status),
        _ => None,
    }
}

/// The longest that parameters of a command can be, and the codes that are known.
fn known() -> impl Strategy<Value = u16> {
    let groups = prop_oneof![
        Just(0x0400),
        Just(0x0c00),
        Just(0x1000),
        Just(0x1400),
        Just(0x2000_u16)
    ];
    prop_oneof![
        3 => (groups, 0_u16..0x80).prop_map(|(group, code)| group | code),
        1 => any::<u16>(),
    ]
}

/// What mallory does.
#[derive(Clone, Debug)]
enum Deed {
    Command(u16, Vec<u8>),
    /// Parameters as long as they should be, mostly.
    Small(u16, Vec<u8>),
    Data(u16, Vec<u8>),
    Raw(Vec<u8>),
    Wait(u64),
    Away(bool),
}

fn deeds() -> impl Strategy<Value = Vec<(bool, Deed)>> {
    let bytes = |most| prop::collection::vec(any::<u8>(), 0..most);
    let small = prop::collection::vec(0_u8..0x21, 0..34);
    let deed = prop_oneof![
        (known(), bytes(70)).prop_map(|(code, bytes)| Deed::Command(code, bytes)),
        (known(), small).prop_map(|(code, bytes)| Deed::Small(code, bytes)),
        (0x40_u16..0x43, bytes(300)).prop_map(|(handle, bytes)| Deed::Data(handle, bytes)),
        (any::<u16>(), bytes(30)).prop_map(|(handle, bytes)| Deed::Data(handle, bytes)),
        bytes(20).prop_map(Deed::Raw),
        (0_u64..3_000_000).prop_map(Deed::Wait),
        any::<bool>().prop_map(Deed::Away),
    ];
    prop::collection::vec((any::<bool>(), deed), 0..60)
}

/// A short way to two devices that are connected a second later; the central's first.
fn connected(air: &mut Air, now: u64) -> [Id; 2] {
    let (alice, kiosk) = (air.join([2; 6]), air.join([1; 6]));
    for id in [alice, kiosk] {
        assert_eq!(status(air, id, 0x0c01, &[0xff; 8]), Some(0));
    }
    // Advertises each 100 ms, connectable, under its public address.
    let shown = [0xa0, 0, 0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0];
    assert_eq!(status(air, kiosk, 0x2006, &shown), Some(0));
    assert_eq!(status(air, kiosk, 0x200a, &[1]), Some(0));
    let mut wish = vec![0x10, 0, 0x10, 0, 0, 0];
    wish.extend_from_slice(&[1; 6]);
    wish.extend_from_slice(&[0, 6, 0, 6, 0, 0, 0, 100, 0, 0, 0, 0, 0]);
    assert_eq!(status(air, alice, 0x200d, &wish), Some(0));
    for step in 1..10 {
        air.advance(now + step * 100_000);
    }
    assert_eq!(air.connections(), 1);
    [alice, kiosk]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_hosts_send_gets_packets_back_and_breaks_nothing(deeds in deeds(), seed in any::<u64>()) {
        let mut air = Air::new(seed);
        let ids = connected(&mut air, 0);
        let mut now = 1_000_000;
        for (who, deed) in deeds {
            let id = ids[usize::from(who)];
            match deed {
                Deed::Command(code, bytes) | Deed::Small(code, bytes) => {
                    drain(&mut air, id);
                    let mut packet = vec![COMMAND];
                    packet.extend_from_slice(&code.to_le_bytes());
                    packet.push(u8::try_from(bytes.len()).expect("short"));
                    packet.extend_from_slice(&bytes);
                    air.host(id, &packet);
                    // Host Number Of Completed Packets has no answer.
                    prop_assert_eq!(air.has(id), code != 0x0c35);
                }
                Deed::Data(head, bytes) => {
                    let length = u16::try_from(bytes.len()).expect("short");
                    let mut packet = vec![2];
                    packet.extend_from_slice(&head.to_le_bytes());
                    packet.extend_from_slice(&length.to_le_bytes());
                    packet.extend_from_slice(&bytes);
                    air.host(id, &packet);
                }
                Deed::Raw(bytes) => air.host(id, &bytes),
                Deed::Wait(micros) => {
                    now += micros;
                    air.advance(now);
                }
                Deed::Away(away) => air.away(id, away),
            }
        }
        // However it went, a reset makes a controller of it that can do everything.
        for id in ids {
            air.away(id, false);
            prop_assert_eq!(status(&mut air, id, 0x0c03, &[]), Some(0));
        }
        // Long enough for every supervision time-out.
        air.advance(now + 70_000_000);
        for id in ids {
            drain(&mut air, id);
        }
        prop_assert_eq!(air.connections(), 0);
        connected(&mut air, now + 70_000_000);
    }

    #[test]
    fn a_stream_of_anything_is_packets_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut framer = Framer::default();
        let mut out = 0;
        'stream: for part in bytes.chunks(7) {
            framer.push(part);
            loop {
                match framer.next_packet() {
                    Ok(Some(packet)) => out += packet.len(),
                    Ok(None) => break,
                    Err(_) => break 'stream,
                }
            }
        }
        prop_assert!(out <= bytes.len());
    }
}

#[test]
fn commands_at_the_wrong_time_or_with_wrong_parameters_are_refused_by_name() {
    let mut air = Air::new(1);
    let [alice, kiosk] = connected(&mut air, 0);
    let mut refused = |id, code, parameters: &[u8], why| {
        assert_eq!(
            status(&mut air, id, code, parameters),
            Some(why),
            "{code:#06x} {parameters:?}"
        );
    };
    // Unknown Command: extended advertising, LE Encrypt, one of a vendor.
    for code in [0x2036, 0x2017, 0xfc01] {
        refused(alice, code, &[], 0x01);
    }
    // Unknown Connection Identifier.
    refused(alice, 0x0406, &[0xff, 0x0e, 0x13], 0x02);
    refused(alice, 0x2022, &[0xff, 0x0e, 251, 0, 0x48, 8], 0x02);
    // Invalid Parameters: a reason nobody may give, too few octets, too many, an interval too short.
    refused(alice, 0x0406, &[0x40, 0, 0x08], 0x12);
    refused(alice, 0x2005, &[1, 2, 3], 0x12);
    refused(alice, 0x0c03, &[0], 0x12);
    refused(
        kiosk,
        0x2006,
        &[1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0],
        0x12,
    );
    // A random address that it has not.
    refused(
        kiosk,
        0x2006,
        &[0xa0, 0, 0xa0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0],
        0x00,
    );
    refused(kiosk, 0x200a, &[1], 0x12);
    // Disallowed: nothing to cancel, another address while it is scanning.
    refused(alice, 0x200e, &[], 0x0c);
    refused(alice, 0x200c, &[1, 0], 0x00);
    refused(alice, 0x2005, &[1, 2, 3, 4, 5, 0xc0], 0x0c);
    // There is a connection to it already.
    let mut wish = vec![0x10, 0, 0x10, 0, 0, 0];
    wish.extend_from_slice(&[1; 6]);
    wish.extend_from_slice(&[0, 6, 0, 6, 0, 0, 0, 100, 0, 0, 0, 0, 0]);
    refused(alice, 0x200d, &wish, 0x0b);
}

#[test]
fn a_host_that_gives_more_than_there_are_buffers_is_told_and_the_rest_goes() {
    let mut air = Air::new(1);
    let [alice, kiosk] = connected(&mut air, 0);
    drain(&mut air, alice);
    drain(&mut air, kiosk);
    for n in 0..20 {
        air.host(alice, &[2, 0x40, 0, 1, 0, n]);
    }
    let told: Vec<_> = std::iter::from_fn(|| air.take(alice)).collect();
    // Sixteen buffers: four packets too many, each a Data Buffer Overflow.
    assert_eq!(told, [const { [EVENT, 0x1a, 1, 1] }; 4]);
    let mut came = Vec::new();
    for step in 0..40 {
        air.advance(1_000_000 + step * 7_500);
        came.extend(std::iter::from_fn(|| air.take(kiosk)));
    }
    let wanted: Vec<Vec<u8>> = (0..16).map(|n| vec![2, 0x40, 0x20, 1, 0, n]).collect();
    assert_eq!(came, wanted, "in order, each once");
    let completed = std::iter::from_fn(|| air.take(alice));
    assert!(completed.eq((0..16).map(|_| vec![EVENT, 0x13, 5, 1, 0x40, 0, 1, 0])));
}

/// Gives a connection so many packets, all of them different, as there is room; what the other
/// side gets of them, each with its time.
fn carries(seed: u64, lost: u16) -> Vec<(u64, Vec<u8>)> {
    let mut air = Air::new(seed);
    let [alice, kiosk] = connected(&mut air, 0);
    drain(&mut air, kiosk);
    air.lose(lost);
    let (mut given, mut room, mut came) = (0_u8, 16, Vec::new());
    for now in (1_000_000..4_000_000).step_by(1_000) {
        air.advance(now);
        while let Some(told) = air.take(alice) {
            room += usize::from(told.get(..2) == Some(&[EVENT, 0x13]));
        }
        while room > 0 && given < 200 {
            air.host(alice, &[2, 0x40, 0, 3, 0, given, 1, 2]);
            (given, room) = (given + 1, room - 1);
        }
        came.extend(std::iter::from_fn(|| air.take(kiosk)).map(|packet| (now, packet)));
    }
    came
}

#[test]
fn what_is_lost_on_the_air_is_said_again_and_a_seed_decides_what() {
    let clean = carries(1, 0);
    let wanted = (0..200).map(|n| vec![2, 0x40, 0x20, 3, 0, n, 1, 2]);
    assert!(clean.iter().map(|(_, packet)| packet.clone()).eq(wanted));
    let lossy = carries(1, 300);
    let packets = |of: &[(u64, Vec<u8>)]| of.iter().map(|(_, one)| one.clone()).collect::<Vec<_>>();
    assert_eq!(packets(&lossy), packets(&clean), "in order, each once");
    assert!(lossy.last() > clean.last(), "it takes longer");
    assert_eq!(carries(1, 300), lossy, "to the microsecond");
    assert_ne!(carries(2, 300), lossy);
}

#[test]
fn who_falls_silent_is_given_up_after_the_supervision_time_out_and_not_before() {
    let mut air = Air::new(1);
    let [alice, kiosk] = connected(&mut air, 0);
    for id in [alice, kiosk] {
        drain(&mut air, id);
    }
    air.away(kiosk, true);
    // A second, in steps of 10 ms, and one interval.
    air.advance(900_000 + 900_000);
    assert!(!air.has(alice) && !air.has(kiosk));
    air.advance(900_000 + 1_000_000 + 7_500);
    for id in [alice, kiosk] {
        assert_eq!(air.take(id), Some(vec![EVENT, 0x05, 4, 0, 0x40, 0, 0x08]));
        assert_eq!(air.take(id), None);
    }
}
