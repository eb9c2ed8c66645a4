//! What headers say, and the floor.
//!
//! What is it: algorithms, key ids and the bytes that no format could leave out. Who calls
//! it: `inspect`. What can go wrong: headers that are not JSON or hold other types say nothing.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::headers::Headers;
use crate::packed::unbase64;
use crate::parts::{Bytes, Jwe, Jws, Parts};
use crate::wire::keys_in;

/// What was found.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) floor: usize,
    pub(super) alg: Option<String>,
    pub(super) enc: Option<String>,
    pub(super) epk_curve: Option<String>,
    pub(super) sender_kid: Option<String>,
    pub(super) recipient_kids: Vec<String>,
    pub(super) signer_kids: Vec<String>,
}

/// Finds out.
pub(super) fn of(parts: &Parts<'_>) -> Facts {
    match parts {
        Parts::Raw(_, bytes) => Facts {
            floor: bytes.len(),
            ..Facts::default()
        },
        Parts::Jwe(jwe) => of_jwe(jwe),
        Parts::Jws(jws) => of_jws(jws),
    }
}

fn of_jwe(jwe: &Jwe<'_>) -> Facts {
    let protected = object(jwe.protected.as_ref());
    let unprotected_epk = jwe
        .recipients
        .iter()
        .find_map(|recipient| member(recipient.header.as_ref(), "epk"));
    let epk = protected.get("epk").cloned().or(unprotected_epk);
    let recipient_kids: Vec<String> = jwe
        .recipients
        .iter()
        .filter_map(|recipient| recipient.header.as_ref()?.string("kid").map(str::to_owned))
        .collect();
    let sender_kid = string(&protected, "skid").or_else(|| {
        let apu = unbase64(&string(&protected, "apu")?)?;
        String::from_utf8(apu.into_owned()).ok()
    });
    let keys = recipient_kids.iter().chain(&sender_kid);
    let floor = jwe.ciphertext.len()
        + length(jwe.iv.as_ref())
        + length(jwe.tag.as_ref())
        + length(jwe.aad.as_ref())
        + jwe
            .recipients
            .iter()
            .map(|recipient| length(recipient.encrypted_key.as_ref()))
            .sum::<usize>()
        + epk.as_ref().map_or(0, point_length)
        + key_bytes(keys.map(String::as_str));
    Facts {
        floor,
        alg: string(&protected, "alg"),
        enc: string(&protected, "enc"),
        epk_curve: epk.and_then(|epk| Some(epk.get("crv")?.as_str()?.to_owned())),
        sender_kid,
        recipient_kids,
        signer_kids: Vec::new(),
    }
}

fn of_jws(jws: &Jws<'_>) -> Facts {
    let headers: Vec<Map<String, Value>> = jws
        .signatures
        .iter()
        .map(|signature| object(signature.protected.as_ref()))
        .collect();
    let signer_kids: Vec<String> = jws
        .signatures
        .iter()
        .zip(&headers)
        .filter_map(|(signature, protected)| {
            let unprotected = || signature.header.as_ref()?.string("kid").map(str::to_owned);
            string(protected, "kid").or_else(unprotected)
        })
        .collect();
    let signatures = jws.signatures.iter().map(|signed| signed.signature.len());
    Facts {
        floor: length(jws.payload.as_ref())
            + signatures.sum::<usize>()
            + key_bytes(signer_kids.iter().map(String::as_str)),
        alg: headers.first().and_then(|header| string(header, "alg")),
        signer_kids,
        ..Facts::default()
    }
}

fn length(bytes: Option<&Bytes<'_>>) -> usize {
    bytes.map_or(0, |bytes| bytes.len())
}

fn object(header: Option<&Bytes<'_>>) -> Map<String, Value> {
    header
        .and_then(|header| serde_json::from_slice(header).ok())
        .unwrap_or_default()
}

fn string(header: &Map<String, Value>, name: &str) -> Option<String> {
    header.get(name)?.as_str().map(str::to_owned)
}

fn member(header: Option<&Headers<'_>>, name: &str) -> Option<Value> {
    let mut json = Vec::new();
    header?.write_json(&mut json);
    let object: Map<String, Value> = serde_json::from_slice(&json).ok()?;
    object.get(name).cloned()
}

/// Bytes of the coordinates in a JWK.
fn point_length(jwk: &Value) -> usize {
    ["x", "y"]
        .iter()
        .filter_map(|name| unbase64(jwk.get(name)?.as_str()?))
        .map(|coordinate| coordinate.len())
        .sum()
}

/// Bytes of the distinct public keys that stand in these key ids.
fn key_bytes<'a>(kids: impl Iterator<Item = &'a str>) -> usize {
    let keys: BTreeSet<Vec<u8>> = kids.flat_map(keys_in).collect();
    keys.iter().map(Vec::len).sum()
}
