//! Tables of days come and go, and versions are looked at.

use std::time::Duration;

use packmule_gateway::store::{Letter, Limits, MailboxStore, Moment, StoreError};
use packmule_mailboxes::{ALICE, drain, is_stored, later, letter, noon, packed, small, take};
use packmule_places::Postgres;
use packmule_postgres::{Database, PostgresStore};

use crate::Stage;

const DAY: u64 = 86_400;

fn days(stage: &Stage) -> Vec<String> {
    let told = stage.server.ask(
        &stage.url,
        "SELECT relname FROM pg_class WHERE relname ~ '^letters_d[0-9]+$' AND relkind = 'r'
            ORDER BY 1",
    );
    told.lines().map(str::to_owned).collect()
}

fn lasting(number: usize, expires: Moment) -> Letter {
    Letter::new(ALICE, ALICE, &packed(number, 5000), expires).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_has_a_table_from_its_first_letter_until_it_is_over_and_empty() {
    let stage = Stage::of(Postgres::start());
    let store = stage.store(small()).await;
    store.open_account(ALICE, noon()).await.unwrap();
    assert!(days(&stage).is_empty());
    let ends = [1, 2, 3, 3, 200, 9999].map(|day| later(day * DAY));
    for (number, expires) in ends.into_iter().enumerate() {
        assert!(is_stored(
            &take(&*store, lasting(number, expires), noon()).await
        ));
    }
    let never = take(&*store, lasting(9, Moment::NEVER), noon()).await;
    assert!(is_stored(&never));
    assert_eq!(days(&stage).len(), 3, "what is far away lies together");

    // The first is collected, the second and one of the third expire.
    store
        .ack(ALICE, &[lasting(0, noon()).id()], noon())
        .await
        .unwrap();
    assert_eq!(store.expire(later(1)).await.unwrap(), 0);
    assert_eq!(days(&stage).len(), 3, "no day is over");
    assert_eq!(store.expire(later(2 * DAY)).await.unwrap(), 1);
    assert_eq!(days(&stage).len(), 2);
    assert_eq!(store.expire(later(3 * DAY)).await.unwrap(), 2);
    assert_eq!(store.expire(later(4 * DAY)).await.unwrap(), 0);
    assert!(days(&stage).is_empty());
    assert_eq!(store.totals().await.unwrap().letters, 3);
    assert_eq!(store.expire(later(10_000 * DAY)).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_for_long_is_not_waited_for() {
    let stage = Stage::of(Postgres::start());
    let store = stage.store(small()).await;
    store.open_account(ALICE, noon()).await.unwrap();
    take(&*store, lasting(1, later(DAY)), noon()).await;
    // A backup holds the tables, without changing anything.
    let url = stage.url.clone();
    let hold = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            stage.server.ask(
                &url,
                "BEGIN; SELECT FROM packmule.letters; DO $$ BEGIN
                    FOR turn IN 1..600 LOOP
                        EXIT WHEN EXISTS (SELECT FROM pg_class WHERE relname = 'enough');
                        PERFORM pg_sleep(0.1);
                    END LOOP; END $$",
            )
        });
        let sleepers = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        while stage.server.ask(&url, sleepers) != "1" {
            assert!(!reading.is_finished(), "nobody reads");
            std::thread::sleep(Duration::from_millis(50));
        }
        let runtime = tokio::runtime::Handle::current();
        let ended = tokio::task::block_in_place(|| {
            runtime.block_on(async {
                let ended = store.expire(later(3 * DAY)).await.unwrap();
                assert!(is_stored(
                    &take(&*store, lasting(2, later(4 * DAY)), later(3 * DAY)).await
                ));
                ended
            })
        });
        assert!(!reading.is_finished(), "it was waited for");
        stage.server.ask(&url, "CREATE TABLE enough ()");
        ended
    });
    assert_eq!(hold, 1);
    store.expire(later(3 * DAY)).await.unwrap();
    assert!(days(&stage).is_empty(), "the next time it is done");
    let waiting = store.status(ALICE, None, later(3 * DAY)).await.unwrap();
    assert_eq!(
        waiting.count, 1,
        "a letter lies with the rest where its day got no table"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_gets_its_room_back() {
    let stage = Stage::of(Postgres::start());
    let store = stage
        .store(Limits {
            account_letters: 10_000,
            ..small()
        })
        .await;
    store.open_account(ALICE, noon()).await.unwrap();
    for start in (0..3000).step_by(500) {
        let letters = (start..start + 500).map(|number| lasting(number, later(DAY)));
        let outcomes = store.enqueue(letters.collect(), noon()).await.unwrap();
        assert!(outcomes.iter().all(is_stored));
    }
    let full = store.totals().await.unwrap().disk;
    assert!(full > 10 << 20, "{full}");
    drain(&*store, ALICE, 500).await;
    store.expire(later(1)).await.unwrap();
    let left = store.totals().await.unwrap().disk;
    println!("{full} bytes held, {left} stay");
    // Four are kept back.
    assert!(left < 6 << 20, "{left} of {full} bytes stay");
    assert!(is_stored(&take(&*store, letter(ALICE, 1), noon()).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_version_and_a_careless_server_are_refused() {
    let stage = Stage::of(Postgres::start());
    drop(stage.store(small()).await);
    let open = async || {
        let database = Database::new(&stage.url, None).unwrap();
        PostgresStore::open(database, small()).await.err()
    };
    stage.server.ask("postgres", "ALTER SYSTEM SET fsync = off");
    stage.server.ask("postgres", "SELECT pg_reload_conf()");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let Some(StoreError::Broken { what }) = open().await else {
        panic!("a server that keeps nothing was taken")
    };
    assert!(what.contains("fsync"), "{what}");
    stage.server.ask("postgres", "ALTER SYSTEM RESET fsync");
    stage
        .server
        .ask("postgres", "ALTER SYSTEM SET synchronous_commit = off");
    stage.server.ask("postgres", "SELECT pg_reload_conf()");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(open().await, None, "what a session may set is set");
    stage
        .server
        .ask(&stage.url, "UPDATE packmule.version SET version = 99");
    assert_eq!(open().await, Some(StoreError::TooNew { version: 99 }));
}

#[test]
fn urls_are_looked_at_and_tell_no_password() {
    for url in [
        "",
        "mailboxes.sqlite",
        "http://host/",
        "postgres:///nowhere",
    ] {
        assert!(Database::new(url, None).is_err(), "{url}");
    }
    let url = "postgres://us:secret@db.example.org/mail";
    let told = format!("{:?}", Database::new(url, None).unwrap());
    assert!(!told.contains("secret") && !told.contains("us:"), "{told}");
    let wrong = Database::new("postgres://us:secret@db.example.org:nan/mail", None);
    assert!(!wrong.unwrap_err().to_string().contains("secret"));
    assert!(Database::new(url, Some(b"no certificate")).is_err());
}
