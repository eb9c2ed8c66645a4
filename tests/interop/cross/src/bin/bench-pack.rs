//! packmule, `didcomm` 0.4.1 and `affinidi-messaging-didcomm` 0.15.11 side by side, in one run:
//! `cargo run --release --bin bench-pack [ROUNDS]`.
//!
//! Times are this thread's CPU time, so that a busy machine disturbs less; the three take turns
//! within a round. Each is given what its interface wants, made beforehand: the plaintext's
//! bytes (packmule, affinidi) or its message (didcomm). Each unpacks to a parsed message.
//! packmule and didcomm look up documents and keys on every call, as they do in use; affinidi
//! is handed parsed keys; packmule alone also does the checks that the specification demands.

use packmule_interop::{Ours, Prepared};
use packmule_interop_foreign::{Parties, Peer, Plan, affinidi::Affinidi, sicpa::Sicpa};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

const ALICE: &str = "did:example:alice";
const BOB: &str = "did:example:bob";
const MICROSECONDS_A_TURN: f64 = 3000.0;

fn main() {
    let rounds = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(25);
    let parties = Parties::of_fixtures();
    let bench = Bench {
        ours: Ours::new(&parties),
        sicpa: Sicpa::new(&parties),
        affinidi: Affinidi::new(&parties),
        rounds,
    };
    println!(
        "microseconds of CPU an operation, median [minimum] of {rounds} rounds; x = how many times faster packmule is, by medians\n"
    );
    println!(
        "{:<38} {:>18} {:>18} {:>18} {:>9} {:>9}",
        "", "packmule", "didcomm", "affinidi", "didcomm x", "affini. x"
    );
    for (size, name) in [(1 << 10, "1 kB"), (64 << 10, "64 kB")] {
        for curve in ["x25519", "p256"] {
            let to = Some(format!("{BOB}#key-{curve}-1"));
            let from = Some(format!("{ALICE}#key-{curve}-1"));
            let anon = Plan {
                to: to.clone(),
                ..Plan::default()
            };
            bench.rows(
                &format!("{name} {curve} authcrypt"),
                size,
                &Plan {
                    to,
                    from,
                    ..Plan::default()
                },
            );
            bench.rows(&format!("{name} {curve} anoncrypt"), size, &anon);
        }
        for (key, curve) in [(1, "ed25519"), (2, "p256")] {
            let sign = Some(format!("{ALICE}#key-{key}"));
            bench.rows(
                &format!("{name} {curve} signed"),
                size,
                &Plan {
                    sign,
                    ..Plan::default()
                },
            );
        }
    }
}

struct Bench {
    ours: Ours,
    sicpa: Sicpa,
    affinidi: Affinidi,
    rounds: usize,
}

impl Bench {
    fn rows(&self, name: &str, size: usize, plan: &Plan) {
        let message = message(size);
        let plaintext = message.to_string();
        let theirs = Sicpa::message(&message).expect("a message for didcomm");
        let prepared = self.ours.prepare(plan);
        self.row(
            &format!("{name} pack"),
            [
                &|| drop(self.pack_ours(&plaintext, &prepared)),
                &|| {
                    drop(
                        self.sicpa
                            .pack_message(&theirs, plan)
                            .expect("didcomm packs"),
                    )
                },
                &|| drop(self.pack_affinidi(&plaintext, plan)),
            ],
        );
        // All three open the same message.
        let packed = self.pack_ours(&plaintext, &prepared);
        self.row(
            &format!("{name} unpack"),
            [
                &|| drop(self.ours.unpack(&packed).expect("packmule unpacks")),
                &|| drop(self.sicpa.unpack_message(&packed).expect("didcomm unpacks")),
                &|| drop(self.unpack_affinidi(&packed, plan)),
            ],
        );
    }

    fn pack_ours(&self, plaintext: &str, prepared: &Prepared) -> String {
        self.ours
            .pack_bytes(plaintext.as_bytes(), prepared)
            .expect("packmule packs")
    }

    fn pack_affinidi(&self, plaintext: &str, plan: &Plan) -> String {
        let plaintext = plaintext.as_bytes();
        match (&plan.to, &plan.sign) {
            (Some(to), _) => {
                self.affinidi
                    .encrypt(plaintext, std::slice::from_ref(to), plan.from.as_deref())
            }
            (None, sign) => self
                .affinidi
                .sign(plaintext, sign.as_deref().unwrap_or_default()),
        }
        .expect("affinidi packs")
    }

    fn unpack_affinidi(&self, packed: &str, plan: &Plan) -> Value {
        let plaintext = match &plan.to {
            Some(own) => self.affinidi.decrypt_for(packed, own, plan.from.as_deref()),
            None => self.affinidi.verify(packed).map(|(payload, _)| payload),
        };
        serde_json::from_slice(&plaintext.expect("affinidi unpacks")).expect("a message")
    }

    fn row(&self, name: &str, three: [&dyn Fn(); 3]) {
        let turns =
            three.map(|work| (MICROSECONDS_A_TURN / time(1, work)).clamp(1.0, 200.0) as u32);
        let mut times = [const { Vec::<f64>::new() }; 3];
        for _ in 0..self.rounds {
            for (who, work) in three.iter().enumerate() {
                times[who].push(time(turns[who], work));
            }
        }
        let [ours, didcomm, affinidi] = times.map(|mut all| {
            all.sort_by(f64::total_cmp);
            (all[all.len() / 2], all[0])
        });
        let cell = |(median, minimum): (f64, f64)| format!("{median:.0} [{minimum:.0}]");
        println!(
            "{name:<38} {:>18} {:>18} {:>18} {:>9.2} {:>9.2}",
            cell(ours),
            cell(didcomm),
            cell(affinidi),
            didcomm.0 / ours.0,
            affinidi.0 / ours.0
        );
    }
}

/// Microseconds of this thread's CPU time that one call takes, over `turns` calls.
fn time(turns: u32, work: &dyn Fn()) -> f64 {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
    };
    let start = now();
    for _ in 0..turns {
        work();
    }
    (now() - start) / f64::from(turns)
}

fn message(size: usize) -> Value {
    let text =
        "It rained all night and the road to the clinic is closed; the mule goes by the ridge. ";
    json!({
        "id": "bench-1",
        "typ": "application/didcomm-plain+json",
        "type": "https://didcomm.org/basicmessage/2.0/message",
        "from": ALICE,
        "to": [BOB],
        "created_time": 1_516_269_022,
        "body": {"content": text.chars().cycle().take(size).collect::<String>()},
    })
}
