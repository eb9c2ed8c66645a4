//! Alice takes a new DID, Bob follows; Mallory has found the key of the old one.

use super::*;
use crate::did::{Method, NewDid, create};
use crate::keys::Keyring;
use crate::pack::{Jose, Limits, Opened, PackPlan, Packer};
use crate::resolve::DocBook;

struct Party {
    did: String,
    kid: String,
    ring: Keyring,
}

impl Party {
    fn new(method: Method) -> Self {
        let NewDid { did, doc, secrets } = create(method, &[]).unwrap();
        let kid = doc.authentication[0].clone();
        let ring = secrets.into_iter().collect();
        Self { did, kid, ring }
    }

    fn leaves_for(&self, new: Option<&str>, now: u64) -> Rotation {
        let key = self.ring.get(&self.kid).unwrap();
        Rotation::begin(&self.did, new, now, &self.kid, key).unwrap()
    }

    fn opens(&self, packed: &[u8]) -> Opened {
        Jose.open(packed, &self.ring, &DocBook::new(), &Limits::default())
            .unwrap()
    }
}

fn pack(message: &Message, by: &Party, to: &Party) -> Vec<u8> {
    let plan = PackPlan {
        to: vec![to.did.clone()],
        from: message.from.clone(),
        ..PackPlan::default()
    };
    Jose.pack(&message.to_json(), &plan, &by.ring, &DocBook::new())
        .unwrap()
        .remove(0)
}

fn letter(to: &Party) -> Message {
    let mut letter = crate::protocol::basic_message::message("noon");
    letter.to = vec![to.did.clone()];
    letter
}

fn hears(bob: &mut Relationship, opened: &Opened, now: u64) -> Heard {
    let created = opened
        .message
        .get("created_time")
        .and_then(|at| at.as_u64());
    bob.hear(
        opened.sender.as_deref(),
        opened.from_prior.as_ref(),
        created,
        now,
    )
}

/// The whole way, packed and opened, for every kind of DID.
#[test]
fn alice_moves_and_bob_follows() {
    for method in Method::ALL {
        let (old, new, bob) = (
            Party::new(method),
            Party::new(method),
            // P-256 and X25519 cannot agree on a key.
            Party::new(method),
        );
        let mut rotation = old.leaves_for(Some(&new.did), 1000);
        let mut relation = Relationship::with(&old.did);

        let mut first = letter(&bob);
        rotation.stamp(&mut first);
        let opened = bob.opens(&pack(&first, &new, &bob));
        assert_eq!(
            hears(&mut relation, &opened, 1001),
            Heard::Rotated,
            "{method}"
        );
        assert!(same_did(relation.current().unwrap(), &new.did), "{method}");

        // Bob has not answered yet: Alice says it again, which changes nothing.
        let mut second = letter(&bob);
        rotation.stamp(&mut second);
        assert!(second.from_prior.is_some());
        let opened = bob.opens(&pack(&second, &new, &bob));
        assert_eq!(hears(&mut relation, &opened, 1002), Heard::Current);

        // A letter of Bob's to her old DID was on its way; then one to the new.
        rotation.heard_at(&old.did);
        assert!(!rotation.is_settled());
        rotation.heard_at(&format!("{}#key-1", new.did));
        assert!(rotation.is_settled());
        let mut third = letter(&bob);
        rotation.stamp(&mut third);
        assert_eq!((third.from_prior, third.from), (None, Some(new.did)));
    }
}

#[test]
fn alice_ends_it() {
    let (alice, bob) = (Party::new(Method::Peer4), Party::new(Method::Key));
    let mut rotation = alice.leaves_for(None, 1000);
    let mut farewell = letter(&bob);
    rotation.stamp(&mut farewell);
    assert_eq!(farewell.from, None);
    let opened = bob.opens(&pack(&farewell, &alice, &bob));
    let mut relation = Relationship::with(&alice.did);
    assert_eq!(hears(&mut relation, &opened, 1001), Heard::Ended);
    assert_eq!(relation.current(), None);
    // Told again, it is nobody's; the old DID is not heard again.
    assert_eq!(hears(&mut relation, &opened, 1002), Heard::Stranger);
    assert_eq!(
        relation.hear(Some(&alice.did), None, Some(1002), 1002),
        Heard::Stale
    );
    assert_eq!(
        relation.hear(Some(&alice.did), None, Some(999), 1002),
        Heard::Late
    );
    rotation.heard_at(&alice.did);
    assert!(!rotation.is_settled());
}

fn prior(iss: &str, sub: Option<&str>, iat: u64) -> FromPrior {
    FromPrior {
        iss: iss.to_owned(),
        sub: sub.map(str::to_owned),
        iat: Some(iat),
    }
}

