//! A table for the letters of each day of expiry, made when it is needed and dropped when it is
//! empty and over.
//!
//! Deleted rows are room inside a table, not on the disk; a table that is dropped is. Called by
//! the writer before it takes letters on, and when what has expired was ended. What can go wrong:
//! a table cannot be made, because somebody holds the others for long, or because letters of that
//! day lie in `letters_rest` already: then they all lie there. All is right either way.

use std::collections::BTreeSet;

use packmule_gateway::store::kept::number;
use packmule_gateway::store::{Moment, StoreError};
use tokio_postgres::Client;

use crate::columns::get;
use crate::connect::Session;
use crate::enqueue::Brought;
use crate::fault::fault;
use crate::schema::LOCKS;

const DAY: u64 = 86_400_000;
/// Days ahead that get a table; what waits longer lies together.
const AHEAD: u64 = 64;
/// Bytes from which on a table that has become empty before its day is made small.
const LARGE: i64 = 8 << 20;

/// The days whose tables need not be made.
#[derive(Default)]
pub(crate) struct Days(BTreeSet<u64>);

impl Days {
    /// Makes the tables that these letters are to lie in.
    pub(crate) async fn make(&mut self, db: &Session, brought: impl Iterator<Item = &Brought>) {
        for it in brought {
            let today = it.now.as_millis() / DAY;
            for letter in &it.letters {
                let day = letter.expires.as_millis() / DAY;
                if (today..today + AHEAD).contains(&day) && self.0.insert(day) {
                    // What fails here is not tried again: `letters_rest` takes them.
                    let made = make(db, day).await;
                    if made.is_err() {
                        let _ = db.client().batch_execute("ROLLBACK").await;
                    }
                }
            }
            self.0.retain(|day| *day + 1 >= today);
        }
    }
}

/// Makes the table of a day.
pub(crate) fn sql(day: u64) -> String {
    let (from, to) = (day * DAY, (day + 1) * DAY);
    format!(
        "CREATE TABLE packmule.letters_d{day} (LIKE packmule.letters INCLUDING ALL);
        ALTER TABLE packmule.letters ATTACH PARTITION packmule.letters_d{day}
            FOR VALUES FROM ({from}) TO ({to});\n"
    )
}

/// The days that have a table.
pub(crate) async fn list(db: &Client) -> Result<Vec<u64>, StoreError> {
    let rows = db.query(TABLES, &[]).await.map_err(fault)?;
    let days = rows.iter().map(|row| get(row, 0).map(number));
    days.collect()
}

const TABLES: &str = "
    SELECT substr(relname, 10)::bigint, pg_total_relation_size(pg_class.oid)
        FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'packmule.letters'::regclass AND relname ~ '^letters_d[0-9]+$'";

/// Waits for whoever reads `letters_rest`, and holds up who would read it: not for long.
async fn make(db: &Session, day: u64) -> Result<(), StoreError> {
    let make = sql(day);
    let sql = format!(
        "BEGIN;
        SET LOCAL lock_timeout = '200ms';
        SELECT pg_advisory_xact_lock({LOCKS}, 1);
        DO $$ BEGIN IF to_regclass('packmule.letters_d{day}') IS NULL THEN {make} END IF; END $$;
        COMMIT"
    );
    db.client().batch_execute(&sql).await.map_err(fault)
}

/// Drops the tables of days that are over and empty, and makes those small that are large and
/// empty. Whoever is in the way is not waited for: it is done the next time.
pub(crate) async fn tidy(db: &Session, now: Moment) -> Result<(), StoreError> {
    for row in db.rows(TABLES, &[]).await? {
        let (day, size) = (get(&row, 0).map(number)?, get::<i64>(&row, 1)?);
        let over = (day + 1) * DAY <= now.as_millis();
        if !over && size < LARGE {
            continue;
        }
        // The whole before its part, as everybody else locks them.
        let (lock, remove) = match over {
            true => ("LOCK TABLE ONLY letters IN ACCESS EXCLUSIVE MODE;", "DROP"),
            false => ("", "TRUNCATE"),
        };
        let sql = format!(
            "BEGIN;
            SET LOCAL lock_timeout = '100ms';
            {lock}
            LOCK TABLE ONLY letters_d{day} IN ACCESS EXCLUSIVE MODE;
            DO $$ BEGIN IF NOT EXISTS (SELECT FROM letters_d{day}) THEN
                {remove} TABLE letters_d{day};
            END IF; END $$;
            COMMIT"
        );
        if db.client().batch_execute(&sql).await.is_err() {
            db.client().batch_execute("ROLLBACK").await.map_err(fault)?;
        }
    }
    Ok(())
}
