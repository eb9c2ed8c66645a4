//! What a packed message will need, before anything is decrypted.

use super::checks::Addresses;
use super::lookup::clip;
use super::{Limits, OpenError};
use crate::did::did_of;
use crate::jose::{Jwe, Jws, Members, Shape};

/// What a packed message is on the outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackedKind {
    /// A JWE.
    Encrypted,
    /// A JWS.
    Signed,
    /// A bare plaintext.
    Plaintext,
}

/// What can be seen from outside. Nothing of it is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peek {
    /// What it is on the outside.
    pub kind: PackedKind,
    /// For whose keys it is encrypted.
    pub recipient_kids: Vec<String>,
    /// The `to` of a signed or plain message, if it has one; encryption hides it.
    pub to: Option<Vec<String>>,
    /// The key id of authcrypt's sender, or of the first signer.
    pub sender_kid: Option<String>,
    /// DIDs that [`super::Packer::open`] will resolve for the outermost layer. An inner layer
    /// may need another: then `open` says [`OpenError::Resolve`].
    pub needs: Vec<String>,
}

/// Looks at a packed message from outside.
///
/// # Errors
/// Those of [`super::Packer::open`] that can be told without keys or documents; among them
/// [`OpenError::FromMismatch`] for a signed message whose unprotected `kid` is not that of
/// its `from`, so that nobody is made to fetch a stranger's document.
pub fn peek(packed: &[u8], limits: &Limits) -> Result<Peek, OpenError> {
    if packed.len() > limits.max_bytes {
        return Err(OpenError::TooLarge {
            limit: limits.max_bytes,
        });
    }
    let members = Members::parse(packed)?;
    match members.shape() {
        Shape::Encrypted => {
            let jwe = Jwe::parse(&members, None)?;
            let limit = limits.max_recipients;
            if jwe.recipients.len() > limit {
                return Err(OpenError::TooMany {
                    what: "recipients",
                    limit,
                });
            }
            Ok(Peek {
                kind: PackedKind::Encrypted,
                to: None,
                recipient_kids: jwe.recipients.iter().map(|one| clip(&one.kid)).collect(),
                needs: jwe
                    .sender_kid
                    .iter()
                    .map(|kid| did_of(kid).to_owned())
                    .collect(),
                sender_kid: jwe.sender_kid,
            })
        }
        Shape::Signed => {
            let jws = Jws::parse(&members)?;
            let limit = limits.max_signatures;
            if jws.signatures.len() > limit {
                return Err(OpenError::TooMany {
                    what: "signatures",
                    limit,
                });
            }
            let payload = jws.payload()?;
            let object = Members::parse(&payload)?.into_object()?;
            let addresses = Addresses::read(&object)?;
            let mut needs: Vec<String> = Vec::new();
            for one in &jws.signatures {
                addresses.check_from(&one.kid)?;
                let did = did_of(&one.kid);
                if !needs.iter().any(|known| known == did) {
                    needs.push(did.to_owned());
                }
            }
            Ok(Peek {
                kind: PackedKind::Signed,
                to: addresses.to(),
                recipient_kids: Vec::new(),
                sender_kid: jws.signatures.into_iter().next().map(|one| one.kid),
                needs,
            })
        }
        Shape::Plain => {
            let object = members.into_object()?;
            let addresses = Addresses::read(&object)?;
            Ok(Peek {
                to: addresses.to(),
                kind: PackedKind::Plaintext,
                recipient_kids: Vec::new(),
                sender_kid: None,
                needs: Vec::new(),
            })
        }
    }
}
