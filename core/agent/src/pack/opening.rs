//! Taking the layers off, one by one.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::checks::Addresses;
use super::lookup::{clip, secret, signing_key};
use super::rotation;
use super::{Layer, Limits, OpenError, Opened, Warning};
use crate::did::did_of;
use crate::jose::{JoseError, Jwe, Jws, Members, Shape};
use crate::keys::{Keyring, PublicKey};
use crate::resolve::Resolver;

/// A hostile list may name our keys many times; after this many failures we stop.
const MAX_TRIES: usize = 8;

pub(super) fn open(
    packed: &[u8],
    mut apart: Option<&[u8]>,
    keys: &Keyring,
    docs: &dyn Resolver,
    limits: &Limits,
) -> Result<Opened, OpenError> {
    if packed.len() + apart.map_or(0, <[u8]>::len) > limits.max_bytes {
        return Err(OpenError::TooLarge {
            limit: limits.max_bytes,
        });
    }
    let mut work = Opening {
        keys,
        docs,
        limits,
        layers: Vec::new(),
        warnings: Vec::new(),
    };
    let mut bytes = Cow::Borrowed(packed);
    let (object, plaintext) = loop {
        let inside = {
            let members = Members::parse(&bytes)?;
            match members.shape() {
                Shape::Encrypted => work.decrypt(&members, apart.take())?,
                Shape::Signed => break work.verify(&members)?,
                Shape::Plain => break (members.into_object()?, bytes.into_owned()),
            }
        };
        bytes = Cow::Owned(inside);
    };
    work.finish(object, plaintext)
}

struct Opening<'a> {
    keys: &'a Keyring,
    docs: &'a dyn Resolver,
    limits: &'a Limits,
    layers: Vec<Layer>,
    warnings: Vec<Warning>,
}

