//! Coordinate-mediation as a client: the mediator holds messages for us, and for whom we serve.
//!
//! What is it: asking what it speaks, asking to be mediated, and making its list of DIDs equal to
//! ours by differences only. Who calls it: the keeper, once a visit and whenever the list of those
//! served changed. What can go wrong: [`Fault`]. A mediator that denies a second request (RootsID)
//! has granted the first: whether it holds messages for us shows when we ask for them.

use std::collections::BTreeSet;

use packmule_agent::did::{did_of, short_form};
use packmule_agent::protocol::discover_features;
use packmule_agent::protocol::mediation::{
    self, Action, Answer, Change, Listing, MAX_ENTRIES, Outcome, Page, Version,
};
use packmule_agent::protocol::pickup;

use crate::fault::Fault;
use crate::line::Line;
use crate::memory::Memory;

/// Most changes of one update, and the bytes of their DIDs: some servers take 100 kB.
const BATCH: usize = 100;
const BATCH_BYTES: usize = 48 << 10;
/// Pages of a list that are read: more DIDs than any gateway serves.
const PAGES: usize = 10_000;

/// What became of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registered {
    pub(crate) added: u64,
    pub(crate) removed: u64,
    pub(crate) refused: u64,
    /// Some could not be done now.
    pub(crate) left: bool,
}

/// Asks what it speaks, once: who does not answer that speaks what everybody does.
pub(crate) async fn discover(line: &mut Line, memory: &mut Memory) -> Result<(), Fault> {
    if memory.asked {
        return Ok(());
    }
    let about = [
        ("protocol", "https://didcomm.org/coordinate-mediation/*"),
        ("protocol", "https://didcomm.org/message-pickup/*"),
        ("protocol", "https://didcomm.org/messagepickup/*"),
    ];
    let mut question = discover_features::queries(&about);
    question.return_route = Some("all".to_owned());
    let told = match line.ask(&question).await {
        Ok(None) => return Ok(()),
        Ok(told) => told,
        // It does not know the question.
        Err(Fault::Problem(_) | Fault::Refused(_) | Fault::Nonsense(_)) => None,
        Err(fault) => return Err(fault),
    };
    let features = told.as_ref().and_then(discover_features::disclosed);
    let features = features.unwrap_or_default();
    let speaks = |piuri: &str| features.iter().any(|one| one.id.starts_with(piuri));
    memory.mediation_2 = speaks(mediation::PIURI_2) && !speaks(mediation::PIURI);
    memory.pickup_4 = speaks(pickup::PIURI);
    memory.asked = true;
    Ok(())
}

/// Asks to be mediated, in 3.0 or else in 2.0.
pub(crate) async fn request(line: &mut Line, memory: &mut Memory) -> Result<(), Fault> {
    let first = memory.mediation();
    let other = match first {
        Version::V2 => Version::V3,
        Version::V3 => Version::V2,
    };
    let mut last = Fault::Denied;
    for version in [first, other] {
        match line.ask(&mediation::request(version)).await {
            Ok(Some(answer)) => match mediation::read_answer(&answer) {
                Some(Answer::Granted(routing)) => {
                    memory.mediation_2 = version == Version::V2;
                    memory.routing = routing;
                    return Ok(());
                }
                Some(Answer::Denied) => {
                    memory.mediation_2 = version == Version::V2;
                    return known(line, memory).await;
                }
                _ => last = Fault::Nonsense("no word about mediation".to_owned()),
            },
            Ok(None) => last = Fault::Nonsense("silence about mediation".to_owned()),
            // This version is not spoken there, or this question is not liked.
            Err(fault @ (Fault::Problem(_) | Fault::Refused(_))) => last = fault,
            Err(fault) => return Err(fault),
        }
    }
    Err(last)
}

/// Denied: does it know us all the same?
async fn known(line: &mut Line, memory: &Memory) -> Result<(), Fault> {
    let status = pickup::status_request(memory.pickup(), None);
    match line.ask(&status).await {
        Ok(Some(answer)) if pickup::read_answer(&answer).is_some() => Ok(()),
        Ok(_) | Err(Fault::Problem(_) | Fault::Refused(_)) => Err(Fault::Denied),
        Err(fault) => Err(fault),
    }
}

/// The mediator's list, as far as it is known here.
#[derive(Debug, Default)]
pub(crate) struct Roll {
    /// Those that it holds messages for; `None` until it was asked in this visit.
    listed: Option<Vec<String>>,
    /// Those that it did not want: they are not asked for again.
    hopeless: BTreeSet<String>,
}

impl Roll {
    /// What it said in an earlier visit counts no more; what it did not want, it still does not.
    pub(crate) fn forget(&mut self) {
        self.listed = None;
    }

    /// How many it holds messages for, besides us.
    pub(crate) fn held(&self, own: &str) -> u64 {
        let listed = self.listed.iter().flatten();
        listed.filter(|did| name(did) != name(own)).count() as u64
    }

    /// How many it did not want, besides us.
    pub(crate) fn refused(&self, own: &str) -> u64 {
        let hopeless = self.hopeless.iter();
        hopeless.filter(|did| *did != name(own)).count() as u64
    }

    /// One change was told: what became of it.
    fn note(&mut self, change: &Change, own: &str, outcome: Outcome, done: &mut Registered) {
        let adds = change.action == Action::Add;
        let ours = name(&change.did) == name(own);
        match outcome {
            Outcome::ServerError => done.left = true,
            // Some say so because an account's own DID needs no entry (estoc).
            Outcome::ClientError if ours => {
                self.hopeless.insert(name(&change.did).to_owned());
            }
            Outcome::ClientError => {
                done.refused += 1;
                self.hopeless.insert(name(&change.did).to_owned());
            }
            Outcome::Success | Outcome::NoChange => {
                let listed = self.listed.get_or_insert_default();
                if adds {
                    listed.push(change.did.clone());
                    done.added += u64::from(!ours);
                } else {
                    listed.retain(|did| name(did) != name(&change.did));
                    done.removed += 1;
                }
            }
        }
    }
}

