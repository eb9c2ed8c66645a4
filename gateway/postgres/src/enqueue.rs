//! Letters are taken on: what must be known is asked for all at once, judged here, letter by
//! letter, and what is taken goes in as one statement.
//!
//! Called by the writer, whose transaction has the store to itself: what was asked stays true
//! until the commit. What can go wrong: the server alone; what a limit forbids is an answer.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::join4;
use packmule_bus::EnvelopeId;
use packmule_bus::label::DidTag;
use packmule_gateway::store::kept::{int, millis, rank, stem};
use packmule_gateway::store::{Enqueued, Letter, Limits, Moment, Refusal, Span, StoreError};
use tokio_postgres::Statement;

use crate::columns::{count, get, name};
use crate::connect::Session;
use crate::fault::{damaged, fault};
use crate::renew::{self, Known};

/// What one caller brings.
pub(crate) struct Brought {
    pub(crate) letters: Vec<Letter>,
    pub(crate) now: Moment,
    /// Who brought each: what it did is nobody's business later on, a tag is enough to count by.
    senders: Vec<Option<DidTag>>,
}

impl Brought {
    pub(crate) fn new(letters: Vec<Letter>, now: Moment) -> Self {
        let sender = |letter: &Letter| letter.from.as_deref().map(DidTag::of);
        Self {
            senders: letters.iter().map(sender).collect(),
            letters,
            now,
        }
    }

    /// About what it writes, in bytes.
    pub(crate) fn weight(&self) -> usize {
        self.letters.iter().map(|it| it.form().len() + 512).sum()
    }
}

const TOTALS: &str = "SELECT letters, bytes, to_regclass('packmule.room') IS NOT NULL FROM totals";
/// A question about `names`: whose mailbox each DID of the first argument names. No DID is an
/// account's and bound to another too.
macro_rules! of_names {
    ($question:literal) => {
        concat!(
            "WITH names AS (SELECT did, account FROM accounts WHERE did = ANY ($1)
                UNION ALL SELECT did, account FROM bindings WHERE did = ANY ($1))",
            $question
        )
    };
}
const ACCOUNTS: &str = of_names!(
    "SELECT names.did, account, accounts.did, letters, bytes FROM names JOIN accounts USING (account)"
);
const KNOWN: &str = of_names!(
    "SELECT known.account, known.envelope, known.until, letters.seq, letters.expires,
            letters.not_before
        FROM unnest($1::text[], $2::bytea[]) AS wanted (did, envelope)
        JOIN names ON names.did = wanted.did
        JOIN known ON known.account = names.account AND known.envelope = wanted.envelope
        LEFT JOIN letters ON known.until IS NULL
            AND letters.seq = known.seq AND letters.expires = known.expires"
);
const PAIRS: &str = of_names!(
    "SELECT account, sender,
            (SELECT count(*) FROM (SELECT FROM letters
                WHERE letters.account = wanted.account AND letters.sender = wanted.sender
                LIMIT $3) counted)
        FROM (SELECT DISTINCT account, sender
            FROM unnest($1::text[], $2::bytea[]) AS all_of_them (did, sender)
            JOIN names USING (did)
            WHERE sender IS NOT NULL) wanted"
);
/// The numbers follow the order of the arrays.
const INSERT: &str = "
    WITH new AS (
        INSERT INTO letters (account, recipient, envelope, sender, priority, received, expires,
                not_before, bytes, form)
            SELECT account, recipient, envelope, sender, priority, received, expires, not_before,
                    bytes, form
                FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::bytea[], $5::smallint[],
                    $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bytea[])
                WITH ORDINALITY AS one (account, recipient, envelope, sender, priority, received,
                    expires, not_before, bytes, form, nth)
                ORDER BY nth
            RETURNING seq, account, envelope, expires)
    INSERT INTO known (account, envelope, seq, expires, until)
        SELECT account, substr(envelope, 1, 16), seq, expires, NULL FROM new
        ON CONFLICT (account, envelope)
            DO UPDATE SET seq = excluded.seq, expires = excluded.expires, until = NULL
        RETURNING account, envelope, seq";

