//! Which fragments a mixed part of a multi-part UR holds (BCR-2024-001).
//!
//! Called by the UR reader and writer. Both sides derive it from the part's number and the
//! message's checksum: a generator (Xoshiro256**) seeded by their hash, a degree by Vose's alias
//! method, and that many fragments off a shuffle. All of it must match other implementations bit
//! by bit, floating point included. What can go wrong: nothing; numbers and counts are bounded by
//! the caller.

use sha2::{Digest as _, Sha256};

/// How many fragments parts mix: degree d has a weight of 1/d.
#[derive(Clone, Debug)]
pub(crate) struct Mixer {
    probabilities: Vec<f64>,
    aliases: Vec<usize>,
}

impl Mixer {
    /// For messages of `count` fragments.
    pub(crate) fn new(count: usize) -> Self {
        let weights: Vec<f64> = (1..=count).map(|degree| 1.0 / degree as f64).collect();
        let sum: f64 = weights.iter().sum();
        let mut left: Vec<f64> = weights.iter().map(|w| w * count as f64 / sum).collect();
        let (mut small, mut large) = (Vec::new(), Vec::new());
        for (place, weight) in left.iter().enumerate().rev() {
            if *weight < 1.0 {
                small.push(place);
            } else {
                large.push(place);
            }
        }
        let mut mixer = Self {
            probabilities: vec![1.0; count],
            aliases: vec![0; count],
        };
        while !small.is_empty()
            && let (Some(a), Some(g)) = (small.pop(), large.pop())
        {
            let rest = left.get(a).copied().unwrap_or_default();
            put(&mut mixer.probabilities, a, rest);
            put(&mut mixer.aliases, a, g);
            // In this order: other implementations round the same way.
            let now = left.get(g).copied().unwrap_or_default() + (rest - 1.0);
            put(&mut left, g, now);
            if now < 1.0 {
                small.push(g);
            } else {
                large.push(g);
            }
        }
        mixer
    }

    /// The fragments in part number `part` (from 1) of the message with this checksum. The first
    /// parts are one fragment each, in order.
    pub(crate) fn fragments(&self, part: u32, checksum: u32) -> Vec<usize> {
        let count = self.probabilities.len();
        if part as usize <= count {
            return vec![(part as usize).saturating_sub(1)];
        }
        let mut seed = part.to_be_bytes().to_vec();
        seed.extend(checksum.to_be_bytes());
        let mut random = Xoshiro::new(&seed);
        let degree = self.degree(&mut random);
        let mut rest: Vec<usize> = (0..count).collect();
        let mut chosen = Vec::with_capacity(degree);
        for _ in 0..degree {
            if rest.is_empty() {
                break;
            }
            let at = (random.fraction() * rest.len() as f64) as usize;
            chosen.push(rest.remove(at.min(rest.len() - 1)));
        }
        chosen
    }

    fn degree(&self, random: &mut Xoshiro) -> usize {
        let (first, second) = (random.fraction(), random.fraction());
        let place = (self.probabilities.len() as f64 * first) as usize;
        let probability = self.probabilities.get(place).copied().unwrap_or(1.0);
        let alias = self.aliases.get(place).copied().unwrap_or_default();
        1 + if second < probability { place } else { alias }
    }
}

fn put<T>(all: &mut [T], at: usize, value: T) {
    if let Some(place) = all.get_mut(at) {
        *place = value;
    }
}

/// Xoshiro256** (Blackman and Vigna), seeded by a hash.
struct Xoshiro([u64; 4]);

impl Xoshiro {
    fn new(seed: &[u8]) -> Self {
        let hash = Sha256::digest(seed);
        let mut state = [0; 4];
        for (word, bytes) in state.iter_mut().zip(hash.chunks_exact(8)) {
            *word = bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b));
        }
        Self(state)
    }

    fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.0;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let (c, d) = (c ^ a, d ^ b);
        self.0 = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// At least 0, below 1.
    fn fraction(&mut self) -> f64 {
        self.next() as f64 / (u64::MAX as f64 + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_gives_the_published_numbers() {
        // BCR-2024-001's reference tests: seeded with "Wolf", modulo 100.
        let mut random = Xoshiro::new(b"Wolf");
        let numbers: Vec<u64> = (0..20).map(|_| random.next() % 100).collect();
        assert_eq!(
            numbers,
            [
                42, 81, 85, 8, 82, 84, 76, 73, 70, 88, 2, 74, 40, 48, 77, 54, 88, 7, 5, 88
            ]
        );
    }

    #[test]
    fn plain_parts_come_first_and_mixed_ones_are_sets() {
        for count in [1, 2, 7, 100, 1000] {
            let mixer = Mixer::new(count);
            for part in 1..=count as u32 {
                assert_eq!(mixer.fragments(part, 5), [part as usize - 1]);
            }
            for part in 0..200 {
                let mut chosen = mixer.fragments(count as u32 + 1 + part, 5);
                let degree = chosen.len();
                chosen.sort_unstable();
                chosen.dedup();
                assert_eq!(chosen.len(), degree);
                assert!(chosen.iter().all(|n| *n < count));
                assert!((1..=count).contains(&degree));
            }
        }
    }
}
