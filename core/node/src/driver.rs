//! The bus's body: one task that owns it, and the tasks around it that touch the world.
//!
//! What is it: [`Driver`], which gives the bus one input after the other and carries out what it
//! says. Nothing is waited for here: links, disk, keys and mailboxes have tasks or threads of
//! their own, and answer by channels. Who calls it: [`crate::Node`]. What can go wrong: a link
//! that floods fills its own small queue and waits; a disk that is slow holds up what links and
//! applications bring, not what the bus is owed; when the node is dropped the task ends, and
//! what was not committed was never promised to anybody.

mod asks;
mod burst;
mod clerk;
mod clock;
mod doors;
mod fragments;
mod links;
mod mailboxes;
mod post;
mod reach;
mod routes;
mod seek;
mod views;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use packmule_bus::EnvelopeId;
use packmule_bus::bus::Bus;
use packmule_bus::bus::io::{
    DiskFault, Event, Held, HeldState, Input, Key, Op, Output, Record, SettleId,
};
use packmule_bus::receipt::{Reason, Rung};
use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::control::EventLine;
use crate::control::place::NodeLock;
use crate::desk::Desk;
use crate::outbox::OwnRow;
use crate::records::Batch;
use crate::writer::Writer;

pub(crate) use asks::Keys;
pub(crate) use clerk::Clerk;
pub(crate) use clock::Clock;
pub(crate) use doors::{Transports, listen, receive, scout};
pub(crate) use fragments::Scanned;
pub(crate) use links::Links;
pub(crate) use mailboxes::Boxes;
pub(crate) use post::Post;
pub(crate) use reach::Reach;
pub use seek::Seek;
pub(crate) use views::hex;
pub(crate) use words::{Changed, Command, Ears, Heard, Mouth};

use mailboxes::Seated;

/// Above so many bytes on their way to the disk, links and applications wait.
const AHEAD: usize = 8 << 20;
/// Inputs that links and applications may have brought and the bus has not heard.
pub(crate) const QUEUE: usize = 256;

/// A bus and everything that it needs to touch the world.
pub(crate) struct Driver {
    pub(crate) bus: Bus,
    pub(crate) clock: Clock,
    pub(crate) writer: Writer,
    pub(crate) desk: Arc<Desk>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) clerk: Clerk,
    pub(crate) reach: Reach,
    pub(crate) transports: Arc<Transports>,
    pub(crate) mouth: Mouth,
    pub(crate) events: broadcast::Sender<EventLine>,
    pub(crate) links: Links,
    pub(crate) boxes: Boxes,
    pub(crate) settles: BTreeMap<SettleId, Seated>,
    pub(crate) next_settle: u64,
    /// Who waits to hear that a message was taken on.
    pub(crate) waiting: BTreeMap<EnvelopeId, Vec<oneshot::Sender<Result<EnvelopeId, Reason>>>>,
    /// Rows that land with the batch that takes their message on.
    pub(crate) rows: BTreeMap<EnvelopeId, OwnRow>,
    /// The message that a person changes in this moment.
    pub(crate) changing: Option<(EnvelopeId, Changed)>,
    pub(crate) post: Post,
    pub(crate) scanned: Scanned,
    /// Tasks that end with the driver.
    pub(crate) tasks: JoinSet<()>,
    /// Given back last.
    pub(crate) lock: NodeLock,
}

impl Driver {
    /// Runs until told to stop, or until nobody holds the node any more.
    pub(crate) async fn run(mut self, mut ears: Ears) {
        self.begin();
        loop {
            let due = self.bus.deadline().map(|time| self.clock.instant(time));
            let again = self.post.again();
            let keeping_up = self.writer.waiting() < AHEAD;
            tokio::select! {
                Some(heard) = ears.answers.recv() => self.take(heard, &mut ears),
                Some(heard) = ears.brought.recv(), if keeping_up => self.take(heard, &mut ears),
                command = ears.submits.recv(), if keeping_up => match command {
                    Some(command) => self.take_submit(command, &mut ears),
                    None => return,
                },
                command = ears.commands.recv() => match command {
                    Some(Command::Stop(done)) => return self.stop(ears, done).await,
                    Some(command) => self.obey(command),
                    None => return,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.feed(Input::Timeout);
                }
                () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {
                    self.look();
                }
                Some(_) = self.tasks.join_next() => {}
            }
        }
    }

