//! How long things take on the air: the limit that a throughput is held against.
//!
//! What is it: durations of the link layer's packets, and what one direction can carry at most.
//! Who calls it: tests and measurements, the simulator. What can go wrong: nothing; it is
//! arithmetic. Real radios stay below it: phones end a connection event after four to seven packets.
//!
//! Source: Bluetooth Core 5.4, Vol 6, Part B 2.1 (preamble, 4 bytes of access address, 2 of head,
//! payload, 3 of CRC) and 4.1 (150 µs between packets). The central speaks first in each event;
//! both sides answer each packet, with an empty one if there is nothing to say.

/// The pause between two packets, in microseconds.
const PAUSE: u64 = 150;

/// How the radio is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Air {
    /// The connection interval in microseconds: 7,500 to 4,000,000 in steps of 1,250.
    pub interval: u64,
    /// Two megabits in a second instead of one.
    pub fast: bool,
    /// Data PDUs of 251 bytes instead of 27.
    pub long: bool,
}

impl Air {
    /// What a data PDU of the link layer holds, in bytes.
    #[must_use]
    pub const fn pdu(&self) -> usize {
        if self.long { 251 } else { 27 }
    }

    /// How long a packet with so many bytes takes, in microseconds.
    #[must_use]
    pub const fn packet(&self, bytes: usize) -> u64 {
        let bytes = bytes as u64;
        if self.fast {
            (11 + bytes) * 4
        } else {
            (10 + bytes) * 8
        }
    }

    /// How long a packet and its answer take, with the pauses after each.
    #[must_use]
    pub const fn exchange(&self, there: usize, back: usize) -> u64 {
        self.packet(there) + PAUSE + self.packet(back) + PAUSE
    }

    /// The data PDUs that carry a value: their lengths.
    #[must_use]
    pub fn cut(&self, value: usize) -> Vec<usize> {
        let mut rest = value + 7;
        let mut pdus = Vec::new();
        while rest > 0 {
            let next = rest.min(self.pdu());
            pdus.push(next);
            rest -= next;
        }
        pdus
    }

    /// The most bytes of values in a second, one direction alone and in values of this length:
    /// whole packets in each event, of a thousand events.
    #[must_use]
    pub fn limit(&self, value: usize) -> u64 {
        const EVENTS: u64 = 1000;
        let pdus = self.cut(value);
        let mut next = pdus.iter().cycle();
        let mut pdu = next.next().copied().unwrap_or_default();
        let mut sent: u64 = 0;
        for _ in 0..EVENTS {
            let mut left = self.interval;
            while let Some(rest) = left.checked_sub(self.exchange(pdu, 0)) {
                left = rest;
                sent += 1;
                pdu = next.next().copied().unwrap_or_default();
            }
        }
        let values = sent / pdus.len() as u64;
        values * value as u64 * 1_000_000 / (EVENTS * self.interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_take_the_known_times() {
        let slow = Air {
            interval: 7_500,
            fast: false,
            long: true,
        };
        let fast = Air { fast: true, ..slow };
        assert_eq!(
            (slow.packet(0), slow.packet(27), slow.packet(251)),
            (80, 296, 2_088)
        );
        assert_eq!(
            (fast.packet(0), fast.packet(27), fast.packet(251)),
            (44, 152, 1_048)
        );
        assert_eq!(slow.exchange(251, 0), 2_468);
        assert_eq!(slow.cut(512), [251, 251, 17]);
        assert_eq!(slow.cut(244), [251]);
    }

    #[test]
    fn limits_are_those_that_everybody_calculates() {
        let air = |interval, fast, long| Air {
            interval,
            fast,
            long,
        };
        // 11 packets of 676 µs in 7.5 ms.
        assert_eq!(air(7_500, false, false).limit(20), 29_333);
        assert_eq!(air(30_000, false, false).limit(20), 44 * 20 * 1000 / 30);
        // 3 packets of 2,468 µs in 7.5 ms, 12 in 30 ms.
        assert_eq!(air(7_500, false, true).limit(244), 97_600);
        assert_eq!(air(30_000, false, true).limit(244), 97_600);
        // 5 packets of 1,392 µs, and 21.
        assert_eq!(air(7_500, true, true).limit(244), 162_666);
        assert_eq!(air(30_000, true, true).limit(244), 170_800);
    }
}
