//! DIDs and key ids: each DID once, its keys as bytes.
//!
//! What is it: a key id is a DID and a fragment. Numbers below [`form::EARLIER`] introduce a
//! DID in one of several forms, the others name one that was introduced. did:key, did:peer:2, did:peer:4 and did:jwk are taken apart into raw keys and
//! plain JSON; any other, or one that would not render back the same, is text. Who calls it:
//! `protected` and `body`. What can go wrong: hostile forms that name a lot: every rendered
//! byte is charged to the budget, and the quadratic base58 of did:peer:4 is bounded.

use sha2::{Digest, Sha256};

use super::jwk::base64_text;
use super::jwk::{CURVES, Jwk, from_multikey, order_of, point_bytes, to_multikey};
use super::service;
use super::streams::{Sink, Source};
use crate::envelope::DecodeError;
use crate::packed::unbase64;

/// How a name is written. did:key is `DID_KEY` plus the number of its curve.
mod form {
    pub(super) const TEXT: usize = 0;
    pub(super) const PEER2: usize = 1;
    pub(super) const PEER4: usize = 2;
    pub(super) const PEER4_LONG: usize = 3;
    pub(super) const JWK: usize = 4;
    pub(super) const JWK_TEXT: usize = 5;
    pub(super) const IN_PAYLOAD: usize = 6;
    /// did:peer:2 of an X25519 key `E`, an Ed25519 key `V` and one service, in this order.
    pub(super) const PEER2_USUAL: usize = 7;
    pub(super) const DID_KEY: usize = 8;
    /// The first name introduced in this message.
    pub(super) const EARLIER: usize = 16;
}

/// How a fragment is written.
mod fragment {
    pub(super) const NONE: usize = 0;
    pub(super) const TEXT: usize = 1;
    /// The same as the method-specific id: `did:key:z6Mk…#z6Mk…`.
    pub(super) const SAME: usize = 2;
    /// A multikey of the curve with this number: 3–8.
    pub(super) const MULTIKEY: usize = 3;
    /// `key-1` … `key-8`: 10–17.
    pub(super) const KEY: usize = 10;
    /// The DID's own first to third key without its `z` (peerdid ≤ 0.5): 18–20.
    pub(super) const OWN: usize = 18;
    /// The same with the `z`: 21–23.
    pub(super) const OWN_Z: usize = 21;
}

/// Longest JSON of a did:peer:4 long form that is taken apart: base58 is quadratic.
const MAX_LONG: usize = 1024;
/// Most did:peer:4 long forms in one message that are taken apart.
const MAX_LONG_NAMES: usize = 8;
/// Purposes of did:peer:2 keys.
const PURPOSES: [char; 5] = ['E', 'V', 'A', 'D', 'I'];
/// Multicodec `json` as a varint.
const CODEC_JSON: [u8; 2] = [0x80, 0x04];
/// Multihash SHA-256, 32 bytes.
const SHA2_256: [u8; 2] = [0x12, 0x20];

/// A DID that has been introduced.
#[derive(Debug, Clone, Default)]
pub(super) struct Name {
    pub(super) did: String,
    /// Its multikeys.
    keys: Vec<String>,
}

/// Appends a key id (a DID URL with or without fragment; any text will do).
pub(super) fn write<'a>(sink: &mut Sink<'a>, kid: &'a str) {
    let (did, fragment) = match kid.split_once('#') {
        Some((did, fragment)) => (did, Some(fragment)),
        None => (kid, None),
    };
    let name = match sink.names.get(did) {
        Some((number, name)) => {
            let name = name.clone();
            let number = *number;
            sink.number(form::EARLIER + number);
            name
        }
        None => {
            introduce(sink, did);
            let name = Name {
                did: did.to_owned(),
                keys: multikeys(did),
            };
            let number = sink.names.len();
            sink.names.insert(did, (number, name.clone()));
            name
        }
    };
    match fragment {
        None => sink.number(fragment::NONE),
        Some(fragment) => write_fragment(sink, &name, fragment),
    }
}

