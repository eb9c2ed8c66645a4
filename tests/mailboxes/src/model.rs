//! Any sequence of verbs does to a store what it does to a simple one in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use packmule_bus::EnvelopeId;
use packmule_bus::label::Priority;
use packmule_gateway::store::{
    Change, Ending, Enqueued, Letter, Limits, MailboxStore, Moment, Opening, Outcome, Refusal,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::{Stage, noon, packed, small};

const NAMES: [&str; 5] = [
    "did:example:a",
    "did:example:b",
    "did:example:c",
    "did:example:d",
    "did:example:e",
];

fn limits() -> Limits {
    Limits {
        accounts: 3,
        bindings: 2,
        account_letters: 4,
        pair_letters: 2,
        total_letters: 7,
        known_for: Duration::from_secs(100),
        ..small()
    }
}

#[derive(Clone, Debug)]
struct Brought {
    account: usize,
    recipient: usize,
    number: usize,
    from: Option<usize>,
    priority: Priority,
    lasts: u64,
    delay: u64,
}

#[derive(Clone, Debug)]
enum Step {
    Open(usize),
    Close(usize),
    Bind(usize, usize, bool),
    Move(usize, usize),
    Enqueue(Vec<Brought>),
    Ack(usize, Vec<usize>),
    Expire,
    Wait(u64),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..NAMES.len();
    let priority = prop_oneof![
        Just(Priority::Bulk),
        Just(Priority::Normal),
        Just(Priority::Urgent)
    ];
    let brought = (
        (name.clone(), name.clone(), 0..12_usize),
        proptest::option::of(0..2_usize),
        priority,
        prop_oneof![Just(0_u64), 1..60_u64, Just(9999)],
        prop_oneof![4 => Just(0_u64), 1 => 1..40_u64],
    )
        .prop_map(
            |((account, recipient, number), from, priority, lasts, delay)| Brought {
                account,
                recipient,
                number,
                from,
                priority,
                lasts,
                delay,
            },
        );
    prop_oneof![
        4 => name.clone().prop_map(Step::Open),
        1 => name.clone().prop_map(Step::Close),
        3 => (name.clone(), name.clone(), any::<bool>()).prop_map(|(a, b, c)| Step::Bind(a, b, c)),
        1 => (name.clone(), name.clone()).prop_map(|(a, b)| Step::Move(a, b)),
        8 => proptest::collection::vec(brought, 1..6).prop_map(Step::Enqueue),
        3 => (name, proptest::collection::vec(0..12_usize, 0..6))
            .prop_map(|(a, ids)| Step::Ack(a, ids)),
        2 => Just(Step::Expire),
        2 => (1..60_u64).prop_map(Step::Wait),
        1 => Just(Step::Reopen),
    ]
}

#[derive(Clone, Debug)]
struct Kept {
    order: u64,
    id: EnvelopeId,
    recipient: &'static str,
    from: Option<usize>,
    priority: Priority,
    bytes: u64,
    received: Moment,
    expires: Moment,
    not_before: Moment,
}

#[derive(Default)]
struct Mailbox {
    letters: Vec<Kept>,
    /// `None`: it is held.
    known: BTreeMap<EnvelopeId, Option<Moment>>,
}

impl Mailbox {
    fn knows(&self, id: &EnvelopeId, now: Moment) -> bool {
        self.known
            .get(id)
            .is_some_and(|until| until.is_none_or(|until| until > now))
    }

    /// A copy came of what is held: may it be given out sooner now?
    fn renew(&mut self, copy: &Letter, now: Moment) -> bool {
        let held = self.letters.iter_mut().find(|it| it.id == copy.id());
        let Some(held) = held.filter(|_| copy.expires > now) else {
            return false;
        };
        let over = held.expires <= now;
        held.expires = held.expires.max(copy.expires);
        let later = held.not_before > now && held.not_before > copy.not_before;
        if later {
            held.not_before = copy.not_before;
        }
        over || later
    }

    fn waiting(&self, recipient: Option<&str>, now: Moment) -> Vec<&Kept> {
        let mut waiting: Vec<_> = self
            .letters
            .iter()
            .filter(|it| it.not_before <= now && it.expires > now)
            .filter(|it| recipient.is_none_or(|name| it.recipient == name))
            .collect();
        waiting.sort_by_key(|it| (std::cmp::Reverse(it.priority), it.order));
        waiting
    }
}

#[derive(Default)]
struct Model {
    accounts: BTreeMap<&'static str, Mailbox>,
    bindings: Vec<(&'static str, &'static str)>,
    dead: Vec<(EnvelopeId, &'static str, &'static str, bool)>,
    order: u64,
}

impl Model {
    fn holder(&self, did: &str) -> Option<&'static str> {
        let account = self.accounts.keys().find(|name| **name == did).copied();
        let binding = self.bindings.iter().find(|(name, _)| *name == did);
        account.or_else(|| binding.map(|(_, account)| *account))
    }

    fn open(&mut self, did: &'static str) -> Opening {
        if self.accounts.contains_key(did) {
            return Opening::Known;
        }
        if self.accounts.len() as u64 >= limits().accounts {
            return Opening::Refused;
        }
        self.bindings.retain(|(name, _)| *name != did);
        self.accounts.insert(did, Mailbox::default());
        Opening::New
    }

    fn close(&mut self, did: &'static str) -> bool {
        let Some(mailbox) = self.accounts.remove(did) else {
            return false;
        };
        let ended = mailbox
            .letters
            .iter()
            .map(|it| (it.id, did, it.recipient, true));
        self.dead.extend(ended);
        self.bindings.retain(|(_, account)| *account != did);
        true
    }

    fn bind(&mut self, account: &'static str, did: &'static str, add: bool) -> Outcome {
        if !self.accounts.contains_key(account) {
            return Outcome::ClientError;
        }
        if !add {
            let before = self.bindings.len();
            self.bindings.retain(|one| *one != (did, account));
            let same = self.bindings.len() == before;
            return if same {
                Outcome::NoChange
            } else {
                Outcome::Success
            };
        }
        match self.holder(did) {
            Some(holder) if holder == account => Outcome::NoChange,
            Some(_) => Outcome::ClientError,
            None => {
                let bound = self
                    .bindings
                    .iter()
                    .filter(|(_, holder)| *holder == account);
                if bound.count() as u64 >= limits().bindings {
                    return Outcome::ServerError;
                }
                self.bindings.push((did, account));
                Outcome::Success
            }
        }
    }

    fn moved(&mut self, old: &'static str, new: &'static str, now: Moment) -> bool {
        if old == new || !self.accounts.contains_key(old) {
            return false;
        }
        let mailbox = self.accounts.remove(old).unwrap();
        self.bindings.retain(|(name, _)| *name != new);
        self.bindings
            .iter_mut()
            .filter(|it| it.1 == old)
            .for_each(|it| it.1 = new);
        self.bindings.push((old, new));
        let heir = self.accounts.entry(new).or_default();
        let (twins, others): (Vec<_>, Vec<_>) = mailbox
            .letters
            .into_iter()
            .partition(|it| heir.knows(&it.id, now));
        for twin in twins {
            if let Some(held) = heir.letters.iter_mut().find(|it| it.id == twin.id) {
                held.expires = held.expires.max(twin.expires);
                held.not_before = held.not_before.min(twin.not_before);
            }
        }
        heir.letters.extend(others);
        for (id, until) in mailbox.known {
            if !heir.knows(&id, now) {
                heir.known.insert(id, until);
            }
        }
        true
    }

    /// For whom it is stored, or what else the store has to answer.
    fn enqueue(
        &mut self,
        letter: &Letter,
        one: &Brought,
        now: Moment,
    ) -> Result<&'static str, Enqueued> {
        let held: usize = self.accounts.values().map(|it| it.letters.len()).sum();
        let account = self.holder(NAMES[one.account]);
        let mailbox = account.and_then(|did| Some((did, self.accounts.get_mut(did)?)));
        let (did, mailbox) = mailbox.ok_or(Enqueued::Refused(Refusal::NoAccount))?;
        if mailbox.knows(&letter.id(), now) {
            return Err(match mailbox.renew(letter, now) {
                true => Enqueued::Sooner(did.into()),
                false => Enqueued::Duplicate,
            });
        }
        if letter.expires <= now {
            return Err(Enqueued::Refused(Refusal::Expired));
        }
        let pair = mailbox
            .letters
            .iter()
            .filter(|it| it.from == one.from)
            .count();
        if one.from.is_some() && pair as u64 >= limits().pair_letters {
            return Err(Enqueued::Refused(Refusal::PairFull));
        }
        if mailbox.letters.len() as u64 >= limits().account_letters {
            return Err(Enqueued::Refused(Refusal::AccountFull));
        }
        if held as u64 >= limits().total_letters {
            return Err(Enqueued::Refused(Refusal::StoreFull));
        }
        self.order += 1;
        mailbox.known.insert(letter.id(), None);
        mailbox.letters.push(Kept {
            order: self.order,
            id: letter.id(),
            recipient: NAMES[one.recipient],
            from: one.from,
            priority: one.priority,
            bytes: letter.bytes(),
            received: now,
            expires: letter.expires,
            not_before: letter.not_before,
        });
        Ok(did)
    }

    fn ack(&mut self, account: &'static str, ids: &[EnvelopeId], now: Moment) -> u64 {
        let Some(mailbox) = self.accounts.get_mut(account) else {
            return 0;
        };
        let before = mailbox.letters.len();
        for id in ids {
            if mailbox.letters.iter().any(|it| it.id == *id) {
                mailbox.letters.retain(|kept| kept.id != *id);
                mailbox.known.insert(*id, Some(now + limits().known_for));
            }
        }
        (before - mailbox.letters.len()) as u64
    }

    fn expire(&mut self, now: Moment) -> u64 {
        let before = self.dead.len();
        for (did, mailbox) in &mut self.accounts {
            for over in mailbox.letters.clone() {
                if over.expires <= now {
                    mailbox.letters.retain(|kept| kept.id != over.id);
                    mailbox.known.remove(&over.id);
                    self.dead.push((over.id, did, over.recipient, false));
                }
            }
        }
        (self.dead.len() - before) as u64
    }
}

