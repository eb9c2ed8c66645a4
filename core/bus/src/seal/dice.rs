//! Randomness from a seed, for the only dice that the heart throws: ephemeral keys.
//!
//! What is it: SHA-256 in counter mode as `snow`'s source of randomness, and a resolver that
//! takes all else from `snow`. Who calls it: `seal`. What can go wrong: a seed used twice gives
//! the same ephemeral keys twice; the caller draws each seed from the system.

use sha2::{Digest, Sha256};
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{BoxedCryptoResolver, CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};

use crate::bus::io::NodeKey;

/// SHA-256 of a seed and a counter, again and again.
#[derive(Clone)]
pub(crate) struct Dice {
    seed: [u8; 32],
    thrown: u64,
}

impl Dice {
    pub(crate) const fn new(seed: [u8; 32]) -> Self {
        Self { seed, thrown: 0 }
    }

    /// Thirty-two fresh bytes.
    pub(crate) fn throw(&mut self) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix(b"packmule dice");
        hash.update(self.seed);
        hash.update(self.thrown.to_be_bytes());
        self.thrown += 1;
        hash.finalize().into()
    }

    /// `snow`'s own primitives with dice of their own.
    pub(super) fn resolver(&mut self) -> BoxedCryptoResolver {
        Box::new(Resolver(self.throw()))
    }
}

impl Random for Dice {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), snow::Error> {
        for chunk in dest.chunks_mut(32) {
            let bytes = self.throw();
            let (part, _) = bytes.split_at(chunk.len());
            chunk.copy_from_slice(part);
        }
        Ok(())
    }
}

/// The public half of an X25519 secret.
pub(crate) fn public(secret: &[u8; 32]) -> NodeKey {
    let mut key = [0; 32];
    if let Some(mut dh) = DefaultResolver.resolve_dh(&DHChoice::Curve25519) {
        dh.set(secret);
        for (to, from) in key.iter_mut().zip(dh.pubkey()) {
            *to = *from;
        }
    }
    NodeKey(key)
}

struct Resolver([u8; 32]);

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Dice::new(self.0)))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}
