//! Verdicts of servers and of domains, out of those of rows.
//! Comes in: rows, those of one target in a row. Goes out: how many servers, and how many domains, have which verdict.
//! The worst of its introductions is a server's verdict; the worst of the servers that senders try first is a domain's.
//! Memory is bounded: of very many servers a sample is kept, as good for shares as all of them.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::gist::Gist;
use crate::model::words::{ConnectStatus, Overall, Rule, TargetKind, Verdict};

/// A verdict per rule, in the order of `Rule::ALL`.
type Verdicts = [Verdict; Rule::ALL.len()];

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

    pub(super) fn verdict(&self, rule: Rule, verdict: Verdict) -> u64 {
        self.verdicts.get(rule as usize).and_then(|counts| counts.get(verdict as usize)).copied().unwrap_or(0)
    }

    pub(super) fn overall(&self, overall: Overall) -> u64 {
        self.overall.get(overall as usize).copied().unwrap_or(0)
    }
}

/// Takes another server's or introduction's verdicts: of each rule the worse stays.
fn worsen(verdicts: &mut Verdicts, other: Verdicts) {
    for (verdict, other) in verdicts.iter_mut().zip(other) {
        *verdict = verdict.worse(other);
    }
}

/// Addresses that are kept at most.
const SERVERS: usize = 1 << 17;

/// The servers met so far, each with the worst of its verdicts.
///
/// Where they become too many, every second one goes, by its hash, and of those still to come as well: each server met
/// has the same chance to be among those kept, however often it is met (P. Gibbons, distinct sampling, VLDB 2001).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Servers {
    kept: HashMap<u64, Verdicts>,
    /// One server of two to this power is kept.
    halvings: u32,
}

impl Servers {
    pub(super) fn add(&mut self, address: IpAddr, verdicts: Verdicts) {
        let mut hasher = DefaultHasher::new();
        address.hash(&mut hasher);
        let hash = hasher.finish();
        if !self.keeps(hash) {
            return;
        }
        self.kept.entry(hash).and_modify(|known| worsen(known, verdicts)).or_insert(verdicts);
        while self.kept.len() > SERVERS {
            self.halvings += 1;
            let halvings = self.halvings;
            self.kept.retain(|hash, _| hash.trailing_zeros() >= halvings);
        }
    }

    fn keeps(&self, hash: u64) -> bool {
        hash.trailing_zeros() >= self.halvings
    }

    /// One server of how many is counted.
    pub(super) const fn one_of(&self) -> u64 {
        1 << self.halvings
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for verdicts in self.kept.values() {
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

/// The domains met so far.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Domains {
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
        let preference = row.preference.filter(|_| leads);
        let own = row.verdicts;
        match &mut self.current {
            Some(current) if current.sequence == sequence => match (preference, current.preference) {
                (Some(found), Some(lowest)) if found > lowest => {}
                (None, Some(_)) => {}
                (Some(found), lowest) if lowest.is_none_or(|lowest| found < lowest) => {
                    *current = Current { sequence, preference, verdicts: own };
                }
                _ => worsen(&mut current.verdicts, own),
            },
            _ => {
                if let Some(done) = self.current.replace(Current { sequence, preference, verdicts: own }) {
                    self.done.add(done.verdicts, Overall::of(&done.verdicts));
                }
            }
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = self.done.clone();
        if let Some(current) = self.current {
            counts.add(current.verdicts, Overall::of(&current.verdicts));
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
        assert!(servers.kept.len() <= SERVERS && servers.one_of() == 8, "{} of {}", counts.all, servers.one_of());
        let estimate = counts.all * servers.one_of();
        assert!(estimate.abs_diff(u64::from(all)) < u64::from(all) / 50, "{estimate}");
        let bad = counts.verdict(Rule::Fqdn, Verdict::Fail) * 1_000 / counts.all;
        assert!((190..=210).contains(&bad), "{bad}");
    }
}
