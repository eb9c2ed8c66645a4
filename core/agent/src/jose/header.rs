//! Protected headers, read leniently in what does not matter and strictly in what does.

use std::borrow::Cow;

use serde::Deserialize;

use super::JoseError;
use crate::crypto::agree::AgreePublic;
use crate::keys::Curve;

/// The protected header of a JWE (§5.1.9, §5.1.10). Unknown members are ignored.
#[derive(Deserialize)]
pub(crate) struct JweHeader<'a> {
    #[serde(borrow)]
    pub(crate) alg: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) enc: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) typ: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) kid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) skid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) apu: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) apv: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) epk: Option<Epk<'a>>,
    pub(crate) crit: Option<serde::de::IgnoredAny>,
    pub(crate) zip: Option<serde::de::IgnoredAny>,
}

/// The protected header of a JWS (§5.2) or JWT.
#[derive(Deserialize)]
pub(crate) struct JwsHeader<'a> {
    #[serde(borrow)]
    pub(crate) alg: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) kid: Option<Cow<'a, str>>,
    pub(crate) crit: Option<serde::de::IgnoredAny>,
    pub(crate) b64: Option<serde::de::IgnoredAny>,
}

/// An unprotected header: only what we look at.
#[derive(Deserialize, Default)]
pub(crate) struct OpenHeader<'a> {
    #[serde(borrow)]
    pub(crate) kid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) epk: Option<Epk<'a>>,
}

/// An ephemeral public key as JWK.
#[derive(Deserialize, Clone)]
pub(crate) struct Epk<'a> {
    #[serde(borrow)]
    pub(crate) kty: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) crv: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) x: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) y: Option<Cow<'a, str>>,
}

impl Epk<'_> {
    /// The point, checked to be on its curve (§5.1.3: MUST).
    pub(crate) fn point(&self) -> Result<(Curve, AgreePublic), JoseError> {
        let curve = Curve::from_name(&self.crv)
            .filter(|curve| curve.can_agree() && curve.kty() == self.kty)
            .ok_or_else(|| JoseError::unsupported("epk crv", &self.crv))?;
        let x = crate::keys::fixed(&self.x, curve).map_err(|_| JoseError::Key)?;
        let raw = if curve.is_okp() {
            x.to_vec()
        } else {
            let y = self.y.as_deref().ok_or(JoseError::Key)?;
            let y = crate::keys::fixed(y, curve).map_err(|_| JoseError::Key)?;
            [&[4], x.as_slice(), y.as_slice()].concat()
        };
        let point = AgreePublic::parse(curve, &raw).map_err(|_| JoseError::Key)?;
        Ok((curve, point))
    }
}

/// Reads a header. Duplicate members are refused by serde.
pub(crate) fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, JoseError> {
    serde_json::from_slice(json).map_err(|_| JoseError::Malformed("header"))
}
