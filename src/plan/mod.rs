//! Turns entries into targets: networks unfolded, exclusions marked, this shard's share kept.
//! Comes in: entries in the order of the input. Goes out: targets, lazily, with a number that is the same in every shard.
//! Decides nothing by looking at the network, and drops nothing but other shards' targets.

mod clients;
pub mod exclude;
mod shard;
mod spread;

use std::iter::FusedIterator;
use std::sync::Arc;

use crate::model::exclusion::Exclusions;
use crate::model::introduction::Naming;
use crate::model::target::{Entry, Subject, Target, Wanted};
use clients::Clients;
use spread::Spread;

pub use exclude::Error;
pub use shard::{Shard, ShardError};

/// What a plan is made by.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What must not be contacted.
    pub exclusions: Arc<Exclusions>,
    /// This run's share; None is the whole list.
    pub shard: Option<Shard>,
    /// This run's idea of organisations.
    pub naming: Naming,
    /// Decides the order inside networks.
    pub seed: u64,
}

/// Turns entries into targets, numbering them over the run.
#[derive(Debug)]
pub struct Planner {
    settings: Arc<Settings>,
    clients: Clients,
    next: u64,
}

impl Planner {
    /// A plan that begins at number 0.
    pub fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), clients: Clients::default(), next: 0 }
    }

    /// The targets of the next entry. Numbers are given to all of them here, before sharding and whether or not the
    /// targets are taken: so a target has the same number in every shard and in a resumed run.
    pub fn targets(&mut self, entry: Entry) -> Targets {
        let first = self.next;
        self.next = self.next.saturating_add(u64::try_from(size(&entry)).unwrap_or(u64::MAX));
        let unstable = match &entry.wanted {
            Wanted::Observed { address, helo } => self.clients.is_unstable(*address, helo, self.settings.naming),
            Wanted::Domain(_) | Wanted::Address(_) | Wanted::Network(_) => false,
        };
        let subjects = match entry.wanted {
            Wanted::Domain(name) => Subjects::One(Some(Subject::Domain(name))),
            Wanted::Address(address) => Subjects::One(Some(Subject::Address(address))),
            Wanted::Observed { address, helo } => Subjects::One(Some(Subject::Observed { address, helo })),
            Wanted::Network(network) => Subjects::Network(Spread::new(network, self.settings.seed)),
        };
        let settings = Arc::clone(&self.settings);
        Targets { settings, line: entry.line, text: entry.text, subjects, unstable, first, taken: 0 }
    }
}

/// How many targets an entry unfolds to, before sharding.
pub fn size(entry: &Entry) -> u128 {
    match &entry.wanted {
        Wanted::Domain(_) | Wanted::Address(_) | Wanted::Observed { .. } => 1,
        Wanted::Network(network) => {
            1_u128.checked_shl((network.max_prefix_len() - network.prefix_len()).into()).unwrap_or(u128::MAX)
        }
    }
}

#[derive(Debug)]
enum Subjects {
    One(Option<Subject>),
    Network(Spread),
}

/// The targets of one entry, made as they are asked for.
#[derive(Debug)]
pub struct Targets {
    settings: Arc<Settings>,
    line: Option<u64>,
    text: Arc<str>,
    subjects: Subjects,
    unstable: bool,
    first: u64,
    taken: u64,
}

impl Targets {
    fn excluded(&self, subject: &Subject) -> bool {
        let exclusions = &self.settings.exclusions;
        match subject {
            Subject::Domain(name) => exclusions.covers_name(name),
            Subject::Address(address) | Subject::Observed { address, .. } => exclusions.covers_address(*address),
        }
    }
}

impl Iterator for Targets {
    type Item = Target;

