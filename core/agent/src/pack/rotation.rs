//! `from_prior` (§5.3): the old DID's word that the sender now goes by another, or by none.

use serde_json::Value;

use super::lookup::signing_key;
use super::{FromPrior, OpenError};
use crate::did::{did_of, same_did};
use crate::jose::{peek_jwt, verify_jwt};
use crate::resolve::Resolver;

/// Proves the token: signed by an `authentication` key of `iss`, for exactly this `from`.
pub(super) fn verify(
    token: &str,
    from: Option<&str>,
    docs: &dyn Resolver,
) -> Result<FromPrior, OpenError> {
    let damaged = |_| OpenError::FromPrior("it is no signed JWT that we can read");
    let jwt = peek_jwt(token).map_err(damaged)?;
    let text = |name: &str| jwt.claims.get(name).and_then(Value::as_str);
    let iss = text("iss").ok_or(OpenError::FromPrior("no iss"))?;
    // Before anything is resolved: the key must be the old DID's own.
    if !same_did(iss, &jwt.kid) {
        return Err(OpenError::FromPrior("signed by another DID than iss"));
    }
    let sub = match jwt.claims.get("sub") {
        None => None,
        Some(Value::String(sub)) => Some(sub.as_str()),
        Some(_) => return Err(OpenError::FromPrior("sub is no DID")),
    };
    match (sub, from) {
        (Some(sub), Some(from)) if same_did(sub, from) => {}
        (Some(_), _) => return Err(OpenError::FromPrior("sub is not the message's from")),
        (None, None) => {}
        // §5.3.4: whoever ends a relationship leaves `from` out.
        (None, Some(_)) => return Err(OpenError::FromPrior("no sub, but the message has a from")),
    }
    let iat = match jwt.claims.get("iat") {
        None => None,
        Some(iat) => Some(iat.as_u64().ok_or(OpenError::FromPrior("iat is no time"))?),
    };
    let key = signing_key(docs, &jwt.kid)?;
    verify_jwt(token, &key).map_err(|_| OpenError::FromPrior("its signature is wrong"))?;
    Ok(FromPrior {
        iss: did_of(iss).to_owned(),
        sub: sub.map(|sub| did_of(sub).to_owned()),
        iat,
    })
}
