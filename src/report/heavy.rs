//! The keys that weigh most, of keys without end.
//! Comes in: keys, and what is known of each. Goes out: the same of those that weigh most, and by how much any may be wrong.
//! Memory is bounded: where there are too many, those that weigh least are given up. A key that was given up, or never came, weighs no
//! more than `floor`; one that comes (again) begins with nothing, and may have missed that much (J. Misra, D. Gries, Finding repeated
//! elements, 1982; the bound of each key is that of space-saving, A. Metwally et al., 2005).

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// What is known of a key.
pub(super) trait Known: Default {
    /// How much it weighs: it only ever grows.
    fn weight(&self) -> u64;

    /// Takes what is known from elsewhere.
    fn join(&mut self, other: Self);
}

impl Known for u64 {
    fn weight(&self) -> u64 {
        *self
    }

    fn join(&mut self, other: Self) {
        *self += other;
    }
}

/// The keys kept.
#[derive(Debug)]
pub(super) struct Heavy<K, V> {
    kept: HashMap<K, Kept<V>>,
    /// Up to twice as many are kept for a while, so that giving up is done seldom.
    most: usize,
    floor: u64,
    approximate: bool,
}

#[derive(Debug, Default)]
struct Kept<V> {
    known: V,
    /// How much of its weight may be missing.
    missed: u64,
}

impl<K: Hash + Eq + Ord, V: Known> Heavy<K, V> {
    /// None yet; of more than so many the least are given up.
    pub(super) fn new(most: usize) -> Self {
        Self { kept: HashMap::new(), most, floor: 0, approximate: false }
    }

    /// What is known of a key, to be added to.
    pub(super) fn of<Q>(&mut self, key: &Q) -> &mut V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if !self.kept.contains_key(key) {
            self.give_up();
            self.kept.insert(key.to_owned(), Kept { known: V::default(), missed: self.floor });
        }
        &mut self.kept.get_mut(key).expect("it is there, or was put there").known
    }

    /// What is known of a key that is kept.
    pub(super) fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.kept.get_mut(key).map(|kept| &mut kept.known)
    }

    /// All that another knows.
    pub(super) fn join(&mut self, other: Self) {
        for kept in self.kept.values_mut() {
            kept.missed += other.floor;
        }
        for (key, Kept { known, missed }) in other.kept {
            match self.kept.get_mut(&key) {
                Some(own) => {
                    own.known.join(known);
                    own.missed = own.missed - other.floor + missed;
                }
                None => {
                    self.kept.insert(key, Kept { known, missed: missed + self.floor });
                }
            }
        }
        self.floor += other.floor;
        self.approximate |= other.approximate;
        self.give_up();
    }

    /// Makes room where there is none.
    fn give_up(&mut self) {
        if self.kept.len() < 2 * self.most {
            return;
        }
        let bound = |kept: &Kept<V>| kept.known.weight() + kept.missed;
        let mut bounds: Vec<u64> = self.kept.values().map(bound).collect();
        let (_, least, _) = bounds.select_nth_unstable_by(self.most, |one, other| other.cmp(one));
        let least = *least;
        // Those of the same weight go together, so that none is kept by chance.
        self.kept.retain(|_, kept| bound(kept) > least);
        self.floor = self.floor.max(least);
        self.approximate = true;
    }

    /// Those kept by their weight, the heaviest first; then by their keys.
    pub(super) fn ranked(self) -> Ranked<K, V> {
        let missed_at_most = self.kept.values().map(|kept| kept.missed).fold(self.floor, u64::max);
        let mut keys: Vec<(K, V)> = self.kept.into_iter().map(|(key, kept)| (key, kept.known)).collect();
        keys.sort_by(|(one_key, one), (key, other)| other.weight().cmp(&one.weight()).then_with(|| one_key.cmp(key)));
        Ranked { keys, missed_at_most, approximate: self.approximate }
    }
}

/// Keys in their order.
#[derive(Debug)]
pub(super) struct Ranked<K, V> {
    pub(super) keys: Vec<(K, V)>,
    /// Some were given up.
    pub(super) approximate: bool,
    /// By how much a weight may be too small at most, also that of a key that is not there.
    pub(super) missed_at_most: u64,
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn heavy(keys: &[u16], most: usize) -> Heavy<u16, u64> {
        let mut heavy = Heavy::new(most);
        for key in keys {
            *heavy.of(key) += 1;
        }
        heavy
    }

    proptest! {
        #[test]
        fn no_weight_is_too_large_and_none_too_small_by_more_than_is_told(
            keys in prop::collection::vec((0..40_u16, 0..40_u16).prop_map(|(one, other)| one.min(other)), 0..800),
            most in 1..30_usize,
            cut in 0..800_usize,
        ) {
            let mut wanted: HashMap<u16, u64> = HashMap::new();
            for key in &keys {
                *wanted.entry(*key).or_default() += 1;
            }
            let (head, tail) = keys.split_at(cut.min(keys.len()));
            let mut joined = heavy(head, most);
            joined.join(heavy(tail, most));
            for heavy in [heavy(&keys, most), joined] {
                let Ranked { keys: ranked, missed_at_most, approximate } = heavy.ranked();
                prop_assert!(ranked.len() < 2 * most + 1);
                prop_assert_eq!(approximate, missed_at_most > 0);
                let found: HashMap<u16, u64> = ranked.into_iter().collect();
                for (key, wanted) in &wanted {
                    let found = found.get(key).copied().unwrap_or(0);
                    prop_assert!(found <= *wanted && *wanted <= found + missed_at_most, "{key}: {found} {wanted}");
                }
            }
        }
    }

    #[test]
    fn what_weighs_much_is_never_given_up() {
        let keys: Vec<u16> = (0..20_000_u16).flat_map(|n| [n, 60_000 + n % 3]).collect();
        let Ranked { keys, missed_at_most, approximate } = heavy(&keys, 100).ranked();
        assert!(approximate && missed_at_most < 500, "{missed_at_most}");
        let heaviest: Vec<(u16, u64)> = keys.into_iter().take(3).collect();
        assert_eq!(heaviest, [(60_000, 6_667), (60_001, 6_667), (60_002, 6_666)]);
    }
}
