//! Making, opening and unlocking a home.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use packmule_agent::{
    did::{Method, create},
    keystore::KeystoreError,
};
use packmule_bus::Envelope;
use packmule_node::{CreateError, Home, HomeError, UnlockError};
use tempfile::tempdir;

use crate::{NOW, PASSPHRASE, accept, by_drive, envelope, home_in, peer};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Every file of a home with its bytes.
fn snapshot(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|e| {
            (
                e.file_name().into_string().unwrap(),
                fs::read(e.path()).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

#[test]
fn alice_makes_a_home_that_only_she_can_enter() {
    let place = tempdir().unwrap();
    let dir = place.path().join("deep/alice");
    let new = create(Method::Key, &[]).unwrap();
    let home = Home::create(&dir, &new, PASSPHRASE).unwrap();
    assert_eq!(home.did(), new.did);
    assert_eq!(home.identity().1.to_json(), new.doc.to_json());
    assert!(home.created() > 0);
    assert_eq!(mode(&dir), 0o700);
    let files_are_private = || {
        for file in fs::read_dir(&dir).unwrap() {
            let file = file.unwrap().path();
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    };
    files_are_private();
    // The files of a home of an older version are closed when it is opened.
    drop(home);
    for name in ["store.sqlite", "identity.json"] {
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o644)).unwrap();
    }
    let home = Home::open(&dir).unwrap();
    files_are_private();
    home.check().unwrap();
    let siblings = fs::read_dir(dir.parent().unwrap()).unwrap().count();
    assert_eq!(siblings, 1, "nothing is left of the building");

    let keys = home.unlock(PASSPHRASE).unwrap();
    for (kid, secret) in &new.secrets {
        assert_eq!(keys.get(kid).unwrap().raw(), secret.raw());
    }
    for (name, bytes) in snapshot(&dir) {
        for (_, secret) in &new.secrets {
            let found = bytes.windows(32).any(|window| window == secret.raw());
            assert!(!found, "{name} holds a private key in the clear");
        }
    }
}

#[test]
fn a_wrong_passphrase_changes_nothing() {
    let place = tempdir().unwrap();
    let dir = place.path().join("alice");
    drop(home_in(&dir));
    let before = snapshot(&dir);
    let home = Home::open(&dir).unwrap();
    for wrong in [b"mules often forget".as_slice(), b""] {
        let error = home.unlock(wrong).unwrap_err();
        assert!(
            matches!(error, UnlockError::Keys(KeystoreError::WrongPassphrase)),
            "{error}"
        );
    }
    drop(home);
    assert_eq!(snapshot(&dir), before);
    Home::open(&dir).unwrap().unlock(PASSPHRASE).unwrap();
}

#[test]
fn a_home_is_never_made_over_something() {
    let place = tempdir().unwrap();
    let new = create(Method::Key, &[]).unwrap();
    let refused = |dir: &Path| {
        let error = Home::create(dir, &new, PASSPHRASE).unwrap_err();
        assert!(matches!(error, CreateError::Exists(_)), "{error}");
    };
    let dir = place.path().join("alice");
    let first = home_in(&dir);
    refused(&dir);
    assert_eq!(Home::open(&dir).unwrap().did(), first.did());

    let full = place.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("thesis.txt"), "years of work").unwrap();
    refused(&full);
    assert_eq!(fs::read(full.join("thesis.txt")).unwrap(), b"years of work");

    let file = place.path().join("file");
    fs::write(&file, "x").unwrap();
    refused(&file);

    let empty = place.path().join("empty");
    fs::create_dir(&empty).unwrap();
    home_in(&empty);
    assert_eq!(mode(&empty), 0o700);
}

#[test]
fn settings_that_were_written_before_stay_in_the_home_and_keys_are_not_written_over() {
    let place = tempdir().unwrap();
    let new = create(Method::Key, &[]).unwrap();
    let dir = place.path().join("kiosk");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("gateway.toml"), "[accounts]\nopen = false\n").unwrap();
    fs::write(dir.join("ca.pem"), "PEM").unwrap();
    fs::set_permissions(dir.join("ca.pem"), fs::Permissions::from_mode(0o600)).unwrap();
    let home = Home::create(&dir, &new, PASSPHRASE).unwrap();
    assert_eq!(home.did(), new.did);
    assert_eq!(
        fs::read(dir.join("gateway.toml")).unwrap(),
        b"[accounts]\nopen = false\n"
    );
    assert_eq!((mode(&dir), mode(&dir.join("ca.pem"))), (0o700, 0o600));
    assert!(
        snapshot(&dir)
            .iter()
            .all(|(name, _)| !name.starts_with('.')),
        "nothing is left of the building"
    );

    // A home that lost its identity is damaged, not prepared.
    drop(home);
    fs::remove_file(dir.join("identity.json")).unwrap();
    let before = snapshot(&dir);
    let error = Home::create(&dir, &new, PASSPHRASE).unwrap_err();
    assert!(matches!(error, CreateError::Exists(_)), "{error}");
    assert_eq!(snapshot(&dir), before);
}

