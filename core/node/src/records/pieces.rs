//! The pieces of wire forms that are still coming.
//!
//! Called by [`super::write`] and [`super::read`]. A partial is written again each time it has
//! grown; the bytes of a wire form at one place never change, so that only what is new is stored,
//! and a long message does not cost its length squared.

use std::ops::Range;

use packmule_bus::bus::io::{Partial, WireHash};
use rusqlite::{Connection, params};

use crate::peers::{from_sql, to_sql};

/// Stores what is new of these pieces.
pub(super) fn write(db: &Connection, partial: &Partial) -> rusqlite::Result<()> {
    let there = spans(db, &partial.wire)?;
    let mut insert =
        db.prepare_cached("INSERT INTO pieces (wire, start, bytes) VALUES (?1, ?2, ?3)")?;
    for (range, bytes) in &partial.pieces {
        for gap in gaps(range, &there) {
            let from = usize::try_from(gap.start - range.start).unwrap_or(usize::MAX);
            let to = usize::try_from(gap.end - range.start).unwrap_or(usize::MAX);
            if let Some(new) = bytes.get(from..to) {
                insert.execute(params![partial.wire.0, to_sql(gap.start), new])?;
            }
        }
    }
    Ok(())
}

/// All pieces of a wire form, those that touch joined.
pub(super) fn read(
    db: &Connection,
    wire: &WireHash,
) -> rusqlite::Result<Vec<(Range<u64>, Vec<u8>)>> {
    let mut query =
        db.prepare_cached("SELECT start, bytes FROM pieces WHERE wire = ?1 ORDER BY start")?;
    let rows = query.query_map([wire.0], |row| {
        Ok((from_sql(row.get(0)?), row.get::<_, Vec<u8>>(1)?))
    })?;
    let mut pieces: Vec<(Range<u64>, Vec<u8>)> = Vec::new();
    for row in rows {
        let (start, bytes) = row?;
        let end = start.saturating_add(bytes.len() as u64);
        match pieces.last_mut() {
            Some((last, joined)) if last.end == start => {
                last.end = end;
                joined.extend_from_slice(&bytes);
            }
            _ => pieces.push((start..end, bytes)),
        }
    }
    Ok(pieces)
}

fn spans(db: &Connection, wire: &WireHash) -> rusqlite::Result<Vec<Range<u64>>> {
    let mut query = db
        .prepare_cached("SELECT start, length(bytes) FROM pieces WHERE wire = ?1 ORDER BY start")?;
    let rows = query.query_map([wire.0], |row| {
        let start = from_sql(row.get(0)?);
        Ok(start..start.saturating_add(from_sql(row.get(1)?)))
    })?;
    rows.collect()
}

/// What of a range is in none of these spans, which ascend.
fn gaps(range: &Range<u64>, there: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut gaps = Vec::new();
    let mut at = range.start;
    for span in there {
        if span.start >= range.end {
            break;
        }
        if span.start > at {
            gaps.push(at..span.start);
        }
        at = at.max(span.end);
    }
    if at < range.end {
        gaps.push(at..range.end);
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::gaps;

    #[test]
    fn only_what_is_not_there_is_a_gap() {
        let there = [0..10, 20..30, 30..35];
        let starts_and_ends = |from, to| -> Vec<(u64, u64)> {
            let gaps = gaps(&(from..to), &there);
            gaps.into_iter().map(|gap| (gap.start, gap.end)).collect()
        };
        assert_eq!(starts_and_ends(0, 40), [(10, 20), (35, 40)]);
        assert_eq!(starts_and_ends(5, 25), [(10, 20)]);
        assert_eq!(starts_and_ends(12, 15), [(12, 15)]);
        assert!(starts_and_ends(21, 34).is_empty());
        assert_eq!(starts_and_ends(50, 60), [(50, 60)]);
        assert_eq!(gaps(&(3..7), &[]).len(), 1);
    }
}
