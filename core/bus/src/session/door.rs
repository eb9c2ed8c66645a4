//! The handshake: who is there, under which keys; again when the other side was born again.
//!
//! What is it: [`Door`], with at most two handshakes at once, beside a live session if there is
//! one. Who calls it: the session. What can go wrong: strangers knock, messages are lost, doubled
//! or late. What does not fit is not heard; a handshake that fails leaves the live session alone.
//!
//! With our cipher: Noise XX in three messages, each side's Hello sealed in the second and the
//! third. Without: two messages, a Hello each.

use std::collections::VecDeque;
use std::time::Duration;

use crate::bus::io::NodeKey;
use crate::link::Role;
use crate::pdu::hello::Hello;
use crate::pdu::packet::{Handshake, VERSION};
use crate::seal::{Dice, Made, Maker, Terms};
use crate::time::Time;

/// Between a message and its first repetition; a quarter longer each time, up to [`SLOWEST`].
const FIRST: Duration = Duration::from_millis(400);
const SLOWEST: Duration = Duration::from_secs(15);
/// How long both sides have until they know each other.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two resets that are sent, and at first between two that are believed; twice as long
/// after each, up to [`RESET_SLOWEST`], since anybody can say it.
const RESET_EVERY: Duration = Duration::from_secs(1);
const RESET_SLOWEST: Duration = Duration::from_secs(64);
/// A listener into whom nobody comes says after so long that it is there, see [`Door::timeout`].
const LONELY: Duration = Duration::from_secs(3);

struct Attempt {
    id: u32,
    maker: Maker,
    /// What we answered to its first message, if they began it.
    answer: Vec<u8>,
}

/// The message that is repeated until something shows that it arrived.
struct Latest {
    attempt: u32,
    message: Vec<u8>,
    /// Repeat it by the clock; otherwise only when asked.
    due: Option<Time>,
    wait: Duration,
    first_sent: Time,
    repeated: bool,
}

/// A handshake that came to its end.
pub(super) struct Entered {
    pub(super) node: NodeKey,
    pub(super) made: Made,
    pub(super) hello: Hello,
    /// From our message to the answer, if it is certain which one was answered.
    pub(super) round_trip: Option<Duration>,
}

/// Makes sessions begin.
pub(super) struct Door {
    role: Role,
    cipher: bool,
    /// Messages may be lost, and are repeated.
    lossy: bool,
    secret: [u8; 32],
    dice: Dice,
    hello: Vec<u8>,
    ours: Hello,
    /// The life and the session that spoke last, where no third message proves it fresh.
    spoke: Option<(u64, [u8; 16])>,
    attempts: VecDeque<Attempt>,
    latest: Option<Latest>,
    /// The attempt that made the live session, and with whom that is.
    entered: Option<u32>,
    node: Option<NodeKey>,
    /// The sum of the second message that let us in.
    answered: Option<u32>,
    outbox: VecDeque<Vec<u8>>,
    next_id: u32,
    /// Until when somebody must have come in.
    patience: Option<Time>,
    next_reset: Time,
    reset_wait: Duration,
    reset_owed: bool,
    lonely: Option<(Time, Duration)>,
}

impl Door {
    pub(super) fn new(
        now: Time,
        (role, cipher, lossy): (Role, bool, bool),
        secret: &[u8; 32],
        mut dice: Dice,
        hello: &Hello,
    ) -> Self {
        let [a, b, c, d, ..] = dice.throw();
        let listens = role == Role::Listener && lossy;
        let mut door = Self {
            role,
            cipher,
            lossy,
            secret: *secret,
            dice,
            hello: hello.to_bytes(),
            ours: *hello,
            spoke: None,
            attempts: VecDeque::new(),
            latest: None,
            entered: None,
            node: None,
            answered: None,
            outbox: VecDeque::new(),
            next_id: u32::from_be_bytes([a, b, c, d]),
            patience: Some(now + PATIENCE),
            next_reset: now,
            reset_wait: RESET_EVERY,
            reset_owed: false,
            lonely: listens.then_some((now + LONELY, LONELY)),
        };
        if role == Role::Dialer {
            door.knock(now);
        }
        door
    }