    fn begin(&mut self) {
        let own = self.reach.own();
        self.feed(Input::Identity(own));
        self.look();
        self.seek_again();
        self.clerk.look();
        self.look_for_fragments();
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Input(Input::LinkDown(link)) => {
                if self.links.remove(link) {
                    self.feed(Input::LinkDown(link));
                }
            }
            Heard::Input(input) => self.feed(input),
            Heard::Pdu(link, pdu, _allowance) => self.feed(Input::Pdu(link, pdu)),
            Heard::Port {
                port,
                transport,
                way,
                visit,
            } => self.open(port, transport, way, visit),
            Heard::Collected {
                envelope,
                to,
                transport,
                settle,
            } => {
                self.next_settle += 1;
                let id = SettleId(self.next_settle);
                self.settles.insert(id, settle);
                self.feed(Input::Whole {
                    transport: transport.to_owned(),
                    envelope,
                    to,
                    settle: id,
                });
            }
            Heard::Reached(way, mailbox) => self.reached(way, mailbox),
            Heard::Recipient(did) => self.seek(&did),
            Heard::Poke => self.look(),
            Heard::Trouble(what) => {
                let _ = self.events.send(EventLine::Other { what });
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Submit {
                submission,
                row,
                seek,
                answer,
            } => {
                let input = self.submission(*submission, row, seek, answer);
                self.feed(input);
            }
            Command::Status(answer) => {
                let _ = answer.send(self.status());
            }
            Command::Here(tag, answer) => {
                let _ = answer.send(self.bus.has_proven(&tag));
            }
            Command::Why(id, answer) => {
                let _ = answer.send(self.why(&id));
            }
            Command::DeadLetters(answer) => {
                let _ = answer.send(self.dead_letters());
            }
            Command::Forget(id, answer) => {
                // What was delivered is nobody's any more to take back.
                let ours = |held: &Held| held.id == id && held.state != HeldState::Delivered;
                let there = self.bus.held().any(ours);
                self.change(id, there.then_some(Input::Forget(id)), answer);
            }
            Command::Retry(id, answer) => {
                let dead = |held: &Held| held.id == id && matches!(held.state, HeldState::Dead(_));
                let there = self.bus.held().any(dead);
                self.change(id, there.then_some(Input::Retry(id)), answer);
            }
            Command::Read(id, answer) => {
                let batch = Batch {
                    read: vec![id],
                    ..Batch::default()
                };
                let told = move |outcome| {
                    let _ = answer.send(outcome);
                };
                self.writer.persist(batch, Box::new(told));
            }
            Command::Poke(answer) => {
                self.look();
                self.clerk.look();
                self.look_for_fragments();
                let _ = answer.send(());
            }
            Command::Stop(done) => {
                let _ = done.send(());
            }
        }
    }

    /// What a person changes: the answer comes with the commit of the batch that holds the change.
    fn change(&mut self, id: EnvelopeId, input: Option<Input>, answer: Changed) {
        self.changing = Some((id, answer));
        if let Some(input) = input {
            self.feed(input);
        }
        if let Some((_, answer)) = self.changing.take() {
            let _ = answer.send(Ok(false));
        }
    }

