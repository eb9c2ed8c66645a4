//! Sets of byte offsets, kept as ranges: what is here, what is missing, what was sent.
//!
//! What is it: [`Ranges`], ascending ranges of `u64` that neither overlap nor touch. Who calls
//! it: sessions for segments and packet numbers, the bus for partials. What can go wrong: a
//! peer that fragments on purpose makes many ranges; whoever keeps a set for a peer bounds
//! [`Ranges::count`].

use std::fmt;
use std::ops::Range;

/// A set of `u64`, as ascending ranges with gaps between them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Ranges(Vec<Range<u64>>);

impl Ranges {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// One range; the empty set if it is empty.
    #[must_use]
    pub fn of(range: Range<u64>) -> Self {
        let mut ranges = Self::new();
        ranges.insert(range);
        ranges
    }

    /// Adds a range.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        // The usual case is growth at the end.
        if let Some(last) = self.0.last_mut()
            && last.start <= range.start
            && range.start <= last.end
        {
            last.end = last.end.max(range.end);
            return;
        }
        // Everything that overlaps or touches becomes one.
        let from = self.0.partition_point(|r| r.end < range.start);
        let to = self.0.partition_point(|r| r.start <= range.end);
        let touched = self.0.get(from..to).unwrap_or_default();
        let start = touched
            .first()
            .map_or(range.start, |r| r.start.min(range.start));
        let end = touched.last().map_or(range.end, |r| r.end.max(range.end));
        self.0
            .splice(from..to.max(from), std::iter::once(start..end));
    }

    /// Takes a range out.
    pub fn remove(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let from = self.0.partition_point(|r| r.end <= range.start);
        let to = self.0.partition_point(|r| r.start < range.end);
        let cut = self.0.get(from..to).unwrap_or_default();
        let (Some(first), Some(last)) = (cut.first(), cut.last()) else {
            return;
        };
        let before = first.start..range.start;
        let after = range.end..last.end;
        let left = [before, after].into_iter().filter(|r| r.start < r.end);
        self.0.splice(from..to, left);
    }

    /// Adds all of another set.
    pub fn insert_all(&mut self, other: &Self) {
        for range in other.iter() {
            self.insert(range);
        }
    }

    /// Takes all of another set out.
    pub fn remove_all(&mut self, other: &Self) {
        for range in other.iter() {
            self.remove(range);
        }
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Self::new();
        for range in other.iter() {
            for part in self.within(range) {
                both.insert(part);
            }
        }
        both
    }

    /// The parts of `range` that are in the set, ascending.
    pub fn within(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let from = self.0.partition_point(|r| r.end <= range.start);
        self.0
            .get(from..)
            .unwrap_or_default()
            .iter()
            .take_while(move |r| r.start < range.end)
            .map(move |r| r.start.max(range.start)..r.end.min(range.end))
            .filter(|r| !r.is_empty())
    }

    /// The parts of `range` that are not in the set.
    #[must_use]
    pub fn missing(&self, range: Range<u64>) -> Self {
        let mut missing = Self::of(range.clone());
        for held in self.within(range) {
            missing.remove(held);
        }
        missing
    }

    /// Is the whole of `range` in the set?
    #[must_use]
    pub fn covers(&self, range: Range<u64>) -> bool {
        let at = self.0.partition_point(|r| r.end <= range.start);
        range.is_empty()
            || self
                .0
                .get(at)
                .is_some_and(|r| r.start <= range.start && range.end <= r.end)
    }

    /// Is this number in the set?
    #[must_use]
    pub fn contains(&self, number: u64) -> bool {
        self.covers(number..number.saturating_add(1))
    }

    /// The lowest range.
    #[must_use]
    pub fn first(&self) -> Option<Range<u64>> {
        self.0.first().cloned()
    }

    /// The highest range.
    #[must_use]
    pub fn last(&self) -> Option<Range<u64>> {
        self.0.last().cloned()
    }

    /// Takes the lowest range away.
    pub fn drop_first(&mut self) {
        if !self.0.is_empty() {
            self.0.remove(0);
        }
    }

    /// The ranges, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Range<u64>> + ExactSizeIterator + '_ {
        self.0.iter().cloned()
    }

    /// How many ranges.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// How many numbers.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |sum, r| sum.saturating_add(r.end - r.start))
    }

    /// Is there nothing in the set?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Range<u64>> for Ranges {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Self {
        let mut all = Self::new();
        for range in ranges {
            all.insert(range);
        }
        all
    }
}

impl fmt::Debug for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn numbers(ranges: &Ranges) -> BTreeSet<u64> {
        ranges.iter().flatten().collect()
    }

    proptest! {
        #[test]
        fn a_set_of_ranges_is_a_set_of_numbers(
            steps in prop::collection::vec((any::<bool>(), 0_u64..60, 0_u64..20), 0..60),
            (start, length) in (0_u64..60, 0_u64..30),
        ) {
            let (mut ranges, mut model) = (Ranges::new(), BTreeSet::new());
            for (add, start, length) in steps {
                let range = start..start + length;
                if add {
                    ranges.insert(range.clone());
                    model.extend(range);
                } else {
                    ranges.remove(range.clone());
                    model.retain(|n| !range.contains(n));
                }
                prop_assert_eq!(&numbers(&ranges), &model);
                let pairs: Vec<Range<u64>> = ranges.iter().collect();
                prop_assert!(pairs.iter().all(|r| r.start < r.end));
                prop_assert!(pairs.windows(2).all(|two| two[0].end < two[1].start));
            }
            let asked = start..start + length;
            prop_assert_eq!(ranges.total(), model.len() as u64);
            prop_assert_eq!(
                ranges.within(asked.clone()).flatten().collect::<BTreeSet<u64>>(),
                model.iter().copied().filter(|n| asked.contains(n)).collect::<BTreeSet<u64>>()
            );
            prop_assert_eq!(
                numbers(&ranges.missing(asked.clone())),
                asked.clone().filter(|n| !model.contains(n)).collect::<BTreeSet<u64>>()
            );
            prop_assert_eq!(ranges.covers(asked.clone()), asked.clone().all(|n| model.contains(&n)));
            prop_assert_eq!(ranges.contains(start), model.contains(&start));
            prop_assert_eq!(
                numbers(&ranges.intersection(&Ranges::of(asked.clone()))),
                asked.filter(|n| model.contains(n)).collect::<BTreeSet<u64>>()
            );
        }
    }
}
