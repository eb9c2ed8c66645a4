//! Protected headers by template.
//!
//! What is it: the header's text (RFC 7516 §4, DIDComm v2.1 "Encryption") as a known or listed
//! order of members, words as numbers, key ids as references, `epk` as its point, `apu` and
//! `apv` left out when they are what DIDComm derives. Who calls it: `body`. What can go wrong:
//! a header that would not render back byte for byte travels as text.

use sha2::{Digest, Sha256};

use super::jwk::{CURVES, Jwk, base64_text, order_of};
use super::names;
use super::streams::{Sink, Source};
use super::tables::{ALGS, ENCS, MEMBERS, Member, SUITES, TEMPLATES, TYPS};
use super::text::{self, Object, Value};
use crate::envelope::DecodeError;
use crate::packed::unbase64;

/// How a header is written; from `TEMPLATE` on, a template.
mod form {
    pub(super) const TEXT: usize = 0;
    pub(super) const LISTED: usize = 1;
    pub(super) const LISTED_SPACED: usize = 2;
    pub(super) const TEMPLATE: usize = 3;
}

/// How `apu` is written.
mod apu {
    pub(super) const OF_SKID: usize = 0;
    pub(super) const KEY_ID: usize = 1;
    pub(super) const BYTES: usize = 2;
    pub(super) const TEXT: usize = 3;
}

/// How `apv` is written.
mod apv {
    pub(super) const OF_SORTED: usize = 0;
    pub(super) const OF_LISTED: usize = 1;
    pub(super) const BYTES: usize = 2;
    pub(super) const TEXT: usize = 3;
}

/// `apv` of these key ids: base64url of SHA-256 of the ids joined by `.`, sorted as DIDComm
/// v2.1 demands or in the order of the recipients as some producers do.
pub(super) fn derived_apv(kids: &[&str], sorted: bool) -> String {
    let mut kids = kids.to_vec();
    if sorted {
        kids.sort_unstable();
    }
    let mut hash = Sha256::new();
    for (place, kid) in kids.iter().enumerate() {
        if place > 0 {
            hash.update(b".");
        }
        hash.update(kid);
    }
    base64_text(&hash.finalize())
}

/// A header taken apart.
struct Header<'a> {
    members: Vec<(Member, Value<'a>)>,
    spaced: bool,
    epk: Option<Jwk>,
}

fn parse(header: &str) -> Option<Header<'_>> {
    let (found, spaced) = text::members(header)?;
    let mut members: Vec<(Member, Value<'_>)> = Vec::new();
    let mut epk = None;
    for (name, value) in found {
        let (member, _) = MEMBERS.iter().find(|(_, known)| *known == name)?;
        if members.iter().any(|(seen, _)| seen == member) {
            return None;
        }
        match (member, value) {
            (Member::Epk, Value::Object(json)) => epk = Some(Jwk::parse(json, spaced)?),
            (Member::Epk, Value::Text(_)) | (_, Value::Object(_)) => return None,
            _ => {}
        }
        members.push((*member, value));
    }
    Some(Header {
        members,
        spaced,
        epk,
    })
}

/// The epk's order in a template, for a curve with or without `y`.
fn template_order(order: &[u8], has_y: bool) -> Vec<u8> {
    order.iter().copied().filter(|m| has_y || *m != 3).collect()
}

/// Appends a protected header. `kids` are the recipients' key ids in their order.
pub(super) fn write<'a>(sink: &mut Sink<'a>, header: &'a [u8], kids: &[&str]) {
    let parsed = std::str::from_utf8(header).ok().and_then(parse);
    let Some(header_parts) = parsed else {
        sink.number(form::TEXT);
        return sink.text(header);
    };
    let listed = write_order(sink, &header_parts);
    let skid = header_parts.members.iter().find_map(|member| match member {
        (Member::Skid, Value::Text(skid)) => Some(*skid),
        _ => None,
    });
    let words = [Member::Typ, Member::Alg, Member::Enc].map(|wanted| {
        let found = header_parts.members.iter().find_map(|member| match member {
            (member, Value::Text(word)) if *member == wanted => Some(*word),
            _ => None,
        });
        found.unwrap_or_default()
    });
    let suite = SUITES.iter().position(|suite| *suite == words);
    sink.number(suite.map_or(0, |number| number + 1));
    for (member, value) in &header_parts.members {
        let Value::Text(value) = *value else {
            if let Some(epk) = &header_parts.epk {
                sink.number(epk.curve);
                if listed {
                    names::cbor_order(sink, epk);
                }
                sink.raw(&epk.point);
            }
            continue;
        };
        match member {
            Member::Typ | Member::Alg | Member::Enc if suite.is_some() => {}
            Member::Typ => write_word(sink, value, TYPS),
            Member::Alg => write_word(sink, value, ALGS),
            Member::Enc => write_word(sink, value, ENCS),
            Member::Skid | Member::Kid => names::write(sink, value),
            Member::Apu => write_apu(sink, value, skid),
            Member::Apv => write_apv(sink, value, kids),
            Member::Epk => {}
        }
    }
}

