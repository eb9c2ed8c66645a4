//! Many depots, any order of meetings, lost answers and crashes: what must always hold.

use proptest::prelude::*;

use super::*;

/// What one transfer comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Fine,
    /// The taker committed; its answer never came.
    AnswerLost,
    /// The last byte never went out, and the giver knows.
    Cut,
    /// The taker lost power before its commit.
    TakerCrashed,
    /// The giver lost power after the taker's commit.
    GiverCrashed,
    Refused,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Submit { by: u8, to: u8, bytes: u64 },
    Meet { from: u8, to: u8, fate: Fate },
    Crash(u8),
    Wait(u64),
    Acknowledge(u8),
    Gossip { from: u8, to: u8 },
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Fine),
        1 => Just(Fate::AnswerLost),
        1 => Just(Fate::Cut),
        1 => Just(Fate::TakerCrashed),
        1 => Just(Fate::GiverCrashed),
        1 => Just(Fate::Refused),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 1..=5_u8;
    prop_oneof![
        2 => (who(), who(), 1..=1_500_u64).prop_map(|(by, to, bytes)| Step::Submit { by, to, bytes }),
        8 => (who(), who(), fate()).prop_map(|(from, to, fate)| Step::Meet { from, to, fate }),
        1 => who().prop_map(Step::Crash),
        1 => (1..=3_000_u64).prop_map(Step::Wait),
        1 => who().prop_map(Step::Acknowledge),
        2 => (who(), who()).prop_map(|(from, to)| Step::Gossip { from, to }),
    ]
}

struct World {
    parties: Vec<Party>,
    /// Who sent which, and its copies.
    sent: BTreeMap<EnvelopeId, (u8, u16)>,
    links: u64,
}

impl World {
    fn new() -> Self {
        let mut config = DepotConfig::default();
        config.quotas.total_bytes = 6_000;
        config.quotas.strangers_bytes = 3_000;
        config.quotas.per_stranger_bytes = 2_000;
        config.quotas.per_stranger_count = 4;
        config.policy.full = WhenFull::Evict;
        Self {
            parties: (1..=5)
                .map(|who| Party::with(who, config.clone()))
                .collect(),
            sent: BTreeMap::new(),
            links: 0,
        }
    }

    fn party(&mut self, who: u8) -> &mut Party {
        &mut self.parties[usize::from(who) - 1]
    }

    fn play(&mut self, step: Step) {
        match step {
            Step::Submit { by, to, bytes } => {
                let n = u8::try_from(self.sent.len()).unwrap() + 1;
                let mut meta = letter(n, to);
                meta.bytes = bytes;
                meta.label.expires = Some(self.party(by).now.wall + 5_000);
                if by != to && self.party(by).submit(meta).is_ok() {
                    self.sent.insert(meta.id, (by, meta.label.copies));
                }
            }
            Step::Meet { from, to, fate } if from != to => self.meet(from, to, fate),
            Step::Crash(who) => self.party(who).crash(),
            Step::Wait(seconds) => {
                for party in &mut self.parties {
                    party.wait(seconds);
                }
            }
            Step::Acknowledge(who) => {
                let party = self.party(who);
                let waiting: Vec<u8> = party
                    .received()
                    .iter()
                    .map(|arrived| arrived.id.as_bytes()[0])
                    .collect();
                for n in waiting {
                    party.acknowledge(n);
                }
            }
            Step::Gossip { from, to } if from != to => {
                self.links += 1;
                let link = self.links;
                self.party(from).meet(to, link);
                let told = self.party(from).depot.receipts_for(LinkId(link), 100);
                self.party(from).part(link);
                for receipt in told {
                    if self.party(to).depot.wants_receipt(&receipt) {
                        self.party(to).hear(receipt);
                    }
                }
            }
            Step::Meet { .. } | Step::Gossip { .. } => {}
        }
    }

