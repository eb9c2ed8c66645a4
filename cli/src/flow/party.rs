//! One party at its desk, as verbs see it.
//!
//! Who calls it: verbs that pack, open, or name a peer. What can go wrong: there is no such peer.

use packmule_node::{Home, PeerRecord};

pub(crate) use packmule_node::desk::Desk as Party;
use packmule_node::desk::Judged;

use crate::fault::Fault;
use crate::ui::progress::Progress;

/// The peer with this name or DID.
pub(crate) fn peer(home: &Home, name_or_did: &str) -> Result<PeerRecord, Fault> {
    home.find_peer(name_or_did)?.ok_or_else(|| {
        Fault::not_found(format!("there is no peer {name_or_did:?}"))
            .hint("`packmule peers` lists them; `packmule accept` adds one")
    })
}

/// Opens every accepted message that was not opened yet, with a progress bar.
pub(crate) fn judge(party: &Party, quiet: bool) -> Result<Judged, Fault> {
    let mut progress = Progress::new("opening", 0, quiet);
    Ok(party.judge_telling(&mut |more| progress.add(more))?)
}
