//! What strangers show: service data as they please, PSMs, a room full of devices that come, go and
//! dial. No more is remembered than may be, one is dialled at a time, none with our own tag.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packmule_ble::advert::{Advert, Came, MOST_LINKS, MOST_SEEN, Meeting};
use packmule_ble::plan;
use packmule_ble::radio::{Address, Sighting};
use packmule_bus::time::Time;

fuzz_target!(|data: &[u8]| {
    if let Some(advert) = Advert::read(data) {
        assert!(data.get(1..9) == Some(&advert.tag[..]));
        assert_eq!(Advert::read(&advert.data()), Some(advert));
    }
    if let Some(psm) = plan::read_psm(data) {
        assert_eq!(plan::write_psm(Some(psm)), data);
    }
    let mut drawn = 0_u64;
    let draw = Box::new(move || {
        drawn += 1;
        drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()
    });
    let mut now = Time::default();
    let mut alice = Meeting::new(now, true, draw);
    let (mut going, mut linked) = (None, Vec::new());
    for step in data.chunks(4) {
        let [what, who, tag, time] = *step else {
            return;
        };
        now = Time::from_micros(now.as_micros() + u64::from(time) * 500_000);
        let shown = Advert {
            tag: [tag; 8],
            dials: who & 1 == 0,
        };
        match what % 6 {
            0 | 1 => {
                let data = if what & 0x80 == 0 {
                    shown.data()
                } else {
                    Vec::new()
                };
                let address = Address(format!("{who}"));
                alice.saw(now, &Sighting { address, data });
            }
            2 => {
                let dial = alice.dial(now);
                assert!(dial.is_none() || going.is_none(), "two dials at once");
                assert!(
                    dial.as_ref()
                        .is_none_or(|dial| dial.tag == alice.advert().tag)
                );
                going = going.or(dial);
            }
            3 => {
                if let Some(dial) = going.take() {
                    if alice.dialled(now, &dial, (who & 1 == 0).then_some([tag; 8])) {
                        linked.push(dial);
                    }
                }
            }
            4 => {
                let came = alice.came([tag; 8]);
                if let Came::Instead(address) = &came {
                    linked.retain(|dial| dial.to != *address);
                }
                // Whoever carries it out gives up what it was dialling, as it may be the same one.
                if came != Came::Refuse
                    && let Some(dial) = going.take()
                {
                    assert!(!alice.dialled(now, &dial, None));
                }
            }
            _ if who & 1 == 0 => alice.left(now, [tag; 8]),
            _ => {
                if let Some(dial) = linked.pop() {
                    alice.ended(now, &dial);
                }
            }
        }
        if let Some(due) = alice.deadline() {
            if due <= now {
                alice.timeout(now);
            }
        }
        assert!(alice.remembered() <= MOST_SEEN + 1);
        assert!(linked.len() <= MOST_LINKS);
    }
});
