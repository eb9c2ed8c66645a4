//! The way to a server that is elsewhere: TLS, by the authorities that were named, and a password.

use packmule_gateway::store::{MailboxStore, StoreError};
use packmule_mailboxes::{ALICE, is_stored, letter, noon, small, take};
use packmule_places::Postgres;
use packmule_postgres::{Database, PostgresStore};

async fn reason(database: Database) -> String {
    match PostgresStore::open(database, small()).await {
        Err(StoreError::Unreachable { what } | StoreError::Broken { what }) => what,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_go_under_tls_to_whom_the_authority_vouches_for_and_to_nobody_else() {
    let server = Postgres::secured();
    let name = server.database();
    let url = server.url_at("localhost", &name);
    let (ours, other) = (server.authority(), Postgres::secured());

    let database = Database::new(&url, Some(ours.as_bytes())).unwrap();
    let store = PostgresStore::open(database, small()).await.unwrap();
    store.open_account(ALICE, noon()).await.unwrap();
    assert!(is_stored(&take(&store, letter(ALICE, 1), noon()).await));
    let under = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE application_name = 'packmule gateway'";
    assert_eq!(server.ask(&name, under), "t", "every session is under TLS");

    // Whoever else has a certificate, and whoever has it for another name, is not believed.
    for (host, authority) in [("localhost", other.authority()), ("127.0.0.1", ours)] {
        let url = server.url_at(host, &name);
        let url = format!("{url}?sslmode=require");
        let database = Database::new(&url, Some(authority.as_bytes())).unwrap();
        let why = reason(database).await;
        assert!(why.contains("certificate"), "{host}: {why}");
        assert!(!why.contains("pw"), "{why}");
    }
    // Nor is anybody spoken to in clear.
    let clear = format!("{url}?sslmode=disable");
    let why = reason(Database::new(&clear, Some(ours.as_bytes())).unwrap()).await;
    assert!(
        why.contains("pg_hba") || why.contains("encryption"),
        "{why}"
    );
}
