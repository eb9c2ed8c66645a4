//! What an exchange over ISO/IEC 14443-4 costs in time.
//!
//! What is it: a sum over blocks: nine bits a byte, frames of 64 bytes, a short block back for each
//! one but the last, and a turn of the air each time. Who calls it: the field, tests of taps. What
//! can go wrong: it is a model. The one number that is no standard's, [`TURN`], makes it fit what
//! NXP published for DESFire cards (1 KiB read in 130, 80, 52 and 43 ms at 106, 212, 424 and 848
//! kbit/s), within 7 %; real phones are slower by what their processors take.

use std::time::Duration;

/// Bits in a second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rate {
    /// 106 kbit/s: every card and phone; 13.56 MHz / 128.
    Kbit106,
    /// 212 kbit/s.
    Kbit212,
    /// 424 kbit/s: the fastest that a PN532 goes.
    Kbit424,
    /// 848 kbit/s.
    Kbit848,
}

impl Rate {
    /// How many bits go in the time of one at 106 kbit/s.
    const fn times(self) -> u64 {
        match self {
            Self::Kbit106 => 1,
            Self::Kbit212 => 2,
            Self::Kbit424 => 4,
            Self::Kbit848 => 8,
        }
    }

    /// The rate of this name: 106, 212, 424 or 848.
    #[must_use]
    pub const fn of(kbit: u32) -> Option<Self> {
        Some(match kbit {
            106 => Self::Kbit106,
            212 => Self::Kbit212,
            424 => Self::Kbit424,
            848 => Self::Kbit848,
            _ => return None,
        })
    }
}

/// Nine bits, each of 128 cycles of 13.56 MHz, in nanoseconds.
const BYTE: u64 = 9 * 128 * 100_000 / 1_356;
/// From the end of one frame to the start of the next, both sides' work included: a little more
/// than the standard's frame delay of 86 microseconds, as measured on cards.
pub const TURN: Duration = Duration::from_micros(925);
/// Bytes around the data of a block: its head and two of a checksum.
const AROUND: u64 = 3;
/// Data of a block in a frame of 64 bytes.
const BLOCK: u64 = 61;

/// How long `bytes` take in one direction, with the blocks that acknowledge all but the last one.
#[must_use]
pub fn one_way(bytes: usize, rate: Rate) -> Duration {
    let bytes = bytes as u64;
    let blocks = bytes.div_ceil(BLOCK).max(1);
    let on_air = bytes + blocks * AROUND + (blocks - 1) * AROUND;
    let turns = u32::try_from(2 * blocks - 1).unwrap_or(u32::MAX);
    Duration::from_nanos(on_air.saturating_mul(BYTE) / rate.times()) + TURN * turns
}

/// How long a command and its answer take.
#[must_use]
pub fn exchange(command: usize, answer: usize, rate: Rate) -> Duration {
    one_way(command, rate) + one_way(answer, rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kilobyte_takes_what_was_published() {
        for (rate, published) in [
            (Rate::Kbit106, 130),
            (Rate::Kbit212, 80),
            (Rate::Kbit424, 52),
            (Rate::Kbit848, 43),
        ] {
            // One chained answer to a short command, as those cards were read.
            let took = exchange(8, 1024 + 2, rate).as_millis();
            assert!(
                took * 100 >= published * 93 && took * 100 <= published * 107,
                "{rate:?}: {took} ms, published {published}"
            );
        }
    }
}