fn bring(one: &Brought, now: Moment) -> Letter {
    let expires = now + Duration::from_secs(one.lasts);
    let (account, recipient) = (NAMES[one.account], NAMES[one.recipient]);
    let mut letter = Letter::new(account, recipient, &packed(one.number, 500), expires).unwrap();
    letter.from = one.from.map(|from| from.to_string());
    letter.priority = one.priority;
    if one.delay > 0 {
        letter.not_before = now + Duration::from_secs(one.delay);
    }
    letter
}

async fn act(store: &dyn MailboxStore, model: &mut Model, step: &Step, now: Moment) {
    match step {
        Step::Open(name) => {
            let outcome = store.open_account(NAMES[*name], now).await.unwrap();
            assert_eq!(outcome, model.open(NAMES[*name]));
        }
        Step::Close(name) => {
            let outcome = store.close_account(NAMES[*name], now).await.unwrap();
            assert_eq!(outcome, model.close(NAMES[*name]));
        }
        Step::Bind(name, did, add) => {
            let did_text = NAMES[*did].to_owned();
            let change = [Change {
                did: did_text,
                add: *add,
            }];
            let outcome = store.update(NAMES[*name], &change, now).await.unwrap();
            assert_eq!(outcome, [model.bind(NAMES[*name], NAMES[*did], *add)]);
        }
        Step::Move(old, new) => {
            let (old, new) = (NAMES[*old], NAMES[*new]);
            let outcome = store.moved(old, new, now, now).await.unwrap();
            assert_eq!(outcome, model.moved(old, new, now));
        }
        Step::Enqueue(all) => {
            let letters: Vec<_> = all.iter().map(|one| bring(one, now)).collect();
            let outcomes = store.enqueue(letters.clone(), now).await.unwrap();
            for ((one, letter), outcome) in all.iter().zip(&letters).zip(outcomes) {
                match model.enqueue(letter, one, now) {
                    Ok(did) => {
                        let stored = matches!(&outcome, Enqueued::Stored(_, by) if **by == *did);
                        assert!(stored, "{outcome:?} for {did}");
                    }
                    Err(expected) => assert_eq!(outcome, expected),
                }
            }
        }
        Step::Ack(name, numbers) => {
            let id = |number: &usize| {
                let packed = packed(*number, 500);
                Letter::new(NAMES[0], NAMES[0], &packed, now).unwrap().id()
            };
            let ids: Vec<_> = numbers.iter().map(id).collect();
            let acked = store.ack(NAMES[*name], &ids, now).await.unwrap().count;
            assert_eq!(acked, model.ack(NAMES[*name], &ids, now));
        }
        Step::Expire => assert_eq!(store.expire(now).await.unwrap(), model.expire(now)),
        Step::Wait(_) | Step::Reopen => {}
    }
}

