//! The survey that counts come to.
//! Comes in: a census, and what only its maker knows: the runs, the meanings of words. Goes out: a [`Survey`].
//! Everything is put into an order of its own, so that the same rows give the same survey.

use std::collections::BTreeMap;

use super::census::{Census, Provider, Seen, hash};
use super::heavy::Ranked;
use super::levels::Counts;
use super::network::{self, count};
use super::survey::{
    About, Bin, Blocklist, Blocklists, Counted, Distribution, Found, Health, Level, Network, OverallShares, Quantile,
    Ranking, RuleShares, Run, SURVEY_VERSION, Share, Software, Survey, Tls, Totals, Unknown,
};
use super::tally::{SERVER_RULES, suspicions};
use crate::model::finding::Code;
use crate::model::words::{Basis, Cause, CertTrust, Overall, PtrClass, Rule, Severity, TlsFailure, TlsStatus, Verdict};

/// Entries of a ranking that are shown.
const SHOWN: usize = 1_000;
/// Findings of a network that are shown.
const FINDINGS: usize = 4;
/// Bins of a distribution for each doubling of the time: a quantile is exact to a sixteenth.
const PER_DOUBLING: u64 = 16;
/// The quantiles that are told.
const QUANTILES: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999];

/// What a survey is put into.
#[derive(Debug)]
pub struct Frame {
    /// The program and its version.
    pub made_by: String,
    /// The heading.
    pub title: String,
    /// The files.
    pub runs: Vec<Run>,
    /// What has to be known first.
    pub notes: Vec<String>,
    /// The rules.
    pub rules: Vec<About>,
    /// Meaning, reason and remedy of a finding.
    pub explain: fn(Code) -> [&'static str; 3],
    /// What the runs say of their blocklists.
    pub health: BTreeMap<String, Vec<Health>>,
}

impl Census {
    /// The survey of all that was counted.
    pub fn survey(self, frame: Frame) -> Survey {
        let mut notes = frame.notes;
        let (repeated, repeated_one_of) = self.repeated();
        if repeated > 0 {
            let about = if repeated_one_of > 1 { "about " } else { "" };
            notes.push(format!(
                "{about}{} rows are of the same target, exchange and address as one of an earlier file: they count each time",
                repeated * repeated_one_of
            ));
        }
        notes.extend(suspicions([
            (self.reach.not_open, self.reach.dialled, "of the rows whose address was dialled have no connection"),
            (self.reach.listed, self.reach.asked, "of the rows whose address was looked up are listed"),
        ]));
        let seen: Vec<Seen> = self.servers.values().copied().collect();
        let levels = self.levels(&seen);
        let totals = Totals {
            rows: self.rows.all,
            targets: self.targets.count,
            servers: seen.len() as u64 * self.servers.one_of(),
            servers_one_of: self.servers.one_of(),
            repeated: repeated * repeated_one_of,
            repeated_one_of,
            announced: self.bases.get(Basis::Announced as usize).copied().unwrap_or(0),
            observed: self.bases.get(Basis::Observed as usize).copied().unwrap_or(0),
        };
        let distribution = |of: fn(&Seen) -> Option<u32>| Distribution::of(seen.iter().filter_map(of).collect());
        let ptr_class = counted(PtrClass::ALL, &self.ptr, &seen, |seen| seen.ptr);
        Survey {
            schema_version: SURVEY_VERSION,
            made_by: frame.made_by,
            title: frame.title,
            runs: frame.runs,
            notes,
            totals,
            rules: frame.rules,
            levels,
            unknown_why: self.unknown_why(),
            findings: self.found(&seen, frame.explain),
            ptr_class,
            greeting_ms: distribution(|seen| seen.greeted.map(|(ms, _)| ms)),
            connect_ms: distribution(|seen| seen.connect_ms),
            worst: self.worst.told(),
            blocklists: Blocklists {
                asked: self.reach.asked,
                counted: Share::of(self.reach.listed, self.reach.asked),
                lists: blocklists(self.lists.ranked(), frame.health),
            },
            software: software(self.software.ranked(), self.greeted, &seen),
            providers: providers(self.providers.ranked(), self.targets.with_exchange),
            tls: Tls {
                status: counted(TlsStatus::ALL, &self.tls, &seen, |seen| seen.tls),
                version: versions(self.versions.ranked(), &seen),
                trust: words(counted(CertTrust::ALL, &self.trust, &seen, |seen| seen.trust), CertTrust::as_str),
                failure: words(counted(TlsFailure::ALL, &self.failure, &seen, |seen| seen.failure), TlsFailure::as_str),
            },
            networks: networks(self.networks.ranked(), self.settings.severity),
        }
    }