/// Makes the mediator's list equal to `served`, and ourselves.
pub(crate) async fn reconcile(
    line: &mut Line,
    memory: &Memory,
    own: &str,
    served: &[String],
    roll: &mut Roll,
) -> Result<Registered, Fault> {
    let version = memory.mediation();
    let listed = match roll.listed.take() {
        Some(listed) => listed,
        None => match list(line, version).await {
            // It knows no such question: then it is told of all.
            Err(Fault::Problem(_) | Fault::Refused(_)) => Vec::new(),
            other => other?,
        },
    };
    let changes = differences(own, served, &listed, &roll.hopeless);
    roll.listed = Some(listed);
    let mut done = Registered::default();
    for batch in batches(&changes) {
        let answer = line.ask(&mediation::update(version, batch)).await?;
        let updated = answer.as_ref().and_then(mediation::read_answer);
        let Some(Answer::Updated(outcomes)) = updated else {
            return Err(Fault::Nonsense("no word about an update".to_owned()));
        };
        for (change, outcome) in outcomes {
            roll.note(&change, own, outcome, &mut done);
        }
    }
    Ok(done)
}

/// Every DID that it holds messages for.
async fn list(line: &mut Line, version: Version) -> Result<Vec<String>, Fault> {
    let mut all = Vec::new();
    let mut page: Option<Page> = None;
    for _ in 0..PAGES {
        let answer = line.ask(&mediation::query(version, page)).await?;
        let listed = answer.as_ref().and_then(mediation::read_answer);
        let Some(Answer::Listed(listing)) = listed else {
            return Err(Fault::Nonsense("no list of DIDs".to_owned()));
        };
        page = Some(next(&listing));
        let (some, more) = (!listing.dids.is_empty(), listing.remaining > 0);
        all.extend(listing.dids);
        if !(some && more) {
            break;
        }
    }
    Ok(all)
}

fn next(listing: &Listing) -> Page {
    Page {
        limit: u32::try_from(MAX_ENTRIES).unwrap_or(u32::MAX),
        ..Page::from(listing)
    }
}

/// The one spelling by which DIDs are compared: of a did:peer:4 the short form.
fn name(did: &str) -> &str {
    let did = did_of(did);
    short_form(did).unwrap_or(did)
}

/// What is to change so that its list is ours. We ourselves have the account, and most need no
/// entry for that; those that go by the letter of the protocol do.
fn differences(
    own: &str,
    served: &[String],
    listed: &[String],
    hopeless: &BTreeSet<String>,
) -> Vec<Change> {
    let wanted: BTreeSet<&str> = served.iter().map(|did| name(did)).collect();
    let there: BTreeSet<&str> = listed.iter().map(|did| name(did)).collect();
    let all = std::iter::once(own).chain(served.iter().map(String::as_str));
    let adds = all.filter(|did| {
        let did = name(did);
        !there.contains(did) && !hopeless.contains(did)
    });
    let mut seen = BTreeSet::new();
    let adds = adds.filter(|did| seen.insert(name(did)));
    let mut changes: Vec<Change> = adds.map(Change::add).collect();
    let removes = listed.iter().filter(|did| {
        let did = name(did);
        did != name(own) && !wanted.contains(did)
    });
    changes.extend(removes.map(|did| Change::remove(did)));
    changes
}

/// The changes in parts that a mediator takes at once.
fn batches(changes: &[Change]) -> impl Iterator<Item = &[Change]> {
    let mut rest = changes;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |change: &&Change| {
            bytes += change.did.len();
            bytes <= BATCH_BYTES
        };
        let many = rest.iter().take(BATCH).take_while(fits).count().max(1);
        let (batch, more) = rest.split_at_checked(many)?;
        rest = more;
        Some(batch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dids(names: &[&str]) -> Vec<String> {
        names
            .iter()
            .map(|name| format!("did:example:{name}"))
            .collect()
    }

    #[test]
    fn only_differences_are_told() {
        let own = "did:example:kiosk";
        let hopeless = BTreeSet::from(["did:example:evil".to_owned()]);
        let served = dids(&["kiosk", "alice", "bob", "bob", "evil"]);
        let listed = dids(&["bob", "gone", "kiosk"]);
        let changes = differences(own, &served, &listed, &hopeless);
        assert_eq!(
            changes,
            [
                Change::add("did:example:alice"),
                Change::remove("did:example:gone")
            ]
        );
        let there = dids(&["bob", "kiosk"]);
        assert!(differences(own, &dids(&["bob"]), &there, &hopeless).is_empty());
        let changes = differences(own, &[], &[], &hopeless);
        assert_eq!(
            changes,
            [Change::add(own)],
            "we ourselves, before all others"
        );
    }

    #[test]
    fn many_changes_go_in_parts_that_are_taken() {
        let many: Vec<Change> = (0..1_000)
            .map(|n| Change::add(&format!("did:x:{n}")))
            .collect();
        let long = vec![Change::add(&"d".repeat(2_048)); 100];
        let huge = [Change::add(&"d".repeat(BATCH_BYTES + 1))];
        for changes in [&many[..], &long, &huge, &[]] {
            let parts: Vec<&[Change]> = batches(changes).collect();
            assert_eq!(parts.concat(), changes);
            for part in parts {
                let bytes: usize = part.iter().map(|change| change.did.len()).sum();
                assert!(part.len() <= BATCH && (bytes <= BATCH_BYTES || part.len() == 1));
            }
        }
    }
}
