//! Which targets are settled: their rows are written.
//! Comes in: their numbers in the plan. Goes out: whether one is among them, and the set as octets for the journal.
//! A compressed bitmap: those of a list that is worked from its beginning cost next to nothing, however many they are.

use std::collections::BTreeMap;
use std::io;

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
}
