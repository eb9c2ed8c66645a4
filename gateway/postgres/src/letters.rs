//! Letters that wait: counted, given out.
//!
//! Called by readers. What can go wrong: besides the server, a body that is not what was written.
//! Such a one holds up no other: it is told when nothing else is left to give out.

use std::collections::HashMap;

use packmule_bus::Envelope;
use packmule_gateway::store::kept::{int, millis, number, priority};
use packmule_gateway::store::{Arrived, Held, Mark, Moment, StoreError, Waiting};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::columns::{count, envelope, get, moment, name};
use crate::connect::Session;
use crate::fault::damaged;

/// Bodies that are fetched at once, in bytes of JSON.
const AT_ONCE: u64 = 1 << 20;

/// Counted each time: an account holds some thousand at most, and an index that knows of delays
/// and of expiry would cost each letter more than this costs who asks.
const STATUS: &str = "
    SELECT count(*), coalesce(sum(letters.bytes), 0)::bigint,
            (array_agg(received ORDER BY seq))[1], (array_agg(received ORDER BY seq DESC))[1]
        FROM accounts JOIN letters USING (account)
        WHERE did = $1 AND ($2::text IS NULL OR recipient = $2)
            AND not_before <= $3 AND expires > $3";
/// In the order of an index, so that a page costs as much in a full mailbox as in an empty one.
const NEXT: &str = "
    SELECT seq, expires, bytes FROM letters
        WHERE account = (SELECT account FROM accounts WHERE did = $1)
            AND ($2::text IS NULL OR recipient = $2)
            AND not_before <= $3 AND expires > $3
        ORDER BY priority DESC, seq LIMIT $4";
/// Numbers come in the order of commits, so that none comes below one that was seen.
const MARK: &str = "
    SELECT coalesce(max(seq), 0) FROM accounts JOIN letters USING (account) WHERE did = $1";
const SINCE: &str = "
    SELECT seq, expires, letters.bytes FROM accounts JOIN letters USING (account)
        WHERE did = $1 AND (seq > $2 OR not_before > $3) AND not_before <= $4 AND expires > $4
        ORDER BY seq LIMIT $5";
const BODIES: &str = "
    SELECT seq, envelope, recipient, priority, received, expires, form
        FROM letters JOIN unnest($1::bigint[], $2::bigint[]) AS wanted (seq, expires)
            USING (seq, expires)";

pub(crate) async fn status(
    db: &Session,
    account: &str,
    recipient: Option<&str>,
    now: Moment,
) -> Result<Waiting, StoreError> {
    let recipient = recipient.map(name);
    let values: [&(dyn ToSql + Sync); 3] = [&name(account), &recipient, &millis(now)];
    let row = db.one(STATUS, &values).await?;
    let came = |column| {
        let millis: Option<i64> = get(&row, column)?;
        Ok::<_, StoreError>(millis.map(|millis| Moment::from_millis(number(millis))))
    };
    Ok(Waiting {
        count: count(&row, 0)?,
        bytes: count(&row, 1)?,
        oldest: came(2)?,
        newest: came(3)?,
    })
}

/// Where a letter is, and how long it was.
struct Place {
    seq: i64,
    expires: i64,
    bytes: u64,
}

fn place(row: &Row) -> Result<Place, StoreError> {
    Ok(Place {
        seq: get(row, 0)?,
        expires: get(row, 1)?,
        bytes: count(row, 2)?,
    })
}

pub(crate) async fn page(
    db: &Session,
    account: &str,
    recipient: Option<&str>,
    limit: u32,
    max_bytes: u64,
    now: Moment,
) -> Result<Vec<Held>, StoreError> {
    let recipient = recipient.map(name);
    let rows = db
        .rows(
            NEXT,
            &[&name(account), &recipient, &millis(now), &i64::from(limit)],
        )
        .await?;
    let places = rows.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    let mut left = places.as_slice();
    let (mut page, mut bytes, mut broken) = (Vec::new(), 0_u64, None);
    // What they were long is not quite what they are long: as many as surely fit, then the rest.
    while !left.is_empty() {
        let room = max_bytes.saturating_sub(bytes).min(AT_ONCE);
        let (some, others) = left.split_at(fitting(left, room));
        left = others;
        for one in bodies(db, some).await? {
            match one {
                Ok(held) => {
                    bytes = bytes.saturating_add(held.packed.len() as u64);
                    if bytes > max_bytes && !page.is_empty() {
                        return Ok(page);
                    }
                    page.push(held);
                }
                Err(error) => broken = Some(error),
            }
        }
    }
    match broken {
        Some(error) if page.is_empty() => Err(error),
        _ => Ok(page),
    }
}

/// What came since, as many as fit into one exchange.
pub(crate) async fn since(
    db: &Session,
    account: &str,
    mark: Option<Mark>,
    limit: u32,
    now: Moment,
) -> Result<Arrived, StoreError> {
    let Some(mark) = mark else {
        let seq = count(&db.one(MARK, &[&name(account)]).await?, 0)?;
        return Ok(Arrived {
            mark: Mark { seq, at: now },
            ..Arrived::default()
        });
    };
    let (seq, at) = (int(mark.seq), millis(mark.at));
    let values: [&(dyn ToSql + Sync); 5] =
        [&name(account), &seq, &at, &millis(now), &i64::from(limit)];
    let rows = db.rows(SINCE, &values).await?;
    let places = rows.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    let some = places.get(..fitting(&places, AT_ONCE).min(places.len()));
    let some = some.unwrap_or_default();
    let more = some.len() < places.len() || places.len() == limit as usize;
    let highest = some.last().map_or(0, |it| number(it.seq)).max(mark.seq);
    // Of many whose delay is over at once, those beyond the limit are their owner's to ask for.
    let at = if more && highest > mark.seq {
        mark.at
    } else {
        now
    };
    // A body that is damaged is told to whoever asks for it.
    let held = bodies(db, some).await?.into_iter().flatten().collect();
    Ok(Arrived {
        held,
        mark: Mark { seq: highest, at },
        more,
    })
}

/// How many of the first have no more bytes than that together; one at least.
fn fitting(places: &[Place], room: u64) -> usize {
    let mut sum = 0_u64;
    let fits = |it: &&Place| {
        sum = sum.saturating_add(it.bytes);
        sum <= room
    };
    places.iter().take_while(fits).count().max(1)
}

/// The letters that are still there, in this order.
async fn bodies(
    db: &Session,
    places: &[Place],
) -> Result<Vec<Result<Held, StoreError>>, StoreError> {
    let seqs: Vec<i64> = places.iter().map(|it| it.seq).collect();
    let expires: Vec<i64> = places.iter().map(|it| it.expires).collect();
    let rows = db.rows(BODIES, &[&seqs, &expires]).await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in rows {
        found.insert(get::<i64>(&row, 0)?, held(&row));
    }
    Ok(seqs.iter().filter_map(|seq| found.remove(seq)).collect())
}

fn held(row: &Row) -> Result<Held, StoreError> {
    let id = envelope(row, 1)?;
    let body = Envelope::decode_trusted(get(row, 6)?, id)
        .map_err(|error| damaged(format!("message {id}: {error}")))?;
    Ok(Held {
        seq: count(row, 0)?,
        id,
        recipient: get(row, 2)?,
        packed: body.to_json(),
        priority: priority(get(row, 3)?),
        received: moment(row, 4)?,
        expires: moment(row, 5)?,
    })
}
