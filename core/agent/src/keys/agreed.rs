//! Secrets agreed on with the same peers again and again.
//!
//! What is it: the ECDH-1PU secret of two static keys (`Zs`, draft-madden-jose-ecdh-1pu-04 §2.2)
//! is the same for every message between them, and costs as much as the one with the fresh key.
//! A secret key remembers those of the peers that it heard last. Who calls it: `jose`, by
//! [`super::SecretKey::agree_static`]. What can go wrong: strangers make room for themselves;
//! they cost the others one computation again, and no more memory than [`KEPT`] secrets.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::PublicKey;
use crate::crypto::Refused;
use crate::crypto::agree::{AgreeSecret, Shared};

/// Secrets kept for one key. They are as precious as the key itself, and wiped with it.
const KEPT: usize = 32;

#[derive(Default)]
pub(super) struct Agreed(Mutex<BTreeMap<Box<[u8]>, Shared>>);

impl Agreed {
    pub(super) fn with(&self, own: &AgreeSecret, peer: &PublicKey) -> Result<Shared, Refused> {
        // Whoever panicked here left whole secrets: each change is one insertion.
        if let Some(known) = self.lock().get(peer.raw()) {
            return Ok(known.clone());
        }
        let fresh = own.agree(peer.agreement().ok_or(Refused)?)?;
        let mut known = self.lock();
        if known.len() >= KEPT {
            known.pop_first();
        }
        known.insert(peer.raw().into(), fresh.clone());
        Ok(fresh)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Box<[u8]>, Shared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Curve, SecretKey};
    use super::KEPT;

    #[test]
    fn what_is_remembered_is_what_was_agreed_and_is_bounded() {
        for curve in [Curve::X25519, Curve::P256] {
            let alice = SecretKey::generate(curve).unwrap();
            for _ in 0..2 * KEPT {
                let bob = SecretKey::generate(curve).unwrap();
                let first = alice.agree_static(bob.public()).unwrap();
                assert_eq!(first, alice.agree_static(bob.public()).unwrap());
                assert_eq!(first, bob.agree_static(alice.public()).unwrap());
            }
            assert_eq!(alice.remembered(), KEPT);
        }
    }

    #[test]
    fn a_key_of_another_curve_is_refused_each_time() {
        let alice = SecretKey::generate(Curve::X25519).unwrap();
        let bob = SecretKey::generate(Curve::P256).unwrap();
        for _ in 0..2 {
            assert!(alice.agree_static(bob.public()).is_err());
        }
        assert_eq!(alice.remembered(), 0);
    }
}