fn write_fragment(sink: &mut Sink<'_>, name: &Name, text: &str) {
    if name.did.splitn(3, ':').nth(2) == Some(text) {
        return sink.number(fragment::SAME);
    }
    if let Some(number) = (1..=8).find(|number| text == format!("key-{number}")) {
        return sink.number(fragment::KEY + number - 1);
    }
    for (place, key) in name.keys.iter().take(3).enumerate() {
        if key == text {
            return sink.number(fragment::OWN_Z + place);
        }
        if key.strip_prefix('z') == Some(text) {
            return sink.number(fragment::OWN + place);
        }
    }
    match from_multikey(text) {
        Some((curve, key)) => {
            sink.number(fragment::MULTIKEY + curve);
            sink.raw(&key);
        }
        None => {
            sink.number(fragment::TEXT);
            sink.text(text.as_bytes());
        }
    }
}

/// Writes a DID for the first time.
fn introduce(sink: &mut Sink<'_>, did: &str) {
    if let Some(at) = sink.context.and_then(|context| context.find(did)) {
        sink.number(form::IN_PAYLOAD);
        sink.number(at);
        sink.number(did.len());
        return;
    }
    if let Some(rest) = did.strip_prefix("did:key:") {
        if let Some((curve, key)) = from_multikey(rest) {
            sink.number(form::DID_KEY + curve);
            sink.raw(&key);
            return;
        }
    } else if let Some(segments) = peer2(did) {
        if let [
            Segment::Key(0, 0, e),
            Segment::Key(1, 1, v),
            Segment::Service(json),
        ] = segments.as_slice()
        {
            sink.number(form::PEER2_USUAL);
            sink.raw(e);
            sink.raw(v);
            return service::write(sink, json);
        }
        sink.number(form::PEER2);
        sink.number(segments.len());
        for segment in segments {
            match segment {
                Segment::Service(json) => {
                    sink.number(0);
                    service::write(sink, &json);
                }
                Segment::Key(purpose, curve, key) => {
                    sink.number(1 + curve * PURPOSES.len() + purpose);
                    sink.raw(&key);
                }
            }
        }
        return;
    } else if did.starts_with("did:peer:4") {
        if introduce_peer4(sink, did).is_some() {
            return;
        }
    } else if let Some(json) = did.strip_prefix("did:jwk:").and_then(unbase64)
        && let Ok(json) = std::str::from_utf8(&json)
    {
        if let Some(jwk) = Jwk::parse(json, false) {
            sink.number(form::JWK);
            sink.number(jwk.curve);
            cbor_order(sink, &jwk);
            sink.raw(&jwk.point);
        } else {
            sink.number(form::JWK_TEXT);
            sink.text(json.as_bytes());
        }
        return;
    }
    sink.number(form::TEXT);
    sink.text(did.as_bytes());
}

/// Writes the order of a JWK's members.
pub(super) fn cbor_order(sink: &mut Sink<'_>, jwk: &Jwk) {
    crate::cbor::uint(&mut sink.control, jwk.order_number());
}

fn introduce_peer4(sink: &mut Sink<'_>, did: &str) -> Option<()> {
    let rest = did.strip_prefix("did:peer:4z")?;
    let (hash, document) = match rest.split_once(':') {
        Some((hash, document)) => (hash, Some(document)),
        None => (rest, None),
    };
    if hash.len() > 60 {
        return None;
    }
    let bytes = bs58::decode(hash).into_vec().ok()?;
    let digest = bytes.strip_prefix(&SHA2_256).filter(|d| d.len() == 32)?;
    let Some(document) = document else {
        sink.number(form::PEER4);
        sink.raw(digest);
        return Some(());
    };
    sink.long_names += 1;
    if sink.long_names > MAX_LONG_NAMES || document.len() > MAX_LONG * 7 / 5 {
        return None;
    }
    let bytes = bs58::decode(document.strip_prefix('z')?).into_vec().ok()?;
    let json = bytes.strip_prefix(&CODEC_JSON)?;
    if json.len() > MAX_LONG || Sha256::digest(document).as_slice() != digest {
        return None;
    }
    sink.number(form::PEER4_LONG);
    sink.text(json);
    Some(())
}

enum Segment {
    /// A service: the JSON in its base64url.
    Service(Vec<u8>),
    /// A key: purpose, curve, raw key.
    Key(usize, usize, Vec<u8>),
}

