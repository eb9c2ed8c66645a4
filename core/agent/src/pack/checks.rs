//! Message Layer Addressing Consistency (§3.2): what the plaintext says must be what the
//! keys prove.

use serde_json::{Map, Value};

use super::{Layer, OpenError, Warning};
use crate::did::same_did;

/// The members of a plaintext that addressing is about.
pub(super) struct Addresses<'a> {
    pub(super) from: Option<&'a str>,
    to: Option<Vec<&'a str>>,
}

impl<'a> Addresses<'a> {
    /// Reads them, and refuses what is no DIDComm v2 message at all.
    pub(super) fn read(object: &'a Map<String, Value>) -> Result<Self, OpenError> {
        if object.contains_key("@type") && !object.contains_key("type") {
            return Err(OpenError::Version1);
        }
        for name in ["id", "type"] {
            match object.get(name) {
                Some(Value::String(text)) if !text.is_empty() => {}
                _ if name == "id" => return Err(OpenError::Malformed("no id")),
                _ => return Err(OpenError::Malformed("no type")),
            }
        }
        let from = match object.get("from") {
            None | Some(Value::Null) => None,
            Some(Value::String(from)) => Some(from.as_str()),
            Some(_) => return Err(OpenError::Malformed("from is no string")),
        };
        let to = match object.get("to") {
            None | Some(Value::Null) => None,
            Some(Value::Array(list)) => Some(
                list.iter()
                    .map(|one| {
                        one.as_str()
                            .ok_or(OpenError::Malformed("to is no list of DIDs"))
                    })
                    .collect::<Result<_, _>>()?,
            ),
            Some(_) => return Err(OpenError::Malformed("to is no list of DIDs")),
        };
        Ok(Self { from, to })
    }

    /// The `to` header, if there is one.
    pub(super) fn to(&self) -> Option<Vec<String>> {
        let to = self.to.as_ref()?;
        Some(to.iter().map(|did| (*did).to_owned()).collect())
    }

    /// `from` must be the DID of this key.
    pub(super) fn check_from(&self, kid: &str) -> Result<(), OpenError> {
        let from = self.from.ok_or(OpenError::NoFrom)?;
        if same_did(from, kid) {
            Ok(())
        } else {
            Err(OpenError::FromMismatch {
                from: from.to_owned(),
                kid: kid.to_owned(),
            })
        }
    }

    /// All of §3.2 over the layers that were taken off.
    pub(super) fn check_layers(
        &self,
        layers: &[Layer],
        warnings: &mut Vec<Warning>,
    ) -> Result<(), OpenError> {
        let mut sender = None;
        let mut encrypted = false;
        for layer in layers {
            match layer {
                Layer::Encrypted {
                    sender_kid,
                    recipient_kid,
                    ..
                } => {
                    encrypted = true;
                    self.check_to(recipient_kid)?;
                    if let Some(kid) = sender_kid {
                        self.check_from(kid)?;
                        sender = Some(kid);
                    }
                }
                Layer::Signed { kids } => {
                    for signer in kids {
                        if let Some(sender) = sender.filter(|sender| !same_did(sender, signer)) {
                            let (signer, sender) = (signer.clone(), sender.clone());
                            return Err(OpenError::SignerNotSender { signer, sender });
                        }
                        self.check_from(signer)?;
                    }
                    match (&self.to, encrypted) {
                        (None, true) => return Err(OpenError::NoTo),
                        (None, false) => warnings.push(Warning::SignedWithoutTo),
                        (Some(_), _) => {}
                    }
                    if sender.is_some() {
                        warnings.push(Warning::SignedInsideAuthcrypt);
                    }
                }
                Layer::Plaintext => {}
            }
        }
        Ok(())
    }

    /// `to`, when there is one, must name the DID of our key.
    fn check_to(&self, kid: &str) -> Result<(), OpenError> {
        match &self.to {
            Some(to) if !to.iter().any(|did| same_did(did, kid)) => Err(OpenError::NotInTo {
                kid: kid.to_owned(),
            }),
            _ => Ok(()),
        }
    }
}