/// The statements, prepared.
pub(crate) struct Ready {
    totals: Statement,
    accounts: Statement,
    known: Statement,
    pairs: Statement,
    insert: Statement,
    renew: Statement,
}

/// What must be known of the store to judge some letters.
#[derive(Default)]
pub(crate) struct Facts {
    letters: u64,
    bytes: u64,
    /// The disk has room beside what is kept back.
    disk: bool,
    /// By the DIDs that were asked for.
    names: HashMap<String, i64>,
    accounts: HashMap<i64, Load>,
    known: HashMap<Name, Known>,
    pairs: HashMap<Name, u64>,
}

/// A number of an account, and what is unique in it.
pub(crate) type Name = (i64, Vec<u8>);

struct Load {
    did: Arc<str>,
    letters: u64,
    bytes: u64,
}

impl Ready {
    pub(crate) async fn new(db: &Session) -> Result<Self, StoreError> {
        Ok(Self {
            totals: db.ready(TOTALS).await?,
            accounts: db.ready(ACCOUNTS).await?,
            known: db.ready(KNOWN).await?,
            pairs: db.ready(PAIRS).await?,
            insert: db.ready(INSERT).await?,
            renew: renew::ready(db).await?,
        })
    }

    pub(crate) async fn facts(
        &self,
        db: &Session,
        brought: &[&Brought],
        limits: &Limits,
    ) -> Result<Facts, StoreError> {
        let mut facts = Facts::default();
        let all = || {
            brought
                .iter()
                .flat_map(|it| it.letters.iter().zip(&it.senders))
        };
        let dids: Vec<&str> = all().map(|(letter, _)| name(&letter.account)).collect();
        if dids.is_empty() {
            return Ok(facts);
        }
        let ids: Vec<EnvelopeId> = all().map(|(letter, _)| letter.id()).collect();
        let stems: Vec<&[u8]> = ids.iter().map(stem).collect();
        let senders: Vec<Option<&[u8]>> = all().map(|(_, sender)| tag(sender)).collect();
        let distinct: Vec<&str> = dids
            .iter()
            .copied()
            .collect::<HashSet<_>>()
            .into_iter()
            .collect();
        let most = int(limits.pair_letters);
        let (totals, accounts, known, pairs) = join4(
            db.client().query_one(&self.totals, &[]),
            db.client().query(&self.accounts, &[&distinct]),
            db.client().query(&self.known, &[&dids, &stems]),
            db.client().query(&self.pairs, &[&dids, &senders, &most]),
        )
        .await;
        let totals = totals.map_err(fault)?;
        (facts.letters, facts.bytes) = (count(&totals, 0)?, count(&totals, 1)?);
        facts.disk = get(&totals, 2)?;
        for row in accounts.map_err(fault)? {
            let account = get(&row, 1)?;
            let load = Load {
                did: get::<String>(&row, 2)?.into(),
                letters: count(&row, 3)?,
                bytes: count(&row, 4)?,
            };
            facts.names.insert(get(&row, 0)?, account);
            facts.accounts.insert(account, load);
        }
        for row in known.map_err(fault)? {
            let name = (get(&row, 0)?, get(&row, 1)?);
            facts.known.insert(name, Known::of(&row)?);
        }
        for row in pairs.map_err(fault)? {
            facts
                .pairs
                .insert((get(&row, 0)?, get(&row, 1)?), count(&row, 2)?);
        }
        Ok(facts)
    }

