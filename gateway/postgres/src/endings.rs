//! Letters that end without an ack, and what is kept of them; what is forgotten; totals.
//!
//! What changes something is called by the writer, inside its transaction; the rest by readers.
//! What can go wrong: the server alone.

use packmule_gateway::store::kept::{int, millis};
use packmule_gateway::store::{DeadLetter, Ending, Limits, Moment, StoreError, Totals};
use tokio_postgres::Row;

use crate::columns::{count, envelope, get, moment};
use crate::connect::Session;

/// Letters that end in one transaction, and names that are forgotten: others wait meanwhile.
pub(crate) const STEP: u64 = 500;

/// `$1` is now, `$2` why. Nobody has them: they may come again, with more time. Rows that somebody
/// else holds, such as an operator with a shell, are left for the next time.
macro_rules! bury {
    ($which:literal) => {
        concat!(
            "WITH over AS MATERIALIZED (
                SELECT seq, expires FROM letters WHERE ",
            $which,
            " FOR UPDATE SKIP LOCKED),
            gone AS (
                DELETE FROM letters USING over
                    WHERE letters.seq = over.seq AND letters.expires = over.expires
                    RETURNING letters.seq, account, recipient, envelope, bytes, received,
                        letters.expires),
            forgotten AS (
                DELETE FROM known USING gone
                    WHERE known.account = gone.account
                        AND known.envelope = substr(gone.envelope, 1, 16)),
            buried AS (
                INSERT INTO dead (envelope, account, recipient, bytes, received, ended, why)
                    SELECT envelope, did, recipient, gone.bytes, received,
                            $1::bigint, $2::smallint
                        FROM gone JOIN accounts USING (account) ORDER BY gone.expires, gone.seq
                    RETURNING 1)
            SELECT count(*) FROM buried"
        )
    };
}

const EXPIRE: &str = bury!("expires <= $1 ORDER BY expires LIMIT $3");
const CLOSE: &str = bury!("account = $3");

/// Ends some of what has expired. Answers how many; fewer than [`STEP`] were the last.
pub(crate) async fn expire(db: &Session, limits: &Limits, now: Moment) -> Result<u64, StoreError> {
    bury(db, EXPIRE, 1, int(STEP), limits, now).await
}

/// Ends all that an account holds.
pub(crate) async fn bury_account(
    db: &Session,
    account: i64,
    limits: &Limits,
    now: Moment,
) -> Result<u64, StoreError> {
    bury(db, CLOSE, 2, account, limits, now).await
}

async fn bury(
    db: &Session,
    sql: &'static str,
    why: i16,
    which: i64,
    limits: &Limits,
    now: Moment,
) -> Result<u64, StoreError> {
    let row = db.one(sql, &[&millis(now), &why, &which]).await?;
    let ended = count(&row, 0)?;
    if ended > 0 {
        let sql = "DELETE FROM dead WHERE dead <= (SELECT max(dead) FROM dead) - $1";
        db.change(sql, &[&int(limits.dead)]).await?;
    }
    Ok(ended)
}

/// How many names need not be known any more, as far as one step goes. Counted by a reader:
/// nobody waits for it.
pub(crate) async fn forgettable(
    db: &Session,
    limits: &Limits,
    now: Moment,
) -> Result<u64, StoreError> {
    let most = int(10 * STEP);
    let sql = "SELECT
            (SELECT count(*) FROM (SELECT FROM known WHERE until <= $1 LIMIT $2) over),
            (SELECT count(*) FROM known WHERE until IS NOT NULL)";
    let row = db.one(sql, &[&millis(now), &most]).await?;
    let (over, all) = (count(&row, 0)?, count(&row, 1)?);
    Ok(over.max(all.saturating_sub(limits.known)).min(10 * STEP))
}

/// Forgets so many, those first that are known for the shortest time.
pub(crate) async fn forget(db: &Session, many: u64) -> Result<u64, StoreError> {
    let sql = "DELETE FROM known USING (SELECT account, envelope FROM known
                WHERE until IS NOT NULL ORDER BY until LIMIT $1) oldest
            WHERE known.account = oldest.account AND known.envelope = oldest.envelope";
    db.change(sql, &[&int(many)]).await
}

pub(crate) async fn dead_letters(db: &Session, limit: u32) -> Result<Vec<DeadLetter>, StoreError> {
    let sql = "SELECT envelope, account, recipient, bytes, received, ended, why FROM dead
        ORDER BY dead DESC LIMIT $1";
    let rows = db.rows(sql, &[&i64::from(limit)]).await?;
    rows.iter().map(dead_letter).collect()
}

fn dead_letter(row: &Row) -> Result<DeadLetter, StoreError> {
    Ok(DeadLetter {
        id: envelope(row, 0)?,
        account: get(row, 1)?,
        recipient: get(row, 2)?,
        bytes: count(row, 3)?,
        received: moment(row, 4)?,
        ended: moment(row, 5)?,
        why: ending(get(row, 6)?),
    })
}

pub(crate) const fn ending(why: i16) -> Ending {
    match why {
        2 => Ending::Closed,
        _ => Ending::Expired,
    }
}

/// What the server's disk still has is not known here.
pub(crate) async fn totals(db: &Session) -> Result<Totals, StoreError> {
    let sql = "SELECT letters, bytes,
            (SELECT count(*) FROM accounts), (SELECT count(*) FROM bindings),
            (SELECT count(*) FROM dead),
            (SELECT received FROM letters ORDER BY seq LIMIT 1),
            (SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class
                WHERE relnamespace = 'packmule'::regnamespace AND relkind = 'r')
        FROM totals";
    let row = db.one(sql, &[]).await?;
    let oldest: Option<i64> = get(&row, 5)?;
    let mut totals = Totals::default();
    totals.letters = count(&row, 0)?;
    totals.bytes = count(&row, 1)?;
    totals.accounts = count(&row, 2)?;
    totals.bindings = count(&row, 3)?;
    totals.dead = count(&row, 4)?;
    totals.oldest = oldest.map(|_| moment(&row, 5)).transpose()?;
    totals.disk = count(&row, 6)?;
    Ok(totals)
}