/// The segments of a did:peer:2 that renders back the same.
fn peer2(did: &str) -> Option<Vec<Segment>> {
    let rest = did.strip_prefix("did:peer:2.")?;
    let segments = rest.split('.').map(|segment| {
        let mut letters = segment.chars();
        let letter = letters.next()?;
        if letter == 'S' {
            return Some(Segment::Service(unbase64(letters.as_str())?.into_owned()));
        }
        let purpose = PURPOSES.iter().position(|purpose| *purpose == letter)?;
        let (curve, key) = from_multikey(letters.as_str())?;
        Some(Segment::Key(purpose, curve, key))
    });
    segments.collect()
}

/// The multikeys that stand in a DID.
fn multikeys(did: &str) -> Vec<String> {
    if let Some(key) = did.strip_prefix("did:key:") {
        return vec![key.to_owned()];
    }
    let Some(rest) = did.strip_prefix("did:peer:2.") else {
        return Vec::new();
    };
    rest.split('.')
        .filter(|segment| segment.starts_with(PURPOSES))
        .filter_map(|segment| segment.get(1..).map(str::to_owned))
        .take(3)
        .collect()
}

/// Reads a key id.
pub(super) fn read(source: &mut Source<'_>) -> Result<String, DecodeError> {
    let number = source.number("DID")?;
    if number < form::EARLIER {
        let did = read_new(source, number)?;
        source.control.note(|| did.clone());
        let keys = multikeys(&did);
        source.budget.spend(did.len())?;
        source.names.push(Name { did, keys });
    }
    let index = number
        .checked_sub(form::EARLIER)
        .unwrap_or_else(|| source.names.len().saturating_sub(1));
    let name = source
        .names
        .get(index)
        .ok_or(DecodeError::Malformed("a name that was not introduced"))?;
    // Charged before it is copied: a short reference may name a long DID many times.
    source.budget.spend(name.did.len())?;
    let mut kid = name.did.clone();
    let own_keys: Vec<String> = name.keys.iter().take(3).cloned().collect();
    if let Some(fragment) = read_fragment(source, &kid, &own_keys)? {
        source.budget.spend(fragment.len())?;
        kid.push('#');
        kid.push_str(&fragment);
    }
    Ok(kid)
}

fn read_fragment(
    source: &mut Source<'_>,
    did: &str,
    keys: &[String],
) -> Result<Option<String>, DecodeError> {
    let missing = DecodeError::Malformed("a fragment of a key that the DID has not");
    let number = source.number("fragment")?;
    let own = |place: usize| keys.get(place).map(String::as_str).ok_or(missing);
    let text = match number {
        fragment::NONE => return Ok(None),
        fragment::TEXT => source.string("fragment")?.to_owned(),
        fragment::SAME => did.splitn(3, ':').nth(2).ok_or(missing)?.to_owned(),
        fragment::KEY..=17 => format!("key-{}", number - fragment::KEY + 1),
        fragment::OWN..=20 => own(number - fragment::OWN)?
            .get(1..)
            .ok_or(missing)?
            .to_owned(),
        fragment::OWN_Z..=23 => own(number - fragment::OWN_Z)?.to_owned(),
        _ => read_multikey(source, number - fragment::MULTIKEY)?,
    };
    source.control.note(|| format!("#{text}"));
    Ok(Some(text))
}

fn read_multikey(source: &mut Source<'_>, curve: usize) -> Result<String, DecodeError> {
    let unknown = DecodeError::Malformed("unknown curve");
    let bytes = CURVES.get(curve).ok_or(unknown)?.key;
    let key = source.raw.take("public key", bytes)?;
    source
        .raw
        .note(|| CURVES.get(curve).map_or("", |c| c.crv).to_owned());
    to_multikey(curve, key).ok_or(unknown)
}

