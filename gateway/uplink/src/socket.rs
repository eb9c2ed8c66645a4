//! A WebSocket on which a mediator sends new messages as they come.
//!
//! What is it: [`Socket`], two tasks: one hears, hands messages over and lets them be acknowledged;
//! one says what is to be said. Neither waits for the other, since each end reads on only when what
//! it read is safe. Who calls it: `live`. What can go wrong: the mediator does not speak WebSocket,
//! not live delivery, or falls silent: then the socket is over, and messages are fetched as without
//! one.
//!
//! New messages come in two shapes: as a `delivery`, which names them, so that they are acknowledged
//! here (ours, estoc); or bare (Affinidi), which names nothing: they are handed over all the same,
//! as some may keep no copy, and fetched by their names afterwards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use packmule_agent::did::same_did;
use packmule_agent::message::Message;
use packmule_agent::protocol::pickup::{self, Answer, Version};
use packmule_bus::Kind;
use packmule_bus::link::{Collected, Mailbox};
use packmule_node::Node;
use packmule_node::desk::Protection;
use packmule_ws::converse;
use packmule_ws::tls::Trust;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::Owner;
use crate::collect::take;
use crate::fault::Fault;
use crate::pace::Budget;

/// The longest frame that is read.
const LONGEST: usize = 24 << 20;

/// With whom, and how.
pub(crate) struct Plan {
    pub(crate) node: Node,
    pub(crate) owner: Arc<dyn Owner>,
    pub(crate) url: String,
    /// A header of the mediator's own kind, such as a token.
    pub(crate) authorization: Option<String>,
    /// The mediator.
    pub(crate) did: String,
    pub(crate) version: Version,
    pub(crate) rate: Option<u64>,
    /// How long opening may take, and the answer after it.
    pub(crate) patience: Duration,
    pub(crate) trust: Arc<Trust>,
}

/// What came.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A word of the mediator: a status, a report.
    Word(Box<Message>),
    /// New messages: taken over, and acknowledged; some may have been put off.
    Pushed {
        taken: u64,
        unread: u64,
        bytes: u64,
        later: Option<Duration>,
    },
    /// One without a name: taken over, and still to be acknowledged.
    Bare { bytes: u64, later: Option<Duration> },
    /// It is over.
    Over(String),
}

/// An open one. Dropped, it is closed.
pub(crate) struct Socket {
    heard: mpsc::Receiver<Heard>,
    say: mpsc::UnboundedSender<Message>,
    _tasks: JoinSet<()>,
}

impl Socket {
    /// Opens one and switches live delivery on.
    pub(crate) async fn open(plan: Plan) -> Result<Self, Fault> {
        let more: Vec<(&str, &str)> = plan
            .authorization
            .iter()
            .map(|value| ("Authorization", value.as_str()))
            .collect();
        let opened = timeout(
            plan.patience,
            converse(&plan.url, &plan.trust, &more, LONGEST),
        )
        .await;
        let mailbox = opened.map_err(|_| Fault::Slow)?;
        let mailbox: Arc<dyn Mailbox> = mailbox.map_err(Fault::NoAnswer)?.into();
        let (say, said) = mpsc::unbounded_channel();
        // Whoever hears waits until what was heard before was looked at.
        let (hears, heard) = mpsc::channel(16);
        let (version, patience) = (plan.version, plan.patience);
        let plan = Arc::new(plan);
        let mut tasks = JoinSet::new();
        let ear = Ear {
            plan: Arc::clone(&plan),
            mailbox: Arc::clone(&mailbox),
            say: say.clone(),
        };
        tasks.spawn(ear.listen(hears.clone()));
        tasks.spawn(speak(plan, mailbox, said, hears));
        let mut socket = Self {
            heard,
            say,
            _tasks: tasks,
        };
        socket.say(pickup::live(version, true));
        timeout(patience, socket.agreed())
            .await
            .map_err(|_| Fault::Slow)??;
        Ok(socket)
    }

    /// Waits for the word that live delivery is on. A message instead shows that it is; what
    /// follows from that one is fetched at once in any case.
    async fn agreed(&mut self) -> Result<(), Fault> {
        match self.next().await {
            Heard::Word(word) => Fault::of_message(&word).map_or(Ok(()), Err),
            Heard::Over(why) => Err(Fault::NoAnswer(why)),
            Heard::Pushed { .. } | Heard::Bare { .. } => Ok(()),
        }
    }

