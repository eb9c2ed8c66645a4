//! Names of ours, of strangers and of nobody.

use super::*;
use proptest::prelude::*;

#[test]
fn a_name_of_ours_says_everything() {
    let hash = FileHash::of(b"hello bob");
    let name = MessageName::ours(1_700_000_000, &hash, Kind::Signed);
    assert!(name.len() <= 60, "{name} is too long for careful drives");
    let parsed = MessageName::parse(&name).unwrap();
    assert_eq!(parsed.kind, Kind::Signed);
    assert_eq!(parsed.hash, Some(hash));
    assert_eq!(parsed.ordinal, Ordinal::parse("1700000000"));
}

#[test]
fn fat_may_give_names_back_in_upper_case() {
    let hash = FileHash::of(b"hello bob");
    let name = MessageName::ours(7, &hash, Kind::Encrypted).to_uppercase();
    assert_eq!(MessageName::parse(&name).unwrap().hash, Some(hash));
}

#[test]
fn other_extensions_are_ignored() {
    for name in [
        "a.dcem.tmp",
        "a.txt",
        "dcem",
        "a.dcemx",
        "",
        ".",
        "a.",
        "1--x.ack",
    ] {
        assert_eq!(MessageName::parse(name), None, "{name}");
    }
}

#[test]
fn strangers_names_are_messages_without_a_hash() {
    let uuid = MessageName::parse("4edb801f-4735-4305-952e-4486dda87b81.dcem").unwrap();
    assert_eq!((uuid.ordinal, uuid.hash), (None, None));
    let counted = MessageName::parse("0002--msg.dcpm").unwrap();
    assert_eq!(counted.ordinal, Ordinal::parse("2"));
    assert_eq!(counted.kind, Kind::Plaintext);
    let copied = MessageName::parse("17--abcdefghijklmnopqrstuvwxyz (1).dcem").unwrap();
    assert_eq!(copied.hash, None);
}

#[test]
fn ordinals_are_numbers_and_not_texts() {
    let mut names = ["10", "9", "010", "18446744073709551616", "1", "0", "00"];
    names.sort_by_key(|digits| Ordinal::parse(digits).unwrap());
    assert_eq!(
        names,
        ["0", "00", "1", "9", "10", "010", "18446744073709551616"]
    );
}

#[test]
fn subfolders_of_threads_are_known_by_name() {
    assert!(is_thread_folder("4edb801f.thid"));
    assert!(is_thread_folder("000.THID"));
    assert!(is_prefix_folder("a73.threads"));
    assert!(!is_thread_folder(".thid"));
    assert!(!is_prefix_folder("a7.threads"));
    assert!(!is_prefix_folder("a731.threads"));
    assert!(!is_thread_folder("ack"));
}

#[test]
fn only_our_own_temporary_files_are_swept() {
    let name = MessageName::ours(1, &FileHash::of(b"x"), Kind::Encrypted);
    assert!(is_our_tmp(&format!("{name}.77-0.tmp")));
    assert!(!is_our_tmp("thesis.tmp"));
    assert!(!is_our_tmp("msg1.dcem.tmp"));
    assert!(!is_our_tmp(&name));
}

proptest! {
    #[test]
    fn any_name_parses_or_is_ignored(name in "\\PC{0,80}") {
        if let Some(parsed) = MessageName::parse(&name) {
            prop_assert!(parsed.kind != Kind::Other);
        }
        is_our_tmp(&name);
        is_prefix_folder(&name);
    }

    #[test]
    fn what_we_name_we_read(secs: u64, bytes: Vec<u8>) {
        let hash = FileHash::of(&bytes);
        let name = MessageName::ours(secs, &hash, Kind::Encrypted);
        let parsed = MessageName::parse(&name).unwrap();
        prop_assert_eq!(parsed.hash, Some(hash));
        prop_assert_eq!(parsed.ordinal, Ordinal::parse(&secs.to_string()));
    }

    #[test]
    fn ordinals_order_like_the_numbers_they_are(a: u128, b: u128, zeros in 0usize..5) {
        let padded = format!("{}{a}", "0".repeat(zeros));
        let (first, second) = (Ordinal::parse(&padded).unwrap(), Ordinal::parse(&b.to_string()).unwrap());
        prop_assert_eq!(first.cmp(&second), a.cmp(&b));
    }
}
