//! The known words of protected headers, and the known orders of their members.
//!
//! What is it: tables whose indices are what travels: append only, within a version. Who calls
//! it: `protected`. What can go wrong: nothing; what is not here travels as text.

/// Members of protected headers that have a compact form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    Typ,
    Alg,
    Enc,
    Skid,
    Apu,
    Apv,
    Epk,
    Kid,
}

use Member::{Alg, Apu, Apv, Enc, Epk, Kid, Skid, Typ};

/// The number of a member in a listed order is its place here.
pub(super) const MEMBERS: [(Member, &str); 8] = [
    (Typ, "typ"),
    (Alg, "alg"),
    (Enc, "enc"),
    (Skid, "skid"),
    (Apu, "apu"),
    (Apv, "apv"),
    (Epk, "epk"),
    (Kid, "kid"),
];

/// A producer's order of members.
pub(super) struct Template {
    /// Who writes it, for people.
    pub(super) name: &'static str,
    pub(super) members: &'static [Member],
    /// Python's default separators.
    pub(super) spaced: bool,
    /// Order of the epk's members as in `Jwk::order`; `y` is left out for OKP.
    pub(super) epk: &'static [u8],
}

const CRV_KTY: &[u8] = &[0, 1, 2, 3];
const KTY_CRV: &[u8] = &[1, 0, 2, 3];
const KTY_LAST: &[u8] = &[0, 2, 3, 1];

const fn template(name: &'static str, members: &'static [Member], epk: &'static [u8]) -> Template {
    Template {
        name,
        members,
        spaced: false,
        epk,
    }
}

const fn spaced(name: &'static str, members: &'static [Member], epk: &'static [u8]) -> Template {
    Template {
        name,
        members,
        spaced: true,
        epk,
    }
}

/// The orders that were seen (each in `fixtures/didcomm`). A template's number is
/// its place.
pub(super) const TEMPLATES: &[Template] = &[
    template(
        "didcomm-rust authcrypt",
        &[Typ, Alg, Enc, Skid, Apu, Apv, Epk],
        CRV_KTY,
    ),
    template(
        "didcomm-rust anoncrypt",
        &[Typ, Alg, Enc, Apv, Epk],
        CRV_KTY,
    ),
    template(
        "affinidi, packmule authcrypt",
        &[Typ, Alg, Enc, Skid, Apu, Apv, Epk],
        KTY_CRV,
    ),
    template(
        "affinidi, packmule anoncrypt",
        &[Typ, Alg, Enc, Apv, Epk],
        KTY_CRV,
    ),
    template(
        "didcomm-python authcrypt",
        &[Typ, Alg, Enc, Apu, Apv, Skid, Epk],
        KTY_LAST,
    ),
    template(
        "didcomm-python anoncrypt",
        &[Typ, Alg, Enc, Apv, Epk],
        KTY_LAST,
    ),
    spaced(
        "didcomm-messaging authcrypt",
        &[Typ, Alg, Enc, Apu, Apv, Epk, Skid],
        CRV_KTY,
    ),
    spaced(
        "didcomm-messaging anoncrypt",
        &[Typ, Alg, Enc, Apv],
        CRV_KTY,
    ),
    template(
        "specification authcrypt",
        &[Epk, Apv, Skid, Apu, Typ, Enc, Alg],
        KTY_CRV,
    ),
    template(
        "specification anoncrypt",
        &[Epk, Apv, Typ, Enc, Alg],
        KTY_CRV,
    ),
    template("signed, kid unprotected", &[Typ, Alg], CRV_KTY),
    template("signed, kid protected", &[Typ, Alg, Kid], CRV_KTY),
    template("veramo signed", &[Alg, Kid, Typ], KTY_CRV),
    template("veramo anoncrypt", &[Alg, Typ, Epk, Enc], KTY_CRV),
    template("veramo authcrypt", &[Alg, Typ, Skid, Epk, Enc], KTY_CRV),
];

/// Values of `typ`.
pub(super) const TYPS: &[&str] = &[
    "application/didcomm-encrypted+json",
    "application/didcomm-signed+json",
    "application/didcomm+encrypted",
    "didcomm-encrypted+json",
    "didcomm-signed+json",
    "JWM",
    "JWT",
];

/// Values of `alg`.
pub(super) const ALGS: &[&str] = &[
    "ECDH-1PU+A256KW",
    "ECDH-ES+A256KW",
    "EdDSA",
    "ES256",
    "ES256K",
    "ECDH-ES",
    "ECDH-1PU",
    "ECDH-ES+XC20PKW",
    "ECDH-1PU+XC20PKW",
    "ES384",
    "ES512",
    "Ed25519",
    "ECDH-ES+A128KW",
    "ECDH-1PU+A128KW",
];

/// Values of `enc`.
pub(super) const ENCS: &[&str] = &[
    "A256CBC-HS512",
    "A256GCM",
    "XC20P",
    "A128CBC-HS256",
    "A128GCM",
    "C20P",
    "A192CBC-HS384",
];

/// Usual `typ`, `alg` and `enc` together; an empty word stands for an absent member.
pub(super) const SUITES: &[[&str; 3]] = &[
    [
        "application/didcomm-encrypted+json",
        "ECDH-1PU+A256KW",
        "A256CBC-HS512",
    ],
    [
        "application/didcomm-encrypted+json",
        "ECDH-ES+A256KW",
        "A256CBC-HS512",
    ],
    [
        "application/didcomm-encrypted+json",
        "ECDH-ES+A256KW",
        "A256GCM",
    ],
    [
        "application/didcomm-encrypted+json",
        "ECDH-ES+A256KW",
        "XC20P",
    ],
    [
        "application/didcomm+encrypted",
        "ECDH-1PU+A256KW",
        "A256CBC-HS512",
    ],
    ["application/didcomm-signed+json", "EdDSA", ""],
    ["application/didcomm-signed+json", "ES256", ""],
    ["application/didcomm-signed+json", "ES256K", ""],
];
