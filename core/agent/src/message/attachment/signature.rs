//! Detached signatures over an attachment's content (§3.3 `data.jws`; RFC 7515 appendix F).
//!
//! The payload is the content's bytes. For a `json` attachment these are its compact text as
//! serde_json writes it, members in the order they came: signatures over JSON that another
//! library spells otherwise cannot be checked; sign base64 to be safe.

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::{Attachment, AttachmentError};
use crate::jose::{Jws, Members, sign};
use crate::keys::{PublicKey, SecretKey};

/// Most signatures on one attachment that are looked at.
const MAX_SIGNATURES: usize = 16;

impl Attachment {
    /// Signs the content; the signature joins those that `data.jws` holds already.
    ///
    /// # Errors
    /// [`AttachmentError::Empty`]; [`AttachmentError::Signature`] for a key that cannot sign,
    /// or when `data.jws` is malformed.
    pub fn sign(&mut self, kid: &str, key: &SecretKey) -> Result<(), AttachmentError> {
        let wrong = || AttachmentError::Signature;
        let content = self.bytes()?.ok_or(AttachmentError::Empty)?;
        let jws = sign(&content, kid, key).map_err(|_| wrong())?;
        let jws: Value = serde_json::from_slice(&jws).map_err(|_| wrong())?;
        let mut all = match self.data.jws.as_ref().map(general) {
            None => Vec::new(),
            Some(existing) => existing.ok_or_else(wrong)?,
        };
        all.extend(
            jws.get("signatures")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .cloned(),
        );
        self.data.jws = Some(json!({ "signatures": all }));
        Ok(())
    }

    /// Checks the detached signatures and gives the key ids that made them, in order. `key`
    /// finds the key of a key id and decides whether that party may sign at all; signatures
    /// of those it does not know are passed over, but at least one must be known, and none of
    /// the known may be wrong.
    ///
    /// # Errors
    /// [`AttachmentError::Empty`], [`AttachmentError::Signature`], and those of
    /// [`Attachment::bytes`].
    pub fn verify(
        &self,
        key: impl Fn(&str) -> Option<PublicKey>,
    ) -> Result<Vec<String>, AttachmentError> {
        let wrong = || AttachmentError::Signature;
        let content = self.bytes()?.ok_or(AttachmentError::Empty)?;
        let jws = self.data.jws.as_ref().ok_or_else(wrong)?;
        let signatures = general(jws).ok_or_else(wrong)?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(wrong());
        }
        let payload = URL_SAFE_NO_PAD.encode_to_string(&content);
        let text = json!({ "payload": payload, "signatures": signatures }).to_string();
        let members = Members::parse(text.as_bytes()).map_err(|_| wrong())?;
        let jws = Jws::parse(&members).map_err(|_| wrong())?;
        let mut kids = Vec::new();
        for one in &jws.signatures {
            if let Some(key) = key(&one.kid) {
                jws.verify(one, &key).map_err(|_| wrong())?;
                kids.push(one.kid.clone());
            }
        }
        if kids.is_empty() {
            return Err(wrong());
        }
        Ok(kids)
    }
}

/// The signatures of a general, flattened or compact JWS. A payload in it is not looked at,
/// as the content is what must be signed; only the compact form's must be empty.
fn general(jws: &Value) -> Option<Vec<Value>> {
    match jws {
        Value::Object(map) => match map.get("signatures") {
            Some(Value::Array(list)) => Some(list.clone()),
            Some(_) => None,
            None => {
                let mut one: Map<String, Value> = map.clone();
                one.shift_remove("payload");
                Some(vec![Value::Object(one)])
            }
        },
        // The object, written as a string.
        Value::String(text) if text.starts_with('{') => {
            let inside: Value = serde_json::from_str(text).ok()?;
            inside.is_object().then(|| general(&inside))?
        }
        Value::String(compact) => {
            let mut parts = compact.split('.');
            let (protected, payload) = (parts.next()?, parts.next()?);
            let signature = parts.next()?;
            (payload.is_empty() && parts.next().is_none())
                .then(|| vec![json!({ "protected": protected, "signature": signature })])
        }
        _ => None,
    }
}