async fn compare(store: &dyn MailboxStore, model: &Model, now: Moment) {
    let none = Mailbox::default();
    for name in NAMES {
        let holder = store.account_of(name).await.unwrap();
        assert_eq!(
            holder.as_ref().map(|it| it.did.as_str()),
            model.holder(name)
        );
        let listing = store.bindings(name, 9, 0).await.unwrap();
        let bound = model.bindings.iter().filter(|it| it.1 == name);
        let bound: Vec<_> = bound.map(|it| it.0).collect();
        assert_eq!(listing.dids, bound, "bindings of {name}");
        assert_eq!(listing.total as usize, bound.len());
        let mailbox = model.accounts.get(name).unwrap_or(&none);
        for recipient in [None, Some(name), Some(NAMES[0])] {
            let waiting = mailbox.waiting(recipient, now);
            let page = store
                .page(name, recipient, 99, u64::MAX, now)
                .await
                .unwrap();
            let told: Vec<_> = page
                .iter()
                .map(|it| (it.id, it.recipient.as_str()))
                .collect();
            let expected: Vec<_> = waiting.iter().map(|it| (it.id, it.recipient)).collect();
            assert_eq!(told, expected, "page of {name} for {recipient:?}");
            let status = store.status(name, recipient, now).await.unwrap();
            assert_eq!(status.count, waiting.len() as u64);
            assert_eq!(status.bytes, waiting.iter().map(|it| it.bytes).sum::<u64>());
            let by_order = |it: &&&Kept| it.order;
            let oldest = waiting.iter().min_by_key(by_order).map(|it| it.received);
            let newest = waiting.iter().max_by_key(by_order).map(|it| it.received);
            assert_eq!((status.oldest, status.newest), (oldest, newest));
        }
    }
    let totals = store.totals().await.unwrap();
    let all = || model.accounts.values().flat_map(|it| &it.letters);
    assert_eq!(totals.letters, all().count() as u64);
    assert_eq!(totals.bytes, all().map(|it| it.bytes).sum::<u64>());
    assert_eq!(totals.accounts, model.accounts.len() as u64);
    assert_eq!(totals.bindings, model.bindings.len() as u64);
    let mut dead = model.dead.clone();
    let told = store.dead_letters(9999).await.unwrap();
    let mut told: Vec<_> = told
        .iter()
        .map(|it| {
            (
                it.id,
                it.account.as_str(),
                it.recipient.as_str(),
                it.why == Ending::Closed,
            )
        })
        .collect();
    dead.sort();
    told.sort();
    assert_eq!(told, dead);
}

/// Any sequence of verbs does to a store what it does to the simple one.
///
/// # Panics
/// With the shortest sequence that was found where they differ.
pub fn a_store_does_what_the_simple_one_does<S: Stage>() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    let stage = RefCell::new(runtime.block_on(S::new()));
    let config = ProptestConfig {
        cases: S::CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let story = |steps: Vec<Step>| {
        runtime.block_on(play(&mut *stage.borrow_mut(), &steps));
        Ok(())
    };
    let steps = proptest::collection::vec(step(), 1..50);
    TestRunner::new(config).run(&steps, story).unwrap();
}

async fn play<S: Stage>(stage: &mut S, steps: &[Step]) {
    stage.clear().await;
    let mut store = stage.open(limits()).await;
    let mut model = Model::default();
    let mut now = noon();
    for step in steps {
        act(&*store, &mut model, step, now).await;
        if let Step::Wait(seconds) = step {
            now = now + Duration::from_secs(*seconds);
        }
        if matches!(step, Step::Reopen) {
            drop(store);
            store = stage.open(limits()).await;
        }
        compare(&*store, &model, now).await;
    }
}
