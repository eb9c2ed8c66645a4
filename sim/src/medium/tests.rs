use super::{End, LinkSpec, Medium};
use crate::marks::{Fired, Kind};
use crate::presets::Channel;

fn link(text: &str) -> Medium {
    Medium::new(
        LinkSpec::of(Channel::parse(text).unwrap()),
        1,
        "alice-bob",
        0,
    )
}

fn arrivals(medium: &mut Medium, count: u64, fired: &mut Fired) -> Vec<(u64, u64)> {
    let mut all = Vec::new();
    for n in 0..count {
        let sent = medium.send(n * 1000, End::Dialer, n.to_be_bytes().to_vec(), fired);
        for (at, pdu) in sent.arrivals {
            all.push((at, u64::from_be_bytes(pdu.try_into().unwrap())));
        }
    }
    all.sort_unstable();
    all
}

#[test]
fn a_clean_link_delays_and_does_nothing_else() {
    let mut fired = Fired::default();
    let came = arrivals(&mut link("latency_ms = 5"), 100, &mut fired);
    assert_eq!(came.len(), 100);
    assert!(came.iter().all(|(at, n)| *at == n * 1000 + 5000));
    assert_eq!(fired, Fired::default());
}

#[test]
fn lossy_air_loses_about_as_much_as_it_says() {
    let mut fired = Fired::default();
    let text = "reliable = false\n[loss]\ngood = 0.05\nbad = 0.5\nto_bad = 0.1\nto_good = 0.3";
    let came = arrivals(&mut link(text), 20_000, &mut fired);
    let lost = 20_000 - came.len() as u64;
    assert_eq!(lost, fired.count(Kind::Loss) + fired.count(Kind::LossBurst));
    // A quarter of the time bad: .05 x .75 + .5 x .25 = .1625.
    assert!((3_000..3_500).contains(&lost), "{lost} lost");
}

#[test]
fn a_link_that_says_it_is_reliable_and_ordered_is_so() {
    let mut fired = Fired::default();
    let text = "latency_ms = 3\njitter_ms = 40\nreliable = true\nordered = true\ncorrupt = 0.1\n\
                duplicate = 0.1\nreorder = 0.2\nreorder_ms = 9\n[loss]\ngood = 0.2";
    let came = arrivals(&mut link(text), 2_000, &mut fired);
    let order: Vec<u64> = came.iter().map(|(_, n)| *n).collect();
    assert_eq!(order, (0..2_000).collect::<Vec<u64>>());
    assert!(fired.count(Kind::Loss) > 300, "the air below still loses");
    assert_eq!(
        fired.count(Kind::Duplication) + fired.count(Kind::Corruption),
        0
    );
}

#[test]
fn a_wild_link_doubles_overtakes_and_spoils() {
    let mut fired = Fired::default();
    let text = "reliable = false\nordered = false\ncorrupt = 0.1\nduplicate = 0.1\nreorder = 0.2\n\
                reorder_ms = 9";
    let mut medium = link(text);
    let mut spoilt = 0;
    for n in 0..1_000_u64 {
        let sent = medium.send(n * 1000, End::Listener, vec![7; 30], &mut fired);
        spoilt += u64::from(sent.arrivals.iter().any(|(_, pdu)| *pdu != [7; 30]));
    }
    assert_eq!(spoilt, fired.count(Kind::Corruption));
    for kind in [Kind::Corruption, Kind::Duplication, Kind::Reordering] {
        assert!(fired.count(kind) > 50, "{kind:?}");
    }
}

#[test]
fn the_bucket_lets_a_burst_through_and_then_drips() {
    let mut fired = Fired::default();
    let mut medium = link("bytes_per_s = 1000\nburst_bytes = 200");
    let gone: Vec<u64> = (0..4)
        .map(|_| {
            medium
                .send(10_000_000, End::Dialer, vec![0; 100], &mut fired)
                .gone_at
                - 10_000_000
        })
        .collect();
    assert_eq!(gone, [0, 0, 100_000, 200_000]);
}

#[test]
fn one_speaks_at_a_time_on_half_duplex() {
    let mut fired = Fired::default();
    let mut medium =
        link("half_duplex = true\nturnaround_ms = 15\nbytes_per_s = 1000\nburst_bytes = 0");
    let first = medium
        .send(0, End::Dialer, vec![0; 100], &mut fired)
        .gone_at;
    let second = medium
        .send(0, End::Listener, vec![0; 100], &mut fired)
        .gone_at;
    assert_eq!((first, second), (100_000, 215_000));
    assert_eq!(fired.count(Kind::HalfDuplex), 1);
}

#[test]
fn nothing_comes_back_through_a_one_way_link() {
    let mut fired = Fired::default();
    let mut medium = link("one_way = true\nreliable = false");
    assert_eq!(
        medium
            .send(0, End::Dialer, vec![1], &mut fired)
            .arrivals
            .len(),
        1
    );
    assert_eq!(
        medium
            .send(0, End::Listener, vec![1], &mut fired)
            .arrivals
            .len(),
        0
    );
    assert_eq!(fired.count(Kind::OneWay), 1);
}
