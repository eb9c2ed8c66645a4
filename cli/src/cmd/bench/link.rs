//! `packmule bench link`: messages between two nodes, both stores durable, over TCP.
//!
//! The clock runs from the first submission until the last message has arrived and alice has the
//! last of bob's signed receipts. Messages are packed before; every one is opened, judged and
//! acknowledged by bob's agent. What can go wrong: one is lost or comes twice, which is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use packmule_agent::message::Message;
use packmule_bus::Envelope;
use packmule_node::control::{Client, EventLine, Outcome, Parcel, Reply, Request};
use packmule_node::desk::{Desk, Protection};
use packmule_node::{Home, OutRecord, OutState};
use serde_json::json;

use super::pair::Pair;
use crate::args::{BenchLinkArgs, Globals};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::node::{Events, poke};
use crate::flow::{carry, files};
use crate::ui::output::{Report, size};

/// Conversations at once: each has some submissions on their way to the disk.
const SEATS: usize = 3;
/// Short messages that are submitted together.
const PARCELS: usize = 16;
/// Longest packed message that goes through the control socket; others through the outbox.
const SHORT: usize = 128 << 10;
/// Bytes of long messages queued in one transaction.
const CHUNK: usize = 8 << 20;
/// After so long without any news the rest counts as lost.
const SILENCE: Duration = Duration::from_secs(60);
const TYPE: &str = "https://didcomm.org/basicmessage/2.0/message";

/// Measures.
pub(super) fn run(globals: &Globals, args: &BenchLinkArgs) -> Result<Report, Fault> {
    let scratch = Scratch::at(args.dir.clone())?;
    let pair = Pair::start(&scratch.dir)?;
    let letters = pack(&pair, args)?;
    if !globals.quiet && !globals.json {
        eprintln!("{} messages packed; two nodes have met", letters.len());
    }
    let delivered = Events::of(pair.alice.client()?)?;
    let arrived = Events::of(pair.bob.client()?)?;
    let start = Instant::now();
    let receipts = if args.serial {
        one_by_one(&pair, &letters, &delivered)?
    } else {
        all_at_once(&pair, &letters, &delivered)?
    };
    let seconds = start.elapsed().as_secs_f64();
    let peak = pair.alice.peak()?.max(pair.bob.peak()?);
    let (lost, doubled) = count(pair, &letters, &arrived)?;
    let rate = f64::from(args.messages) / seconds;
    let mb = rate * args.size as f64 / 1e6;
    let text = format!(
        "{} messages of {} in {seconds:.2} s: {rate:.0} messages/s, {mb:.1} MB/s; \
         {receipts} receipts, {lost} lost, {doubled} doubled; at most {} of memory each",
        args.messages,
        size(args.size),
        size(peak)
    );
    let report = json!({
        "messages": args.messages,
        "bytes": args.size,
        "serial": args.serial,
        "seconds": seconds,
        "msgs_per_s": rate,
        "mb_per_s": mb,
        "rss_mb": peak as f64 / 1e6,
        "receipts": receipts,
        "lost": lost,
        "doubled": doubled,
    });
    let whole = lost == 0 && doubled == 0 && receipts == letters.len();
    Ok(Report::new(text, report).exit(if whole { Exit::Ok } else { Exit::Incomplete }))
}

/// Every letter, packed for bob by alice's keys.
fn pack(pair: &Pair, args: &BenchLinkArgs) -> Result<Vec<OutRecord>, Fault> {
    let desk = Desk::unlock(Home::open(&pair.alice.home)?, b"bench")?;
    let bob = crate::flow::party::peer(desk.home(), "bob")?;
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    let mut letters = Vec::new();
    for _ in 0..args.messages {
        let mut message = Message::new(TYPE);
        message.body = Some(json!({ "content": text(&mut noise, args.size) }));
        letters.extend(desk.records(&bob.did, message, Protection::Auth)?);
    }
    Ok(letters)
}

/// Letters that do not compress to nothing: xorshift, six bits each.
fn text(noise: &mut u64, length: u64) -> String {
    const LETTERS: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    let mut text = String::new();
    for _ in 0..length {
        *noise ^= *noise << 13;
        *noise ^= *noise >> 7;
        *noise ^= *noise << 17;
        let letter = LETTERS.get((*noise >> 58) as usize).copied();
        text.push(char::from(letter.unwrap_or(b'-')));
    }
    text
}

/// The next goes when bob's receipt for the last is here.
fn one_by_one(pair: &Pair, letters: &[OutRecord], happening: &Events) -> Result<usize, Fault> {
    let mut client = pair.alice.client()?;
    let mut receipts = 0;
    for letter in letters {
        let id = submit(&mut client, letter)?;
        let until = Instant::now() + SILENCE;
        loop {
            match happening.next(Some(until))? {
                Some(EventLine::Progress { id: of, rung, .. })
                    if of == id && rung == "delivered" =>
                {
                    receipts += 1;
                    break;
                }
                Some(_) => {}
                None => return Ok(receipts),
            }
        }
    }
    Ok(receipts)
}

