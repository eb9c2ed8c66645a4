//! JSON Web Signature (RFC 7515): general and flattened JSON in, general JSON out.
//!
//! `kid` is written into both headers, because some readers look only at the one and some
//! only at the other; on input either will do. An unprotected `kid` is a hint by a stranger:
//! `pack` compares it with `from` before anything is resolved.

use std::borrow::Cow;

use base64_simd::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::header::{self, JwsHeader, OpenHeader};
use super::members::{Members, required};
use super::{JoseError, SignatureAlgorithm, base64, push_json, unbase64};
use crate::keys::{PublicKey, SecretKey};

/// Signs bytes with a key in hand; the result is General JSON with one signature. Nothing is
/// checked about what is inside: for messages use [`crate::pack`].
///
/// # Errors
/// [`JoseError::Unsupported`] for a key that cannot sign, [`JoseError::Library`].
pub fn sign(payload: &[u8], kid: &str, key: &SecretKey) -> Result<Vec<u8>, JoseError> {
    let (alg, signer) = SignatureAlgorithm::for_curve(key.curve())
        .zip(key.signer())
        .ok_or_else(|| JoseError::unsupported("signing curve", key.curve().name()))?;
    let mut protected = Vec::with_capacity(160);
    protected.extend_from_slice(br#"{"typ":"application/didcomm-signed+json","alg":""#);
    protected.extend_from_slice(alg.name().as_bytes());
    protected.extend_from_slice(br#"","kid":"#);
    push_json(&mut protected, kid);
    protected.push(b'}');
    let protected = base64(&protected);

    // The signing input is "protected.payload"; the payload's text is then used again.
    let mut input = Vec::with_capacity(protected.len() + 1 + payload.len().div_ceil(3) * 4);
    input.extend_from_slice(protected.as_bytes());
    input.push(b'.');
    URL_SAFE_NO_PAD.encode_append(payload, &mut input);
    let signature = signer.sign(&input).map_err(|_| JoseError::Library)?;
    let payload = input.get(protected.len() + 1..).unwrap_or_default();

    let mut out = Vec::with_capacity(input.len() + kid.len() + 256);
    out.extend_from_slice(br#"{"payload":""#);
    out.extend_from_slice(payload);
    out.extend_from_slice(br#"","signatures":[{"protected":""#);
    out.extend_from_slice(protected.as_bytes());
    out.extend_from_slice(br#"","signature":""#);
    URL_SAFE_NO_PAD.encode_append(&signature, &mut out);
    out.extend_from_slice(br#"","header":{"kid":"#);
    push_json(&mut out, kid);
    out.extend_from_slice(b"}}]}");
    Ok(out)
}

/// A JWS whose headers were read; nothing is verified yet.
pub(crate) struct Jws<'a> {
    payload: Cow<'a, str>,
    pub(crate) signatures: Vec<Signature<'a>>,
}

/// One signature, unverified.
pub(crate) struct Signature<'a> {
    pub(crate) kid: String,
    alg: SignatureAlgorithm,
    protected: Cow<'a, str>,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct WireSignature<'a> {
    #[serde(borrow)]
    protected: Cow<'a, str>,
    #[serde(borrow)]
    signature: Cow<'a, str>,
    #[serde(borrow, default)]
    header: OpenHeader<'a>,
}

impl<'a> Jws<'a> {
    pub(crate) fn parse(members: &'a Members<'a>) -> Result<Self, JoseError> {
        let payload = required(members.payload.as_ref(), "payload")?;
        let wire: Vec<WireSignature<'a>> = if let Some(list) = members.signatures {
            if members.signature.is_some() || members.protected.is_some() {
                return Err(JoseError::Malformed("general and flattened form at once"));
            }
            serde_json::from_str(list.get()).map_err(|_| JoseError::Malformed("signatures"))?
        } else {
            let header = match members.header {
                Some(raw) => {
                    serde_json::from_str(raw.get()).map_err(|_| JoseError::Malformed("header"))?
                }
                None => OpenHeader::default(),
            };
            vec![WireSignature {
                protected: Cow::Borrowed(required(members.protected.as_ref(), "protected")?),
                signature: Cow::Borrowed(required(members.signature.as_ref(), "signature")?),
                header,
            }]
        };
        if wire.is_empty() {
            return Err(JoseError::Malformed("signatures"));
        }
        let signatures = wire
            .into_iter()
            .map(Signature::read)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            payload: Cow::Borrowed(payload),
            signatures,
        })
    }

    /// The signed bytes, whether or not anyone's signature is right.
    pub(crate) fn payload(&self) -> Result<Vec<u8>, JoseError> {
        unbase64(&self.payload, "payload")
    }

    /// Checks one signature against a key.
    pub(crate) fn verify(&self, one: &Signature<'_>, key: &PublicKey) -> Result<(), JoseError> {
        verify(one.alg, key, &one.protected, &self.payload, &one.signature)
    }
}

impl<'a> Signature<'a> {
    fn read(wire: WireSignature<'a>) -> Result<Self, JoseError> {
        let protected = unbase64(&wire.protected, "protected")?;
        let header: JwsHeader<'_> = header::parse(&protected)?;
        let alg = algorithm(&header)?;
        let kid = match (&header.kid, &wire.header.kid) {
            (Some(inner), Some(outer)) if inner != outer => {
                return Err(JoseError::Inconsistent("kid"));
            }
            (Some(kid), _) | (None, Some(kid)) => kid.to_string(),
            (None, None) => return Err(JoseError::Malformed("kid")),
        };
        let signature = unbase64(&wire.signature, "signature")?;
        Ok(Self {
            kid,
            alg,
            protected: wire.protected,
            signature,
        })
    }
}

/// The algorithm of a header without critical extensions.
pub(super) fn algorithm(header: &JwsHeader<'_>) -> Result<SignatureAlgorithm, JoseError> {
    if header.crit.is_some() {
        return Err(JoseError::unsupported("header", "crit"));
    }
    if header.b64.is_some() {
        return Err(JoseError::unsupported("header", "b64"));
    }
    let alg = header.alg.as_deref().ok_or(JoseError::Malformed("alg"))?;
    SignatureAlgorithm::from_name(alg).ok_or_else(|| JoseError::unsupported("alg", alg))
}

/// Checks `protected.payload`. The key's curve decides the algorithm, and the header's must
/// be that one: a header cannot make a key do another's work.
pub(super) fn verify(
    alg: SignatureAlgorithm,
    key: &PublicKey,
    protected: &str,
    payload: &str,
    signature: &[u8],
) -> Result<(), JoseError> {
    let verifier = key
        .verifier()
        .filter(|_| key.curve() == alg.curve())
        .ok_or(JoseError::Key)?;
    let mut input = Vec::with_capacity(protected.len() + 1 + payload.len());
    input.extend_from_slice(protected.as_bytes());
    input.push(b'.');
    input.extend_from_slice(payload.as_bytes());
    verifier
        .verify(&input, signature)
        .map_err(|_| JoseError::Crypto)
}
