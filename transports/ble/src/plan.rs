//! What is in the GATT database, and how much each way of carrying holds: numbers only.
//!
//! What is it: UUIDs, the characteristics of both services, and arithmetic from the ATT MTU to
//! what one value or one SDU can carry. Who calls it: back ends, which register and discover
//! what stands here; [`crate::pipe`]. What can go wrong: an MTU or a PSM that a stranger made up:
//! `None`.
//!
//! Sources: Bluetooth Core 5.4, Vol 3, Part F (ATT: an opcode and a handle before a value, 3
//! bytes; attributes of 512 bytes at most), Part G 5.2.1 (an MTU of 23 at least) and Part A 4.22
//! (the PSMs of credit-based channels); the DIF's didcomm-bluetooth draft for its UUIDs.

use std::fmt;

/// A 128-bit UUID, as it is read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub u128);

impl Uuid {
    /// Its bytes as advertisements have them: the last one first.
    #[must_use]
    pub const fn to_air(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032x}", self.0);
        for (n, digit) in digits.chars().enumerate() {
            if matches!(n, 8 | 12 | 16 | 20) {
                f.write_str("-")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uuid({self})")
    }
}

/// What is done with a characteristic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// The central writes values: without response where values have numbers and credits of their
    /// own, with response where the profile knows neither.
    ToPeripheral {
        /// Write without response is offered.
        without_response: bool,
    },
    /// The peripheral notifies values.
    ToCentral,
    /// The central reads on which PSM a credit-based L2CAP channel can be opened; see
    /// [`read_psm`].
    Psm,
}

/// One characteristic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Characteristic {
    /// Its name on the air.
    pub uuid: Uuid,
    /// What it is for.
    pub purpose: Purpose,
}

/// One service. It must be registered before it is advertised: a quick central finds nothing
/// otherwise, and its system remembers that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Service {
    /// Its name on the air, in advertisements too.
    pub uuid: Uuid,
    /// What is in it.
    pub characteristics: &'static [Characteristic],
}

/// Ours: sessions, in numbered values or over L2CAP.
pub const OURS: Service = Service {
    uuid: Uuid(0xa28c_0001_5a43_4443_9a53_3d62_b2b5_79d3),
    characteristics: &[
        Characteristic {
            uuid: Uuid(0xa28c_0002_5a43_4443_9a53_3d62_b2b5_79d3),
            purpose: Purpose::ToPeripheral {
                without_response: true,
            },
        },
        Characteristic {
            uuid: Uuid(0xa28c_0003_5a43_4443_9a53_3d62_b2b5_79d3),
            purpose: Purpose::ToCentral,
        },
        Characteristic {
            uuid: Uuid(0xa28c_0004_5a43_4443_9a53_3d62_b2b5_79d3),
            purpose: Purpose::Psm,
        },
    ],
};

/// The DIF's didcomm-bluetooth: packed messages in chunks; see [`crate::profile`].
pub const DIDCOMM: Service = Service {
    uuid: Uuid(0xd2f1_95b6_2e80_4ab0_be24_32eb_e761_352f),
    characteristics: &[
        Characteristic {
            uuid: Uuid(0xc310_3ded_afd7_477c_b279_2ad2_64e2_0e74),
            // Chunks have no numbers: a response to each keeps them in order and tells of losses.
            purpose: Purpose::ToPeripheral {
                without_response: false,
            },
        },
        Characteristic {
            uuid: Uuid(0xe6e9_7879_780a_4c9b_b4e6_dcae_3793_a3e8),
            purpose: Purpose::ToCentral,
        },
    ],
};

/// The ATT MTU of every connection that agreed on none, and the least there is.
pub const LEAST_ATT_MTU: usize = 23;
/// The ATT MTU above which nothing is gained: 3 bytes before a value of 512 and 2 to spare.
pub const MOST_ATT_MTU: usize = 517;
/// The longest value of any attribute.
pub const MOST_VALUE: usize = 512;
/// The value that goes at [`LEAST_ATT_MTU`].
pub const LEAST_VALUE: usize = 20;
/// Opcode and handle.
const ATT_HEAD: usize = 3;
/// Length and channel of an L2CAP frame.
const L2CAP_HEAD: usize = 4;
/// The length of an SDU, in its first frame.
const SDU_HEAD: usize = 2;
/// What a data PDU of the link layer holds with the data length extension, and without it.
const LONG_PDU: usize = 251;
const SHORT_PDU: usize = 27;

/// The longest value that one write without response, write request or notification carries at
/// this ATT MTU, in bytes: three less than it, 512 at most. `None` below [`LEAST_ATT_MTU`], which
/// no stack may say.
#[must_use]
pub const fn value(att_mtu: usize) -> Option<usize> {
    match att_mtu {
        0..LEAST_ATT_MTU => None,
        _ if att_mtu - ATT_HEAD > MOST_VALUE => Some(MOST_VALUE),
        _ => Some(att_mtu - ATT_HEAD),
    }
}

/// How many data PDUs of the link layer carry a value of so many bytes.
#[must_use]
pub const fn pdus_of_value(value: usize, long: bool) -> usize {
    let pdu = if long { LONG_PDU } else { SHORT_PDU };
    (value + ATT_HEAD + L2CAP_HEAD).div_ceil(pdu)
}

/// The longest value worth using where so many bytes are possible: 495 and 244 fill two data PDUs
/// and one to the last byte, where they are long. The 17 bytes that 512 leave over for a third one
/// cost a seventh of the rate.
#[must_use]
pub const fn fitting(value: usize) -> usize {
    const ONE: usize = LONG_PDU - L2CAP_HEAD - ATT_HEAD;
    const TWO: usize = ONE + LONG_PDU;
    match value {
        TWO.. => TWO,
        ONE..TWO => ONE,
        _ => value,
    }
}

