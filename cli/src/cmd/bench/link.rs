//! `packmule bench link`: messages between two nodes, both stores durable, over TCP.
//!
//! The clock runs from the first submission until the last message has arrived and alice has the
//! last of bob's signed receipts. Messages are packed before; every one is opened, judged and
//! acknowledged by bob's agent. What can go wrong: one is lost or comes twice, which is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use packmule_node::control::{Client, EventLine, Outcome, Parcel, Reply, Request};
use packmule_node::{Home, OutRecord, OutState};
use serde_json::json;

use super::letters::{Packer, Scratch, arrived_in, names};
use super::pair::Pair;
use crate::args::{BenchLinkArgs, Globals};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::carry;
use crate::flow::node::{Events, poke};
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

/// Measures.
pub(super) fn run(globals: &Globals, args: &BenchLinkArgs) -> Result<Report, Fault> {
    let scratch = Scratch::at(args.dir.clone())?;
    let pair = Pair::start(&scratch.dir)?;
    let mut packer = Packer::of(&pair.alice.home)?;
    let letters = packer.pack(args.messages, args.size)?;
    if !globals.quiet && !globals.json {
        eprintln!("{} messages packed; two nodes have met", letters.len());
    }
    let delivered = Events::of(pair.alice.client()?)?;
    let arrived = Events::of(pair.bob.client()?)?;
    // By whoever measures: it is no part of the work.
    let wanted = names(&letters)?;
    let start = Instant::now();
    let receipts = if args.serial {
        one_by_one(&pair, &letters, &delivered)?
    } else {
        all_at_once(&pair, &letters, &wanted, &delivered)?
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
fn all_at_once(
    pair: &Pair,
    letters: &[OutRecord],
    wanted: &BTreeSet<String>,
    happening: &Events,
) -> Result<usize, Fault> {
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
    let (lost, doubled) = arrived_in(&bob, &names(letters)?)?;
    let twice: usize = times.values().map(|n| n.saturating_sub(1)).sum();
    Ok((lost, doubled.max(twice)))
}