    /// One input, and all that follows from it.
    pub(crate) fn feed(&mut self, input: Input) {
        let outputs: Vec<Output> = self.bus.handle(self.clock.now(), input).collect();
        for output in outputs {
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Transmit(link, pdu) => self.links.send(link, pdu),
            Output::Persist(batch, ops) => {
                let mut rows = Vec::new();
                if !self.rows.is_empty() {
                    for op in &ops {
                        if let Op::Put(Record::Held(held)) = op {
                            rows.extend(self.rows.remove(&held.id));
                        }
                    }
                }
                self.keep_at_hand(&ops);
                self.forget_scanned(&ops);
                let changes = Batch {
                    ops,
                    rows,
                    ..Batch::default()
                };
                let changing = self.changing.take_if(|(id, _)| concerns(&changes.ops, id));
                let mouth = self.mouth.clone();
                let told = move |outcome: Result<(), DiskFault>| {
                    if let Some((_, answer)) = changing {
                        let _ = answer.send(outcome.map(|()| true));
                    }
                    mouth.tell(match outcome {
                        Ok(()) => Input::Committed(batch),
                        Err(fault) => Input::Failed(batch, fault),
                    });
                };
                self.writer.persist(changes, Box::new(told));
            }
            Output::Fetch(id) => self.keys.fetch(id, self.mouth.clone()),
            Output::Prove { ask, hash, role } => {
                self.keys.prove(ask, hash, role, self.mouth.clone());
            }
            Output::Verify {
                ask,
                did,
                kid,
                statement,
                signature,
            } => {
                let word = asks::Word {
                    did,
                    kid,
                    statement,
                    signature,
                };
                self.keys.verify(ask, word, self.mouth.clone());
            }
            Output::Sign {
                ask,
                by,
                ids,
                refused,
                at,
            } => {
                self.keys
                    .sign(ask, by, ids, refused, at, self.mouth.clone());
            }
            Output::Dial(way) => self.dial(way),
            Output::Deliver { id, way, wire } => self.deliver(id, way, wire),
            Output::Close(link) => drop(self.links.remove(link)),
            Output::Settle(id) => {
                if let Some(settle) = self.settles.remove(&id) {
                    self.tasks.spawn(settle.settle());
                }
            }
            Output::Unsettle(id) => {
                if let Some(settle) = self.settles.remove(&id) {
                    self.tasks.spawn(settle.put_back());
                }
            }
            Output::Event(event) => self.tell(event),
            // Both sides are built together: there is no other output.
            _ => {}
        }
    }

    /// What is for us will be opened as soon as it is durable.
    fn keep_at_hand(&self, ops: &[Op]) {
        let ours: BTreeSet<EnvelopeId> = ops
            .iter()
            .filter_map(|op| match op {
                Op::Put(Record::Inbox(arrived)) => Some(arrived.id),
                _ => None,
            })
            .collect();
        for op in ops {
            if let Op::Body(id, form) = op
                && ours.contains(id)
            {
                self.desk.keep_at_hand(*id, form);
            }
        }
    }

    fn tell(&mut self, event: Event) {
        match &event {
            Event::Received(arrived) => self.clerk.judge(arrived.id),
            Event::Carrying(id) => self.seek_recipient(*id),
            Event::Progress { id, rung, .. } => {
                // What was taken on before may have ended since.
                let outcome = match rung {
                    Rung::Refused(reason) => Err(*reason),
                    Rung::Expired => Err(Reason::Expired),
                    _ => Ok(*id),
                };
                self.answer(*id, outcome);
            }
            Event::NotTaken(id, reason) => {
                if self.waiting.contains_key(id) {
                    self.answer(*id, Err(*reason));
                } else {
                    self.rows.remove(id);
                    self.post.not_taken(*id, *reason);
                    if !reason.may_pass() {
                        // So that its row says so.
                        let _ = self.mouth.answers.send(Heard::Poke);
                    }
                }
            }
            Event::DiskRoom => {
                self.post.begin_again();
                self.clerk.look();
                let _ = self.mouth.answers.send(Heard::Poke);
            }
            _ => {}
        }
        if self.events.receiver_count() > 0 {
            let _ = self.events.send(views::line(&event, &self.reach));
        }
    }

    fn answer(&mut self, id: EnvelopeId, outcome: Result<EnvelopeId, Reason>) {
        // Of what was held already nothing is written, and no row went with it.
        self.rows.remove(&id);
        for answer in self.waiting.remove(&id).into_iter().flatten() {
            let _ = answer.send(outcome);
        }
    }

    /// Says goodbye, lets links send what they have, commits what waits, and ends.
    async fn stop(mut self, ears: Ears, done: oneshot::Sender<()>) {
        drop(ears);
        self.feed(Input::Leave);
        self.links.close().await;
        self.tasks.shutdown().await;
        let Self {
            writer,
            clerk,
            lock,
            ..
        } = self;
        // They have threads to wait for.
        let ended = tokio::task::spawn_blocking(move || {
            drop(clerk);
            drop(writer);
            drop(lock);
        });
        let _ = ended.await;
        let _ = done.send(());
    }
}

/// Do these change what is held of a message?
fn concerns(ops: &[Op], id: &EnvelopeId) -> bool {
    ops.iter().any(|op| match op {
        Op::Put(Record::Held(held)) => held.id == *id,
        Op::Drop(Key::Held(dropped)) => dropped == id,
        _ => false,
    })
}
