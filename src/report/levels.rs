//! Verdicts of servers and of domains, out of those of rows.
//! Comes in: rows, those of one target in a row. Goes out: how many servers, and how many domains, have which verdict.
//! The worst of its introductions is a server's verdict; the worst of the servers that senders try first is a domain's.
//! Memory is bounded: of very many servers a sample is kept, as good for shares as all of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::gist::Gist;
use crate::model::words::{ConnectStatus, Overall, Rule, TargetKind, Verdict};

/// A verdict per rule, in the order of `Rule::ALL`.
pub(super) type Verdicts = [Verdict; Rule::ALL.len()];

/// How many of something have which verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) all: u64,
    verdicts: [[u64; Verdict::ALL.len()]; Rule::ALL.len()],
    overall: [u64; Overall::ALL.len()],
}

impl Counts {
    pub(super) fn add(&mut self, verdicts: Verdicts, overall: Overall) {
        self.all += 1;
        for (counts, verdict) in self.verdicts.iter_mut().zip(verdicts) {
            *counts.get_mut(verdict as usize).expect("one counter per verdict") += 1;
        }
        *self.overall.get_mut(overall as usize).expect("one counter per word") += 1;
    }

    pub(super) fn join(&mut self, other: &Self) {
        self.all += other.all;
        let own = self.verdicts.iter_mut().flatten().chain(&mut self.overall);
        own.zip(other.verdicts.iter().flatten().chain(&other.overall)).for_each(|(own, other)| *own += other);
    }

    pub(super) fn verdict(&self, rule: Rule, verdict: Verdict) -> u64 {
        self.verdicts.get(rule as usize).and_then(|counts| counts.get(verdict as usize)).copied().unwrap_or(0)
    }

    pub(super) fn overall(&self, overall: Overall) -> u64 {
        self.overall.get(overall as usize).copied().unwrap_or(0)
    }
}

/// Takes another server's or introduction's verdicts: of each rule the worse stays.
pub(super) fn worsen(verdicts: &mut Verdicts, other: Verdicts) {
    for (verdict, other) in verdicts.iter_mut().zip(other) {
        *verdict = verdict.worse(other);
    }
}

/// What is kept at most.
const KEPT: usize = 1 << 17;

/// Things met so far, each with what is known of it, by hashes that tell them apart.
///
/// Where they become too many, every second one goes, by its hash, and of those still to come as well: each one met has the same
/// chance to be among those kept, however often it is met (P. Gibbons, distinct sampling, VLDB 2001).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sample<V> {
    kept: HashMap<u64, V>,
    /// One of two to this power is kept.
    halvings: u32,
}

impl<V> Default for Sample<V> {
    fn default() -> Self {
        Self { kept: HashMap::new(), halvings: 0 }
    }
}

impl<V> Sample<V> {
    /// One that was met: `join` puts what is known now to what was known.
    pub(super) fn add(&mut self, hash: u64, known: V, join: impl FnOnce(&mut V, V)) {
        if hash.trailing_zeros() < self.halvings {
            return;
        }
        match self.kept.entry(hash) {
            Entry::Occupied(entry) => join(entry.into_mut(), known),
            Entry::Vacant(entry) => {
                entry.insert(known);
                self.halve();
            }
        }
    }

    /// All that another has met, later than this one.
    pub(super) fn join(&mut self, other: Self, join: impl Fn(&mut V, V)) {
        if other.halvings > self.halvings {
            self.halvings = other.halvings;
            self.kept.retain(|hash, _| hash.trailing_zeros() >= other.halvings);
        }
        for (hash, known) in other.kept {
            self.add(hash, known, &join);
        }
    }

    fn halve(&mut self) {
        while self.kept.len() > KEPT {
            self.halvings += 1;
            let halvings = self.halvings;
            self.kept.retain(|hash, _| hash.trailing_zeros() >= halvings);
        }
    }

