//! `packmule ble scan|serve|echo`: a radio tried, without a home.
//!
//! What is it: one radio in the foreground; bare values, no session: how fast it is by itself. Who
//! calls it: people, and the measurement in `tests/ble-vm`. What can go wrong: no radio, nobody
//! there; each is said. Links to other nodes are the node's: `packmule run --listen ble:hci0`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use data_encoding::HEXLOWER;
use packmule_transports::ble::advert::{Advert, Meeting};
use packmule_transports::ble::plan;
use packmule_transports::ble::profile::END;
use packmule_transports::ble::radio::{Address, Bearer, Channel, Offer, Radio};
use packmule_transports::ble::tags;
use packmule_transports::radio;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, timeout};

use crate::args::{BleEchoArgs, BleScanArgs, BleServeArgs, BleVerb};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::ui::output::{Report, plain};

/// The value by which a channel begins; what follows is a length, so that no other value is it.
const BEGIN: [u8; 3] = [0x80, 0x01, 0x01];
/// Bytes on their way, there or back: what a session's window allows.
const AWAY: usize = 32 << 10;
/// How long a connection may take to end: BlueZ lets two seconds go by.
const PARTING: Duration = Duration::from_secs(10);

/// Runs one of its verbs.
pub(crate) fn run(verb: &BleVerb, json: bool) -> Result<Report, Fault> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    match verb {
        BleVerb::Scan(args) => scan(&runtime, args),
        BleVerb::Serve(args) => serve(&runtime, args, json),
        BleVerb::Echo(args) => echo(&runtime, args),
    }
}

fn told(why: impl std::fmt::Display) -> Fault {
    Fault::new(Exit::Refused, why.to_string()).hint("`packmule doctor` tells what is missing")
}

fn scan(runtime: &Runtime, args: &BleScanArgs) -> Result<Report, Fault> {
    let radio = radio(args.adapter.as_deref());
    let seen = runtime.block_on(async {
        let mut scan = radio.scan().await.map_err(told)?;
        let mut seen: BTreeMap<Address, Option<Advert>> = BTreeMap::new();
        let until = Instant::now() + Duration::from_secs(args.patience);
        while let Ok(found) = tokio::time::timeout_at(until, scan.next()).await {
            let found = found.map_err(told)?;
            let advert = Advert::read(&found.data);
            let known = seen.entry(found.address).or_default();
            *known = advert.or(*known);
        }
        Ok::<_, Fault>(seen)
    })?;
    let (mut lines, mut list) = (Vec::new(), Vec::new());
    for (address, advert) in &seen {
        let tag = advert.map(|advert| HEXLOWER.encode(&advert.tag));
        let dials = advert.map(|advert| advert.dials);
        let shows = tag.as_deref().unwrap_or("shows no tag");
        lines.push(format!("{} {shows}", plain(&address.0)));
        list.push(json!({ "address": address.0, "tag": tag, "dials": dials }));
    }
    if lines.is_empty() {
        lines.push("nobody to be seen".to_owned());
    }
    Ok(Report::new(lines.join("\n"), json!({ "seen": list })))
}

fn serve(runtime: &Runtime, args: &BleServeArgs, json: bool) -> Result<Report, Fault> {
    let say = |words: String, line: Value| match json {
        true => writeln!(io::stdout(), "{line}"),
        false => writeln!(io::stdout(), "{words}"),
    };
    let radio = radio(Some(&args.adapter));
    let advert = Meeting::new(packmule_bus::time::Time::default(), false, tags()).advert();
    let offer = Offer {
        advert,
        l2cap: !args.gatt,
        didcomm: true,
    };
    runtime.block_on(async {
        let mut served = radio.serve(&args.adapter, &offer).await.map_err(told)?;
        let at = served.address();
        let (words, line) = (format!("seen at {at}"), json!({ "seen": at.0 }));
        say(words, line)?;
        let all = async {
            loop {
                let channel = served.accept().await.map_err(told)?;
                let by = by(&channel);
                let words = format!("{} came by {by}", plain(&channel.with));
                say(words, json!({ "came": channel.with, "by": by }))?;
                tokio::spawn(give_back(channel));
            }
        };
        match args.patience {
            None => all.await,
            Some(seconds) => timeout(Duration::from_secs(seconds), all)
                .await
                .unwrap_or(Ok(Report::told())),
        }
    })
}

async fn give_back(mut channel: Channel) {
    while let Ok(value) = channel.rx.recv().await {
        // The end of a message of the DIF's profile waits for an answer.
        if value == END
            && let Some(answers) = &mut channel.answers
            && let Ok(answer) = answers.try_recv()
        {
            let _ = answer.send(());
        }
        if channel.tx.send(value).await.is_err() {
            return;
        }
    }
}

fn echo(runtime: &Runtime, args: &BleEchoArgs) -> Result<Report, Fault> {
    let radio = radio(args.adapter.as_deref());
    let measured = async {
        let to = Address(args.address.clone());
        let mut channel = radio.connect(&to, &plan::OURS, true).await.map_err(told)?;
        channel.tx.send(BEGIN.to_vec()).await.map_err(told)?;
        channel.rx.recv().await.map_err(told)?;
        let value = match channel.bearer {
            Bearer::Gatt => plan::fitting(channel.longest),
            Bearer::L2cap => channel.longest,
        };
        let began = Instant::now();
        let values = args.bytes.div_ceil(value).max(1);
        let (mut sent, mut back) = (0, 0);
        while back < values {
            let may = sent < values && (sent - back) * value < AWAY;
            if may {
                channel.tx.send(vec![0x5a; value]).await.map_err(told)?;
                sent += 1;
            } else {
                channel.rx.recv().await.map_err(told)?;
                back += 1;
            }
        }
        Ok::<_, Fault>((by(&channel), value, values * value, began.elapsed()))
    };
    let measured = async {
        let measured = timeout(Duration::from_secs(args.patience), measured).await;
        // Its connection would stay as long as nobody else ends it.
        let _ = timeout(PARTING, radio.quiet()).await;
        measured
    };
    let (bearer, value, bytes, took) = runtime
        .block_on(measured)
        .map_err(|_| told("it took too long"))??;
    let rate = bytes as f64 / took.as_secs_f64();
    Ok(Report::new(
        format!("{bearer}, values of {value}: {rate:.0} bytes a second each way"),
        json!({ "by": bearer, "value": value, "bytes": bytes, "rate": rate }),
    ))
}

fn by(channel: &Channel) -> &'static str {
    match channel.bearer {
        Bearer::Gatt => "GATT",
        Bearer::L2cap => "L2CAP",
    }
}