    fn meet(&mut self, from: u8, to: u8, fate: Fate) {
        self.links += 1;
        let link = self.links;
        self.party(from).meet(to, link);
        for meta in self.party(from).offer(link) {
            let n = meta.id.as_bytes()[0];
            match self.party(to).judge(from, &meta) {
                Judgement::Want => {}
                Judgement::Have => {
                    let giver = self.party(from);
                    giver.act(|depot, now, turn| depot.had(now, LinkId(link), &id(n), turn));
                    continue;
                }
                Judgement::Refuse(reason) => {
                    self.party(from).refused(link, n, reason);
                    continue;
                }
                Judgement::Coming => panic!("nothing else is under way"),
            }
            match fate {
                Fate::Fine | Fate::AnswerLost | Fate::GiverCrashed => {
                    let arrival = self.party(to).arrive(from, &meta);
                    assert!(matches!(arrival, Arrival::Inbox | Arrival::Carry));
                }
                Fate::Cut | Fate::Refused => self.party(to).depot.abandon(&id(n)),
                Fate::TakerCrashed => self.party(to).crash(),
            }
            let giver = self.party(from);
            match fate {
                Fate::Fine => giver.taken(link, n),
                Fate::Refused => giver.refused(link, n, Reason::Disk),
                Fate::Cut => {
                    giver.act(|depot, now, turn| depot.recall(now, LinkId(link), &id(n), turn));
                }
                Fate::AnswerLost | Fate::TakerCrashed => {}
                Fate::GiverCrashed => {
                    giver.crash();
                    return;
                }
            }
        }
        self.party(from).part(link);
    }

    fn check(&self) {
        for (id, (by, budget)) in &self.sent {
            let copies: u16 = self
                .parties
                .iter()
                .flat_map(|party| party.depot.held())
                .filter(|held| held.id == *id)
                .map(|held| held.label.copies)
                .sum();
            assert!(copies <= *budget, "{copies} copies of {budget}");
            let origin = &self.parties[usize::from(*by) - 1];
            assert!(
                origin.depot.held().any(|held| held.id == *id),
                "a message of our own is held until a person lets go of it"
            );
        }
        for party in &self.parties {
            let (totals, quotas) = (party.depot.totals(), party.config.quotas);
            assert!(totals.bytes <= quotas.total_bytes);
            assert!(totals.strangers_bytes <= quotas.strangers_bytes);
            let mut weighed: u64 = party
                .depot
                .held()
                .filter(|held| held.state != HeldState::Delivered)
                .map(|held| held.bytes)
                .sum();
            weighed += party
                .disk
                .values()
                .filter_map(|record| match record {
                    Record::Inbox(arrived) => Some(arrived.bytes),
                    _ => None,
                })
                .sum::<u64>();
            assert_eq!(totals.bytes - totals.reserved_bytes, weighed);
            party.once();
        }
    }
}

impl Party {
    /// No message was accepted for the agent twice (said again after a restart is not).
    fn once(&self) {
        let mut known = BTreeMap::new();
        for arrived in self.received() {
            let before = known.insert(arrived.id, arrived.at);
            assert!(before.is_none_or(|at| at == arrived.at), "accepted twice");
        }
    }
}

fn digest(world: &World) -> String {
    let parties = world.parties.iter();
    let said: Vec<_> = parties
        .map(|party| (&party.disk, &party.events, party.depot.deadline()))
        .collect();
    format!("{said:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn copies_custody_quotas_and_once_hold_through_everything(
        steps in prop::collection::vec(step(), 1..80)
    ) {
        let mut world = World::new();
        for step in steps {
            world.play(step);
            world.check();
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_outputs(steps in prop::collection::vec(step(), 1..60)) {
        let mut worlds = [World::new(), World::new()];
        for world in &mut worlds {
            for step in &steps {
                world.play(*step);
            }
        }
        prop_assert_eq!(digest(&worlds[0]), digest(&worlds[1]));
    }
}
