//! The ways by which a peer can be reached, as a person entered them.
//!
//! Who calls it: `peers ways`, `send --by`, and the node, which tries them in this order before
//! those that the peer's DID document names. What can go wrong: no such peer; the disk.

use packmule_bus::link::Way;
use rusqlite::{OptionalExtension, params};

use crate::{Home, HomeError, PeerError};

impl Home {
    /// The ways of the peer with this name, DID, or alias, best first.
    pub fn ways(&self, peer: &str) -> Result<Vec<Way>, HomeError> {
        let sql = "SELECT way FROM ways WHERE peer IN (
                     SELECT peer FROM peers WHERE name = ?1
                     UNION SELECT peer FROM aliases WHERE did = ?1) ORDER BY rank";
        let db = self.db();
        let mut query = db.prepare_cached(sql)?;
        let rows = query.query_map([peer], |row| row.get::<_, String>(0))?;
        let texts: Vec<String> = rows.collect::<Result<_, _>>()?;
        // One that a newer version wrote and this one does not understand is no way here.
        Ok(texts.iter().filter_map(|text| Way::parse(text)).collect())
    }

    /// Replaces the ways of a peer; none at all leaves those of its DID document.
    pub fn set_ways(&self, peer: &str, ways: &[Way]) -> Result<(), PeerError> {
        self.change(|tx| {
            let sql = "SELECT peer FROM peers WHERE name = ?1
                       UNION SELECT peer FROM aliases WHERE did = ?1";
            let id: Option<i64> = tx
                .query_row(sql, [peer], |row| row.get(0))
                .optional()
                .map_err(HomeError::from)?;
            let id = id.ok_or_else(|| PeerError::Unknown(peer.to_owned()))?;
            tx.execute("DELETE FROM ways WHERE peer = ?1", [id])
                .map_err(HomeError::from)?;
            let mut insert = tx
                .prepare_cached("INSERT INTO ways (peer, rank, way) VALUES (?1, ?2, ?3)")
                .map_err(HomeError::from)?;
            for (rank, way) in ways.iter().enumerate() {
                let rank = i64::try_from(rank).unwrap_or(i64::MAX);
                insert
                    .execute(params![id, rank, way.as_str()])
                    .map_err(HomeError::from)?;
            }
            Ok(())
        })
    }
}
