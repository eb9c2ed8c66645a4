//! Keys that cost nothing: who can sign what, without a curve.
//!
//! What is it: [`Signer`], the secret of one DID; a signature is a hash over secret and
//! statement, so that whoever has not the secret cannot make it. Who calls it: simulated agents;
//! mallory has one too, for its own DID. What can go wrong: nothing; these protect nobody
//! outside a simulation, where the verifier may look at every secret.

use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::Claim;
use packmule_bus::label::DidTag;
use packmule_bus::link::Role;
use packmule_bus::receipt::{Reason, Receipt};
use sha2::{Digest, Sha256};

/// The secret of one DID.
#[derive(Clone, Debug)]
pub struct Signer {
    did: String,
    secret: [u8; 32],
}

impl Signer {
    /// The secret of the node called `name` in the run of `seed`.
    #[must_use]
    pub fn of(name: &str, seed: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"packmule sim secret");
        hash.update(seed.to_be_bytes());
        hash.update(name.as_bytes());
        Self {
            did: format!("did:sim:{name}"),
            secret: hash.finalize().into(),
        }
    }

    /// The DID.
    #[must_use]
    pub fn did(&self) -> &str {
        &self.did
    }

    /// Its tag.
    #[must_use]
    pub fn tag(&self) -> DidTag {
        DidTag::of(&self.did)
    }

    /// Signs.
    #[must_use]
    pub fn sign(&self, statement: &[u8]) -> Vec<u8> {
        let mut hash = Sha256::new();
        hash.update(self.secret);
        hash.update(statement);
        hash.finalize().to_vec()
    }

    /// Is this a signature of ours?
    #[must_use]
    pub fn verify(&self, statement: &[u8], signature: &[u8]) -> bool {
        self.sign(statement) == signature
    }

    /// A claim of our DID over a handshake.
    #[must_use]
    pub fn claim(&self, hash: &[u8; 32], role: Role) -> Claim {
        Claim {
            did: self.did.clone(),
            kid: format!("{}#1", self.did),
            signature: self.sign(&Claim::statement(&self.did, hash, role)),
        }
    }

    /// A receipt for these messages, ascending.
    #[must_use]
    pub fn receipt(&self, ids: Vec<EnvelopeId>, refused: Option<Reason>, at: u64) -> Receipt {
        let mut receipt = Receipt {
            ids,
            refused,
            at,
            did: self.did.clone(),
            kid: format!("{}#1", self.did),
            signature: Vec::new(),
        };
        receipt.signature = self.sign(&receipt.statement());
        receipt
    }
}

#[cfg(test)]
mod tests {
    use super::Signer;

    #[test]
    fn mallory_cannot_sign_for_alice() {
        let (alice, mallory) = (Signer::of("alice", 1), Signer::of("mallory", 1));
        let signature = mallory.sign(b"alice owes mallory a mule");
        assert!(!alice.verify(b"alice owes mallory a mule", &signature));
        assert!(alice.verify(b"x", &alice.sign(b"x")));
        assert!(!alice.verify(b"y", &alice.sign(b"x")));
    }
}