    /// One of how many is kept.
    pub(super) const fn one_of(&self) -> u64 {
        1 << self.halvings
    }

    /// What is known of those kept, in no order.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.kept.values()
    }
}

/// By what a server is told from others: the same in every run of the program.
pub(super) fn hash_of(address: IpAddr) -> u64 {
    let mut hasher = DefaultHasher::new();
    address.hash(&mut hasher);
    hasher.finish()
}

/// The servers met so far, each with the worst of its verdicts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Servers(Sample<Verdicts>);

impl Servers {
    pub(super) fn add(&mut self, address: IpAddr, verdicts: Verdicts) {
        self.0.add(hash_of(address), verdicts, worsen);
    }

    /// One server of how many is counted.
    pub(super) const fn one_of(&self) -> u64 {
        self.0.one_of()
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for verdicts in self.0.values() {
            counts.add(*verdicts, Overall::of(verdicts));
        }
        counts
    }
}

/// The domain whose rows are coming.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Current {
    sequence: u64,
    /// The lowest preference that leads to a server so far; None while none does.
    preference: Option<u16>,
    verdicts: Verdicts,
}

impl Current {
    /// Takes another row of it: only those of the lowest preference that leads to a server count.
    fn join(&mut self, preference: Option<u16>, verdicts: Verdicts) {
        match (preference, self.preference) {
            (Some(found), Some(lowest)) if found > lowest => {}
            (None, Some(_)) => {}
            (Some(found), lowest) if lowest.is_none_or(|lowest| found < lowest) => {
                *self = Self { preference, verdicts, ..*self };
            }
            _ => worsen(&mut self.verdicts, verdicts),
        }
    }
}

/// The domains met so far.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Domains {
    /// The first, once it is whole: rows of it may stand before those met here.
    first: Option<Current>,
    done: Counts,
    current: Option<Current>,
}

impl Domains {
    pub(super) fn add(&mut self, row: &Gist) {
        if row.kind != TargetKind::Domain {
            return;
        }
        let sequence = row.target;
        // Senders try a server that nobody may contact here, but nothing is known of it; of an exchange that could not be
        // resolved it is known that there may be one.
        let leads = match row.server {
            None => row.verdict(Rule::Introduces) == Verdict::Unknown,
            Some(server) => !matches!(server.connect, ConnectStatus::Special | ConnectStatus::Excluded),
        };
        self.meet(Current { sequence, preference: row.preference.filter(|_| leads), verdicts: row.verdicts });
    }

    /// A domain, or more of the one whose rows are coming.
    fn meet(&mut self, next: Current) {
        match &mut self.current {
            Some(current) if current.sequence == next.sequence => current.join(next.preference, next.verdicts),
            current => {
                let done = current.replace(next);
                self.end(done);
            }
        }
    }

    fn end(&mut self, done: Option<Current>) {
        match done {
            Some(done) if self.first.is_none() => self.first = Some(done),
            Some(done) => self.done.add(done.verdicts, Overall::of(&done.verdicts)),
            None => {}
        }
    }