    /// Says something, when what was said before is taken.
    pub(crate) fn say(&self, message: Message) {
        // The task has ended: the next word heard tells.
        let _ = self.say.send(message);
    }

    /// What comes next.
    pub(crate) async fn next(&mut self) -> Heard {
        let heard = self.heard.recv().await;
        heard.unwrap_or_else(|| Heard::Over("it is closed".to_owned()))
    }
}

/// Says what is to be said, one after the other.
async fn speak(
    plan: Arc<Plan>,
    mailbox: Arc<dyn Mailbox>,
    mut said: mpsc::UnboundedReceiver<Message>,
    hears: mpsc::Sender<Heard>,
) {
    while let Some(message) = said.recv().await {
        let task = Arc::clone(&plan);
        let packed = tokio::task::spawn_blocking(move || {
            let _ = task.node.desk().learn_form(&task.did);
            task.node
                .desk()
                .records(&task.did, message, Protection::Auth)
        });
        let first = packed
            .await
            .ok()
            .and_then(Result::ok)
            .and_then(|all| all.into_iter().next());
        let Some(record) = first else {
            return drop(hears.send(over("nothing can be packed for it")).await);
        };
        if let Err(fault) = mailbox.deliver(record.packed, Kind::Encrypted).await {
            return drop(hears.send(over(fault)).await);
        }
    }
}

fn over(why: impl ToString) -> Heard {
    Heard::Over(why.to_string())
}

/// Whoever listens.
struct Ear {
    plan: Arc<Plan>,
    mailbox: Arc<dyn Mailbox>,
    say: mpsc::UnboundedSender<Message>,
}

impl Ear {
    async fn listen(self, hears: mpsc::Sender<Heard>) {
        let mut budget = Budget::new(self.plan.rate);
        loop {
            // What is not read is not sent: the other end waits.
            sleep(budget.wait(Instant::now())).await;
            let heard = match self.mailbox.collect().await {
                Ok(collected) => {
                    budget.spend(collected.bytes.len(), Instant::now());
                    self.frame(collected).await
                }
                Err(fault) => over(fault),
            };
            let ends = matches!(heard, Heard::Over(_));
            if hears.send(heard).await.is_err() || ends {
                return;
            }
        }
    }

    async fn frame(&self, collected: Collected) -> Heard {
        let Collected { bytes, settle, .. } = collected;
        let weight = bytes.len() as u64;
        let task = Arc::clone(&self.plan);
        let opened = tokio::task::spawn_blocking(move || {
            let letter = task.node.desk().open(&bytes).ok();
            let from = letter
                .as_ref()
                .and_then(|letter| letter.opened.sender.as_deref());
            let ours = from.is_some_and(|from| same_did(from, &task.did));
            (bytes, letter.filter(|_| ours))
        });
        let Ok((bytes, letter)) = opened.await else {
            return over("it ends");
        };
        let word = letter.map(|letter| letter.message);
        let delivered = word.as_ref().and_then(pickup::read_answer);
        let owner = &*self.plan.owner;
        let heard = match (word, delivered) {
            (_, Some(Answer::Delivery { items, .. })) => {
                let taken = take(items, owner).await;
                if !taken.ids.is_empty() {
                    let _ = self
                        .say
                        .send(pickup::received(self.plan.version, &taken.ids));
                }
                Heard::Pushed {
                    taken: (taken.ids.len() as u64).saturating_sub(taken.unread),
                    unread: taken.unread,
                    bytes: weight,
                    later: taken.later,
                }
            }
            (Some(word), told) if told.is_some() || Fault::of_message(&word).is_some() => {
                Heard::Word(Box::new(word))
            }
            // Whatever else it is, it is no word about the mailbox: a message for us, or for
            // somebody whom we serve.
            _ => {
                let later = owner.take(bytes).await.err().map(|later| later.0);
                Heard::Bare {
                    bytes: weight,
                    later,
                }
            }
        };
        // Its mediator keeps it until it is acknowledged by name, taken or not.
        match settle.settle().await {
            Ok(()) => heard,
            Err(fault) => over(fault),
        }
    }
}
