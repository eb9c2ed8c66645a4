//! What really goes to the controllers: HCI, L2CAP and ATT packets, of octets that the
//! specification has, and nothing readable in them.
//!
//! Source: Bluetooth Core 5.4, Vol 3, Part F, 3.4 (ATT), Part A, 4.22 (credit-based channels).

use packmule_ble::plan;
use packmule_controller::{ACL, COMMAND, Room};

use crate::messages::{exchange, packed};
use crate::radio::{PSM, Terms, overhear, overheard};
use crate::{HEAD, L2CAP, Node, story};

/// Messages both ways; what the hosts gave to their controllers for it.
async fn heard<const LENGTH: usize>() -> Vec<Vec<u8>> {
    let room = Room::new(1);
    overhear();
    let bob = Node::new::<LENGTH>(&room, 1, Terms::default());
    let alice = Node::new::<LENGTH>(&room, 2, Terms::default());
    let mut door = bob.listen().await;
    let (near, far) = alice.meet(&mut *door).await;
    exchange(near, far).await;
    overheard()
}

/// L2CAP frames on this channel, put together from ACL packets of 251 bytes at most.
fn frames(packets: &[Vec<u8>], channel: u16) -> Vec<Vec<u8>> {
    let mut frames: Vec<(u16, Vec<u8>)> = Vec::new();
    for packet in packets {
        let [ACL, low, high, _, _, payload @ ..] = &packet[..] else {
            continue;
        };
        let head = u16::from_le_bytes([*low, *high]);
        assert!(payload.len() <= 251, "no buffer is longer");
        match head >> 12 {
            0 => frames.push((head & 0xfff, payload.to_vec())),
            1 => {
                // Each host has one connection, and the handles are alike: the last one it was.
                let last = frames
                    .iter_mut()
                    .rfind(|(handle, _)| *handle == head & 0xfff);
                last.expect("a frame that has begun")
                    .1
                    .extend_from_slice(payload);
            }
            other => panic!("flags {other}"),
        }
    }
    let whole = frames.into_iter().map(|(_, frame)| {
        let length = usize::from(u16::from_le_bytes([frame[0], frame[1]]));
        assert_eq!(frame.len(), 4 + length, "a frame is as long as it says");
        frame
    });
    let here = whole.filter(|frame| frame[2..4] == channel.to_le_bytes());
    here.map(|frame| frame[4..].to_vec()).collect()
}

fn readable(packets: &[Vec<u8>]) -> bool {
    let secret = packed(1_000, 1);
    let part = &secret[100..108];
    packets
        .iter()
        .any(|packet| packet.windows(8).any(|bytes| bytes == part))
}

#[test]
fn over_gatt_these_are_write_commands_and_notifications() {
    story(async {
        let packets = heard::<{ 247 + HEAD }>().await;
        assert!(!readable(&packets), "it is sealed");
        // Reset first; advertising and a connection of the first kind.
        assert_eq!(packets[0], [COMMAND, 0x03, 0x0c, 0]);
        for code in [[0x0a, 0x20], [0x0d, 0x20]] {
            assert!(
                packets
                    .iter()
                    .any(|one| one[0] == COMMAND && one[1..3] == code)
            );
        }
        let att = frames(&packets, 4);
        assert!(att.iter().all(|pdu| pdu.len() <= 247), "the MTU is kept");
        let of = |code: u8| {
            att.iter()
                .filter(move |pdu| pdu[0] == code)
                .collect::<Vec<_>>()
        };
        // Exchange MTU, asked and answered.
        assert_eq!(
            (of(0x02), of(0x03)),
            (vec![&vec![0x02, 247, 0]], vec![&vec![0x03, 247, 0]])
        );
        // Find By Type Value: the primary service that has our name.
        let find = [
            &[0x06, 1, 0, 0xff, 0xff, 0, 0x28][..],
            &plan::OURS.uuid.to_air(),
        ]
        .concat();
        assert_eq!(of(0x06).first(), Some(&&find));
        // One Write Request, which subscribes.
        assert!(
            matches!(of(0x12)[..], [pdu] if pdu[3..] == [1, 0]),
            "{:?}",
            of(0x12)
        );
        // Write Commands and Handle Value Notifications; the first of each is an opening that says
        // 244 bytes.
        for (code, tag) in [(0x52, "hers"), (0x1b, "his")] {
            let values = of(code);
            assert_eq!(values[0][3..6], [0x80, 1, 1], "{tag}");
            assert_eq!(values[0][14..16], [0, 244], "{tag}");
            // 100 kB in pieces of 243 bytes, and not many more.
            assert!(
                (411..600).contains(&values.len()),
                "{tag}: {}",
                values.len()
            );
        }
    });
}

#[test]
fn over_l2cap_these_are_frames_of_a_channel_with_credits() {
    story(async {
        let packets = heard::<L2CAP>().await;
        assert!(!readable(&packets), "it is sealed");
        let att = frames(&packets, 4);
        assert!(
            att.iter().all(|pdu| pdu[0] != 0x52 && pdu[0] != 0x1b),
            "nothing by GATT"
        );
        // LE Credit Based Connection Request and its Response: our PSM, SDUs and frames.
        let signals = frames(&packets, 5);
        let find = |code: u8| {
            signals
                .iter()
                .find(|signal| signal[0] == code)
                .expect("it was said")
        };
        let (asks, says) = (find(0x14), find(0x15));
        let number = |at: &[u8]| usize::from(u16::from_le_bytes([at[0], at[1]]));
        assert_eq!(number(&asks[4..]), usize::from(PSM));
        for terms in [&asks[8..], &says[6..]] {
            assert_eq!((number(terms), number(&terms[2..])), (plan::SDU, plan::MPS));
        }
        // 100 kB and more each way in frames of 247 bytes.
        for channel in [number(&asks[6..]), number(&says[4..])] {
            let frames = frames(&packets, u16::try_from(channel).expect("a channel"));
            assert!(frames.len() > 405, "channel {channel:#x}: {}", frames.len());
        }
    });
}
