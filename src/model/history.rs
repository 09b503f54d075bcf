//! What earlier runs found, as far as a later run must know it.
//! Comes in: facts out of the rows of earlier runs. Goes out: whether, and when, a server or a domain had them before.
//! Sixteen bytes a fact, and only facts that some rule asks for: a run without such rows costs nothing.
//! The subject of a fact is kept as a hash of 64 bits: among ten million facts, one question in 10^12 is answered wrongly.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;

use super::name::Name;

/// The most facts that are kept: 256 MiB of them.
pub const MOST_FACTS: usize = 1 << 24;

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What a rule may want to know of an earlier run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fact<'a> {
    /// The address was on a blocklist that counts, while its names or its reverse zone were at fault.
    FaultyAndListed(IpAddr),
    /// The server closed an accepted connection without a byte.
    GreetingNone(IpAddr),
    /// No server answered for the reverse zone of the address.
    ReverseLame(IpAddr),
    /// No address of any exchange of the domain accepted a connection.
    AllUnreachable(&'a Name),
}

impl Fact<'_> {
    fn key(self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

/// Facts of earlier runs and when they were seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Keys and milliseconds since 1970, in their order.
    facts: Vec<(u64, i64)>,
}

/// There are more facts than memory is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("over {MOST_FACTS} facts that a later run must know")]
pub struct TooMany;

impl History {
    /// When a fact was first seen; None when it was not.
    pub fn first(&self, fact: Fact<'_>) -> Option<i64> {
        self.times(fact).next()
    }

    /// How many runs saw a fact, each at least a day after the one before, and the last at least a day before `now_ms`.
    pub fn days(&self, fact: Fact<'_>, now_ms: i64) -> usize {
        let mut next = i64::MIN;
        let apart = self.times(fact).take_while(|at| at.saturating_add(DAY_MS) <= now_ms).filter(|at| {
            let counts = *at >= next;
            if counts {
                next = at.saturating_add(DAY_MS);
            }
            counts
        });
        apart.count()
    }

    fn times(&self, fact: Fact<'_>) -> impl Iterator<Item = i64> + '_ {
        let key = fact.key();
        let from = self.facts.partition_point(|(other, _)| *other < key);
        self.facts.get(from..).unwrap_or_default().iter().take_while(move |(other, _)| *other == key).map(|(_, at)| *at)
    }
}

/// A history that is being gathered, in any order.
#[derive(Debug, Default)]
pub struct Gathering {
    facts: Vec<(u64, i64)>,
    /// How many there were when doubles were last thrown out.
    compact: usize,
}

impl Gathering {
    /// A fact, and when it was seen, in milliseconds since 1970.
    pub fn add(&mut self, fact: Fact<'_>, at_ms: i64) -> Result<(), TooMany> {
        if self.facts.len() >= MOST_FACTS || self.facts.len() >= (2 * self.compact).max(4_096) {
            self.shrink();
            if self.facts.len() >= MOST_FACTS {
                return Err(TooMany);
            }
        }
        self.facts.push((fact.key(), at_ms));
        Ok(())
    }

    /// Takes another gathering's facts.
    pub fn absorb(&mut self, other: Self) -> Result<(), TooMany> {
        self.facts.extend(other.facts);
        self.shrink();
        if self.facts.len() > MOST_FACTS { Err(TooMany) } else { Ok(()) }
    }

    /// The history, ready to be asked.
    pub fn finish(mut self) -> History {
        self.shrink();
        self.facts.shrink_to_fit();
        History { facts: self.facts }
    }

    /// Keeps of each fact the first time, and further ones at least a day apart: nobody asks for more.
    fn shrink(&mut self) {
        self.facts.sort_unstable();
        let mut last: Option<(u64, i64)> = None;
        self.facts.retain(|&(key, at)| {
            let keep = last.is_none_or(|(other, before)| other != key || at >= before.saturating_add(DAY_MS));
            if keep {
                last = Some((key, at));
            }
            keep
        });
        self.compact = self.facts.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACT: Fact<'_> = Fact::GreetingNone(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));

    fn history(facts: &[(Fact<'_>, i64)]) -> History {
        let mut gathering = Gathering::default();
        for (fact, at) in facts {
            gathering.add(*fact, *at).unwrap();
        }
        gathering.finish()
    }

    #[test]
    fn a_fact_is_known_by_its_first_time_whatever_the_order() {
        let history = history(&[(FACT, 700), (FACT, 5), (FACT, 70)]);
        assert_eq!(history.first(FACT), Some(5));
        assert_eq!(history.facts.len(), 1, "the later ones say nothing new");
        assert_eq!(history.first(Fact::ReverseLame("192.0.2.1".parse().unwrap())), None, "another fact");
        assert_eq!(history.first(Fact::GreetingNone("192.0.2.2".parse().unwrap())), None, "another address");
        assert_eq!(History::default().first(FACT), None);
    }

    #[test]
    fn days_are_counted_a_whole_day_apart() {
        let hours = |hours: i64| hours * DAY_MS / 24;
        let history = history(&[(FACT, hours(0)), (FACT, hours(23)), (FACT, hours(25)), (FACT, hours(48))]);
        for (now, days) in [(0, 0), (23, 0), (24, 1), (48, 1), (49, 2), (72, 2), (9_999, 2)] {
            assert_eq!(history.days(FACT, hours(now)), days, "after {now} hours");
        }
    }

    #[test]
    fn the_same_fact_over_and_over_takes_no_room() {
        let mut gathering = Gathering::default();
        for at in 0..100_000 {
            gathering.add(FACT, at).unwrap();
        }
        assert!(gathering.facts.capacity() <= 8_192, "{}", gathering.facts.capacity());
        assert_eq!(gathering.finish().first(FACT), Some(0));
    }

    #[test]
    fn a_domain_is_one_domain_however_it_was_written() {
        let name = |text| Name::parse(text).unwrap();
        let history = history(&[(Fact::AllUnreachable(&name("Example.ORG.")), 1)]);
        assert_eq!(history.first(Fact::AllUnreachable(&name("example.org"))), Some(1));
        assert_eq!(history.first(Fact::AllUnreachable(&name("example.net"))), None);
    }
}
