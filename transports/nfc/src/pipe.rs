//! PDUs in exchanges: each command carries one PDU or none, each response too.
//!
//! What is it: two state machines without IO, [`Reader`] and [`Card`], and [`End`], by which they
//! take and give PDUs. A number on each exchange makes a repeated one harmless; a token names the
//! link, so that it goes on after the field was lost for a moment. Who calls it: the loops in
//! `tap`, the applet, tests that carry the bytes by hand. What can go wrong: everything that comes
//! is a stranger's; what breaks the rules is answered with a status, or ends the reader's try.
//! The reasons are in `docs/adr/0019-one-pdu-in-each-exchange.md`.

use crate::apdu::{self, Command, Response};

/// Our application: a proprietary identifier, as phones route it without registration.
pub const AID: &[u8] = b"\xf0DIDCOMM\x01";
/// The version of this framing that we speak, in the answer to the selection.
pub const VERSION: u8 = 1;
/// The longest PDU: a response holds 255 bytes on every phone, and two of them are the head.
pub const MTU: usize = 253;
/// How a link is named: by random bytes of each side.
pub type Token = [u8; 8];

/// The class of our own instructions.
pub(crate) const CLASS: u8 = 0x80;
/// Begins a link, or goes on with one: the reader's token; back come a flag and the card's token.
/// P1 is 1 if only a link that is known is wanted.
pub(crate) const OPEN: u8 = 0xd0;
/// One exchange: P1 is its number, P2 are flags; back come both, and a PDU.
pub(crate) const TURN: u8 = 0xd2;

/// In both directions: there is room for one more PDU.
pub(crate) const ROOM: u8 = 1;
/// In both directions: whoever says it has left, and nothing follows.
pub(crate) const LEFT: u8 = 2;
/// In the answer to `OPEN`: this link was known, and goes on.
pub(crate) const KNOWN: u8 = 1;

/// What a pipe takes PDUs from and gives them to: one side of a link.
pub trait End {
    /// Is there room for a PDU that may come?
    fn has_room(&self) -> bool;
    /// A PDU came; asked for by [`End::has_room`].
    fn give(&mut self, pdu: Vec<u8>);
    /// The next PDU to go.
    fn next(&mut self) -> Option<Vec<u8>>;
    /// Nobody on this side is left to speak or to hear, and all is said.
    fn has_left(&self) -> bool;
    /// The other side has left.
    fn ended(&mut self);
}

/// What a card does for a reader that comes.
pub trait Host {
    /// A reader opens a new link; what was open before is over. The token names our side of it.
    /// `None`: not now.
    fn open(&mut self) -> Option<Token>;
    /// The link that is open.
    fn end(&mut self) -> &mut dyn End;
    /// A PDU came: wait a moment for what will be said to it, if that is worth it here.
    fn linger(&mut self) {}
}

/// Why a reader cannot go on with what a card said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The card has no application of ours.
    #[error("the card is not one of ours (it says {0:04x})")]
    NotOurs(u16),
    /// It has one, which says no.
    #[error("the card says {0:04x}")]
    Refused(u16),
    /// The link is not known there any more: the card was born again, or is another one.
    #[error("the card does not know this link")]
    Forgotten,
    /// What it said is not as it should be; it may be so after another selection.
    #[error("{0}")]
    Odd(&'static str),
}

/// How far a reader is with the card in its field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Select,
    Open,
    Live,
}

/// The side that asks.
#[derive(Debug)]
pub struct Reader {
    stage: Stage,
    token: Token,
    /// The card's token, once the link is open.
    card: Option<Token>,
    number: u8,
    /// The command that has no answer yet.
    going: Option<Vec<u8>>,
    /// What it carries, should the card have no room.
    pdu: Option<Vec<u8>>,
    card_has_room: bool,
    we_left: bool,
    over: bool,
}

impl Reader {
    /// A link yet to be opened.
    #[must_use]
    pub const fn new(token: Token) -> Self {
        Self {
            stage: Stage::Select,
            token,
            card: None,
            number: 0,
            going: None,
            pdu: None,
            card_has_room: true,
            we_left: false,
            over: false,
        }
    }

    /// The field was lost: what comes next is another selection.
    pub const fn lost(&mut self) {
        self.stage = Stage::Select;
    }