/// Writes the template, or the order; whether it was the order.
fn write_order(sink: &mut Sink<'_>, header: &Header<'_>) -> bool {
    let matching = TEMPLATES.iter().position(|template| {
        template.spaced == header.spaced
            && template
                .members
                .iter()
                .eq(header.members.iter().map(|(member, _)| member))
            && header
                .epk
                .as_ref()
                .is_none_or(|epk| epk.order == template_order(template.epk, epk.order.contains(&3)))
    });
    if let Some(number) = matching {
        sink.number(form::TEMPLATE + number);
        return false;
    }
    sink.number(if header.spaced {
        form::LISTED_SPACED
    } else {
        form::LISTED
    });
    sink.number(header.members.len());
    for (member, _) in &header.members {
        let number = MEMBERS.iter().position(|(known, _)| known == member);
        sink.number(number.unwrap_or_default());
    }
    true
}

fn write_word(sink: &mut Sink<'_>, word: &str, known: &[&str]) {
    match known.iter().position(|known| *known == word) {
        Some(number) => sink.number(number + 1),
        None => {
            sink.number(0);
            sink.text(word.as_bytes());
        }
    }
}

fn write_apu<'a>(sink: &mut Sink<'a>, value: &'a str, skid: Option<&str>) {
    if skid.is_some_and(|skid| base64_text(skid.as_bytes()) == value) {
        return sink.number(apu::OF_SKID);
    }
    match unbase64(value) {
        Some(bytes) => {
            sink.number(apu::BYTES);
            sink.text(&bytes);
        }
        None => {
            sink.number(apu::TEXT);
            sink.text(value.as_bytes());
        }
    }
}

fn write_apv(sink: &mut Sink<'_>, value: &str, kids: &[&str]) {
    if derived_apv(kids, true) == value {
        return sink.number(apv::OF_SORTED);
    }
    if derived_apv(kids, false) == value {
        return sink.number(apv::OF_LISTED);
    }
    match unbase64(value) {
        Some(bytes) => {
            sink.number(apv::BYTES);
            sink.number(bytes.len());
            sink.raw(&bytes);
        }
        None => {
            sink.number(apv::TEXT);
            sink.text(value.as_bytes());
        }
    }
}

/// A member that has been read, before the whole is rendered.
enum Slot {
    Text(String),
    Epk(Jwk),
    ApuOfSkid,
}

/// Reads a protected header.
pub(super) fn read(source: &mut Source<'_>, kids: &[&str]) -> Result<Vec<u8>, DecodeError> {
    let number = source.number("template")?;
    let listed;
    let (members, spaced, epk_order): (&[Member], bool, Option<&[u8]>) = match number {
        form::TEXT => {
            let text = source.text("protected header")?;
            source.budget.spend(text.len())?;
            return Ok(text.to_vec());
        }
        form::LISTED | form::LISTED_SPACED => {
            listed = read_order(source)?;
            (&listed, number == form::LISTED_SPACED, None)
        }
        _ => {
            let template = TEMPLATES.get(number - form::TEMPLATE);
            let template = template.ok_or(DecodeError::Malformed("unknown template"))?;
            source.control.note(|| template.name.to_owned());
            (template.members, template.spaced, Some(template.epk))
        }
    };
    let suite = match source.number("typ, alg and enc")? {
        0 => None,
        number => {
            let suite = SUITES.get(number - 1);
            let suite = suite.ok_or(DecodeError::Malformed("unknown suite"))?;
            source.control.note(|| suite.join(" "));
            Some(suite)
        }
    };
    let mut slots = Vec::with_capacity(members.len());
    for member in members {
        let slot = match (member, suite) {
            (Member::Typ, Some([word, _, _]))
            | (Member::Alg, Some([_, word, _]))
            | (Member::Enc, Some([_, _, word])) => Slot::Text((*word).to_owned()),
            _ => read_slot(source, *member, epk_order, kids)?,
        };
        slots.push((*member, slot));
    }
    let rendered = render(&slots, spaced).ok_or(DecodeError::Malformed("a protected header"))?;
    source.budget.spend(rendered.len())?;
    Ok(rendered.into_bytes())
}

