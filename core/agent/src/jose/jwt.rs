//! The one JWT of DIDComm: `from_prior` (§5.3), compact form, signed by a key of the old DID.

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::header::{self, JwsHeader};
use super::{JoseError, SignatureAlgorithm, base64, jws, push_json, unbase64};
use crate::keys::{PublicKey, SecretKey};

/// Longest JWT that is looked at. A did:peer:4 in its long form, twice, with a signature, is
/// about 3 kB.
const MAX_JWT: usize = 64 << 10;

/// What a JWT says; from [`peek_jwt`] unproven, from [`verify_jwt`] proven.
#[derive(Debug, Clone, PartialEq)]
pub struct Jwt {
    /// The key id in the header.
    pub kid: String,
    /// The claims.
    pub claims: Map<String, Value>,
}

/// Signs claims as a compact JWT with header `typ`, `alg`, `crv`, `kid` (§5.3.2).
///
/// # Errors
/// [`JoseError::Unsupported`] for a key that cannot sign, [`JoseError::Library`].
pub fn sign_jwt(
    claims: &Map<String, Value>,
    kid: &str,
    key: &SecretKey,
) -> Result<String, JoseError> {
    let (alg, signer) = SignatureAlgorithm::for_curve(key.curve())
        .zip(key.signer())
        .ok_or_else(|| JoseError::unsupported("signing curve", key.curve().name()))?;
    let mut header = Vec::with_capacity(128);
    header.extend_from_slice(br#"{"typ":"JWT","alg":""#);
    header.extend_from_slice(alg.name().as_bytes());
    header.extend_from_slice(br#"","crv":""#);
    header.extend_from_slice(key.curve().name().as_bytes());
    header.extend_from_slice(br#"","kid":"#);
    push_json(&mut header, kid);
    header.push(b'}');
    let claims = serde_json::to_vec(claims).map_err(|_| JoseError::Malformed("claims"))?;
    let mut out = base64(&header);
    out.push('.');
    URL_SAFE_NO_PAD.encode_append(&claims, &mut out);
    let signature = signer
        .sign(out.as_bytes())
        .map_err(|_| JoseError::Library)?;
    out.push('.');
    URL_SAFE_NO_PAD.encode_append(&signature, &mut out);
    Ok(out)
}

/// Reads a JWT without proving anything: to learn whose key [`verify_jwt`] needs.
///
/// # Errors
/// [`JoseError::Malformed`], [`JoseError::Unsupported`].
pub fn peek_jwt(token: &str) -> Result<Jwt, JoseError> {
    Ok(Parts::split(token)?.jwt)
}

/// Reads a JWT and checks its signature.
///
/// # Errors
/// As [`peek_jwt`]; [`JoseError::Key`] when the key is of another algorithm than the header
/// says, [`JoseError::Crypto`] when the signature is wrong.
pub fn verify_jwt(token: &str, key: &PublicKey) -> Result<Jwt, JoseError> {
    let parts = Parts::split(token)?;
    jws::verify(
        parts.alg,
        key,
        parts.header,
        parts.payload,
        &parts.signature,
    )?;
    Ok(parts.jwt)
}

struct Parts<'a> {
    alg: SignatureAlgorithm,
    header: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
    jwt: Jwt,
}

impl<'a> Parts<'a> {
    fn split(token: &'a str) -> Result<Self, JoseError> {
        if token.len() > MAX_JWT {
            return Err(JoseError::Malformed("JWT too long"));
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(JoseError::Malformed("JWT"));
        };
        let bytes = unbase64(header, "JWT header")?;
        let parsed: JwsHeader<'_> = header::parse(&bytes)?;
        let alg = jws::algorithm(&parsed)?;
        let kid = parsed
            .kid
            .as_deref()
            .ok_or(JoseError::Malformed("kid"))?
            .to_owned();
        let claims = unbase64(payload, "JWT claims")?;
        let claims = serde_json::from_slice(&claims).map_err(|_| JoseError::Malformed("claims"))?;
        let signature = unbase64(signature, "JWT signature")?;
        Ok(Self {
            alg,
            header,
            payload,
            signature,
            jwt: Jwt { kid, claims },
        })
    }
}