    /// The levels that have anything.
    fn levels(&self, seen: &[Seen]) -> Vec<Level> {
        let mut servers = Counts::default();
        for seen in seen {
            servers.add(seen.verdicts, Overall::of(&seen.verdicts));
        }
        let domains = self.domains.counts();
        let one_of = self.servers.one_of();
        let all = [
            ("row", "a row each for target, exchange and address", Rule::ALL, &self.rows, 1),
            (
                "domain",
                "a domain is as good as the worst of the servers that senders try first",
                Rule::ALL,
                &domains,
                1,
            ),
            ("server", "an address is as good as the worst of its introductions", SERVER_RULES, &servers, one_of),
        ];
        let all = all.into_iter().filter(|(.., counts, _)| counts.all > 0);
        all.map(|(by, meaning, rules, counts, one_of)| Level {
            by,
            meaning,
            counted: counts.all,
            one_of,
            rules: rules.iter().map(|rule| rule_shares(*rule, counts)).collect(),
            overall: overall_shares(counts.all, |word| counts.overall(word)),
        })
        .collect()
    }

    fn unknown_why(&self) -> Vec<Unknown> {
        let told = Cause::ALL.iter().zip(&self.causes).map(|(cause, counts)| Unknown {
            cause: *cause,
            verdicts: counts.iter().sum(),
            rules: Rule::ALL.iter().copied().zip(counts.iter().copied()).filter(|(_, count)| *count > 0).collect(),
        });
        let mut told: Vec<Unknown> = told.filter(|unknown| unknown.verdicts > 0).collect();
        told.sort_by_key(|unknown| std::cmp::Reverse(unknown.verdicts));
        told
    }