/// As fast as the node takes them.
fn all_at_once(pair: &Pair, letters: &[OutRecord], happening: &Events) -> Result<usize, Fault> {
    let wanted = names(letters)?;
    let long = letters.iter().any(|one| one.packed.len() > SHORT);
    let mut ids = BTreeSet::new();
    thread::scope(|scope| {
        let sending = scope.spawn(|| {
            if long {
                by_outbox(pair, letters)
            } else {
                by_socket(pair, letters)
            }
        });
        let home = Home::open(&pair.alice.home)?;
        let mut until = Instant::now() + SILENCE;
        while ids.len() < letters.len() {
            match happening.next(Some(until.min(Instant::now() + Duration::from_secs(1))))? {
                Some(EventLine::Progress { id, rung, .. })
                    if rung == "delivered" && wanted.contains(&id) =>
                {
                    ids.insert(id);
                    until = Instant::now() + SILENCE;
                }
                Some(_) => {}
                // Too slow a reader misses events; the store misses nothing.
                None => {
                    let before = ids.len();
                    let done = carry::rows(&home, Some(OutState::Acknowledged))?;
                    let done = done.into_iter().map(|row| row.id.to_string());
                    ids.extend(done.filter(|id| wanted.contains(id)));
                    if ids.len() > before {
                        until = Instant::now() + SILENCE;
                    }
                    if Instant::now() >= until {
                        break;
                    }
                }
            }
        }
        sending
            .join()
            .map_err(|_| Fault::new(Exit::Internal, "the sending thread broke"))?
    })?;
    Ok(ids.len())
}

/// Through the control socket, so many at once.
fn by_socket(pair: &Pair, letters: &[OutRecord]) -> Result<(), Fault> {
    let next = AtomicUsize::new(0);
    let fault = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..SEATS {
            scope.spawn(|| {
                let work = || {
                    let mut client = pair.alice.client()?;
                    loop {
                        let from = next.fetch_add(PARCELS, Ordering::Relaxed);
                        let rest = letters.get(from..).unwrap_or_default();
                        let some = rest.get(..PARCELS.min(rest.len())).unwrap_or_default();
                        if some.is_empty() {
                            return Ok::<_, Fault>(());
                        }
                        submit_all(&mut client, some)?;
                    }
                };
                if let Err(err) = work()
                    && let Ok(mut fault) = fault.lock()
                {
                    *fault = Some(err);
                }
            });
        }
    });
    match fault.into_inner() {
        Ok(Some(fault)) => Err(fault),
        _ => Ok(()),
    }
}

fn submit(client: &mut Client, letter: &OutRecord) -> Result<String, Fault> {
    match client.ask(&Request::Submit(parcel(letter)))? {
        Reply::Queued { ids, .. } => Ok(ids.into_iter().next().unwrap_or_default()),
        other => Err(crate::flow::node::nonsense(&other)),
    }
}

/// As many to a line as it surely holds.
fn submit_all(client: &mut Client, letters: &[OutRecord]) -> Result<(), Fault> {
    let mut rest = letters;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fit = rest.iter().take_while(|one| {
            bytes += one.packed.len() + 512;
            bytes <= SHORT
        });
        let (line, later) = rest.split_at(fit.count().max(1));
        let parcels = line.iter().map(parcel).collect();
        match client.ask(&Request::SubmitAll { parcels })? {
            Reply::QueuedAll { outcomes } => {
                for outcome in outcomes {
                    if let Outcome::Refused(why) = outcome {
                        return Err(Fault::new(Exit::Internal, why));
                    }
                }
            }
            other => return Err(crate::flow::node::nonsense(&other)),
        }
        rest = later;
    }
    Ok(())
}

fn parcel(letter: &OutRecord) -> Parcel {
    Parcel {
        to: letter.peer.clone(),
        packed: String::from_utf8_lossy(&letter.packed).into_owned(),
        ..Parcel::default()
    }
}

/// Through the store, a transaction for some of them at a time.
fn by_outbox(pair: &Pair, letters: &[OutRecord]) -> Result<(), Fault> {
    let home = Home::open(&pair.alice.home)?;
    let mut rest = letters;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fit = rest
            .iter()
            .take_while(|one| {
                bytes += one.packed.len();
                bytes <= CHUNK
            })
            .count();
        let (chunk, later) = rest.split_at(fit.max(1));
        home.queue_all(chunk)?;
        poke(home.dir());
        rest = later;
    }
    Ok(())
}

/// The ids of their envelopes.
fn names(letters: &[OutRecord]) -> Result<BTreeSet<String>, Fault> {
    let id = |one: &OutRecord| Ok(Envelope::from_packed(&one.packed)?.id().to_string());
    letters.iter().map(id).collect()
}

/// How many are not in bob's inbox, and how many came more than once.
fn count(pair: Pair, letters: &[OutRecord], arrived: &Events) -> Result<(usize, usize), Fault> {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let now = Instant::now();
    while let Some(event) = arrived.next(Some(now))? {
        if let EventLine::Received { id, .. } = event {
            *times.entry(id).or_default() += 1;
        }
    }
    let bob = pair.bob.home.clone();
    pair.alice.stop()?;
    pair.bob.stop()?;
    let home = Home::open(&bob)?;
    let mut there: BTreeMap<String, usize> = BTreeMap::new();
    let mut after = 0;
    loop {
        let page = home.inbox(after, 1000)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for row in &page {
            *there.entry(row.id.to_string()).or_default() += 1;
        }
    }
    let names = names(letters)?;
    let lost = names.iter().filter(|id| !there.contains_key(*id)).count();
    let twice = |counted: &BTreeMap<String, usize>| {
        counted.values().map(|n| n.saturating_sub(1)).sum::<usize>()
    };
    Ok((lost, twice(&there).max(twice(&times))))
}

/// Where the homes are: removed afterwards, unless somebody chose the place.
struct Scratch {
    dir: PathBuf,
}

impl Scratch {
    fn at(dir: Option<PathBuf>) -> Result<Self, Fault> {
        let base = dir.unwrap_or_else(std::env::temp_dir);
        let dir = base.join(format!("packmule-bench-{}", std::process::id()));
        files::make_dir(&dir)?;
        Ok(Self { dir })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
