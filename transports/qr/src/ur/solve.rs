//! Fragments from mixed parts, by elimination.
//!
//! Called by the UR reader. Every part says: the exclusive or of these fragments is this. The usual
//! reader only takes in a part when all its fragments but one are known; elimination takes in all
//! that are new, and needs hardly more parts than there are fragments (at 100 fragments and half
//! of the parts lost, half as many shown). What can go wrong: nothing; memory is bounded by the
//! number of fragments, which the caller bounds.

/// The equations held, each with a leading fragment that no other one leads with.
#[derive(Debug)]
pub(crate) struct Equations {
    rows: Vec<Option<Row>>,
    rank: usize,
}

#[derive(Clone, Debug)]
struct Row {
    /// One bit a fragment.
    mix: Vec<u64>,
    data: Vec<u8>,
}

impl Row {
    fn leads(&self) -> Option<usize> {
        let (place, word) = self.mix.iter().enumerate().find(|(_, word)| **word != 0)?;
        Some(place * 64 + word.trailing_zeros() as usize)
    }

    fn holds(&self, fragment: usize) -> bool {
        self.mix
            .get(fragment / 64)
            .is_some_and(|word| word >> (fragment % 64) & 1 == 1)
    }

    fn add(&mut self, other: &Self) {
        for (a, b) in self.mix.iter_mut().zip(&other.mix) {
            *a ^= b;
        }
        for (a, b) in self.data.iter_mut().zip(&other.data) {
            *a ^= b;
        }
    }
}

impl Equations {
    /// For this many fragments, which are all of one length.
    pub(crate) fn new(fragments: usize) -> Self {
        Self {
            rows: vec![None; fragments],
            rank: 0,
        }
    }

    /// How many different equations are held; as many as fragments are enough.
    pub(crate) fn rank(&self) -> usize {
        self.rank
    }

    /// Takes in a part. Whether it told anything new.
    pub(crate) fn add(&mut self, fragments: &[usize], data: &[u8]) -> bool {
        let mut row = Row {
            mix: vec![0; self.rows.len().div_ceil(64)],
            data: data.to_vec(),
        };
        for fragment in fragments {
            if let Some(word) = row.mix.get_mut(fragment / 64) {
                *word ^= 1 << (fragment % 64);
            }
        }
        while let Some(lead) = row.leads() {
            match self.rows.get_mut(lead) {
                Some(Some(held)) => row.add(held),
                Some(empty) => {
                    *empty = Some(row);
                    self.rank += 1;
                    return true;
                }
                None => return false,
            }
        }
        false
    }

    /// All fragments one after the other, once there are enough equations.
    pub(crate) fn solve(mut self) -> Option<Vec<u8>> {
        if self.rank < self.rows.len() {
            return None;
        }
        // From the last one on, which leads itself alone.
        for lead in (0..self.rows.len()).rev() {
            let (upper, lower) = self.rows.split_at_mut(lead + 1);
            let row = upper.last_mut()?.as_mut()?;
            for (known, after) in (lead + 1..).zip(lower) {
                if row.holds(known) {
                    row.add(after.as_ref()?);
                }
            }
        }
        Some(
            self.rows
                .into_iter()
                .flatten()
                .flat_map(|row| row.data)
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_many_independent_equations_as_fragments_give_them_all(
            count in 1usize..130,
            seed in any::<u64>(),
        ) {
            let fragments: Vec<Vec<u8>> = (0..count).map(|n| vec![n as u8, (n * 7) as u8, 3]).collect();
            let mut state = seed | 1;
            let mut equations = Equations::new(count);
            let mut told = 0;
            while equations.rank() < count {
                let mut chosen = Vec::new();
                let mut data = vec![0; 3];
                for (n, fragment) in fragments.iter().enumerate() {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    if state >> 60 < 6 {
                        chosen.push(n);
                        data.iter_mut().zip(fragment).for_each(|(a, b)| *a ^= b);
                    }
                }
                told += usize::from(equations.add(&chosen, &data));
                prop_assert_eq!(told, equations.rank());
                prop_assert!(!equations.add(&chosen, &data), "the same part told something");
            }
            prop_assert_eq!(equations.solve(), Some(fragments.concat()));
        }
    }

    #[test]
    fn too_few_equations_give_nothing() {
        let mut equations = Equations::new(3);
        assert!(equations.add(&[0, 2], b"a"));
        assert!(equations.add(&[2], b"b"));
        assert!(!equations.add(&[0], &[b'a' ^ b'b']));
        assert_eq!(equations.solve(), None);
    }
}