impl Opening<'_> {
    /// One layer of encryption; gives what was inside.
    fn decrypt(
        &mut self,
        members: &Members<'_>,
        apart: Option<&[u8]>,
    ) -> Result<Vec<u8>, OpenError> {
        self.room()?;
        let jwe = Jwe::parse(members, apart)?;
        let limit = self.limits.max_recipients;
        if jwe.recipients.len() > limit {
            return Err(OpenError::TooMany {
                what: "recipients",
                limit,
            });
        }
        let allowed = matches!(
            (jwe.sender_kid.is_some(), self.layers.as_slice()),
            (_, [])
                | (
                    true,
                    [Layer::Encrypted {
                        sender_kid: None,
                        ..
                    }]
                )
        );
        if !allowed {
            let name = if jwe.sender_kid.is_some() {
                "authcrypt"
            } else {
                "anoncrypt"
            };
            return Err(self.forbidden(name));
        }

        let mine: Vec<_> = jwe
            .recipients
            .iter()
            .filter_map(|one| Some((one, secret(self.keys, &one.kid)?.1)))
            .take(MAX_TRIES)
            .collect();
        if mine.is_empty() {
            // Told before the sender is looked up: for a stranger's mail nothing is fetched.
            let kids = jwe
                .recipients
                .iter()
                .take(8)
                .map(|one| clip(&one.kid))
                .collect();
            return Err(OpenError::NotForUs { kids });
        }
        let sender = match &jwe.sender_kid {
            Some(kid) => Some(self.agreement_key(kid)?),
            None => None,
        };
        let mut failure = JoseError::Crypto;
        for (recipient, secret) in mine {
            match jwe.decrypt(recipient, secret, sender.as_ref()) {
                Ok(text) => {
                    if jwe.lenient.missing_apv {
                        self.warnings.push(Warning::MissingApv);
                    }
                    if jwe.lenient.epk_per_recipient {
                        self.warnings.push(Warning::EpkPerRecipient);
                    }
                    self.layers.push(Layer::Encrypted {
                        recipient_kid: recipient.kid.to_string(),
                        enc: jwe.enc,
                        sender_kid: jwe.sender_kid,
                    });
                    return Ok(text);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure.into())
    }

    /// The layer of signatures; inside can only be a plaintext, which is parsed first,
    /// because an unprotected `kid` must be `from`'s before anything is resolved for it.
    fn verify(
        &mut self,
        members: &Members<'_>,
    ) -> Result<(Map<String, Value>, Vec<u8>), OpenError> {
        self.room()?;
        let jws = Jws::parse(members)?;
        let limit = self.limits.max_signatures;
        if jws.signatures.len() > limit {
            return Err(OpenError::TooMany {
                what: "signatures",
                limit,
            });
        }
        let payload = jws.payload()?;
        let inside = Members::parse(&payload)?;
        match inside.shape() {
            Shape::Plain => {}
            Shape::Signed => return Err(self.forbidden("signed(signed)")),
            Shape::Encrypted => return Err(self.forbidden("signed(encrypted)")),
        }
        let object = inside.into_object()?;
        let addresses = Addresses::read(&object)?;
        let mut kids = Vec::with_capacity(jws.signatures.len());
        for one in &jws.signatures {
            addresses.check_from(&one.kid)?;
            let key = signing_key(self.docs, &one.kid)?;
            jws.verify(one, &key)?;
            kids.push(one.kid.clone());
        }
        self.layers.push(Layer::Signed { kids });
        Ok((object, payload))
    }

    fn finish(
        mut self,
        object: Map<String, Value>,
        plaintext: Vec<u8>,
    ) -> Result<Opened, OpenError> {
        let addresses = Addresses::read(&object)?;
        addresses.check_layers(&self.layers, &mut self.warnings)?;
        let encrypted = self
            .layers
            .iter()
            .any(|layer| matches!(layer, Layer::Encrypted { .. }));
        let from_prior = match object.get("from_prior") {
            None | Some(Value::Null) => None,
            Some(_) if !encrypted => {
                self.warnings.push(Warning::FromPriorIgnored);
                None
            }
            Some(Value::String(token)) => Some(rotation::verify(token, addresses.from, self.docs)?),
            Some(_) => return Err(OpenError::FromPrior("it is no string")),
        };
        let mut opened = Opened {
            plaintext,
            message: Value::Null,
            layers: self.layers,
            sender: None,
            sender_kid: None,
            signed_by: None,
            recipient_kid: None,
            from_prior,
            warnings: self.warnings,
        };
        for layer in &opened.layers {
            match layer {
                Layer::Encrypted {
                    sender_kid,
                    recipient_kid,
                    ..
                } => {
                    opened.recipient_kid = Some(recipient_kid.clone());
                    if let Some(kid) = sender_kid {
                        // As the plaintext writes it: §3.2 proved them the same.
                        opened.sender =
                            Some(did_of(addresses.from.unwrap_or(kid.as_str())).to_owned());
                        opened.sender_kid = Some(kid.clone());
                    }
                }
                Layer::Signed { kids } => opened.signed_by = kids.first().cloned(),
                Layer::Plaintext => {}
            }
        }
        if opened.layers.is_empty() {
            opened.layers.push(Layer::Plaintext);
        }
        opened.message = Value::Object(object);
        Ok(opened)
    }

    /// Refuses one layer too many, before any work is done for it.
    fn room(&self) -> Result<(), OpenError> {
        let limit = self.limits.max_depth;
        if self.layers.len() >= limit {
            return Err(OpenError::TooMany {
                what: "layers",
                limit,
            });
        }
        Ok(())
    }

    fn forbidden(&self, next: &str) -> OpenError {
        let mut text = String::new();
        for layer in &self.layers {
            text.push_str(&layer.to_string());
            text.push('(');
        }
        text.push_str(next);
        text.extend(self.layers.iter().map(|_| ')'));
        OpenError::Combination(text)
    }

    /// The sender's key: in the document of the DID that the kid itself names, and listed
    /// there for key agreement.
    fn agreement_key(&self, kid: &str) -> Result<PublicKey, OpenError> {
        let did = did_of(kid);
        let doc = self
            .docs
            .resolve(did)
            .map_err(|source| OpenError::Resolve {
                did: clip(did),
                source,
            })?;
        doc.key(kid)
            .filter(|_| doc.may_agree(kid))
            .cloned()
            .ok_or_else(|| OpenError::KeyNotListed {
                kid: clip(kid),
                purpose: "keyAgreement",
            })
    }
}
