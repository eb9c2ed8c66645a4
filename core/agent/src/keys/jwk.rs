//! JWK in and out. Reading is generous where no meaning is lost: base64url with padding,
//! coordinates whose leading zero bytes were dropped (Python's P-521 keys) or doubled.
//! Writing is exact: fixed length, no padding.

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use zeroize::{Zeroize, Zeroizing};

use super::{Curve, KeyError, PublicKey, SecretKey};

impl PublicKey {
    /// Reads the public members of a JWK (RFC 7517; RFC 8037 for OKP); others are ignored.
    ///
    /// # Errors
    /// Any [`KeyError`] but those of generation.
    pub fn from_jwk(jwk: &Value) -> Result<Self, KeyError> {
        let curve = curve(jwk)?;
        let x = number(jwk, "x", curve)?;
        let y = if curve.is_okp() {
            None
        } else {
            Some(number(jwk, "y", curve)?)
        };
        Self::from_coordinates(curve, &x, y.as_deref().map(Vec::as_slice))
    }

    /// From fixed-length coordinates; `y` only for curves that have two.
    pub(crate) fn from_coordinates(
        curve: Curve,
        x: &[u8],
        y: Option<&[u8]>,
    ) -> Result<Self, KeyError> {
        let Some(y) = y else {
            return Self::from_raw(curve, x);
        };
        let mut point = Vec::with_capacity(1 + x.len() + y.len());
        point.push(4);
        point.extend_from_slice(x);
        point.extend_from_slice(y);
        Self::from_raw(curve, &point)
    }

    /// The public JWK: `kty`, `crv`, `x` and, for EC, `y`.
    #[must_use]
    pub fn to_jwk(&self) -> Value {
        let curve = self.curve();
        match self.coordinates() {
            None => json!({ "kty": curve.kty(), "crv": curve.name(), "x": text(self.raw()) }),
            Some((x, y)) => json!({
                "kty": curve.kty(), "crv": curve.name(), "x": text(x), "y": text(y),
            }),
        }
    }
}

impl SecretKey {
    /// Reads a private JWK. The public half must be there and must match.
    ///
    /// # Errors
    /// Any [`KeyError`] but those of generation; [`KeyError::Mismatch`] when `x`, `y` are
    /// not those of `d`.
    pub fn from_jwk(jwk: &Value) -> Result<Self, KeyError> {
        let public = PublicKey::from_jwk(jwk)?;
        let curve = public.curve();
        let secret = Self::from_raw(curve, &number(jwk, "d", curve)?)?;
        if *secret.public() != public {
            return Err(KeyError::Mismatch(curve));
        }
        Ok(secret)
    }

    /// The private JWK as JSON text; wiped when dropped. Parse it with care: a
    /// `serde_json::Value` is not wiped.
    #[must_use]
    pub fn to_jwk(&self) -> Zeroizing<String> {
        let curve = self.curve();
        let d = Zeroizing::new(text(self.raw()));
        let capacity = 96 + 4 * d.len();
        // One allocation of the right size: growing would leave copies of `d` behind.
        let mut out = Zeroizing::new(String::with_capacity(capacity));
        let (x, y) = self
            .public()
            .coordinates()
            .unwrap_or_else(|| (self.public().raw(), &[]));
        for part in [
            r#"{"kty":""#,
            curve.kty(),
            r#"","crv":""#,
            curve.name(),
            r#"","x":""#,
            &text(x),
        ] {
            out.push_str(part);
        }
        if !y.is_empty() {
            out.push_str(r#"","y":""#);
            out.push_str(&text(y));
        }
        out.push_str(r#"","d":""#);
        out.push_str(&d);
        out.push_str(r#""}"#);
        out
    }
}

/// The curve that `kty` and `crv` name together.
fn curve(jwk: &Value) -> Result<Curve, KeyError> {
    let kty = string(jwk, "kty")?;
    let crv = string(jwk, "crv")?;
    Curve::from_name(crv)
        .filter(|curve| curve.kty() == kty)
        .ok_or_else(|| KeyError::Unsupported(format!("{} {}", clip(kty), clip(crv))))
}

/// A base64url member as bytes of exactly the curve's size.
fn number(jwk: &Value, name: &'static str, curve: Curve) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    fixed(string(jwk, name)?, curve)
}

/// base64url text as bytes of exactly the curve's size. For EC, leading zero bytes that were
/// dropped or doubled are mended; OKP keys are strings of bytes, not numbers, and stay.
pub(crate) fn fixed(text: &str, curve: Curve) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let text = text.trim_end_matches('=');
    if text.len() > 256 {
        return Err(KeyError::Length(curve));
    }
    let mut bytes = URL_SAFE_NO_PAD
        .decode_to_vec(text)
        .map_err(|_| KeyError::Encoding)
        .map(Zeroizing::new)?;
    let size = curve.size();
    if bytes.len() == size {
        return Ok(bytes);
    }
    if curve.is_okp() {
        bytes.zeroize();
        return Err(KeyError::Length(curve));
    }
    let extra = bytes.len().saturating_sub(size);
    let (zeros, digits) = bytes
        .split_at_checked(extra)
        .ok_or(KeyError::Length(curve))?;
    if zeros.iter().any(|byte| *byte != 0) {
        return Err(KeyError::Length(curve));
    }
    let mut out = Zeroizing::new(vec![0; size - digits.len()]);
    out.reserve_exact(digits.len());
    out.extend_from_slice(digits);
    Ok(out)
}

fn string<'a>(jwk: &'a Value, name: &'static str) -> Result<&'a str, KeyError> {
    jwk.get(name)
        .and_then(Value::as_str)
        .ok_or(KeyError::Member(name))
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// Names in errors come from strangers: keep them short.
fn clip(name: &str) -> String {
    name.chars().take(32).collect()
}
