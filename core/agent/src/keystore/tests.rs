use super::*;
use crate::did::{Method, create};

fn alice() -> Keyring {
    create(Method::Peer2, &[])
        .unwrap()
        .secrets
        .into_iter()
        .collect()
}

#[test]
fn alice_gets_her_keys_back() {
    let keys = alice();
    let file = seal_with(&keys, b"mule", Cost::TEST).unwrap();
    let again = open(&file, b"mule").unwrap();
    let raw = |ring: &Keyring| -> Vec<(String, Vec<u8>)> {
        ring.iter()
            .map(|(kid, key)| (kid.to_owned(), key.raw().to_vec()))
            .collect()
    };
    assert_eq!(raw(&again), raw(&keys));
}

#[test]
fn a_wrong_passphrase_is_told_from_damage() {
    let file = seal_with(&alice(), b"mule", Cost::TEST).unwrap();
    assert_eq!(
        open(&file, b"horse").unwrap_err(),
        KeystoreError::WrongPassphrase
    );
    for at in 0..file.len() {
        let mut bad = file.clone();
        bad[at] ^= 1;
        assert!(
            matches!(open(&bad, b"mule"), Err(KeystoreError::Damaged(_))),
            "byte {at}"
        );
    }
    for len in 0..file.len() {
        assert!(
            matches!(open(&file[..len], b"mule"), Err(KeystoreError::Damaged(_))),
            "{len}"
        );
    }
}

/// Mallory can make a good checksum; the header is authenticated all the same.
#[test]
fn mallory_cannot_change_the_header_or_make_us_take_all_memory() {
    let file = seal_with(&alice(), b"mule", Cost::TEST).unwrap();
    let end = file.iter().position(|b| *b == b'\n').unwrap();
    let forged = |from: &str, to: &str| {
        let head = String::from_utf8(file[..end].to_vec()).unwrap();
        assert!(head.contains(from));
        let mut out = head.replace(from, to).into_bytes();
        out.extend_from_slice(&file[end..file.len() - CHECKSUM]);
        let sum = Sha256::digest(&out);
        out.extend_from_slice(&sum);
        open(&out, b"mule").unwrap_err()
    };
    let unsupported = |error| matches!(error, KeystoreError::Unsupported(_));
    assert!(unsupported(forged(
        "\"memory_kib\":8",
        "\"memory_kib\":4294967295"
    )));
    assert!(unsupported(forged("\"passes\":1", "\"passes\":4294967295")));
    assert!(unsupported(forged("\"version\":1", "\"version\":2")));
    assert!(unsupported(forged("argon2id", "argon2i")));
    assert_eq!(
        forged("\"passes\":1", "\"passes\":2"),
        KeystoreError::WrongPassphrase
    );
    assert_eq!(
        forged("{\"format\"", "{ \"format\""),
        KeystoreError::WrongPassphrase
    );
}

/// A file from a stranger's backup asks for work before its passphrase is known to be right.
#[test]
fn costs_are_bounded() {
    let sane = |memory_kib, passes, lanes| {
        Cost {
            memory_kib,
            passes,
            lanes,
        }
        .sane()
    };
    const MIB: u32 = 1 << 10;
    assert!(Cost::STANDARD.sane() && Cost::TEST.sane());
    for (memory, passes, lanes) in [(1024 * MIB, 4, 16), (64 * MIB, 64, 1), (128, 1, 16)] {
        assert!(sane(memory, passes, lanes), "{memory} {passes} {lanes}");
    }
    for (memory, passes, lanes) in [
        (1024 * MIB + 1, 1, 1),
        (1024 * MIB, 5, 1),
        (65 * MIB, 64, 1),
        (8, 65, 1),
        (8, 0, 1),
        (8, 1, 0),
        (7, 1, 1),
        (127, 1, 16),
        (1024 * MIB, 1, 17),
        (u32::MAX, u32::MAX, u32::MAX),
    ] {
        assert!(!sane(memory, passes, lanes), "{memory} {passes} {lanes}");
    }
    assert_eq!(
        seal_with(
            &alice(),
            b"mule",
            Cost {
                lanes: 0,
                ..Cost::TEST
            }
        )
        .unwrap_err(),
        KeystoreError::Unsupported("its key derivation costs too much or too little")
    );
}

/// Version 1 must open for ever; see fixtures/keystore/README.md.
#[test]
fn the_fixture_of_version_1_opens() {
    let file = include_bytes!("../../../../fixtures/keystore/v1.sealed");
    let ring = open(file, b"correct horse battery staple").unwrap();
    let kids: Vec<_> = ring.kids().collect();
    assert_eq!(kids.len(), 2, "{kids:?}");
    assert!(
        kids.iter().all(|kid| kid.starts_with("did:key:z6Mk")),
        "{kids:?}"
    );
}

#[test]
#[ignore = "writes the fixture; run by hand once for each version of the format"]
fn write_the_fixture() {
    let keys: Keyring = create(Method::Key, &[])
        .unwrap()
        .secrets
        .into_iter()
        .collect();
    let cost = Cost {
        memory_kib: 1024,
        passes: 2,
        lanes: 1,
    };
    let file = seal_with(&keys, b"correct horse battery staple", cost).unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/keystore");
    std::fs::write(format!("{folder}/v1.sealed"), file).unwrap();
}