fn read_new(source: &mut Source<'_>, form: usize) -> Result<String, DecodeError> {
    match form {
        form::TEXT => source.string("DID").map(str::to_owned),
        form::PEER2 => read_peer2(source),
        form::PEER2_USUAL => {
            let (e, v) = (read_multikey(source, 0)?, read_multikey(source, 1)?);
            let service = base64_text(&service::read(source)?);
            Ok(format!("did:peer:2.E{e}.V{v}.S{service}"))
        }
        form::PEER4 => {
            let digest = source.raw.take("did:peer:4 hash", 32)?;
            Ok(format!("did:peer:4{}", multihash(digest)))
        }
        form::PEER4_LONG => {
            source.long_names += 1;
            let json = source.text("did:peer:4 document")?;
            if json.len() > MAX_LONG || source.long_names > MAX_LONG_NAMES {
                return Err(DecodeError::Expansion);
            }
            let mut bytes = CODEC_JSON.to_vec();
            bytes.extend_from_slice(json);
            let document = format!("z{}", bs58::encode(bytes).into_string());
            let hash = multihash(&Sha256::digest(&document));
            Ok(format!("did:peer:4{hash}:{document}"))
        }
        form::JWK => {
            let curve = source.number("curve")?;
            let jwk = read_jwk(source, curve, None)?;
            let json = jwk.render(false).ok_or(DecodeError::Malformed("a JWK"))?;
            Ok(format!("did:jwk:{}", base64_text(json.as_bytes())))
        }
        form::JWK_TEXT => {
            let json = source.text("did:jwk document")?;
            source.budget.spend(json.len() / 3 * 4)?;
            Ok(format!("did:jwk:{}", base64_text(json)))
        }
        form::IN_PAYLOAD => {
            let at = source.number("place in the payload")?;
            let length = source.number("length")?;
            let end = at.saturating_add(length);
            source.budget.spend(length)?;
            let found = source.context.and_then(|context| context.get(at..end));
            found
                .map(str::to_owned)
                .ok_or(DecodeError::Malformed("a name outside the payload"))
        }
        other => {
            let curve = other.checked_sub(form::DID_KEY);
            let curve = curve.ok_or(DecodeError::Malformed("unknown form of a name"))?;
            Ok(format!("did:key:{}", read_multikey(source, curve)?))
        }
    }
}

/// Reads order (unless given) and point of a JWK.
pub(super) fn read_jwk(
    source: &mut Source<'_>,
    curve: usize,
    order: Option<Vec<u8>>,
) -> Result<Jwk, DecodeError> {
    let bytes = point_bytes(curve).ok_or(DecodeError::Malformed("unknown curve"))?;
    let order = match order {
        Some(order) => order,
        None => order_of(source.control.uint("order of JWK members")?)
            .ok_or(DecodeError::Malformed("a JWK"))?,
    };
    let point = source.raw.take("public key", bytes)?.to_vec();
    source
        .raw
        .note(|| CURVES.get(curve).map_or("", |c| c.crv).to_owned());
    Ok(Jwk {
        curve,
        order,
        point,
    })
}

fn read_peer2(source: &mut Source<'_>) -> Result<String, DecodeError> {
    let count = source.number("segments")?;
    let mut did = String::from("did:peer:2");
    for _ in 0..count {
        match source.number("segment")? {
            0 => {
                did.push_str(".S");
                did.push_str(&base64_text(&service::read(source)?));
            }
            number => {
                let purpose = PURPOSES.get((number - 1) % PURPOSES.len());
                let purpose = purpose.ok_or(DecodeError::Malformed("unknown purpose"))?;
                did.push('.');
                did.push(*purpose);
                did.push_str(&read_multikey(source, (number - 1) / PURPOSES.len())?);
            }
        }
    }
    Ok(did)
}

/// `z` base58btc of a SHA-256 multihash.
fn multihash(digest: &[u8]) -> String {
    let mut bytes = SHA2_256.to_vec();
    bytes.extend_from_slice(digest);
    format!("z{}", bs58::encode(bytes).into_string())
}

/// The raw public keys that stand in a key id.
pub(super) fn keys_in(kid: &str) -> Vec<Vec<u8>> {
    let (did, fragment) = kid.split_once('#').unwrap_or((kid, ""));
    let mut keys = multikeys(did);
    keys.push(fragment.to_owned());
    keys.iter()
        .filter_map(|key| from_multikey(key).map(|(_, raw)| raw))
        .collect()
}