#[test]
fn of_two_who_make_a_home_around_the_same_settings_one_does() {
    let place = tempdir().unwrap();
    let dir = place.path().join("kiosk");
    for _ in 0..10 {
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("node.toml"), "").unwrap();
        let made: Vec<_> = std::thread::scope(|scope| {
            let make = || {
                let new = create(Method::Key, &[]).unwrap();
                Home::create_unattended(&dir, &new).map(|home| home.did().to_owned())
            };
            let both: Vec<_> = (0..2).map(|_| scope.spawn(make)).collect();
            both.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let dids: Vec<&String> = made.iter().flatten().collect();
        assert_eq!(dids.len(), 1, "{made:?}");
        let home = Home::open(&dir).unwrap();
        let own = home.own_passphrase().unwrap().unwrap();
        home.unlock(&own).unwrap();
        assert_eq!(home.did(), dids[0]);
        fs::remove_dir_all(&dir).unwrap();
    }
}

#[test]
fn where_no_home_is_the_error_says_what_to_do() {
    let place = tempdir().unwrap();
    for dir in [place.path().to_owned(), place.path().join("nowhere")] {
        let error = Home::open(&dir).unwrap_err();
        assert!(matches!(error, HomeError::NoHome(_)), "{error}");
        assert!(error.to_string().contains("packmule init"));
    }
    assert!(!place.path().join("nowhere").exists());
}

#[test]
fn damaged_homes_are_told_apart_from_missing_and_newer_ones() {
    let place = tempdir().unwrap();
    let broken = |name: &str, breaking: &dyn Fn(&Path)| {
        let dir = place.path().join(name);
        let home = home_in(&dir);
        home.add_peer(&peer("bob", "did:example:bob")).unwrap();
        drop(home);
        breaking(&dir);
        Home::open(&dir).map(|_| ()).unwrap_err()
    };
    let damaged = |error: &HomeError| matches!(error, HomeError::Damaged { .. });

    let error = broken("garbage", &|dir| {
        fs::write(dir.join("store.sqlite"), vec![b'x'; 8192]).unwrap();
    });
    assert!(damaged(&error), "{error}");
    let error = broken("no-store", &|dir| {
        fs::remove_file(dir.join("store.sqlite")).unwrap();
    });
    assert!(damaged(&error), "{error}");
    let error = broken("identity", &|dir| {
        fs::write(dir.join("identity.json"), "{").unwrap();
    });
    assert!(damaged(&error), "{error}");
    let error = broken("foreign", &|dir| {
        fs::remove_file(dir.join("store.sqlite")).unwrap();
        let other = rusqlite::Connection::open(dir.join("store.sqlite")).unwrap();
        other.execute_batch("CREATE TABLE cookies (a)").unwrap();
    });
    assert!(damaged(&error), "{error}");
    let error = broken("newer", &|dir| {
        let store = rusqlite::Connection::open(dir.join("store.sqlite")).unwrap();
        store.pragma_update(None, "user_version", 99).unwrap();
    });
    assert!(
        matches!(error, HomeError::TooNew { version: 99 }),
        "{error}"
    );

    let dir = place.path().join("no-keys");
    let home = home_in(&dir);
    fs::remove_file(dir.join("keys.sealed")).unwrap();
    let error = home.unlock(PASSPHRASE).unwrap_err();
    assert!(
        matches!(error, UnlockError::Home(HomeError::Damaged { .. })),
        "{error}"
    );
}

#[test]
fn a_store_of_version_1_becomes_one_of_version_2() {
    let place = fixture("v1");
    let home = Home::open(place.path()).unwrap();
    a_fixture_holds_what_was_written(&home, b"fixture v1");
    // It has the very tables of a new one.
    let fresh = tempdir().unwrap();
    let fresh = home_in(&fresh.path().join("bob"));
    assert_eq!(tables(home.dir()), tables(fresh.dir()));
    // Opened again, it is migrated no more.
    drop(home);
    let home = Home::open(place.path()).unwrap();
    assert_eq!(home.inbox(0, 10).unwrap().len(), 2);
}

#[test]
fn a_store_of_version_2_opens() {
    let place = fixture("v2");
    let home = Home::open(place.path()).unwrap();
    a_fixture_holds_what_was_written(&home, b"fixture v2");
}

#[test]
fn a_migration_that_fails_leaves_the_store_as_it_was() {
    let place = fixture("v1");
    let store = place.path().join("store.sqlite");
    let db = rusqlite::Connection::open(&store).unwrap();
    // In the way of a table to come.
    db.execute_batch("CREATE TABLE held (x)").unwrap();
    drop(db);
    assert!(Home::open(place.path()).is_err());
    let db = rusqlite::Connection::open(&store).unwrap();
    let version: i64 = db
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 1);
    db.execute_batch("DROP TABLE held").unwrap();
    drop(db);
    a_fixture_holds_what_was_written(&Home::open(place.path()).unwrap(), b"fixture v1");
}