const OLD: &str = "did:example:old";
const NEW: &str = "did:example:new";
const MALLORY: &str = "did:example:mallory";

fn moved() -> Relationship {
    let mut relation = Relationship::with(OLD);
    let told = prior(OLD, Some(NEW), 1000);
    assert_eq!(
        relation.hear(Some(NEW), Some(&told), None, 5000),
        Heard::Rotated
    );
    relation
}

#[test]
fn slow_mules_bring_letters_from_before() {
    let mut relation = moved();
    for (created, heard) in [
        (Some(999), Heard::Late),
        (Some(1000), Heard::Stale),
        (Some(4000), Heard::Stale),
        (None, Heard::Stale),
    ] {
        assert_eq!(
            relation.hear(Some(OLD), None, created, 6000),
            heard,
            "{created:?}"
        );
    }
    assert_eq!(relation.hear(Some(NEW), None, None, 6000), Heard::Current);
    assert_eq!(
        relation.hear(Some(MALLORY), None, Some(1), 6000),
        Heard::Stranger
    );
    assert_eq!(relation.hear(None, None, Some(1), 6000), Heard::Stranger);
}

/// Alice rotated because her old key was stolen.
#[test]
fn mallory_cannot_use_the_old_key_to_move_alice_again() {
    let mut relation = moved();
    let told = prior(OLD, Some(MALLORY), 2000);
    assert_eq!(
        relation.hear(Some(MALLORY), Some(&told), None, 6000),
        Heard::Stranger
    );
    let ended = prior(OLD, None, 2000);
    assert_eq!(
        relation.hear(None, Some(&ended), None, 6000),
        Heard::Stranger
    );
    assert_eq!(
        relation.hear(Some(OLD), Some(&ended), Some(2000), 6000),
        Heard::Stale
    );
    assert_eq!(relation.current(), Some(NEW));
    // Nor does her own DID's word count.
    let told = prior(MALLORY, Some(NEW), 2000);
    assert_eq!(
        relation.hear(Some(NEW), Some(&told), None, 6000),
        Heard::Current
    );
    assert_eq!(relation, moved());
}

#[test]
fn a_rotation_played_again_does_not_undo_the_way_back() {
    let mut relation = moved();
    let back = prior(NEW, Some(OLD), 2000);
    assert_eq!(
        relation.hear(Some(OLD), Some(&back), None, 6000),
        Heard::Rotated
    );
    assert_eq!(relation.current(), Some(OLD));
    let again = prior(OLD, Some(NEW), 1000);
    assert_eq!(
        relation.hear(Some(NEW), Some(&again), Some(1000), 6000),
        Heard::Late
    );
    assert_eq!(relation.current(), Some(OLD));
    // In earnest, later, she may.
    let earnest = prior(OLD, Some(NEW), 3000);
    assert_eq!(
        relation.hear(Some(NEW), Some(&earnest), None, 6000),
        Heard::Rotated
    );
}

#[test]
fn a_clock_ahead_does_not_keep_the_old_did_alive() {
    let mut relation = Relationship::with(OLD);
    let told = prior(OLD, Some(NEW), u64::MAX);
    assert_eq!(
        relation.hear(Some(NEW), Some(&told), None, 5000),
        Heard::Rotated
    );
    assert_eq!(
        relation.hear(Some(OLD), None, Some(5001), 6000),
        Heard::Stale
    );
}

#[test]
fn a_thousand_moves_are_not_all_remembered() {
    let mut relation = Relationship::with("did:example:0");
    for n in 1..1000_u64 {
        let (old, new) = (format!("did:example:{}", n - 1), format!("did:example:{n}"));
        let told = prior(&old, Some(&new), n);
        assert_eq!(
            relation.hear(Some(&new), Some(&told), None, n),
            Heard::Rotated
        );
    }
    assert_eq!(relation.former.len(), MAX_FORMER);
    let kept = serde_json::to_string(&relation).unwrap();
    assert_eq!(
        serde_json::from_str::<Relationship>(&kept).unwrap(),
        relation
    );
}

#[test]
fn only_the_old_dids_own_signing_key_can_begin() {
    let (alice, mallory) = (Party::new(Method::Peer2), Party::new(Method::Peer2));
    let key = mallory.ring.get(&mallory.kid).unwrap();
    let begin = |new, kid: &str, key| Rotation::begin(&alice.did, new, 1, kid, key).unwrap_err();
    assert_eq!(begin(Some(NEW), &mallory.kid, key), RotationError::Kid);
    assert_eq!(
        begin(Some(&alice.did), &alice.kid, key),
        RotationError::Same
    );
    let (_, agree) = alice
        .ring
        .iter()
        .find(|(kid, _)| **kid != alice.kid)
        .unwrap();
    assert_eq!(begin(Some(NEW), &alice.kid, agree), RotationError::Sign);
}