    /// Can PDUs pass?
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.stage == Stage::Live
    }

    /// Has it ended, and both sides know?
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// Does a command wait for its answer?
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        self.going.is_some()
    }

    /// The next command; the same one again as long as nothing was heard.
    pub fn command(&mut self, end: &mut dyn End) -> Vec<u8> {
        let command = match self.stage {
            Stage::Select => select(AID),
            Stage::Open => build(OPEN, u8::from(self.card.is_some()), 0, &self.token),
            Stage::Live => {
                if let Some(going) = &self.going {
                    return going.clone();
                }
                if self.pdu.is_none() && self.card_has_room {
                    self.pdu = end.next();
                }
                let carried = self.pdu.as_deref().filter(|_| self.card_has_room);
                let mut flags = 0;
                if end.has_room() {
                    flags |= ROOM;
                }
                if end.has_left() && (self.pdu.is_none() || carried.is_some()) {
                    flags |= LEFT;
                    self.we_left = true;
                }
                let turn = build(TURN, self.number, flags, carried.unwrap_or_default());
                if let Some(going) = &turn {
                    self.going = Some(going.clone());
                }
                turn
            }
        };
        command.unwrap_or_default()
    }

    /// The card's answer.
    ///
    /// # Errors
    /// If the link cannot go on with it. After [`ReadError::Odd`] another selection may help.
    pub fn heard(&mut self, response: &[u8], end: &mut dyn End) -> Result<(), ReadError> {
        let response =
            Response::read(response).map_err(|_| ReadError::Odd("an answer that is none"))?;
        match (self.stage, response.status) {
            (Stage::Select, apdu::OK) => self.selected(response.data),
            (Stage::Select, other) => Err(ReadError::NotOurs(other)),
            (Stage::Open, apdu::OK) => self.opened(response.data),
            (Stage::Live, apdu::OK) => self.turned(response.data, end),
            (Stage::Open | Stage::Live, apdu::NOT_NOW) => Err(ReadError::Forgotten),
            (_, other) => Err(ReadError::Refused(other)),
        }
    }

    fn selected(&mut self, data: &[u8]) -> Result<(), ReadError> {
        // More may follow in versions to come.
        if data.first().is_none_or(|version| *version < VERSION) {
            return Err(ReadError::Odd("an application of no version"));
        }
        self.stage = Stage::Open;
        Ok(())
    }

    fn opened(&mut self, data: &[u8]) -> Result<(), ReadError> {
        let (Some((flags, _)), Some(card)) = (data.split_first(), data.get(1..9)) else {
            return Err(ReadError::Odd("an opening without a token"));
        };
        let card = Token::try_from(card).ok();
        if self.card.is_some() && (self.card != card || flags & KNOWN == 0) {
            return Err(ReadError::Forgotten);
        }
        self.card = card;
        self.stage = Stage::Live;
        Ok(())
    }

    fn turned(&mut self, data: &[u8], end: &mut dyn End) -> Result<(), ReadError> {
        let [number, flags, pdu @ ..] = data else {
            return Err(ReadError::Odd("a turn without a head"));
        };
        if *number != self.number || self.going.is_none() {
            return Err(ReadError::Odd("the answer to another turn"));
        }
        if !pdu.is_empty() && !end.has_room() || pdu.len() > MTU {
            return Err(ReadError::Odd("a PDU for which there is no room"));
        }
        if self.card_has_room {
            self.pdu = None;
        }
        self.going = None;
        self.number = self.number.wrapping_add(1);
        self.card_has_room = flags & ROOM != 0;
        if !pdu.is_empty() {
            end.give(pdu.to_vec());
        }
        if flags & LEFT != 0 {
            end.ended();
            self.over = true;
        }
        self.over |= self.we_left;
        Ok(())
    }
}

/// The command that selects an application by its name; any first occurrence, no matter which.
pub(crate) fn select(aid: &[u8]) -> Option<Vec<u8>> {
    let command = Command {
        class: 0,
        ins: 0xa4,
        p1: 4,
        p2: 0,
        data: aid,
        expected: 256,
    };
    command.to_bytes().ok()
}

fn build(ins: u8, p1: u8, p2: u8, data: &[u8]) -> Option<Vec<u8>> {
    let command = Command {
        class: CLASS,
        ins,
        p1,
        p2,
        data,
        expected: 256,
    };
    command.to_bytes().ok()
}

/// The side that answers.
#[derive(Debug)]
pub struct Card {
    reader: Token,
    token: Token,
    /// The number of the next turn.
    next: u8,
    /// The last answer, for a turn that comes again.
    last: Option<Vec<u8>>,
    /// We said that there is room.
    had_room: bool,
    we_left: bool,
    over: bool,
}

impl Card {
    /// A link that a reader opened.
    #[must_use]
    pub const fn new(reader: Token, token: Token) -> Self {
        Self {
            reader,
            token,
            next: 0,
            last: None,
            had_room: true,
            we_left: false,
            over: false,
        }
    }

    /// Is it the link of this reader?
    #[must_use]
    pub fn is_of(&self, reader: &Token) -> bool {
        self.reader == *reader
    }

    /// The answer to its opening.
    #[must_use]
    pub fn opening(&self, known: bool) -> Vec<u8> {
        let mut data = vec![if known { KNOWN } else { 0 }];
        data.extend_from_slice(&self.token);
        reply(&data)
    }

    /// Has it ended? The last answer may still be asked for again.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// One turn.
    pub fn turn(&mut self, turn: &Command<'_>, host: &mut dyn Host) -> Vec<u8> {
        if let Some(last) = &self.last
            && turn.p1.wrapping_add(1) == self.next
        {
            return last.clone();
        }
        if turn.p1 != self.next || self.over {
            return apdu::status(apdu::NOT_NOW);
        }
        let has_room = self.had_room && host.end().has_room();
        if turn.data.len() > MTU || !turn.data.is_empty() && !has_room {
            return apdu::status(apdu::WRONG_LENGTH);
        }
        if !turn.data.is_empty() {
            host.end().give(turn.data.to_vec());
            host.linger();
        }
        let end = host.end();
        let mut data = vec![turn.p1, 0];
        let left = turn.p2 & LEFT != 0;
        if !left
            && turn.p2 & ROOM != 0
            && let Some(pdu) = end.next()
        {
            data.extend_from_slice(&pdu);
        }
        self.had_room = end.has_room();
        let mut flags = if self.had_room { ROOM } else { 0 };
        if end.has_left() {
            flags |= LEFT;
            self.we_left = true;
        }
        if let Some(place) = data.get_mut(1) {
            *place = flags;
        }
        if left {
            end.ended();
        }
        self.over = left || self.we_left;
        let answer = reply(&data);
        self.next = self.next.wrapping_add(1);
        self.last = Some(answer.clone());
        answer
    }
}

/// Data, and that all went well.
pub(crate) fn reply(data: &[u8]) -> Vec<u8> {
    let status = apdu::OK;
    Response { data, status }.to_bytes()
}