    /// Those of the rows that follow.
    pub(super) fn join(&mut self, other: &Self) {
        if let Some(first) = other.first {
            self.meet(first);
            // It is whole: the other has met more.
            let done = self.current.take();
            self.end(done);
        }
        self.done.join(&other.done);
        other.current.into_iter().for_each(|current| self.meet(current));
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = self.done.clone();
        for open in [self.first, self.current].into_iter().flatten() {
            counts.add(open.verdicts, Overall::of(&open.verdicts));
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Verdicts = [Verdict::Pass; Rule::ALL.len()];
    const BAD: Verdicts = [Verdict::Fail; Rule::ALL.len()];

    fn address(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[test]
    fn a_server_is_as_good_as_its_worst_introduction_and_counts_once() {
        let mut servers = Servers::default();
        let mut mixed = GOOD;
        mixed[1] = Verdict::Unknown;
        for verdicts in [GOOD, mixed, GOOD] {
            servers.add(address(1), verdicts);
        }
        servers.add(address(2), GOOD);
        let counts = servers.counts();
        assert_eq!((counts.all, servers.one_of()), (2, 1));
        assert_eq!(counts.verdict(Rule::Fqdn, Verdict::Unknown), 1);
        assert_eq!(counts.verdict(Rule::Exists, Verdict::Pass), 2);
        assert_eq!((counts.overall(Overall::Conformant), counts.overall(Overall::Undetermined)), (1, 1));
    }

    #[test]
    fn a_sample_of_very_many_servers_has_the_shares_of_all() {
        let mut servers = Servers::default();
        let all = 600_000;
        for number in 0..all {
            // Every fifth is bad; those met often count no more than the others.
            for _ in 0..=u32::from(number % 50 == 0) {
                servers.add(address(number), if number % 5 == 0 { BAD } else { GOOD });
            }
        }
        let counts = servers.counts();
        assert!(servers.0.kept.len() <= KEPT && servers.one_of() == 8, "{} of {}", counts.all, servers.one_of());
        let estimate = counts.all * servers.one_of();
        assert!(estimate.abs_diff(u64::from(all)) < u64::from(all) / 50, "{estimate}");
        let bad = counts.verdict(Rule::Fqdn, Verdict::Fail) * 1_000 / counts.all;
        assert!((190..=210).contains(&bad), "{bad}");
    }

    #[test]
    fn rows_cut_anywhere_come_to_the_same_domains() {
        let row = |target, preference, verdict| Gist {
            target,
            kind: TargetKind::Domain,
            preference: Some(preference),
            server: Some(crate::model::gist::Server {
                address: address(1),
                connect: ConnectStatus::Open,
                asked: false,
                listed: false,
            }),
            verdicts: [verdict; Rule::ALL.len()],
            overall: Overall::of(&[verdict; Rule::ALL.len()]),
        };
        let rows = [
            row(1, 20, Verdict::Fail),
            row(1, 10, Verdict::Pass),
            row(1, 10, Verdict::Unknown),
            row(2, 10, Verdict::Fail),
            row(3, 5, Verdict::Pass),
            row(3, 9, Verdict::Fail),
            row(4, 0, Verdict::Pass),
        ];
        let domains = |rows: &[Gist]| {
            let mut domains = Domains::default();
            for row in rows {
                domains.add(row);
            }
            domains
        };
        let whole = domains(&rows).counts();
        let told = Overall::ALL.iter().map(|word| whole.overall(*word)).collect::<Vec<_>>();
        assert_eq!((whole.all, told), (4, vec![2, 1, 1, 0]));
        for one in 0..=rows.len() {
            for other in one..=rows.len() {
                let mut joined = domains(&rows[..one]);
                joined.join(&domains(&rows[one..other]));
                joined.join(&domains(&rows[other..]));
                assert_eq!(joined.counts(), whole, "cut at {one} and {other}");
            }
        }
    }

    #[test]
    fn samples_of_parts_are_joined_to_that_of_the_whole() {
        let hash = |number: u64| number.wrapping_mul(0x9E37_79B9_7F4A_7C15).swap_bytes();
        let sample = |numbers: std::ops::Range<u64>| {
            let mut sample = Sample::default();
            numbers.for_each(|number| sample.add(hash(number), 1, |own, other| *own += other));
            sample
        };
        let whole = sample(0..300_000);
        let mut joined = sample(0..290_000);
        joined.join(sample(290_000..300_000), |own, other| *own += other);
        joined.join(sample(0..7), |own, other| *own += other);
        assert!(joined.one_of() == whole.one_of() && whole.one_of() > 1);
        assert_eq!(joined.values().count(), whole.values().count());
        let twice = (0..7).filter(|number| whole.kept.contains_key(&hash(*number))).count();
        assert_eq!(joined.values().filter(|times| **times == 2).count(), twice);
    }
}
