//! The wire form. (First step: the identity form serves as it.)

use crate::envelope::DecodeError;
use crate::parts::Parts;

/// Where decompressed text lives while parts borrow from it.
#[derive(Default)]
pub(crate) struct Unpacked(Vec<u8>);

pub(crate) fn encode(identity: &[u8]) -> Vec<u8> {
    identity.to_vec()
}

pub(crate) fn decode<'a>(_form: &'a [u8], _unpacked: &'a mut Unpacked) -> Result<Parts<'a>, DecodeError> {
    Err(DecodeError::NotAnEnvelope)
}