    /// The next message to send, in the form that [`Handshake::to_bytes`] gives.
    pub(super) fn message(&mut self) -> Option<Vec<u8>> {
        self.outbox.pop_front()
    }

    /// Is a reset to be sent now?
    pub(super) fn reset(&mut self) -> bool {
        std::mem::take(&mut self.reset_owed)
    }

    /// Begins a handshake.
    fn knock(&mut self, now: Time) {
        self.next_id = self.next_id.wrapping_add(1);
        let id = self.next_id;
        let Some(mut maker) = self.maker(id) else {
            return;
        };
        let hello = std::mem::take(&mut self.hello);
        let said = maker.write(if self.cipher { &[] } else { &hello });
        self.hello = hello;
        if let Some(message) = said {
            self.say(now, id, 1, &message, true);
            self.attempts.clear();
            let answer = Vec::new();
            self.attempts.push_back(Attempt { id, maker, answer });
        }
    }

    fn maker(&mut self, attempt: u32) -> Option<Maker> {
        let mut prologue = b"packmule session".to_vec();
        prologue.extend_from_slice(&[VERSION, u8::from(self.lossy)]);
        prologue.extend_from_slice(&attempt.to_be_bytes());
        let terms = Terms {
            role: self.role,
            cipher: self.cipher,
            secret: &self.secret,
            prologue: &prologue,
        };
        Maker::new(&terms, &mut self.dice)
    }

    fn say(&mut self, now: Time, attempt: u32, step: u8, message: &[u8], by_clock: bool) {
        let message = Handshake {
            step,
            version: VERSION,
            attempt,
            message,
        }
        .to_bytes();
        self.outbox.clear();
        self.outbox.push_back(message.clone());
        self.latest = self.lossy.then(|| Latest {
            attempt,
            message,
            due: by_clock.then(|| now + FIRST),
            wait: FIRST,
            first_sent: now,
            repeated: false,
        });
    }

    /// The other side's message was doubled or is said again: ours may have been lost.
    fn repeat(&mut self, attempt: u32) {
        if let Some(latest) = self.latest.as_mut().filter(|l| l.attempt == attempt)
            && self.outbox.is_empty()
        {
            latest.repeated = true;
            self.outbox.push_back(latest.message.clone());
        }
    }

