//! What accounts, recipients and the store hold, counted down when letters go.
//!
//! Called by acks and by endings, inside a transaction; triggers count up. What can go wrong: the
//! disk alone.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};

use crate::store::StoreError;

/// Letters and bytes that go, by account and recipient.
#[derive(Default)]
pub(super) struct Counts(BTreeMap<(i64, i64), (i64, i64)>);

impl Counts {
    pub(super) fn add(&mut self, account: i64, recipient: i64, bytes: i64) {
        let (letters, sum) = self.0.entry((account, recipient)).or_default();
        *letters += 1;
        *sum += bytes;
    }

    pub(super) fn take_off(self, db: &Connection) -> Result<(), StoreError> {
        for ((account, recipient), (letters, bytes)) in self.0 {
            db.prepare_cached(
                "UPDATE accounts SET letters = letters - ?2, bytes = bytes - ?3
                    WHERE account = ?1",
            )?
            .execute([account, letters, bytes])?;
            let held: Option<i64> = db
                .prepare_cached(
                    "UPDATE recipients SET letters = letters - ?2, bytes = bytes - ?3
                        WHERE recipient = ?1 RETURNING letters",
                )?
                .query_row([recipient, letters, bytes], |row| row.get(0))
                .optional()?;
            if held == Some(0) {
                db.prepare_cached("DELETE FROM recipients WHERE recipient = ?1")?
                    .execute([recipient])?;
            }
            db.prepare_cached("UPDATE totals SET letters = letters - ?1, bytes = bytes - ?2")?
                .execute([letters, bytes])?;
        }
        Ok(())
    }
}
