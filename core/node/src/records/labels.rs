//! Labels, and whoever took copies, as columns.
//!
//! Called by [`super::write`] and [`super::read`]. What can go wrong: a row that was tampered
//! with; reading answers nothing then.

use data_encoding::HEXLOWER;
use packmule_bus::{
    bus::io::{NodeKey, Taker},
    label::{DidTag, Label, Priority},
};
use rusqlite::Row;

use crate::peers::from_sql;

/// The columns of a label, in this order.
pub(super) const LABEL: &str = "recipient, expires, priority, hops, copies";

/// Reads [`LABEL`] from the column `at` on.
pub(super) fn label(row: &Row<'_>, at: usize) -> rusqlite::Result<Label> {
    Ok(Label {
        to: DidTag::from_bytes(row.get(at)?),
        expires: row.get::<_, Option<i64>>(at + 1)?.map(from_sql),
        priority: priority(row.get(at + 2)?),
        hops: row.get(at + 3)?,
        copies: row.get(at + 4)?,
    })
}

/// Anything that is none of the three is the usual one.
pub(crate) fn priority(number: i64) -> Priority {
    match number {
        0 => Priority::Bulk,
        2 => Priority::Urgent,
        _ => Priority::Normal,
    }
}

/// Names of transports are lower-case letters and digits, so that a comma keeps them apart.
pub(crate) fn names(text: &str) -> Vec<String> {
    let names = text.split(',').filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

type Line = (Option<String>, String, u64, u16, bool);

/// As JSON, for whoever looks into the store by hand.
pub(super) fn takers_text(takers: &[Taker]) -> String {
    let lines: Vec<Line> = takers
        .iter()
        .map(|taker| {
            let node = taker.node.map(|key| HEXLOWER.encode(&key.0));
            (
                node,
                taker.transport.clone(),
                taker.at,
                taker.copies,
                taker.sure,
            )
        })
        .collect();
    serde_json::to_string(&lines).unwrap_or_default()
}

pub(super) fn takers(text: &str) -> Option<Vec<Taker>> {
    let lines: Vec<Line> = serde_json::from_str(text).ok()?;
    lines
        .into_iter()
        .map(|(node, transport, at, copies, sure)| {
            let node = match node {
                Some(hex) => {
                    let key = HEXLOWER.decode(hex.as_bytes()).ok()?;
                    Some(NodeKey(key.try_into().ok()?))
                }
                None => None,
            };
            Some(Taker {
                node,
                transport,
                at,
                copies,
                sure,
            })
        })
        .collect()
}
