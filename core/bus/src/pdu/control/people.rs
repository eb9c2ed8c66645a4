//! Receipts and claims, octet by octet.
//!
//! What is it: readers and writers of what people's keys signed. Who calls it: `control`. What
//! can go wrong: see `pdu`; a text longer than [`MAX_TEXT`] is neither written nor read.

use super::{Octets, PduError, put_bytes, put_varint};
use crate::EnvelopeId;
use crate::bus::io::Claim;
use crate::receipt::{Reason, Receipt};

/// The longest DID or key id: a did:peer:4 in its long form with several services.
const MAX_TEXT: usize = 8 << 10;
/// The longest signature.
const MAX_SIGNATURE: usize = 512;

/// Can a receipt be told at all?
pub(crate) fn receipt_fits(receipt: &Receipt) -> bool {
    receipt.did.len() <= MAX_TEXT
        && receipt.kid.len() <= MAX_TEXT
        && receipt.signature.len() <= MAX_SIGNATURE
        && (1..=Receipt::MAX_IDS).contains(&receipt.ids.len())
        && receipt.ids.is_sorted_by(|a, b| a < b)
}

/// Can a claim be told at all?
pub(crate) fn claim_fits(claim: &Claim) -> bool {
    claim.did.len() <= MAX_TEXT
        && claim.kid.len() <= MAX_TEXT
        && claim.signature.len() <= MAX_SIGNATURE
}

pub(super) fn put_receipt(out: &mut Vec<u8>, receipt: &Receipt) {
    out.push(receipt.refused.map_or(0, |reason| reason as u8));
    put_varint(out, receipt.at);
    put_bytes(out, receipt.did.as_bytes());
    put_bytes(out, receipt.kid.as_bytes());
    put_bytes(out, &receipt.signature);
    put_varint(out, receipt.ids.len() as u64);
    for id in &receipt.ids {
        out.extend_from_slice(id.as_bytes());
    }
}

pub(super) fn read_receipt(octets: &mut Octets<'_>) -> Result<Receipt, PduError> {
    let refused = match octets.byte()? {
        0 => None,
        // The reason is signed: one that we do not know could not be verified anyway.
        byte => Some(Reason::from_byte(byte).ok_or(PduError::Malformed("an unknown reason"))?),
    };
    let at = octets.varint()?;
    let (did, kid) = (text(octets)?, text(octets)?);
    let signature = octets.bytes(MAX_SIGNATURE)?.to_vec();
    let count = octets.count(32)?;
    if !(1..=Receipt::MAX_IDS).contains(&count) {
        return Err(PduError::Malformed("more ids than a receipt may have"));
    }
    let ids = (0..count)
        .map(|_| octets.fixed().map(EnvelopeId::from_bytes))
        .collect::<Result<Vec<_>, _>>()?;
    if !ids.is_sorted_by(|a, b| a < b) {
        return Err(PduError::Malformed("ids that do not ascend"));
    }
    Ok(Receipt {
        ids,
        refused,
        at,
        did,
        kid,
        signature,
    })
}

pub(super) fn put_claim(out: &mut Vec<u8>, claim: &Claim) {
    put_bytes(out, claim.did.as_bytes());
    put_bytes(out, claim.kid.as_bytes());
    put_bytes(out, &claim.signature);
}

pub(super) fn read_claim(octets: &mut Octets<'_>) -> Result<Claim, PduError> {
    Ok(Claim {
        did: text(octets)?,
        kid: text(octets)?,
        signature: octets.bytes(MAX_SIGNATURE)?.to_vec(),
    })
}

fn text(octets: &mut Octets<'_>) -> Result<String, PduError> {
    let bytes = octets.bytes(MAX_TEXT)?;
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| PduError::Malformed("text that is not UTF-8"))
}
