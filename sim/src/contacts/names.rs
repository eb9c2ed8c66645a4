//! Names of nodes to numbers, and the bounds on both.

use std::collections::BTreeMap;

use super::{Contact, Contacts, ContactsError, Limits};

/// A name longer than this is no node's.
const LONGEST: usize = 64;

/// Gives each name a number, in the order in which they first appear.
pub(super) struct Names {
    numbers: BTreeMap<String, u32>,
    limit: usize,
}

impl Names {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self {
            numbers: BTreeMap::new(),
            limit: limits.nodes,
        }
    }

    /// The number of a name, a new one if it has none yet.
    pub(super) fn number(&mut self, name: &str) -> Result<u32, ContactsError> {
        if let Some(number) = self.numbers.get(name) {
            return Ok(*number);
        }
        if self.numbers.len() >= self.limit {
            return Err(ContactsError::TooMuch {
                what: "nodes",
                limit: self.limit as u64,
            });
        }
        let number = self.numbers.len() as u32;
        self.numbers.insert(name.to_owned(), number);
        Ok(number)
    }

    /// Is this a name? Short, and nothing in it that would confuse a terminal or a page.
    pub(super) fn fits(name: &str) -> bool {
        !name.is_empty() && name.len() <= LONGEST && !name.chars().any(char::is_control)
    }

    /// Every name in its natural order (2 before 10), contacts renumbered to match: the same
    /// nodes have the same numbers, in whatever order a file tells of them.
    pub(super) fn settle(self, mut contacts: Vec<Contact>) -> Contacts {
        let mut named: Vec<(String, u32)> = self.numbers.into_iter().collect();
        named.sort_by(|(a, _), (b, _)| natural(a).cmp(&natural(b)));
        let mut place = vec![0_u32; named.len()];
        for (new, (_, old)) in named.iter().enumerate() {
            if let Some(slot) = place.get_mut(*old as usize) {
                *slot = new as u32;
            }
        }
        let renumber = |old: u32| place.get(old as usize).copied().unwrap_or(old);
        for contact in &mut contacts {
            contact.a = renumber(contact.a);
            contact.b = renumber(contact.b);
        }
        let nodes = named.into_iter().map(|(name, _)| name).collect();
        Contacts::new(nodes, contacts)
    }
}

/// What a name sorts by: the text before the number at its end, then that number.
fn natural(name: &str) -> (&str, u64, &str) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = name.get(stem.len()..).unwrap_or_default();
    (stem, number.parse().unwrap_or(u64::MAX), name)
}