    fn found(&self, seen: &[Seen], explain: fn(Code) -> [&'static str; 3]) -> Vec<Found> {
        let found = Code::ALL.iter().zip(&self.findings).filter_map(|(code, counts)| {
            let rows: u64 = counts.iter().sum();
            if rows == 0 {
                return None;
            }
            let of = |basis: Basis| counts.get(basis as usize).copied().unwrap_or(0);
            let basis = if of(Basis::Observed) > of(Basis::Announced) { Basis::Observed } else { Basis::Announced };
            let [meaning, why, remedy] = explain(*code);
            Some(Found {
                code: *code,
                severity: (self.settings.severity)(*code, basis),
                rows: Share::of(rows, self.rows.all),
                servers: Share::of(seen.iter().filter(|seen| seen.has(*code)).count() as u64, seen.len() as u64),
                meaning,
                why,
                remedy,
            })
        });
        let mut found: Vec<Found> = found.collect();
        found.sort_by_key(|found| std::cmp::Reverse(found.rows.count));
        found
    }
}

fn rule_shares(rule: Rule, counts: &Counts) -> RuleShares {
    let na = counts.verdict(rule, Verdict::Na);
    let share = |verdict| Share::of(counts.verdict(rule, verdict), counts.all - na);
    RuleShares { rule, pass: share(Verdict::Pass), fail: share(Verdict::Fail), unknown: share(Verdict::Unknown), na }
}

fn overall_shares(all: u64, count: impl Fn(Overall) -> u64) -> OverallShares {
    let na = count(Overall::Na);
    let share = |word| Share::of(count(word), all - na);
    OverallShares {
        conformant: share(Overall::Conformant),
        misconfigured: share(Overall::Misconfigured),
        undetermined: share(Overall::Undetermined),
        na,
    }
}

/// Words with their rows and servers.
fn counted<T: Copy + PartialEq>(
    words: &[T],
    rows: &[u64],
    seen: &[Seen],
    of: impl Fn(&Seen) -> Option<T>,
) -> Vec<Counted<T>> {
    let all_rows = rows.iter().sum();
    let said: Vec<T> = seen.iter().filter_map(of).collect();
    let servers = |word: T| said.iter().filter(|other| **other == word).count() as u64;
    let counted = words.iter().zip(rows).map(|(word, rows)| Counted {
        word: *word,
        rows: Share::of(*rows, all_rows),
        servers: Share::of(servers(*word), said.len() as u64),
    });
    counted.collect()
}

fn words<T: Copy>(counted: Vec<Counted<T>>, text: impl Fn(T) -> &'static str) -> Vec<Counted<&'static str>> {
    counted.into_iter().map(|Counted { word, rows, servers }| Counted { word: text(word), rows, servers }).collect()
}

/// Servers by the hash of one of their texts.
fn by_hash(seen: &[Seen], of: impl Fn(&Seen) -> Option<u64>) -> (BTreeMap<u64, u64>, u64) {
    let mut counts = BTreeMap::new();
    seen.iter().filter_map(of).for_each(|hash| *counts.entry(hash).or_default() += 1);
    let all = counts.values().sum();
    (counts, all)
}

fn versions(ranked: Ranked<String, u64>, seen: &[Seen]) -> Vec<Counted<String>> {
    let (servers, all_servers) = by_hash(seen, |seen| seen.version);
    let all = ranked.keys.iter().map(|(_, rows)| rows).sum();
    let version = |(word, rows): (String, u64)| Counted {
        rows: Share::of(rows, all),
        servers: Share::of(servers.get(&hash(&word)).copied().unwrap_or(0), all_servers),
        word,
    };
    let mut versions: Vec<Counted<String>> = ranked.keys.into_iter().map(version).collect();
    versions.sort_by(|one, other| one.word.cmp(&other.word));
    versions
}

/// The first keys of a ranking, each told by `entry`.
fn ranking<K, V, T>(ranked: Ranked<K, V>, entry: impl FnMut((K, V)) -> T) -> Ranking<T> {
    let Ranked { keys, missed_at_most, approximate } = ranked;
    let others = keys.len().saturating_sub(SHOWN) as u64;
    Ranking { entries: keys.into_iter().take(SHOWN).map(entry).collect(), others, approximate, missed_at_most }
}

fn software(ranked: Ranked<String, u64>, greeted: u64, seen: &[Seen]) -> Ranking<Software> {
    let (servers, all_servers) = by_hash(seen, |seen| seen.greeted.map(|(_, software)| software));
    ranking(ranked, |(name, rows)| Software {
        rows: Share::of(rows, greeted),
        servers: Share::of(servers.get(&hash(&name)).copied().unwrap_or(0), all_servers),
        name: Some(name).filter(|name| !name.is_empty()),
    })
}

fn providers(ranked: Ranked<String, Provider>, targets: u64) -> Ranking<super::survey::Provider> {
    ranking(ranked, |(domain, provider)| {
        let count = |word: Overall| provider.overall.get(word as usize).copied().unwrap_or(0);
        let OverallShares { misconfigured, undetermined, .. } = overall_shares(provider.rows, count);
        super::survey::Provider {
            domain,
            targets: Share::of(provider.targets, targets),
            rows: provider.rows,
            misconfigured,
            undetermined,
        }
    })
}

fn blocklists(
    ranked: Ranked<String, super::census::List>,
    mut health: BTreeMap<String, Vec<Health>>,
) -> Ranking<Blocklist> {
    let mut lists = ranking(ranked, |(list, told)| {
        let why = Cause::ALL.iter().copied().zip(told.why).filter(|(_, count)| *count > 0);
        let mut silent_why: Vec<(Cause, u64)> = why.collect();
        silent_why.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let health = health.remove(&list).unwrap_or_default();
        Blocklist { list, listed: told.listed, counted: told.counted, silent: told.silent, silent_why, health }
    });
    // Those of which no row tells.
    lists.entries.extend(health.into_iter().map(|(list, health)| Blocklist {
        list,
        listed: 0,
        counted: 0,
        silent: 0,
        silent_why: Vec::new(),
        health,
    }));
    lists.entries.sort_by(|one, other| {
        (other.counted, other.listed).cmp(&(one.counted, one.listed)).then_with(|| one.list.cmp(&other.list))
    });
    lists
}

fn networks(
    mut ranked: Ranked<ipnet::IpNet, network::Network>,
    severity: fn(Code, Basis) -> Severity,
) -> Ranking<Network> {
    let trouble = |network: &network::Network| {
        std::cmp::Reverse([
            count(&network.failing),
            network.misconfigured,
            count(&network.listed),
            network.undetermined,
        ])
    };
    ranked
        .keys
        .sort_by(|(one_net, one), (net, other)| trouble(one).cmp(&trouble(other)).then_with(|| one_net.cmp(net)));
    ranking(ranked, |(net, network)| {
        let mut findings = network.codes.clone();
        findings.sort_by_key(|(code, rows)| (severity(*code, Basis::Announced), std::cmp::Reverse(*rows), *code));
        findings.truncate(FINDINGS);
        Network {
            network: net.to_string(),
            servers: count(&network.servers),
            failing_servers: count(&network.failing),
            listed_servers: count(&network.listed),
            rows: network.rows,
            failing: network.misconfigured,
            undetermined: network.undetermined,
            findings,
        }
    })
}

impl Distribution {
    /// That of these times.
    fn of(mut times: Vec<u32>) -> Self {
        times.sort_unstable();
        let mut bins: Vec<Bin> = Vec::new();
        for time in times.iter().map(|time| u64::from(*time)) {
            // Up to the first time without a gap.
            while bins.last().is_none_or(|bin| bin.below <= time) {
                let from = bins.last().map_or_else(|| begin_of(time), |bin| bin.below);
                bins.push(Bin { from, below: from + width_of(from), servers: 0 });
            }
            if let Some(last) = bins.last_mut() {
                last.servers += 1;
            }
        }
        let quantile = |of: f64| {
            let time = times.get(rank(of, times.len())?).copied().map(u64::from)?;
            let from = begin_of(time);
            Some(Quantile { of, from, below: from + width_of(from) })
        };
        Self {
            servers: times.len() as u64,
            quantiles: QUANTILES.iter().filter_map(|of| quantile(*of)).collect(),
            longest: times.last().copied(),
            bins,
        }
    }
}

/// The place of a quantile among so many sorted numbers: the first that at least that share reaches.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a count that is far below 2^52"
)]
fn rank(of: f64, count: usize) -> Option<usize> {
    let last = count.checked_sub(1)?;
    Some(((of * count as f64).ceil() as usize).saturating_sub(1).min(last))
}

/// How wide the bin is that begins here: a millisecond at first, then a sixteenth of the power of two below it.
const fn width_of(from: u64) -> u64 {
    if from < 2 * PER_DOUBLING { 1 } else { (1 << from.ilog2()) / PER_DOUBLING }
}

/// Where the bin of a time begins.
const fn begin_of(time: u64) -> u64 {
    time / width_of(time) * width_of(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_have_no_gap_and_hold_every_time_once() {
        let times: Vec<u32> = (0..2_000).map(|n| n * n / 7).chain([u32::MAX - 1, 3]).collect();
        let told = Distribution::of(times.clone());
        assert_eq!(told.bins.iter().map(|bin| bin.servers).sum::<u64>(), times.len() as u64);
        assert!(told.bins.windows(2).all(|pair| pair[0].below == pair[1].from && pair[0].from < pair[0].below));
        for bin in &told.bins {
            let inside = |time: &&u32| (bin.from..bin.below).contains(&u64::from(**time));
            assert_eq!(times.iter().filter(inside).count() as u64, bin.servers, "{bin:?}");
            assert!(bin.below - bin.from == 1 || (bin.below - bin.from) * PER_DOUBLING <= bin.from, "{bin:?}");
        }
        assert_eq!(told.longest, Some(u32::MAX - 1));
    }

    #[test]
    fn quantiles_are_those_of_the_times() {
        let told = Distribution::of((1..=1_000).collect());
        for quantile in &told.quantiles {
            let exact = (quantile.of * 1_000.0).ceil();
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let (from, below) = (quantile.from as f64, quantile.below as f64);
            assert!(from <= exact && exact < below, "{quantile:?}");
        }
        assert_eq!(told.quantiles.len(), QUANTILES.len());
        let none = Distribution::of(Vec::new());
        assert_eq!((none.servers, none.bins.len(), none.quantiles.len(), none.longest), (0, 0, 0, None));
    }
}
