//! The card's side: what is selected, and who answers.
//!
//! What is it: [`Applet`], a card without IO with two applications: ours, which carries a link, and
//! the forum's tag of type 4, which any phone reads. Who calls it: the loop of a chip that plays a
//! card, tests, the fuzzer. What can go wrong: any command at any time; each has an answer, and a
//! repeated one has the same.

use crate::apdu::{self, Command};
use crate::pipe::{AID, CLASS, Card, Host, OPEN, TURN, Token, VERSION, reply};
use crate::t4t::{self, Type4};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Selected {
    Nothing,
    Ours,
    Tag,
}

/// A card.
#[derive(Debug)]
pub struct Applet {
    selected: Selected,
    link: Option<Card>,
    tag: Type4,
}

impl Applet {
    /// A card that shows this tag to whoever knows us not.
    #[must_use]
    pub const fn new(tag: Type4) -> Self {
        Self {
            selected: Selected::Nothing,
            link: None,
            tag,
        }
    }

    /// The field was lost: nothing is selected any more. A link that was open may go on.
    pub const fn lost(&mut self) {
        self.selected = Selected::Nothing;
    }

    /// Forgets the link: its time to come back is over.
    pub fn forget(&mut self) {
        self.link = None;
    }

    /// Is a link open, and not over?
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.link.as_ref().is_some_and(|link| !link.is_over())
    }

    /// The answer to a command.
    pub fn hear(&mut self, command: &[u8], host: &mut dyn Host) -> Vec<u8> {
        let Ok(command) = Command::read(command) else {
            return apdu::status(apdu::WRONG_LENGTH);
        };
        match (command.class, command.ins) {
            (0, 0xa4) if command.p1 == 4 => self.select(command.data),
            (0, _) if self.selected == Selected::Tag => self.tag.hear(&command),
            (CLASS, OPEN) if self.selected == Selected::Ours => self.open(&command, host),
            (CLASS, TURN) if self.selected == Selected::Ours => self.turn(&command, host),
            (0 | CLASS, 0xa4 | 0xb0 | 0xd6 | OPEN | TURN) => apdu::status(apdu::NOT_NOW),
            (0 | CLASS, _) => apdu::status(apdu::UNKNOWN_INS),
            _ => apdu::status(apdu::UNKNOWN_CLASS),
        }
    }

    fn select(&mut self, aid: &[u8]) -> Vec<u8> {
        self.selected = match aid {
            AID => Selected::Ours,
            t4t::AID => {
                self.tag.select();
                Selected::Tag
            }
            _ => return apdu::status(apdu::NOT_FOUND),
        };
        match self.selected {
            Selected::Ours => reply(&[VERSION]),
            _ => apdu::status(apdu::OK),
        }
    }

    fn open(&mut self, command: &Command<'_>, host: &mut dyn Host) -> Vec<u8> {
        let Ok(reader) = Token::try_from(command.data) else {
            return apdu::status(apdu::WRONG_LENGTH);
        };
        if let Some(link) = self.link.as_ref().filter(|link| link.is_of(&reader)) {
            return link.opening(true);
        }
        if command.p1 != 0 {
            return apdu::status(apdu::NOT_NOW);
        }
        let Some(token) = host.open() else {
            return apdu::status(apdu::NO_ROOM);
        };
        self.link.insert(Card::new(reader, token)).opening(false)
    }

    fn turn(&mut self, command: &Command<'_>, host: &mut dyn Host) -> Vec<u8> {
        let Some(link) = &mut self.link else {
            return apdu::status(apdu::NOT_NOW);
        };
        link.turn(command, host)
    }
}
