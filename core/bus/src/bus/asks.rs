//! Questions to those who hold keys: prove, verify, sign.
//!
//! What is it: [`Asks`], the questions that are open. The bus knows no keys; whoever drives it
//! answers. Who calls it: the bus. What can go wrong: a flood of claims and receipts to verify:
//! so many questions may be open and no more, and what comes above is not looked at (its sender
//! says it again at the next contact).

use std::collections::{BTreeMap, BTreeSet};

use super::io::{AskId, Claim, LinkId, Output};
use crate::EnvelopeId;
use crate::label::DidTag;
use crate::link::Role;
use crate::receipt::{Reason, Receipt};

/// Most receipts to verify at once.
const RECEIPTS: usize = 4096;
/// Most claims of one link that are ever looked at in one handshake.
pub(super) const CLAIMS: usize = 32;

/// A question that is open.
#[derive(Debug)]
pub(super) enum Ask {
    /// Claims for a link.
    Prove(LinkId),
    /// Is this claim of a link true?
    Claim(LinkId, DidTag),
    /// Is this receipt, which came by this link or in a message, true?
    Receipt(Option<LinkId>, Receipt),
    /// A receipt for these.
    Sign(DidTag, Vec<EnvelopeId>, Option<Reason>),
}

/// All that are open.
#[derive(Debug, Default)]
pub(super) struct Asks {
    next: u64,
    open: BTreeMap<AskId, Ask>,
    /// Signatures of receipts that are being verified.
    verifying: BTreeSet<Vec<u8>>,
}

impl Asks {
    /// Asks for claims over a handshake.
    pub(super) fn prove(&mut self, link: LinkId, hash: [u8; 32], role: Role) -> Output {
        let ask = self.open(Ask::Prove(link));
        Output::Prove { ask, hash, role }
    }

    /// Asks whether a claim of the other end, which has this role, is true.
    pub(super) fn claim(
        &mut self,
        link: LinkId,
        hash: &[u8; 32],
        speaker: Role,
        claim: Claim,
    ) -> Output {
        let ask = self.open(Ask::Claim(link, tag_of(&claim.did)));
        Output::Verify {
            ask,
            statement: Claim::statement(&claim.did, hash, speaker),
            did: claim.did,
            kid: claim.kid,
            signature: claim.signature,
        }
    }

    /// Asks whether a receipt is true. `None`: that is being asked, or too much is.
    pub(super) fn receipt(&mut self, link: Option<LinkId>, receipt: Receipt) -> Option<Output> {
        if self.verifying.len() >= RECEIPTS || !self.verifying.insert(receipt.signature.clone()) {
            return None;
        }
        let (did, kid) = (receipt.did.clone(), receipt.kid.clone());
        let (statement, signature) = (receipt.statement(), receipt.signature.clone());
        let ask = self.open(Ask::Receipt(link, receipt));
        Some(Output::Verify {
            ask,
            did,
            kid,
            statement,
            signature,
        })
    }

    /// Asks for a receipt.
    pub(super) fn sign(
        &mut self,
        by: DidTag,
        ids: Vec<EnvelopeId>,
        refused: Option<Reason>,
        at: u64,
    ) -> Output {
        let ask = self.open(Ask::Sign(by, ids.clone(), refused));
        Output::Sign {
            ask,
            by,
            ids,
            refused,
            at,
        }
    }

    /// A question is answered.
    pub(super) fn answered(&mut self, ask: AskId) -> Option<Ask> {
        let asked = self.open.remove(&ask)?;
        if let Ask::Receipt(_, receipt) = &asked {
            self.verifying.remove(&receipt.signature);
        }
        Some(asked)
    }

    /// How many are open.
    pub(super) fn count(&self) -> usize {
        self.open.len()
    }

    fn open(&mut self, ask: Ask) -> AskId {
        self.next += 1;
        let id = AskId(self.next);
        self.open.insert(id, ask);
        id
    }
}

/// The tag of a DID: of did:peer:4 in its long form, that of its short form (the part before
/// the document).
fn tag_of(did: &str) -> DidTag {
    let short = did
        .strip_prefix("did:peer:4")
        .and_then(|rest| rest.split_once(':'))
        .and_then(|(_, document)| did.get(..did.len() - document.len() - 1));
    DidTag::of(short.unwrap_or(did))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_form_is_known_by_its_short_one() {
        assert_eq!(
            tag_of("did:peer:4zQmShort:zDocument"),
            DidTag::of("did:peer:4zQmShort")
        );
        assert_eq!(tag_of("did:peer:4zQm"), DidTag::of("did:peer:4zQm"));
        assert_eq!(tag_of("did:web:a:b"), DidTag::of("did:web:a:b"));
    }
}