fn read_order(source: &mut Source<'_>) -> Result<Vec<Member>, DecodeError> {
    let count = source.number("members")?;
    if count > MEMBERS.len() {
        return Err(DecodeError::Malformed("more members than there are"));
    }
    let mut members = Vec::with_capacity(count);
    for _ in 0..count {
        let number = source.number("member")?;
        let member = MEMBERS.get(number);
        let (member, name) = *member.ok_or(DecodeError::Malformed("unknown member"))?;
        source.control.note(|| name.to_owned());
        members.push(member);
    }
    Ok(members)
}

fn read_slot(
    source: &mut Source<'_>,
    member: Member,
    epk_order: Option<&[u8]>,
    kids: &[&str],
) -> Result<Slot, DecodeError> {
    let text = match member {
        Member::Typ => read_word(source, "typ", TYPS)?,
        Member::Alg => read_word(source, "alg", ALGS)?,
        Member::Enc => read_word(source, "enc", ENCS)?,
        Member::Skid | Member::Kid => names::read(source)?,
        Member::Apu => match source.number("apu")? {
            apu::OF_SKID => {
                source.control.note(|| "derived from skid".to_owned());
                return Ok(Slot::ApuOfSkid);
            }
            apu::KEY_ID => base64_text(names::read(source)?.as_bytes()),
            apu::BYTES => base64_text(source.text("apu")?),
            apu::TEXT => source.string("apu")?.to_owned(),
            _ => return Err(DecodeError::Malformed("unknown form of apu")),
        },
        Member::Apv => read_apv(source, kids)?,
        Member::Epk => {
            let curve = source.number("epk curve")?;
            source
                .control
                .note(|| CURVES.get(curve).map_or("", |c| c.crv).to_owned());
            let has_y = CURVES.get(curve).is_some_and(|c| c.key != 32);
            let order = epk_order.map(|order| template_order(order, has_y));
            return Ok(Slot::Epk(names::read_jwk(source, curve, order)?));
        }
    };
    Ok(Slot::Text(text))
}

fn read_word(
    source: &mut Source<'_>,
    name: &'static str,
    known: &[&str],
) -> Result<String, DecodeError> {
    let word = match source.number(name)? {
        0 => source.string(name)?,
        number => *known
            .get(number - 1)
            .ok_or(DecodeError::Malformed("unknown word"))?,
    };
    source.control.note(|| word.to_owned());
    Ok(word.to_owned())
}

fn read_apv(source: &mut Source<'_>, kids: &[&str]) -> Result<String, DecodeError> {
    match source.number("apv")? {
        number @ (apv::OF_SORTED | apv::OF_LISTED) => {
            source
                .control
                .note(|| "derived from the key ids".to_owned());
            Ok(derived_apv(kids, number == apv::OF_SORTED))
        }
        apv::BYTES => {
            let length = source.number("length of apv")?;
            Ok(base64_text(source.raw.take("apv", length)?))
        }
        apv::TEXT => source.string("apv").map(str::to_owned),
        _ => Err(DecodeError::Malformed("unknown form of apv")),
    }
}

fn render(slots: &[(Member, Slot)], spaced: bool) -> Option<String> {
    let skid = slots.iter().find_map(|slot| match slot {
        (Member::Skid, Slot::Text(skid)) => Some(skid),
        _ => None,
    });
    let mut object = Object::new(spaced);
    for (member, slot) in slots {
        let (_, name) = MEMBERS.iter().find(|(known, _)| known == member)?;
        match slot {
            Slot::Text(text) => object.text(name, text),
            Slot::Epk(jwk) => object.object(name, &jwk.render(spaced)?),
            Slot::ApuOfSkid => object.text(name, &base64_text(skid?.as_bytes())),
        }
    }
    Some(object.done())
}

/// The epk of a header in JSON order unknown: used by `body` for `epk` in unprotected headers.
pub(super) fn canonical_order(has_y: bool) -> Option<Vec<u8>> {
    // x, y, crv, kty: the order of a deterministic CBOR map.
    order_of(if has_y {
        0b01_10_11_00_01
    } else {
        0b01_10_00_01
    })
}