/// The SDU of our L2CAP channels in bytes, in both directions: eight full data PDUs of the link
/// layer, each with an L2CAP header, the first with the SDU's length. A back end sets its receive
/// MTU to this, and takes GATT where the other side's is less.
pub const SDU: usize = 8 * MPS - SDU_HEAD;
/// The longest frame of an SDU that fits one data PDU of the link layer.
pub const MPS: usize = LONG_PDU - L2CAP_HEAD;

/// How many frames (data PDUs of the link layer, if those are long) carry an SDU.
#[must_use]
pub const fn frames_of_sdu(sdu: usize) -> usize {
    (sdu + SDU_HEAD).div_ceil(MPS)
}

/// May sessions go over an L2CAP channel whose other side takes SDUs of so many bytes?
#[must_use]
pub const fn l2cap_serves(their_mtu: usize) -> bool {
    their_mtu >= SDU
}

/// The value of the PSM characteristic: little-endian; empty where no channel can be opened.
#[must_use]
pub fn write_psm(psm: Option<u16>) -> Vec<u8> {
    psm.map_or_else(Vec::new, |psm| psm.to_le_bytes().to_vec())
}

/// Reads a stranger's PSM. `None`: no channel; the PSM is not of those that a device may choose
/// (0x80 to 0xff), or more than two bytes came.
#[must_use]
pub fn read_psm(value: &[u8]) -> Option<u16> {
    let psm = u16::from_le_bytes(value.try_into().ok()?);
    (0x80..=0xff).contains(&psm).then_some(psm)
}

/// About how many bytes a second pass in values of this length: four data PDUs in each interval
/// of 30 ms, which every phone does. A hint for sessions, no promise.
#[must_use]
pub fn usual_rate(value: usize) -> u32 {
    let pdus = pdus_of_value(value, value > LEAST_VALUE);
    u32::try_from(value * 4 * 1000 / (30 * pdus)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_written_as_everybody_writes_them() {
        let written = |service: &Service| {
            let mut all = vec![service.uuid.to_string()];
            all.extend(service.characteristics.iter().map(|c| c.uuid.to_string()));
            all
        };
        assert_eq!(
            written(&DIDCOMM),
            [
                "d2f195b6-2e80-4ab0-be24-32ebe761352f",
                "c3103ded-afd7-477c-b279-2ad264e20e74",
                "e6e97879-780a-4c9b-b4e6-dcae3793a3e8"
            ]
        );
        assert_eq!(
            written(&OURS),
            [
                "a28c0001-5a43-4443-9a53-3d62b2b579d3",
                "a28c0002-5a43-4443-9a53-3d62b2b579d3",
                "a28c0003-5a43-4443-9a53-3d62b2b579d3",
                "a28c0004-5a43-4443-9a53-3d62b2b579d3"
            ]
        );
        let air = DIDCOMM.uuid.to_air();
        assert_eq!((air[0], air[15]), (0x2f, 0xd2), "the last byte goes first");
    }

    #[test]
    fn values_at_known_mtus() {
        for (mtu, holds) in [
            (23, 20),
            (24, 21),
            (185, 182),
            (247, 244),
            (512, 509),
            (514, 511),
            (515, 512),
            // 514 bytes were refused at this MTU by a real stack.
            (517, 512),
            (65_535, 512),
        ] {
            assert_eq!(value(mtu), Some(holds), "{mtu}");
        }
        assert_eq!(value(22), None);
        assert_eq!(value(0), None);
        for mtu in LEAST_ATT_MTU..=MOST_ATT_MTU {
            let holds = value(mtu).expect("within bounds");
            assert!(holds <= MOST_VALUE && mtu - holds >= 3 && mtu - holds <= 5);
        }
    }

    #[test]
    fn known_values_fill_data_pdus() {
        assert_eq!(pdus_of_value(20, false), 1);
        assert_eq!(pdus_of_value(21, false), 2);
        assert_eq!(pdus_of_value(244, true), 1);
        assert_eq!(pdus_of_value(245, true), 2);
        assert_eq!(pdus_of_value(512, true), 3);
        assert_eq!(pdus_of_value(512, false), 20);
    }

    #[test]
    fn fitting_values_fill_data_pdus() {
        for (possible, used) in [
            (20, 20),
            (182, 182),
            (243, 243),
            (244, 244),
            (300, 244),
            (494, 244),
            (495, 495),
            (512, 495),
        ] {
            assert_eq!(fitting(possible), used, "{possible}");
        }
        assert_eq!((pdus_of_value(495, true), pdus_of_value(496, true)), (2, 3));
    }

    #[test]
    fn an_sdu_fills_its_frames_to_the_last_byte() {
        assert_eq!((MPS, SDU), (247, 1974));
        assert_eq!(frames_of_sdu(SDU), 8);
        assert_eq!(frames_of_sdu(SDU + 1), 9);
        assert_eq!(frames_of_sdu(245), 1);
        assert!(l2cap_serves(2048) && l2cap_serves(SDU) && !l2cap_serves(672));
    }

    #[test]
    fn a_psm_is_one_that_a_device_may_choose_or_none() {
        for psm in 0x80..=0xff {
            assert_eq!(read_psm(&write_psm(Some(psm))), Some(psm));
        }
        assert_eq!(read_psm(&write_psm(None)), None);
        for odd in [&[0x25, 0][..], &[0, 1], &[0x7f, 0], &[0x80], &[0x80, 0, 0]] {
            assert_eq!(read_psm(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn rates_are_of_this_world() {
        assert_eq!(usual_rate(20), 2_666);
        assert_eq!(usual_rate(182), 24_266);
        assert_eq!(usual_rate(244), 32_533);
        assert_eq!(usual_rate(512), 22_755);
    }
}