    /// Writes what was taken; under which numbers.
    pub(crate) async fn insert(
        &self,
        db: &Session,
        brought: &[&Brought],
        decided: &Decided,
    ) -> Result<Numbers, StoreError> {
        let mut rows = Rows::default();
        let all = brought
            .iter()
            .flat_map(|it| it.letters.iter().zip(&it.senders).map(|one| (one, it.now)));
        for (((letter, sender), now), verdict) in all.zip(decided.verdicts.iter().flatten()) {
            if let Verdict::Taken(account, _) = verdict {
                let span = decided.span(*account, letter);
                rows.add(letter, tag(sender), *account, span, now);
            }
        }
        let mut numbers = Numbers::new();
        if rows.accounts.is_empty() {
            return Ok(numbers);
        }
        let envelopes: Vec<&[u8]> = rows.ids.iter().map(|id| id.as_bytes().as_slice()).collect();
        let told = db
            .client()
            .query(
                &self.insert,
                &[
                    &rows.accounts,
                    &rows.recipients,
                    &envelopes,
                    &rows.senders,
                    &rows.priorities,
                    &rows.received,
                    &rows.expires,
                    &rows.not_before,
                    &rows.bytes,
                    &rows.forms,
                ],
            )
            .await;
        for row in told.map_err(fault)? {
            numbers.insert((get(&row, 0)?, get(&row, 1)?), count(&row, 2)?);
        }
        Ok(numbers)
    }
}

fn tag(sender: &Option<DidTag>) -> Option<&[u8]> {
    sender.as_ref().map(|tag| tag.as_bytes().as_slice())
}

/// Columns of what is inserted.
#[derive(Default)]
struct Rows<'a> {
    accounts: Vec<i64>,
    recipients: Vec<&'a str>,
    ids: Vec<EnvelopeId>,
    senders: Vec<Option<&'a [u8]>>,
    priorities: Vec<i16>,
    received: Vec<i64>,
    expires: Vec<i64>,
    not_before: Vec<i64>,
    bytes: Vec<i64>,
    forms: Vec<&'a [u8]>,
}

impl<'a> Rows<'a> {
    fn add(
        &mut self,
        letter: &'a Letter,
        sender: Option<&'a [u8]>,
        account: i64,
        span: Span,
        now: Moment,
    ) {
        self.accounts.push(account);
        self.recipients.push(name(&letter.recipient));
        self.ids.push(letter.id());
        self.senders.push(sender);
        self.priorities.push(rank(letter.priority));
        self.received.push(millis(now));
        self.expires.push(millis(span.expires));
        self.not_before.push(millis(span.not_before));
        self.bytes.push(int(letter.bytes()));
        self.forms.push(letter.form());
    }
}

/// Numbers of letters by account and stem.
pub(crate) type Numbers = HashMap<Name, u64>;

enum Verdict {
    Taken(i64, Arc<str>),
    Duplicate,
    Sooner(Arc<str>),
    Refused(Refusal),
}

/// What is to become of letters, for each who brought some.
pub(crate) struct Decided {
    verdicts: Vec<Vec<Verdict>>,
    /// The start of each letter's name.
    stems: Vec<Vec<Vec<u8>>>,
    known: HashMap<Name, Known>,
}

/// Judges letters in order; each counts for those after it.
pub(crate) fn decide(brought: &[&Brought], mut facts: Facts, limits: &Limits) -> Decided {
    let mut one = |it: &&Brought| -> Vec<Verdict> {
        let letters = it.letters.iter().zip(&it.senders);
        letters
            .map(|(letter, sender)| facts.judge(letter, tag(sender), limits, it.now))
            .collect()
    };
    let verdicts = brought.iter().map(&mut one).collect();
    let stem = |letter: &Letter| stem(&letter.id()).to_vec();
    let stems = brought
        .iter()
        .map(|it| it.letters.iter().map(stem).collect())
        .collect();
    Decided {
        verdicts,
        stems,
        known: facts.known,
    }
}

