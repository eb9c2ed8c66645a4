//! Who uses how much: the books of a depot.
//!
//! What is it: [`Books`], three accounts (all, strangers, each stranger) that every byte held or
//! promised to an arriving message is charged to. Who calls it: judging, arriving, releasing.
//! What can go wrong: a charge that is not given back as it was taken would leak room for ever;
//! so what was charged is kept with what it was charged for ([`Charge`]).

use std::collections::BTreeMap;

use super::config::Quotas;
use crate::bus::io::{NodeKey, Origin};
use crate::receipt::Reason;

/// Bytes, and on whose account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Charge {
    pub(super) bytes: u64,
    /// The stranger who gave it; `Some(None)` for all mailboxes, and for what was being received
    /// when the process ended.
    pub(super) stranger: Option<Option<NodeKey>>,
}

impl Charge {
    pub(super) fn of(origin: Origin, bytes: u64) -> Self {
        let stranger = match origin {
            Origin::Own | Origin::Friend(_) => None,
            Origin::From(node) => Some(Some(node)),
            Origin::Mailbox => Some(None),
        };
        Self { bytes, stranger }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Account {
    pub(super) bytes: u64,
    pub(super) count: usize,
}

impl Account {
    fn add(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.count = self.count.saturating_add(1);
    }

    fn take(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.count = self.count.saturating_sub(1);
    }
}

/// What does not fit, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lack {
    /// The stranger's own account.
    Stranger,
    /// The account of all strangers.
    Strangers,
    /// The whole.
    Total,
}

impl Lack {
    pub(super) const fn reason(self) -> Reason {
        match self {
            Self::Stranger => Reason::Quota,
            Self::Strangers | Self::Total => Reason::Full,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Books {
    quotas: Quotas,
    /// The sabotage `quota_off_by_one`.
    one_more: bool,
    pub(super) total: Account,
    pub(super) strangers: Account,
    each: BTreeMap<Option<NodeKey>, Account>,
}

impl Books {
    pub(super) fn new(quotas: Quotas, one_more: bool) -> Self {
        Self {
            quotas,
            one_more,
            total: Account::default(),
            strangers: Account::default(),
            each: BTreeMap::new(),
        }
    }

    /// Would it fit, if these other charges were given back first?
    pub(super) fn fits(&self, charge: &Charge, without: &[Charge]) -> Result<(), Lack> {
        let mut total = self.total;
        let mut strangers = self.strangers;
        let mut own = charge
            .stranger
            .and_then(|who| self.each.get(&who).copied())
            .unwrap_or_default();
        for gone in without {
            total.take(gone.bytes);
            if gone.stranger.is_some() {
                strangers.take(gone.bytes);
            }
            if gone.stranger.is_some() && gone.stranger == charge.stranger {
                own.take(gone.bytes);
            }
        }
        let quotas = &self.quotas;
        if charge.stranger.is_some() {
            let per = (quotas.per_stranger_bytes, quotas.per_stranger_count);
            if !self.room(own, charge.bytes, per.0, per.1) {
                return Err(Lack::Stranger);
            }
            if !self.room(strangers, charge.bytes, quotas.strangers_bytes, usize::MAX) {
                return Err(Lack::Strangers);
            }
        }
        if self.room(total, charge.bytes, quotas.total_bytes, quotas.total_count) {
            Ok(())
        } else {
            Err(Lack::Total)
        }
    }

    fn room(&self, used: Account, bytes: u64, most: u64, most_count: usize) -> bool {
        if self.one_more {
            return used.bytes <= most && used.count <= most_count;
        }
        used.bytes.checked_add(bytes).is_some_and(|sum| sum <= most) && used.count < most_count
    }

    pub(super) fn charge(&mut self, charge: &Charge) {
        self.total.add(charge.bytes);
        if let Some(who) = charge.stranger {
            self.strangers.add(charge.bytes);
            self.each.entry(who).or_default().add(charge.bytes);
        }
    }

    pub(super) fn give_back(&mut self, charge: &Charge) {
        self.total.take(charge.bytes);
        if let Some(who) = charge.stranger {
            self.strangers.take(charge.bytes);
            if let Some(account) = self.each.get_mut(&who) {
                account.take(charge.bytes);
                if account.count == 0 {
                    self.each.remove(&who);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MALLORY: NodeKey = NodeKey([13; 32]);
    const BOB: NodeKey = NodeKey([2; 32]);

    fn books(one_more: bool) -> Books {
        let quotas = Quotas {
            total_bytes: 100,
            total_count: 3,
            strangers_bytes: 60,
            per_stranger_bytes: 40,
            per_stranger_count: 2,
            max_message: 100,
        };
        Books::new(quotas, one_more)
    }

    fn from(node: NodeKey, bytes: u64) -> Charge {
        Charge::of(Origin::From(node), bytes)
    }

    #[test]
    fn mallory_fills_her_own_account_to_the_byte_and_no_further() {
        let mut books = books(false);
        assert_eq!(books.fits(&from(MALLORY, 41), &[]), Err(Lack::Stranger));
        assert_eq!(books.fits(&from(MALLORY, 40), &[]), Ok(()));
        books.charge(&from(MALLORY, 40));
        assert_eq!(books.fits(&from(MALLORY, 1), &[]), Err(Lack::Stranger));
        assert_eq!(books.fits(&from(BOB, 20), &[]), Ok(()));
        assert_eq!(books.fits(&from(BOB, 21), &[]), Err(Lack::Strangers));
        let alices = Charge::of(Origin::Own, 60);
        assert_eq!(books.fits(&alices, &[]), Ok(()));
        assert_eq!(
            books.fits(&Charge::of(Origin::Own, 61), &[]),
            Err(Lack::Total)
        );
        assert_eq!(
            books.fits(&Charge::of(Origin::Own, 61), &[from(MALLORY, 40)]),
            Ok(())
        );
    }

    #[test]
    fn what_is_given_back_is_all_there_again() {
        let mut books = books(false);
        for charge in [from(MALLORY, 10), from(BOB, 5), Charge::of(Origin::Own, 7)] {
            books.charge(&charge);
            books.give_back(&charge);
        }
        assert_eq!(books.total, Account::default());
        assert_eq!(books.strangers, Account::default());
        assert!(books.each.is_empty());
    }

    #[test]
    fn the_third_message_fits_and_the_fourth_does_not() {
        let mut books = books(false);
        for _ in 0..3 {
            assert_eq!(books.fits(&Charge::of(Origin::Own, 1), &[]), Ok(()));
            books.charge(&Charge::of(Origin::Own, 1));
        }
        assert_eq!(
            books.fits(&Charge::of(Origin::Own, 1), &[]),
            Err(Lack::Total)
        );
    }

    #[test]
    fn the_sabotage_takes_exactly_one_too_many() {
        let mut books = books(true);
        for _ in 0..4 {
            assert_eq!(books.fits(&Charge::of(Origin::Own, 1), &[]), Ok(()));
            books.charge(&Charge::of(Origin::Own, 1));
        }
        assert_eq!(
            books.fits(&Charge::of(Origin::Own, 1), &[]),
            Err(Lack::Total)
        );
    }
}
