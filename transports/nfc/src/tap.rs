//! One chip's thread: plays reader and card in turns, and has a link with whom it meets.
//!
//! What is it: [`Tap`], loops over a [`Chip`] that blocks, each link a [`Seat`]. Who calls it: the
//! transport and its listener, `packmule nfc`. What can go wrong: the field is lost at any moment.
//! A link outlives that for [`GRACE`], in which both sides keep their roles and the exchange that
//! was cut is said again; then it is over. The chip itself fails: the thread ends and says why.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use packmule_bus::link::{Link, Role};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::applet::Applet;
use crate::chip::{Chip, ChipError, TargetKind};
use crate::pipe::{End, Host, ReadError, Reader, Token};
use crate::seat::{Place, Seat};

/// How long a link waits for a field that was lost: a hand that shakes, not one that goes.
pub(crate) const GRACE: Duration = Duration::from_secs(2);
/// How long a card may take to answer; chips and phones ask for more time by themselves.
const ANSWER: Duration = Duration::from_secs(1);
/// How long a side that just got a PDU waits for what will be said to it, before it sends an
/// exchange without.
const LINGER: Duration = Duration::from_millis(1);
/// With nothing to say, a reader asks the card this often at least.
const SLOWEST: Duration = Duration::from_millis(50);
/// How long a reader looks for a card at a time.
const SEEK: Duration = Duration::from_millis(100);

/// Which roles a chip plays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Roles {
    /// Only a reader.
    Reader,
    /// Only a card.
    Card,
    /// Each in its turn: two equal devices meet.
    Both,
}

/// How long to be a card before the next look for one: two devices that do the same for as long
/// never meet, so it should be another time each time. 300 to 500 ms are a good choice.
pub type Jitter = Arc<dyn Fn() -> Duration + Send + Sync>;

/// 300 to 500 ms, by the system's randomness.
#[must_use]
pub fn jitter() -> Jitter {
    jitter_by(|| token()[0])
}

/// 300 to 500 ms, by random bytes.
#[must_use]
pub fn jitter_by(random: impl Fn() -> u8 + Send + Sync + 'static) -> Jitter {
    Arc::new(move || Duration::from_millis(300 + u64::from(random()) * 200 / 255))
}

/// What a chip that meets nobody does, and for how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// Looks for a card.
    Seek(Duration),
    /// Is a card.
    Listen(Duration),
}

/// In which order: two equal devices meet by it.
#[derive(Clone)]
pub struct Turns {
    roles: Roles,
    jitter: Jitter,
    sought: bool,
}

impl Turns {
    /// For a chip with these roles.
    #[must_use]
    pub const fn new(roles: Roles, jitter: Jitter) -> Self {
        Self {
            roles,
            jitter,
            sought: false,
        }
    }

    /// What comes next.
    pub fn turn(&mut self) -> Turn {
        self.sought = match self.roles {
            Roles::Reader => true,
            Roles::Card => false,
            Roles::Both => !self.sought,
        };
        if self.sought {
            Turn::Seek(SEEK)
        } else {
            Turn::Listen((self.jitter)())
        }
    }
}

fn token() -> Token {
    let [a, b, c, d, e, f, _, _, _, g, h, ..] = *Uuid::new_v4().as_bytes();
    [a, b, c, d, e, f, g, h]
}

/// What the thread does until nobody wants links any more.
pub(crate) struct Tap {
    pub(crate) chip: Box<dyn Chip>,
    pub(crate) roles: Roles,
    pub(crate) jitter: Jitter,
    pub(crate) applet: Applet,
    /// Links go here; one may wait.
    pub(crate) links: mpsc::Sender<Link>,
    /// Nobody wants any more.
    pub(crate) stop: Arc<AtomicBool>,
    /// After the first link that is all.
    pub(crate) once: bool,
    /// For people: what is on the other side.
    pub(crate) name: String,
}

