//! Randomness from a seed: a stream of its own for each entity and purpose.
//!
//! What is it: [`Dice`], ChaCha8 keyed by the run's seed, on a stream named by who draws and
//! what for. Who calls it: everything random in a simulation. What can go wrong: nothing; adding
//! a node or a purpose does not shift what the others draw.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// One stream of random numbers.
#[derive(Clone, Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of `entity` for `purpose` in the run of `seed`.
    #[must_use]
    pub fn new(seed: u64, entity: &str, purpose: &str) -> Self {
        let mut key = *b"packmule simulator dice 00000000";
        key[24..].copy_from_slice(&seed.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        let mut name = Fnv::default();
        name.bytes(entity.as_bytes());
        name.bytes(&[0]);
        name.bytes(purpose.as_bytes());
        rng.set_stream(name.value());
        Self(rng)
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `end`, which is 0 when `end` is. (Multiply-shift; the bias is below
    /// `end` / 2^64.)
    pub fn below(&mut self, end: u64) -> u64 {
        let wide = u128::from(self.0.next_u64()) * u128::from(end);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number from `least` to `most`, both included.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        let most = most.max(least);
        least + self.below((most - least).saturating_add(1))
    }

    /// A number from 0 to below 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit exactly")]
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Happens with this probability. Draws nothing when it cannot or must happen.
    pub fn chance(&mut self, probability: f64) -> bool {
        if probability <= 0.0 {
            return false;
        }
        probability >= 1.0 || self.unit() < probability
    }

    /// Exponentially distributed, with this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Normally distributed (Box and Muller, 1958), mean 0, deviation 1.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// One of these; `None` of nothing.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let at = self.below(from.len() as u64);
        from.get(usize::try_from(at).unwrap_or(0))
    }

    /// Random bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// A random key.
    pub fn key(&mut self) -> [u8; 32] {
        let mut key = [0; 32];
        self.0.fill_bytes(&mut key);
        key
    }
}

/// FNV-1a, 64 bits: a fingerprint, the same on every machine.
#[derive(Clone, Copy, Debug)]
pub struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// Mixes bytes in.
    pub fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Mixes a number in.
    pub fn number(&mut self, number: u64) {
        self.0 = (self.0 ^ number)
            .wrapping_mul(0x0100_0000_01b3)
            .rotate_left(23);
    }

    /// The fingerprint so far.
    #[must_use]
    pub fn value(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn what_alice_draws_does_not_depend_on_what_bob_draws() {
        let alone = Dice::new(7, "alice", "disk").any();
        let mut bob = Dice::new(7, "bob", "disk");
        let mut alice = Dice::new(7, "alice", "disk");
        assert_ne!(bob.any(), alone);
        assert_eq!(alice.any(), alone);
        assert_ne!(Dice::new(8, "alice", "disk").any(), alone);
        assert_ne!(Dice::new(7, "alice", "clock").any(), alone);
    }

    #[test]
    fn ranges_keep_their_ends() {
        let mut dice = Dice::new(1, "x", "y");
        for _ in 0..1000 {
            assert!((3..=5).contains(&dice.between(3, 5)));
            assert!((0.0..1.0).contains(&dice.unit()));
        }
        assert_eq!(dice.below(0), 0);
        assert_eq!(dice.pick::<u8>(&[]), None);
    }
}