    fn next(&mut self) -> Option<Target> {
        loop {
            let (subject, from_network) = match &mut self.subjects {
                Subjects::One(subject) => (subject.take()?, false),
                Subjects::Network(spread) => (Subject::Address(spread.get(self.taken)?), true),
            };
            let sequence = self.first.saturating_add(self.taken);
            self.taken += 1;
            if self.settings.shard.is_none_or(|shard| shard.holds(&subject)) {
                let excluded = self.excluded(&subject);
                let text = Arc::clone(&self.text);
                return Some(Target {
                    sequence,
                    line: self.line,
                    text,
                    subject,
                    from_network,
                    excluded,
                    unstable: self.unstable,
                });
            }
        }
    }
}

impl FusedIterator for Targets {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::name::Name;
    use crate::model::words::TargetKind;

    fn entry(line: u64, wanted: Wanted) -> Entry {
        Entry { line: Some(line), text: "as given".into(), wanted }
    }

    fn entries() -> Vec<Entry> {
        vec![
            entry(1, Wanted::Domain(Name::parse("mail.example.org").unwrap())),
            entry(2, Wanted::Network("192.0.2.0/28".parse().unwrap())),
            entry(3, Wanted::Address("2001:db8::1".parse().unwrap())),
            entry(4, Wanted::Observed { address: "198.51.100.1".parse().unwrap(), helo: "x".into() }),
        ]
    }

    fn plan(settings: Settings) -> Vec<Target> {
        let mut planner = Planner::new(settings);
        entries().into_iter().flat_map(|entry| planner.targets(entry)).collect()
    }

    #[test]
    fn every_entry_becomes_as_many_targets_as_its_size_says() {
        let targets = plan(Settings::default());
        assert_eq!(targets.len() as u128, entries().iter().map(size).sum::<u128>());
        assert!(targets.iter().map(|target| target.sequence).eq(0..19));
        let addresses: BTreeSet<_> = targets
            .iter()
            .filter(|target| target.from_network)
            .map(|t| &t.subject)
            .map(|s| match s {
                Subject::Address(address) => *address,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(
            addresses.contains(&"192.0.2.0".parse().unwrap()) && addresses.contains(&"192.0.2.15".parse().unwrap())
        );
        let kinds: Vec<_> = [0, 1, 17, 18].map(|at: usize| targets[at].kind()).to_vec();
        assert_eq!(kinds, [TargetKind::Domain, TargetKind::Network, TargetKind::Address, TargetKind::Observed]);
    }

    #[test]
    fn shards_share_out_the_same_numbered_targets() {
        let whole = plan(Settings::default());
        let mut parts: Vec<Target> = ["1/3", "2/3", "3/3"]
            .into_iter()
            .flat_map(|text| plan(Settings { shard: Some(text.parse().unwrap()), ..Settings::default() }))
            .collect();
        parts.sort_by_key(|target| target.sequence);
        assert_eq!(parts, whole);
    }

    #[test]
    fn numbers_do_not_depend_on_what_was_taken() {
        let mut planner = Planner::new(Settings::default());
        for entry in entries() {
            assert!(planner.targets(entry).next().is_some());
        }
        let next = planner.targets(entry(5, Wanted::Address("192.0.2.1".parse().unwrap()))).next().unwrap();
        assert_eq!(next.sequence, 19);
    }

    #[test]
    fn an_excluded_target_is_still_a_target() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("exclude");
        std::fs::write(&path, "example.org\n192.0.2.0/29\n198.51.100.0/24\n").unwrap();
        let exclusions = Arc::new(exclude::read([path]).unwrap());
        let targets = plan(Settings { exclusions, ..Settings::default() });
        assert_eq!(targets.len(), 19);
        assert_eq!(targets.iter().filter(|target| target.excluded).count(), 1 + 8 + 1);
        assert!(!targets[17].excluded);
    }

    #[test]
    fn a_huge_network_is_unfolded_lazily() {
        let mut planner = Planner::new(Settings::default());
        let whole = entry(1, Wanted::Network("0.0.0.0/0".parse().unwrap()));
        assert_eq!(size(&whole), 1 << 32);
        assert_eq!(planner.targets(whole).take(10).count(), 10);
        let after = planner.targets(entry(2, Wanted::Address("192.0.2.1".parse().unwrap()))).next().unwrap();
        assert_eq!(after.sequence, 1 << 32);
    }
}