/// A copy of a home of some version.
fn fixture(version: &str) -> tempfile::TempDir {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/store");
    let place = tempdir().unwrap();
    for file in ["identity.json", "keys.sealed", "store.sqlite"] {
        fs::copy(fixtures.join(version).join(file), place.path().join(file)).unwrap();
    }
    place
}

/// Columns and indices of every table.
fn tables(home: &Path) -> Vec<String> {
    let db = rusqlite::Connection::open(home.join("store.sqlite")).unwrap();
    let sql = "SELECT m.name || ' ' || m.type || ' ' || c.cid || ' ' || c.name || ' ' || c.type
                 || ' ' || c.\"notnull\" || ' ' || coalesce(c.dflt_value, '') || ' ' || c.pk
               FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c ORDER BY 1";
    let mut query = db.prepare(sql).unwrap();
    let rows = query.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// What `examples/write-store-fixture.rs` writes.
fn a_fixture_holds_what_was_written(home: &Home, passphrase: &[u8]) {
    home.check().unwrap();
    let keys = home.unlock(passphrase).unwrap();
    assert!(!keys.is_empty());
    assert!(home.did().starts_with("did:key:z6Mk"));
    assert_eq!(home.peers().unwrap(), [peer("bob", "did:example:bob")]);
    assert!(home.find_peer("did:example:bob-old").unwrap().is_some());
    let queued = home.outbox(None, 0, 10).unwrap();
    assert_eq!(queued.len(), 2);
    assert_eq!(queued[1].sent_by.as_deref(), Some("drive"));
    let outgoing = home.outgoing(&queued[0].id).unwrap().unwrap();
    assert_eq!(Envelope::from_packed(&outgoing).unwrap(), envelope(1));
    let inbox = home.inbox(0, 10).unwrap();
    assert_eq!(inbox.len(), 1);
    assert_eq!(inbox[0].received, NOW);
    assert_eq!(home.envelope(&inbox[0].id).unwrap().unwrap(), envelope(3));
    let refused = home.refused(0, 10).unwrap();
    assert_eq!(refused[0].problem.as_deref(), Some("e.p.trust.crypto"));
    assert_eq!(home.note("own", "form").unwrap().as_deref(), Some("long"));
    // And it can be written to.
    accept(home, &envelope(99), &by_drive());
}
