//! `packmule nfc tap`: hold two devices together, and see what was exchanged.
//!
//! What is it: a node that has nothing but the chip, for the length of one touch; it looks for
//! others and is found in turns. Who calls it: people. What can go wrong: nobody comes; the hands
//! part too early, which is said, and the next touch goes on; what does not fit a touch is named,
//! with a better way for it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use packmule_bus::link::Way;
use packmule_node::control::EventLine;
use packmule_node::{Home, Node, OutState};
use serde_json::json;
use tokio::time::timeout;

use crate::args::{Globals, NfcTapArgs};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::carry;
use crate::flow::embark::Aboard;
use crate::flow::settings::Settings;
use crate::ui::output::{Report, plain, size};
use crate::ui::{events, passphrase};

/// Nothing was said for so long, and nothing is under way: that was it.
const QUIET: Duration = Duration::from_millis(800);
/// How often the node is asked how it stands.
const LOOK: Duration = Duration::from_millis(100);
/// After a touch that broke, how long the hands may take to come back.
const AGAIN: Duration = Duration::from_secs(10);
/// What fits a comfortable touch of a second, at 106 kbit/s.
const FITS: u64 = 6 << 10;

/// What happened in the touch.
#[derive(Default)]
struct Touch {
    met: BTreeSet<String>,
    who: BTreeSet<String>,
    sent: BTreeSet<String>,
    delivered: BTreeSet<String>,
    received: BTreeSet<String>,
    refused: BTreeSet<String>,
    /// It ended while something was under way.
    broke: bool,
}

/// Touches.
pub(crate) fn run(globals: &Globals, args: &NfcTapArgs) -> Result<Report, Fault> {
    let home = crate::home::open(globals)?;
    let dir = home.dir().to_owned();
    let device = super::device(args.device.as_deref(), &dir)?;
    let way = Way::parse(&format!("nfc:{device}"))
        .ok_or_else(|| Fault::usage(format!("{device} is no device")))?;
    let mut settings = Settings::of_home(&dir)?;
    settings.listen = vec![way];
    settings.discover = false;
    settings.mail = None;
    let passphrase = passphrase::of(&home, globals)?;
    let keys = home.unlock(&passphrase)?;
    drop(passphrase);
    let aboard = Aboard::with(home, keys, &settings, |name| name == "nfc").map_err(|fault| {
        match fault.exit {
            Exit::Exists => fault.hint("let that node do it: [nfc] device in its node.toml"),
            _ => fault,
        }
    })?;
    if let Some(trouble) = aboard.node.troubles().first() {
        return Err(Fault::new(Exit::Refused, trouble.clone())
            .hint("`packmule doctor` says what is missing"));
    }
    let show = !globals.json && !globals.quiet;
    if show {
        eprintln!("hold the two devices together (on {device})");
    }
    let until = Instant::now() + Duration::from_secs(args.patience);
    let touch = aboard.runtime.block_on(follow(&aboard.node, until, show));
    aboard.leave();
    let home = Home::open(&dir)?;
    told(&home, &touch)
}

/// Follows the touch to its end, or until patience is over.
async fn follow(node: &Node, until: Instant, show: bool) -> Touch {
    let mut touch = Touch::default();
    let mut happening = node.events();
    let (mut last, mut until) = (Instant::now(), until);
    // What a link had under way when it was last looked at.
    let (mut here, mut busy) = (false, false);
    while Instant::now() < until {
        match timeout(LOOK, happening.next()).await {
            Ok(None) => break,
            Ok(Some(event)) => {
                last = Instant::now();
                if show {
                    eprintln!("  {}", plain(&events::words(&event)));
                }
                if let EventLine::Parted { .. } = event {
                    here = false;
                    touch.broke = busy;
                    if !busy && !touch.met.is_empty() {
                        break;
                    }
                    // Whoever parts too early comes back at once, or not at all.
                    if busy {
                        until = until.min(Instant::now() + AGAIN);
                        if show {
                            eprintln!("  too early: hold them together again");
                        }
                    }
                }
                touch.note(event);
            }
            Err(_) => {
                let Some(status) = node.status().await else {
                    break;
                };
                let Some(link) = status.links.iter().find(|link| link.node.is_some()) else {
                    continue;
                };
                (here, busy) = (true, link.outgoing + link.incoming > 0);
                if busy {
                    last = Instant::now();
                    touch.broke = false;
                }
            }
        }
        if here && !busy && !touch.met.is_empty() && last.elapsed() >= QUIET {
            touch.broke = false;
            break;
        }
    }
    touch.broke |= here && busy;
    touch
}

impl Touch {
    fn note(&mut self, event: EventLine) {
        match event {
            EventLine::Met { node, .. } => {
                self.met.insert(node);
            }
            EventLine::Proved { who, .. } => {
                self.who.insert(who);
            }
            EventLine::Received { id, .. } | EventLine::Carrying { id } => {
                self.received.insert(id);
            }
            EventLine::Progress { id, rung, .. } if rung == "custody" => {
                self.sent.insert(id);
            }
            EventLine::Progress { id, rung, .. } if rung == "delivered" => {
                self.sent.insert(id.clone());
                self.delivered.insert(id);
            }
            EventLine::Progress { id, rung, .. } if rung.starts_with("refused") => {
                self.refused.insert(id);
            }
            _ => {}
        }
    }
}

/// What is said in the end.
fn told(home: &Home, touch: &Touch) -> Result<Report, Fault> {
    let rows = carry::rows(home, Some(OutState::Queued))?;
    let left = |row: &&packmule_node::OutRow| !touch.sent.contains(&row.id.to_string());
    let waiting: Vec<_> = rows.iter().filter(left).collect();
    let bytes: u64 = waiting.iter().map(|row| row.bytes).sum();
    let hint = (!waiting.is_empty() && (touch.broke || bytes > FITS)).then(|| {
        format!(
            "{} do not fit a touch well (about {} a second): what has come of them is kept; let the \
             rest go by Bluetooth or the network, with `packmule run` at both ends",
            size(bytes),
            size(FITS),
        )
    });
    let object = json!({
        "met": touch.met,
        "who": touch.who,
        "sent": touch.sent,
        "delivered": touch.delivered,
        "received": touch.received,
        "refused": touch.refused,
        "waiting": waiting.iter().map(|row| row.id.to_string()).collect::<Vec<_>>(),
        "waiting_bytes": bytes,
        "broke": touch.broke,
        "hint": hint,
    });
    if touch.met.is_empty() {
        let text = format!("nobody came; {} messages wait", waiting.len());
        return Ok(Report::new(text, object).exit(Exit::NotFound));
    }
    let who: Vec<&str> = touch.who.iter().map(String::as_str).collect();
    let who = if who.is_empty() {
        "somebody who did not say who".to_owned()
    } else {
        who.join(", ")
    };
    let mut text = format!(
        "touched {}: sent {}, received {}, still waiting {}",
        plain(&who),
        touch.sent.len(),
        touch.received.len(),
        waiting.len(),
    );
    if touch.broke {
        text.push_str("\nthe devices parted too early: hold them together again");
    }
    if let Some(hint) = &hint {
        text.push('\n');
        text.push_str(hint);
    }
    Ok(Report::new(text, object))
}