impl Tap {
    /// Goes on until it is told to stop.
    pub(crate) fn run(mut self) -> Result<(), ChipError> {
        let mut host = Seats::new(&self);
        if self.roles == Roles::Both && !self.chip.plays_card() {
            self.roles = Roles::Reader;
        }
        let mut turns = Turns::new(self.roles, Arc::clone(&self.jitter));
        while !self.is_done() {
            match turns.turn() {
                Turn::Seek(wait) => self.seek(wait)?,
                Turn::Listen(slot) => self.listen(slot, &mut host)?,
            }
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Looks for a card once, and has a link with it if it is one of ours.
    fn seek(&mut self, wait: Duration) -> Result<(), ChipError> {
        let Some(target) = self.chip.seek(wait)? else {
            return Ok(());
        };
        if target.kind != TargetKind::Apdus {
            return self.pass_over();
        }
        // Whoever waits for a link has to take it before the next one.
        let Ok(permit) = self.links.clone().try_reserve_owned() else {
            self.chip.release();
            return Ok(());
        };
        let seat = Arc::new(Seat::default());
        let mut asking = Asking {
            reader: Reader::new(token()),
            place: Place(Arc::clone(&seat)),
            pace: LINGER,
        };
        if asking.approach(&mut *self.chip).is_err() {
            return self.pass_over();
        }
        permit.send(seat.link(Role::Dialer, self.name.clone()));
        if self.once {
            self.stop.store(true, Ordering::Relaxed);
        }
        let ended = self.ask(&mut asking, &seat);
        seat.end();
        self.chip.release();
        ended
    }

    /// Leaves somebody else's card alone: it will lie there for some time yet.
    fn pass_over(&mut self) -> Result<(), ChipError> {
        self.chip.release();
        thread::sleep(SEEK);
        Ok(())
    }

    /// Asks until the link is over.
    fn ask(&mut self, asking: &mut Asking, seat: &Seat) -> Result<(), ChipError> {
        // Since when no turn has succeeded: a card that is found again and says nonsense again is lost.
        let mut cut = None;
        while !asking.reader.is_over() {
            match asking.turn(&mut *self.chip, seat) {
                Ok(()) => cut = None,
                Err(Cut::Over) => return Ok(()),
                Err(Cut::Chip(fault)) => return Err(fault),
                Err(Cut::Field) => {
                    asking.reader.lost();
                    self.chip.release();
                    let since = *cut.get_or_insert_with(Instant::now);
                    if !self.find_again(asking, since)? {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Looks for the card that was lost then.
    fn find_again(&mut self, asking: &mut Asking, since: Instant) -> Result<bool, ChipError> {
        while since.elapsed() < GRACE {
            if self.chip.seek(SEEK)?.is_some() {
                match asking.approach(&mut *self.chip) {
                    Ok(()) => return Ok(true),
                    Err(Cut::Over) => return Ok(false),
                    Err(Cut::Chip(fault)) => return Err(fault),
                    Err(Cut::Field) => {}
                }
                asking.reader.lost();
                self.chip.release();
            }
        }
        Ok(false)
    }

    /// Waits for a reader, and answers it until it goes.
    fn listen(&mut self, slot: Duration, host: &mut Seats) -> Result<(), ChipError> {
        let mut until = Instant::now() + slot;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            if !self.chip.listen(left)? {
                continue;
            }
            let heard = self.answer(host);
            self.applet.lost();
            heard?;
            // A link that was cut may go on; of one that is over, the last answer may be asked for.
            let open = self.applet.is_open();
            until = Instant::now() + if open { GRACE } else { slot };
        }
        host.end_all();
        self.applet.forget();
        Ok(())
    }

    /// Answers a reader as long as it is there.
    fn answer(&mut self, host: &mut Seats) -> Result<(), ChipError> {
        let gone = |fault| match fault {
            ChipError::Broken(_) | ChipError::Unsupported => Err(fault),
            _ => Ok(()),
        };
        let mut over = None;
        loop {
            // A phone may lie there for hours; whoever dropped the listener wants the chip back, a
            // little later: the last answer of a link may be asked for again.
            if !self.is_done() || self.applet.is_open() {
                over = None;
            } else if over.get_or_insert_with(Instant::now).elapsed() >= GRACE {
                return Ok(());
            }
            let command = match self.chip.hear(GRACE) {
                Ok(command) => command,
                Err(fault) => return gone(fault),
            };
            let answer = self.applet.hear(&command, host);
            if let Err(fault) = self.chip.answer(&answer) {
                return gone(fault);
            }
        }
    }
}

/// Why a turn led nowhere.
enum Cut {
    /// The field was lost, or the card spoke nonsense: another selection may help.
    Field,
    /// The link is over.
    Over,
    /// The chip does not work.
    Chip(ChipError),
}

/// A link that we have as a reader.
struct Asking {
    reader: Reader,
    place: Place,
    pace: Duration,
}

impl Asking {
    /// Selects and opens.
    fn approach(&mut self, chip: &mut dyn Chip) -> Result<(), Cut> {
        while !self.reader.is_live() {
            self.exchange(chip)?;
        }
        Ok(())
    }

    /// One exchange, when there is something to say or it is time to ask.
    fn turn(&mut self, chip: &mut dyn Chip, seat: &Seat) -> Result<(), Cut> {
        if !self.reader.is_waiting() {
            seat.wait(self.pace);
        }
        let before = self.place.0.tally();
        self.exchange(chip)?;
        let quiet = self.place.0.tally() == before;
        self.pace = if quiet {
            (self.pace * 2).min(SLOWEST)
        } else {
            LINGER
        };
        Ok(())
    }

    fn exchange(&mut self, chip: &mut dyn Chip) -> Result<(), Cut> {
        let command = self.reader.command(&mut self.place);
        let answer = chip
            .exchange(&command, ANSWER)
            .map_err(|fault| match fault {
                ChipError::Broken(_) | ChipError::Unsupported => Cut::Chip(fault),
                _ => Cut::Field,
            })?;
        match self.reader.heard(&answer, &mut self.place) {
            Ok(()) => Ok(()),
            Err(ReadError::Odd(_)) => Err(Cut::Field),
            Err(_) => Err(Cut::Over),
        }
    }
}

/// The links that readers open with our card: one at a time.
struct Seats {
    links: mpsc::Sender<Link>,
    name: String,
    place: Place,
}

impl Seats {
    fn new(tap: &Tap) -> Self {
        Self {
            links: tap.links.clone(),
            name: tap.name.clone(),
            place: Place(Arc::default()),
        }
    }

    fn end_all(&self) {
        self.place.0.end();
    }
}

impl Host for Seats {
    fn open(&mut self) -> Option<Token> {
        self.place.0.end();
        let seat = Arc::new(Seat::default());
        let link = seat.link(Role::Listener, self.name.clone());
        self.place = Place(seat);
        self.links.try_send(link).ok()?;
        Some(token())
    }

    fn end(&mut self) -> &mut dyn End {
        &mut self.place
    }

    fn linger(&mut self) {
        self.place.0.wait(LINGER);
    }
}
