//! Which targets are settled, so that their rows are written, and which have had passes and wait for another one.
//! Comes in: their numbers in the plan. Goes out: whether one is among them, and the sets as octets for the journal.
//! A compressed bitmap: those of a list that is worked from its beginning cost next to nothing, however many they are.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use roaring::RoaringBitmap;

/// A set of targets: by the upper half of their numbers, which all lists but the largest have in common, the lower halves.
#[derive(Debug, Clone, Default)]
pub(super) struct Settled(BTreeMap<u32, RoaringBitmap>);

impl Settled {
    pub(super) fn insert(&mut self, sequence: u64) {
        let (upper, lower) = halves(sequence);
        self.0.entry(upper).or_default().insert(lower);
    }

    pub(super) fn contains(&self, sequence: u64) -> bool {
        let (upper, lower) = halves(sequence);
        self.0.get(&upper).is_some_and(|lowers| lowers.contains(lower))
    }

    pub(super) fn len(&self) -> u64 {
        self.0.values().map(RoaringBitmap::len).sum()
    }

    /// The set as octets: each upper half, and behind it the standard form of its bitmap; made small first.
    pub(super) fn into_octets(mut self) -> Vec<u8> {
        let mut octets = Vec::new();
        for (upper, lowers) in &mut self.0 {
            lowers.optimize();
            octets.extend_from_slice(&upper.to_le_bytes());
            lowers.serialize_into(&mut octets).expect("a vector takes all that is written");
        }
        octets
    }

    pub(super) fn from_octets(mut octets: &[u8]) -> io::Result<Self> {
        let mut settled = BTreeMap::new();
        while let Some((upper, rest)) = octets.split_first_chunk() {
            octets = rest;
            settled.insert(u32::from_le_bytes(*upper), RoaringBitmap::deserialize_from(&mut octets)?);
        }
        if octets.is_empty() { Ok(Self(settled)) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// Targets that wait for another pass, by how many they have had. Shared by those who put them aside and the journal.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// Those that have had one pass, two, …
    sets: Mutex<Vec<Settled>>,
    noted: AtomicU64,
}

impl Passed {
    /// A target waits for the pass after this one, which is counted from 1.
    pub(super) fn note(&self, sequence: u64, pass: u8) {
        let mut sets = self.sets();
        if sets.len() < usize::from(pass) {
            sets.resize_with(pass.into(), Settled::default);
        }
        if let Some(set) = sets.get_mut(usize::from(pass.saturating_sub(1))) {
            set.insert(sequence);
        }
        self.noted.fetch_add(1, Ordering::Relaxed);
    }

    /// How often something was noted: whether there is something new.
    pub(super) fn noted(&self) -> u64 {
        self.noted.load(Ordering::Relaxed)
    }

    /// How many passes a target has had that waits for another one; 0 for one that does not.
    pub(super) fn of(&self, sequence: u64) -> u8 {
        let last = self.sets().iter().rposition(|set| set.contains(sequence));
        last.map_or(0, |at| u8::try_from(at + 1).expect("a pass was counted in a u8"))
    }

    pub(super) fn to_octets(&self) -> Vec<Vec<u8>> {
        self.sets().iter().map(|set| set.clone().into_octets()).collect()
    }

    pub(super) fn from_octets(octets: &[Vec<u8>]) -> io::Result<Self> {
        let sets = octets.iter().take(u8::MAX.into()).map(|set| Settled::from_octets(set));
        Ok(Self { sets: Mutex::new(sets.collect::<io::Result<_>>()?), noted: AtomicU64::new(0) })
    }

    fn sets(&self) -> MutexGuard<'_, Vec<Settled>> {
        self.sets.lock().expect("no holder of this lock can panic")
    }
}

fn halves(sequence: u64) -> (u32, u32) {
    let [upper, lower] = [sequence >> 32, sequence & u64::from(u32::MAX)];
    let half = |number| u32::try_from(number).expect("it has 32 bits");
    (half(upper), half(lower))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_million_settled_targets_and_the_gaps_between_them_stay_small() {
        let mut settled = Settled::default();
        settled.0.entry(0).or_default().insert_range(0..100_000_000);
        for straggler in (0..100_000_000).step_by(99_991) {
            settled.0.entry(0).or_default().remove(straggler);
        }
        settled.insert(u64::MAX - 1);
        let count = settled.len();
        let octets = settled.into_octets();
        assert!(octets.len() < 40_000, "{} octets", octets.len());
        let back = Settled::from_octets(&octets).unwrap();
        assert!(back.contains(1) && !back.contains(99_991) && back.contains(u64::MAX - 1));
        assert_eq!(back.len(), count);
        assert!(Settled::from_octets(&octets[..100]).is_err());
    }

    #[test]
    fn a_target_has_had_the_passes_that_were_noted_last() {
        let passed = Passed::default();
        passed.note(7, 1);
        passed.note(7, 2);
        passed.note(8, 1);
        let back = Passed::from_octets(&passed.to_octets()).unwrap();
        assert_eq!([6, 7, 8].map(|sequence| back.of(sequence)), [0, 2, 1]);
    }
}