impl Facts {
    fn judge(
        &mut self,
        letter: &Letter,
        sender: Option<&[u8]>,
        limits: &Limits,
        now: Moment,
    ) -> Verdict {
        // A recipient that the server cannot write down is none of an account's DIDs.
        let account = self.names.get(name(&letter.account));
        let account = account.filter(|_| !name(&letter.recipient).is_empty());
        let load = account.and_then(|account| Some((*account, self.accounts.get_mut(account)?)));
        let Some((account, load)) = load else {
            return Verdict::Refused(Refusal::NoAccount);
        };
        let name = (account, stem(&letter.id()).to_vec());
        match self.known.get_mut(&name) {
            Some(Known::Held(kept)) => {
                return match kept.renew(letter.span(), now) {
                    true => Verdict::Sooner(Arc::clone(&load.did)),
                    false => Verdict::Duplicate,
                };
            }
            Some(Known::Until(until)) if *until > now.as_millis() => return Verdict::Duplicate,
            _ => {}
        }
        let bytes = letter.bytes();
        let mut pair = sender.map(|sender| {
            let pair = (account, sender.to_vec());
            self.pairs.entry(pair).or_default()
        });
        let refusal = if letter.expires <= now {
            Refusal::Expired
        } else if bytes > limits.letter_bytes {
            Refusal::TooLarge
        } else if pair
            .as_ref()
            .is_some_and(|held| **held >= limits.pair_letters)
        {
            Refusal::PairFull
        } else if load.letters >= limits.account_letters
            || load.bytes.saturating_add(bytes) > limits.account_bytes
        {
            Refusal::AccountFull
        } else if self.letters >= limits.total_letters
            || self.bytes.saturating_add(bytes) > limits.total_bytes
        {
            Refusal::StoreFull
        } else if !self.disk {
            Refusal::DiskFull
        } else {
            let _ = pair.as_mut().map(|held| **held += 1);
            load.letters += 1;
            load.bytes = load.bytes.saturating_add(bytes);
            self.letters += 1;
            self.bytes = self.bytes.saturating_add(bytes);
            self.known.insert(name, Known::new(letter.span()));
            return Verdict::Taken(account, Arc::clone(&load.did));
        };
        Verdict::Refused(refusal)
    }
}

impl Decided {
    /// What copies changed.
    pub(crate) async fn renew(&self, db: &Session, ready: &Ready) -> Result<(), StoreError> {
        renew::write(db, &ready.renew, &self.known).await
    }

    /// When a letter is given out that is taken: what came after it may have been a copy.
    fn span(&self, account: i64, letter: &Letter) -> Span {
        match self.known.get(&(account, stem(&letter.id()).to_vec())) {
            Some(Known::Held(kept)) => kept.span,
            _ => letter.span(),
        }
    }

    /// The answers, and the accounts that have something new.
    pub(crate) fn told(
        &self,
        numbers: &Numbers,
    ) -> Result<(Vec<Vec<Enqueued>>, Vec<String>), StoreError> {
        let mut accounts: Vec<String> = Vec::new();
        let mut all = Vec::with_capacity(self.verdicts.len());
        for (verdicts, stems) in self.verdicts.iter().zip(&self.stems) {
            let mut told = Vec::with_capacity(verdicts.len());
            for (verdict, stem) in verdicts.iter().zip(stems) {
                if let Verdict::Taken(_, did) | Verdict::Sooner(did) = verdict
                    && !accounts.iter().any(|known| **known == **did)
                {
                    accounts.push(did.to_string());
                }
                told.push(match verdict {
                    Verdict::Duplicate => Enqueued::Duplicate,
                    Verdict::Sooner(did) => Enqueued::Sooner(Arc::clone(did)),
                    Verdict::Refused(why) => Enqueued::Refused(*why),
                    Verdict::Taken(account, did) => {
                        let number = numbers.get(&(*account, stem.clone()));
                        let lost = || damaged("a letter was written without a number");
                        Enqueued::Stored(*number.ok_or_else(lost)?, Arc::clone(did))
                    }
                });
            }
            all.push(told);
        }
        Ok((all, accounts))
    }
}