    /// A message of a handshake came. An error only where nothing may be lost or late.
    pub(super) fn take(
        &mut self,
        now: Time,
        heard: &Handshake<'_>,
    ) -> Result<Option<Entered>, &'static str> {
        if heard.version != VERSION {
            return self.unfit("the other side speaks another version");
        }
        match (self.role, heard.step) {
            (Role::Listener, 1) => self.greet(now, heard),
            (Role::Listener, 3) => self.enter(now, heard),
            (Role::Dialer, 2) => self.answer(now, heard),
            _ => self.unfit("a message of the handshake out of turn"),
        }
    }

    fn unfit<T>(&self, why: &'static str) -> Result<Option<T>, &'static str> {
        if self.lossy { Ok(None) } else { Err(why) }
    }

    /// The first message: answer it.
    fn greet(&mut self, now: Time, heard: &Handshake<'_>) -> Result<Option<Entered>, &'static str> {
        let id = heard.attempt;
        if self.entered == Some(id) {
            self.repeat(id);
            return self.unfit("a handshake begun twice");
        }
        if let Some(attempt) = self.attempt(id) {
            // Another one may have begun since, which was an old message come late: whoever asks
            // again is there.
            self.say(now, id, 2, &attempt.answer, true);
            self.attempts.push_back(attempt);
            return self.unfit("a handshake begun twice");
        }
        if !self.lossy && !self.attempts.is_empty() {
            return Err("a handshake begun twice");
        }
        let Some(mut maker) = self.maker(id) else {
            return Err("our key cannot be used");
        };
        let Some(theirs) = maker.read(heard.message) else {
            return self.unfit("a handshake that cannot be read");
        };
        if !self.cipher {
            self.turn_to(&theirs);
        }
        let mut hello = self.hello.clone();
        if !self.cipher {
            // No keys make this handshake another one than the last with the same Hellos: noise
            // behind ours does, where readers look no more.
            hello.extend_from_slice(&self.dice.throw());
        }
        let Some(message) = maker.write(&hello) else {
            return Err("our key cannot be used");
        };
        if self.cipher {
            self.say(now, id, 2, &message, true);
            if self.attempts.len() >= 2 {
                self.attempts.pop_front();
            }
            let answer = message;
            self.attempts.push_back(Attempt { id, maker, answer });
            return Ok(None);
        }
        let entered = self.finish(id, maker, &theirs, None)?;
        if entered.is_some() {
            self.say(now, id, 2, &message, true);
        }
        Ok(entered)
    }

    /// Without keys an old first message that came late is as good as a new one: what was said
    /// with the session before is forgotten here. Whoever speaks next has to know that, and knows
    /// it by another instance of ours.
    fn turn_to(&mut self, theirs: &[u8]) {
        let Ok(hello) = Hello::from_bytes(theirs) else {
            return;
        };
        if self.node.is_some() && hello.node != self.node {
            return;
        }
        let speaks = Some((hello.epoch, hello.instance));
        if self.spoke.is_some() && self.spoke != speaks {
            let fresh = self.dice.throw();
            if let Some(fresh) = fresh.first_chunk() {
                self.ours.instance = *fresh;
            }
            self.hello = self.ours.to_bytes();
        }
        self.spoke = speaks;
    }

    /// The second message: answer it, and we are in.
    fn answer(
        &mut self,
        now: Time,
        heard: &Handshake<'_>,
    ) -> Result<Option<Entered>, &'static str> {
        let id = heard.attempt;
        let sum = Some(crc32fast::hash(heard.message));
        if self.entered == Some(id) {
            if self.latest.is_some() {
                self.repeat(id);
            } else if self.answered != sum {
                // A first message of ours came late, to another life than the one we speak with.
                self.was_reset(now);
            }
            return self.unfit("a handshake answered twice");
        }
        let Some(mut attempt) = self.attempt(id) else {
            return self.unfit("an answer to no question");
        };
        let latest = self.latest.as_ref().filter(|l| !l.repeated);
        let round_trip = latest.map(|l| now.since(l.first_sent));
        let Some(theirs) = attempt.maker.read(heard.message) else {
            // The answer was not from whom we asked: the right one may still come.
            self.attempts.push_front(attempt);
            return self.unfit("a handshake that cannot be read");
        };
        self.answered = sum;
        if !self.cipher {
            self.latest = None;
            return self.finish(id, attempt.maker, &theirs, round_trip);
        }
        let Some(message) = attempt.maker.write(&self.hello) else {
            return Err("our key cannot be used");
        };
        let entered = self.finish(id, attempt.maker, &theirs, round_trip)?;
        if entered.is_some() {
            self.say(now, id, 3, &message, true);
        }
        Ok(entered)
    }

    /// The third message: we are in. If it is about a handshake with our former life, or with a
    /// half of one, only a new one helps: say so.
    fn enter(&mut self, now: Time, heard: &Handshake<'_>) -> Result<Option<Entered>, &'static str> {
        let Some(mut attempt) = self.attempt(heard.attempt) else {
            // What we have begun here may be old, and have come late: they are elsewhere.
            if self.entered.is_none() {
                self.owe_reset(now);
            }
            return self.unfit("an answer to no question");
        };
        let Some(theirs) = attempt.maker.read(heard.message) else {
            self.unreadable(now);
            return self.unfit("a handshake that cannot be read");
        };
        self.latest = None;
        self.finish(attempt.id, attempt.maker, &theirs, None)
    }

    fn attempt(&mut self, id: u32) -> Option<Attempt> {
        let at = self.attempts.iter().position(|a| a.id == id)?;
        self.attempts.remove(at)
    }

    fn finish(
        &mut self,
        id: u32,
        maker: Maker,
        theirs: &[u8],
        round_trip: Option<Duration>,
    ) -> Result<Option<Entered>, &'static str> {
        let (Some(made), Ok(hello)) = (maker.finish(), Hello::from_bytes(theirs)) else {
            return self.unfit("a Hello that cannot be read");
        };
        let Some(node) = made.node.or(hello.node) else {
            return self.unfit("a Hello without a key");
        };
        if self.node.is_some_and(|before| before != node) {
            // A link leads to one node: nobody else takes its session over.
            return self.unfit("a handshake by another node");
        }
        self.node = Some(node);
        self.entered = Some(id);
        self.patience = None;
        self.lonely = None;
        self.reset_owed = false;
        Ok(Some(Entered {
            node,
            made,
            hello,
            round_trip,
        }))
    }

    /// Something could be opened with the newest keys: our last message arrived.
    pub(super) fn confirmed(&mut self) {
        if self.latest.as_ref().map(|l| l.attempt) == self.entered {
            self.latest = None;
        }
    }

    /// Has somebody begun to come in?
    pub(super) fn is_opening(&self) -> bool {
        !self.attempts.is_empty()
    }

    /// Something could not be opened, and there are no keys: say so.
    pub(super) fn unreadable(&mut self, now: Time) {
        if self.entered.is_none() && self.attempts.is_empty() {
            self.owe_reset(now);
        }
    }

    fn owe_reset(&mut self, now: Time) {
        if now >= self.next_reset {
            self.reset_owed = true;
            self.next_reset = now + RESET_EVERY;
        }
    }

    /// Nothing can be opened any more with the live keys: both sides believe in another handshake
    /// (an old first message came late, say). A new one helps.
    pub(super) fn deaf(&mut self, now: Time) {
        if self.role == Role::Dialer {
            self.was_reset(now);
        } else {
            self.owe_reset(now);
        }
    }

    /// The other side, or a stranger, says that it cannot read us.
    pub(super) fn was_reset(&mut self, now: Time) {
        if self.role == Role::Dialer && self.attempts.is_empty() && now >= self.next_reset {
            self.next_reset = now + self.reset_wait;
            self.reset_wait = (self.reset_wait * 2).min(RESET_SLOWEST);
            self.knock(now);
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        let latest = self.latest.as_ref().and_then(|l| l.due);
        let lonely = self.lonely.map(|(at, _)| at);
        [latest, self.patience, lonely].into_iter().flatten().min()
    }

    /// Repeats what is due. A listener with whom nobody has come to terms says that it is there:
    /// the other side may believe in a session with its former life and have nothing to say.
    pub(super) fn timeout(&mut self, now: Time) -> Result<(), &'static str> {
        if self.patience.is_some_and(|at| at <= now) {
            return Err("no handshake in all that time");
        }
        if let Some((at, wait)) = self.lonely.filter(|(at, _)| *at <= now) {
            self.reset_owed = true;
            let wait = (wait * 2).min(SLOWEST);
            self.lonely = Some((at.max(now) + wait, wait));
        }
        let beside = self.entered.is_some();
        let Some(latest) = self.latest.as_mut() else {
            return Ok(());
        };
        if latest.due.is_some_and(|at| at <= now) {
            if beside && Some(latest.attempt) != self.entered && latest.wait >= SLOWEST {
                // A handshake beside a live session that leads nowhere: a stranger's reset.
                self.latest = None;
                self.attempts.clear();
                return Ok(());
            }
            latest.wait = (latest.wait * 5 / 4).min(SLOWEST);
            latest.due = Some(now + latest.wait);
            latest.repeated = true;
            if self.outbox.is_empty() {
                self.outbox.push_back(latest.message.clone());
            }
        }
        Ok(())
    }
}
