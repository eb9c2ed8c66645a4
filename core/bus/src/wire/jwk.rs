//! Public keys as they stand in headers and DIDs: JWKs and multikeys.
//!
//! What is it: the few curves of DIDComm with the lengths of their coordinates, a JWK
//! (RFC 7517, RFC 8037) split into curve, member order and raw coordinates, and a multikey
//! (`z` base58btc of a multicodec prefix and the key) split into codec and raw key. No curve
//! arithmetic: both coordinates of a point are carried. Who calls it: `protected`, `names`.
//! What can go wrong: keys of other kinds or lengths yield `None` and are carried as text.

use super::text::{self, Object, Value};
use crate::packed::{base64, unbase64};

/// A curve: JWK `crv`, JWK `kty`, bytes of a coordinate, multicodec prefix (varint), bytes of
/// the key in a multikey.
pub(super) struct Curve {
    pub(super) crv: &'static str,
    kty: &'static str,
    coordinate: usize,
    prefix: [u8; 2],
    pub(super) key: usize,
}

const fn curve(
    crv: &'static str,
    kty: &'static str,
    coordinate: usize,
    prefix: [u8; 2],
    key: usize,
) -> Curve {
    Curve {
        crv,
        kty,
        coordinate,
        prefix,
        key,
    }
}

/// The number of a curve on the wire is its place here: append only.
pub(super) const CURVES: [Curve; 6] = [
    curve("X25519", "OKP", 32, [0xec, 0x01], 32),
    curve("Ed25519", "OKP", 32, [0xed, 0x01], 32),
    curve("P-256", "EC", 32, [0x80, 0x24], 33),
    curve("P-384", "EC", 48, [0x81, 0x24], 49),
    curve("P-521", "EC", 66, [0x82, 0x24], 67),
    curve("secp256k1", "EC", 32, [0xe7, 0x01], 33),
];

/// Members of a JWK as numbered in [`Jwk::order`].
const MEMBERS: [&str; 4] = ["crv", "kty", "x", "y"];

/// A public JWK with nothing but `crv`, `kty`, `x` and, for EC, `y`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Jwk {
    /// Index into [`CURVES`].
    pub(super) curve: usize,
    /// The order of the members, each an index into `MEMBERS`.
    pub(super) order: Vec<u8>,
    /// `x`, or `x` and `y`.
    pub(super) point: Vec<u8>,
}

impl Jwk {
    /// Splits a JWK written in the given style.
    pub(super) fn parse(json: &str, spaced: bool) -> Option<Self> {
        let (members, _) = text::members(json)?;
        let mut order = Vec::new();
        let mut values = [None; 4];
        for (name, value) in members {
            let Value::Text(value) = value else {
                return None;
            };
            let number = MEMBERS.iter().position(|member| *member == name)?;
            order.push(u8::try_from(number).ok()?);
            *values.get_mut(number)? = Some(value);
        }
        let [Some(crv), Some(_), Some(x), y] = values else {
            return None;
        };
        let curve = CURVES.iter().position(|curve| curve.crv == crv)?;
        let mut point = unbase64(x)?.into_owned();
        if let Some(y) = y {
            point.extend_from_slice(&unbase64(y)?);
        }
        let jwk = Self {
            curve,
            order,
            point,
        };
        // Whatever the checks above forgot, the rendering tells.
        (jwk.point.len() == point_bytes(curve)? && jwk.render(spaced)? == json).then_some(jwk)
    }

    /// Writes the JWK.
    pub(super) fn render(&self, spaced: bool) -> Option<String> {
        let curve = CURVES.get(self.curve)?;
        let (x, y) = self.point.split_at_checked(curve.coordinate)?;
        let mut object = Object::new(spaced);
        for member in &self.order {
            match MEMBERS.get(usize::from(*member)) {
                Some(&"crv") => object.text("crv", curve.crv),
                Some(&"kty") => object.text("kty", curve.kty),
                Some(&"x") => object.text("x", &base64_text(x)),
                Some(&"y") => object.text("y", &base64_text(y)),
                _ => return None,
            }
        }
        Some(object.done())
    }

    /// The order as one number: members in base 4, after a leading 1.
    pub(super) fn order_number(&self) -> u64 {
        self.order
            .iter()
            .fold(1, |number, member| number * 4 + u64::from(*member & 3))
    }
}

/// The order that a number of [`Jwk::order_number`] stands for.
pub(super) fn order_of(mut number: u64) -> Option<Vec<u8>> {
    let mut order = Vec::new();
    while number > 1 {
        order.push(u8::try_from(number % 4).ok()?);
        number /= 4;
        if order.len() > MEMBERS.len() {
            return None;
        }
    }
    order.reverse();
    Some(order)
}

/// Bytes of a point of a curve, as x or as x and y.
pub(super) fn point_bytes(curve: usize) -> Option<usize> {
    let curve = CURVES.get(curve)?;
    Some(match curve.kty {
        "EC" => 2 * curve.coordinate,
        _ => curve.coordinate,
    })
}

/// Base64url as text.
pub(super) fn base64_text(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len() / 3 * 4 + 4);
    base64(bytes, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// Splits a multikey into curve and raw key.
pub(super) fn from_multikey(text: &str) -> Option<(usize, Vec<u8>)> {
    let digits = text.strip_prefix('z')?;
    // The longest of ours is P-521's with 95 digits.
    if digits.len() > 100 {
        return None;
    }
    let bytes = bs58::decode(digits).into_vec().ok()?;
    let (prefix, key) = bytes.split_at_checked(2)?;
    let curve = CURVES.iter().position(|curve| curve.prefix == prefix)?;
    (CURVES.get(curve)?.key == key.len()).then(|| (curve, key.to_vec()))
}

/// Writes a multikey.
pub(super) fn to_multikey(curve: usize, key: &[u8]) -> Option<String> {
    let curve = CURVES.get(curve)?;
    let mut bytes = curve.prefix.to_vec();
    bytes.extend_from_slice(key);
    Some(format!("z{}", bs58::encode(bytes).into_string()))
}
