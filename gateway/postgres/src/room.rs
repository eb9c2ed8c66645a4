//! Room on the server's disk that is kept back for acks and changes of accounts.
//!
//! What is it: a table that holds nothing of use. Acks write too: names that are known. When the
//! disk has no room for that the table is dropped, which needs none, and until it is there again
//! no letters are taken on. Called by the writer in need, and when a store is opened or swept.
//! What can go wrong: the server's *log* lies on the same disk and finds it full first: then the
//! server stops until somebody makes room.

use packmule_gateway::store::StoreError;

use crate::columns::get;
use crate::connect::Session;
use crate::fault::fault;
use crate::schema::LOCKS;

/// 4 MiB, four rows to a page, none long enough to be made small: some ten thousand acks.
pub(crate) fn take() -> String {
    format!(
        "BEGIN;
        SELECT pg_advisory_xact_lock({LOCKS}, 2);
        DO $$ BEGIN IF to_regclass('packmule.room') IS NULL THEN
            CREATE TABLE packmule.room AS
                SELECT repeat(md5(number::text), 60) AS filler FROM generate_series(1, 2048) number;
        END IF; END $$;
        COMMIT"
    )
}

/// Is it kept back? Else there is no room for what is new.
pub(crate) async fn is_there(db: &Session) -> Result<bool, StoreError> {
    let sql = "SELECT to_regclass('packmule.room') IS NOT NULL";
    get(&db.one(sql, &[]).await?, 0)
}

/// Gives it to whoever must not be refused.
pub(crate) async fn let_go(db: &Session) -> Result<(), StoreError> {
    let dropped = db.client().batch_execute("DROP TABLE IF EXISTS room").await;
    dropped.map_err(fault)
}
