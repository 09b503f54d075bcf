//! Counts of a run's rows, kept while they are written.
//! Comes in: rows, those of one target in a row. Goes out: a summary for the terminal, and maps for the manifest.
//! Memory does not grow with the run: one counter per word of each closed set.

use std::fmt::Write as _;

use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use super::levels::{Counts as Level, Domains, Servers};
use crate::model::assessment::Row;
use crate::model::finding::Code;
use crate::model::gist::Gist;
use crate::model::words::{Cause, ConnectStatus, Overall, Rule, Severity, Verdict};

const STRING: &str = "writing to a String cannot fail";

/// Findings the summary shows.
const SHOWN_FINDINGS: usize = 10;
/// Below this many addresses a share says nothing about the scanner.
const SUSPECT_FROM: u64 = 20;
/// More addresses than this in a hundred not open: port 25 may be blocked here.
const SUSPECT_CLOSED: u64 = 90;
/// More addresses than this in a hundred listed: a resolver may be answering for the lists.
const SUSPECT_LISTED: u64 = 20;

/// The rules about a server. MX data is the domain's: by server it would be that of whatever domains lead there.
pub(super) const SERVER_RULES: &[Rule] =
    &[Rule::Introduces, Rule::Fqdn, Rule::Exists, Rule::Matches, Rule::Unlisted, Rule::Reverse];

/// Counters of a run. What a journal keeps of them is read back by the same version of the program only.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tally {
    targets: u64,
    last_target: Option<u64>,
    rows: Level,
    servers: Servers,
    domains: Domains,
    findings: Vec<Found>,
    causes: Vec<u64>,
    dialled: u64,
    not_open: u64,
    asked_lists: u64,
    listed: u64,
}

/// How often one code was found.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Found {
    rows: u64,
    /// How often it had each severity: the same code can weigh differently from row to row.
    severities: [u64; Severity::ALL.len()],
    /// The number of the last row it was found in: a row counts once, however often it has the code.
    last_row: u64,
}

impl Found {
    /// The severities it had, the worst first, and how often.
    fn seen(&self) -> impl Iterator<Item = (Severity, u64)> + '_ {
        Severity::ALL.iter().copied().zip(self.severities).filter(|(_, count)| *count > 0)
    }

    /// The severity it had most often; of two as frequent, the worse.
    fn usual(&self) -> Severity {
        let worse_first = self.seen().min_by_key(|(_, count)| std::cmp::Reverse(*count));
        worse_first.map_or(Severity::Info, |(severity, _)| severity)
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            targets: 0,
            last_target: None,
            rows: Level::default(),
            servers: Servers::default(),
            domains: Domains::default(),
            findings: vec![Found { rows: 0, severities: [0; Severity::ALL.len()], last_row: 0 }; Code::ALL.len()],
            causes: vec![0; Cause::ALL.len()],
            dialled: 0,
            not_open: 0,
            asked_lists: 0,
            listed: 0,
        }
    }
}

impl Tally {
    /// Counts one row. The rows of one target come one after the other.
    pub fn add(&mut self, row: Row<'_>) {
        let causes = row.assessment.unknown_why.iter().map(|(_, cause)| *cause);
        let findings = row.assessment.findings.iter().map(|finding| (finding.code, finding.severity));
        self.count(&Gist::of(row), causes, findings);
    }

    /// Counts the gist of a row, the causes of its unknown verdicts, and its findings.
    pub fn count(
        &mut self,
        row: &Gist,
        causes: impl Iterator<Item = Cause>,
        findings: impl Iterator<Item = (Code, Severity)>,
    ) {
        if self.last_target != Some(row.target) {
            self.last_target = Some(row.target);
            self.targets += 1;
        }
        self.rows.add(row.verdicts, row.overall);
        self.domains.add(row);
        for cause in causes {
            bump(&mut self.causes, cause as usize);
        }
        for (code, severity) in findings {
            let found = self.findings.get_mut(code as usize).expect("one counter per code");
            bump(&mut found.severities, severity as usize);
            if found.last_row != self.rows.all {
                found.last_row = self.rows.all;
                found.rows += 1;
            }
        }
        let Some(server) = row.server else {
            return;
        };
        if server.connect != ConnectStatus::Special {
            self.servers.add(server.address, row.verdicts);
        }
        match server.connect {
            ConnectStatus::NotAsked | ConnectStatus::Excluded | ConnectStatus::Special => {}
            ConnectStatus::Open => self.dialled += 1,
            ConnectStatus::Refused
            | ConnectStatus::Timeout
            | ConnectStatus::Unreachable
            | ConnectStatus::Reset
            | ConnectStatus::SelfFault => {
                self.dialled += 1;
                self.not_open += 1;
            }
        }
        if server.asked {
            self.asked_lists += 1;
            self.listed += u64::from(server.listed);
        }
    }

    /// Targets that have at least one row.
    pub const fn targets(&self) -> u64 {
        self.targets
    }

    /// Rows.
    pub const fn rows(&self) -> u64 {
        self.rows.all
    }

    /// All counts, for the manifest.
    pub const fn told(&self) -> Told<'_> {
        Told(self)
    }

    /// Whether it has a counter for each word, as one of this version has.
    pub fn is_whole(&self) -> bool {
        self.causes.len() == Cause::ALL.len() && self.findings.len() == Code::ALL.len()
    }

    /// Rows with this outcome of this rule.
    pub fn verdicts(&self, rule: Rule, verdict: Verdict) -> u64 {
        self.rows.verdict(rule, verdict)
    }

    /// Rows with this word over the five rules.
    pub fn overall(&self, overall: Overall) -> u64 {
        self.rows.overall(overall)
    }

    /// Rows that have this finding.
    pub fn found(&self, code: Code) -> u64 {
        self.findings.get(code as usize).map_or(0, |found| found.rows)
    }

    /// Verdicts that are unknown for this cause.
    pub fn unknown_by(&self, cause: Cause) -> u64 {
        self.causes.get(cause as usize).copied().unwrap_or(0)
    }

    /// Findings of this severity, in all rows.
    pub fn findings_of(&self, severity: Severity) -> u64 {
        self.findings.iter().filter_map(|found| found.severities.get(severity as usize)).sum()
    }

    /// Whether a finding of at least this severity was found (`--fail-on`).
    pub fn reached(&self, severity: Severity) -> bool {
        self.findings.iter().any(|found| found.seen().any(|(had, _)| had <= severity))
    }

    /// What a person wants to see at the end of a run.
    pub fn summary(&self, colour: bool) -> String {
        let paint = Paint(colour);
        let mut text = String::with_capacity(2_048);
        line(&mut text, format_args!("{} targets, {} rows", self.targets, self.rows()));
        if self.rows() == 0 {
            return text;
        }
        self.tables(&mut text, paint);
        self.most_frequent(&mut text, paint);
        self.unknowns(&mut text);
        for suspicion in self.suspicions() {
            line(&mut text, format_args!("\n{}", paint.verdict(Verdict::Unknown, 1, &suspicion)));
        }
        text
    }

    /// Every rule, by row, by server and by domain, and then the five rules in one word.
    fn tables(&self, text: &mut String, paint: Paint) {
        let servers = self.servers.counts();
        let domains = self.domains.counts();
        let levels =
            [("row", Rule::ALL, &self.rows), ("server", SERVER_RULES, &servers), ("domain", Rule::ALL, &domains)];
        let levels: Vec<_> = levels.into_iter().filter(|(.., level)| level.all > 0).collect();
        for (name, rules, level) in &levels {
            let title = format!("by {name}");
            line(text, format_args!("\n{title:10} {:>16} {:>16} {:>16} {:>16}", "pass", "fail", "unknown", "n/a"));
            for rule in *rules {
                let mut cells = String::new();
                for verdict in Verdict::ALL {
                    let count = level.verdict(*rule, *verdict);
                    let cell = format!("{count:>9} {:>6}", share(count, level.all));
                    cells.push(' ');
                    cells.push_str(&paint.verdict(*verdict, count, &cell));
                }
                line(text, format_args!("{:10}{cells}", rule.as_str()));
            }
        }
        text.push_str("\nverdict      ");
        for (name, ..) in &levels {
            let name = format!("{name}s");
            write!(text, " {name:>16}").expect(STRING);
        }
        text.push('\n');
        for overall in Overall::ALL {
            write!(text, "{:13}", overall.as_str()).expect(STRING);
            for (.., level) in &levels {
                let count = level.overall(*overall);
                write!(text, " {count:>9} {:>6}", share(count, level.all)).expect(STRING);
            }
            text.push('\n');
        }
        if let one_of @ 2.. = self.servers.one_of() {
            line(text, format_args!("servers: a sample, one in {one_of}, of about {}", servers.all * one_of));
        }
    }

    fn most_frequent(&self, text: &mut String, paint: Paint) {
        let mut found: Vec<(Code, Found)> =
            Code::ALL.iter().copied().zip(self.findings.iter().copied()).filter(|(_, found)| found.rows > 0).collect();
        if found.is_empty() {
            return;
        }
        found.sort_by_key(|(_, found)| std::cmp::Reverse(found.rows));
        line(text, format_args!("\n{:9} {:>16}  most frequent findings", "severity", "rows"));
        for (code, found) in found.iter().take(SHOWN_FINDINGS) {
            let usual = found.usual();
            let severity = paint.severity(usual, &format!("{usual:9}"));
            line(text, format_args!("{severity} {:>9} {:>6}  {code}", found.rows, share(found.rows, self.rows())));
        }
        if let Some(more @ 1..) = found.len().checked_sub(SHOWN_FINDINGS) {
            line(text, format_args!("{:9} {:>16}  and {more} more", "", ""));
        }
    }

    fn unknowns(&self, text: &mut String) {
        let mut causes: Vec<(Cause, u64)> =
            Cause::ALL.iter().copied().zip(self.causes.iter().copied()).filter(|(_, count)| *count > 0).collect();
        if causes.is_empty() {
            return;
        }
        causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let all: u64 = causes.iter().map(|(_, count)| count).sum();
        line(text, format_args!("\n{:26}  causes of unknown verdicts", "verdicts"));
        for (cause, count) in causes {
            line(text, format_args!("{:9} {count:>9} {:>6}  {cause}", "", share(count, all)));
        }
    }

    /// What says more about this scanner than about the servers.
    pub fn suspicions(&self) -> impl Iterator<Item = String> {
        suspicions([
            (self.not_open, self.dialled, "of the addresses dialled are not open"),
            (self.listed, self.asked_lists, "of the addresses looked up are listed"),
        ])
    }
}

/// What is suspect of the shares that are not open and that are listed: each with all that were asked, and its words.
pub(super) fn suspicions([closed, listed]: [(u64, u64, &str); 2]) -> impl Iterator<Item = String> {
    let shares = [(closed, SUSPECT_CLOSED), (listed, SUSPECT_LISTED)];
    let suspect = shares.into_iter().filter(|((part, of, _), most)| *of >= SUSPECT_FROM && part * 100 > of * most);
    suspect.map(|((_, _, what), most)| format!("more than {most}% {what}: suspect the scanner first"))
}

/// A tally as the manifest tells it: maps from word to count; findings and causes that never came are left out.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a>(&'a Tally);

impl Serialize for Told<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(tally) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("targets", &tally.targets)?;
        map.serialize_entry("rows", &tally.rows())?;
        level(&mut map, Rule::ALL, &tally.rows)?;
        let (servers, one_of) = (&tally.servers.counts(), tally.servers.one_of());
        map.serialize_entry("servers", &Part { rules: SERVER_RULES, level: servers, one_of })?;
        map.serialize_entry("domains", &Part { rules: Rule::ALL, level: &tally.domains.counts(), one_of: 1 })?;
        let findings = Code::ALL.iter().map(|code| (code.as_str(), tally.found(*code)));
        map.serialize_entry("findings", &Counts(|| findings.clone().filter(|(_, count)| *count > 0)))?;
        let causes = Cause::ALL.iter().map(|cause| cause.as_str()).zip(tally.causes.iter().copied());
        map.serialize_entry("unknown_why", &Counts(|| causes.clone().filter(|(_, count)| *count > 0)))?;
        map.end()
    }
}

/// The verdicts of one level, word by word.
fn level<M: SerializeMap>(map: &mut M, rules: &[Rule], level: &Level) -> Result<(), M::Error> {
    let words = || Overall::ALL.iter().map(|word| (word.as_str(), level.overall(*word)));
    map.serialize_entry("verdict", &Counts(words))?;
    rules.iter().try_for_each(|rule| {
        let words = || Verdict::ALL.iter().map(|word| (word.as_str(), level.verdict(*rule, *word)));
        map.serialize_entry(rule.as_str(), &Counts(words))
    })
}

/// A level beside that of rows: how many were counted, one of how many that is, and their verdicts.
struct Part<'a> {
    rules: &'a [Rule],
    level: &'a Level,
    one_of: u64,
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("counted", &self.level.all)?;
        map.serialize_entry("one_of", &self.one_of)?;
        level(&mut map, self.rules, self.level)?;
        map.end()
    }
}

/// Words and their counts, as a map.
struct Counts<F>(F);

impl<I: Iterator<Item = (&'static str, u64)>, F: Fn() -> I> Serialize for Counts<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map((self.0)())
    }
}

/// Whether text is coloured.
#[derive(Debug, Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn verdict(self, verdict: Verdict, count: u64, text: &str) -> String {
        let colour = match verdict {
            _ if count == 0 => "2",
            Verdict::Pass => "32",
            Verdict::Fail => "31",
            Verdict::Unknown => "33",
            Verdict::Na => "2",
        };
        self.with(colour, text)
    }

    fn severity(self, severity: Severity, text: &str) -> String {
        let colour = match severity {
            Severity::Error => "31",
            Severity::Warning => "33",
            Severity::Info => "2",
        };
        self.with(colour, text)
    }

    fn with(self, colour: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

fn bump(counts: &mut [u64], at: usize) {
    *counts.get_mut(at).expect("one counter per word") += 1;
}

/// A part of a whole in per cent, one decimal, rounded half up.
fn share(part: u64, whole: u64) -> String {
    let thousandths = (u128::from(part) * 2_000 + u128::from(whole)) / (u128::from(whole.max(1)) * 2);
    format!("{}.{}%", thousandths / 10, thousandths % 10)
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect(STRING);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::assessment::{Assessment, Judged};
    use crate::model::dnsbl::Listing;
    use crate::model::evidence::{Evidence, Host, Introduced, Route};
    use crate::model::finding::Finding;
    use crate::model::observed::Observed;
    use crate::model::smtp::Session;
    use crate::model::target::{Subject, Target};
    use crate::model::words::Basis;

    fn judged(sequence: u64, connect: ConnectStatus, verdict: Verdict, codes: &[(Code, Severity)]) -> Judged {
        let address = "192.0.2.1".parse().unwrap();
        let not_asked = Introduced::not_asked(Cause::NotAsked);
        let host = Host {
            address,
            special: None,
            basis: Basis::Announced,
            ptr: Observed::NotAsked(Cause::NotAsked),
            forward: Vec::new(),
            session: Session::none(25, connect),
            introduction: None,
            ehlo: None,
            introduced: not_asked,
            listings: vec![Listing {
                list: 0,
                codes: Observed::NotAsked(Cause::NotAsked),
                reason: Observed::NotAsked(Cause::NotAsked),
                void: false,
            }],
            domains: Vec::new(),
            earlier: Vec::new(),
            scanned_at: 0,
        };
        let unknown = verdict == Verdict::Unknown;
        let row = Assessment {
            route: Some(0),
            host: Some(0),
            verdicts: [verdict; Rule::ALL.len()],
            unknown_why: unknown.then_some((Rule::Introduces, Cause::ConnectTimeout)).into_iter().collect(),
            na_why: Vec::new(),
            overall: match verdict {
                Verdict::Pass => Overall::Conformant,
                Verdict::Fail => Overall::Misconfigured,
                Verdict::Unknown => Overall::Undetermined,
                Verdict::Na => Overall::Na,
            },
            ptr_class: None,
            listed: Vec::new(),
            counted: Vec::new(),
            lists_unknown: Vec::new(),
            domains_listed: Vec::new(),
            findings: codes
                .iter()
                .map(|(code, severity)| Finding { code: *code, severity: *severity, detail: "".into() })
                .collect(),
        };
        let target = Target {
            sequence,
            line: None,
            text: Arc::from("192.0.2.1"),
            subject: Subject::Address(address),
            from_network: false,
            excluded: false,
            unstable: false,
        };
        let route = Route { preference: None, exchange: None, hosts: vec![Arc::new(host)] };
        let evidence = Evidence {
            target,
            mx: None,
            routes: vec![route],
            capped: false,
            scanned_at: 0,
            elapsed_ms: 1,
            attempts: 1,
        };
        Judged { evidence, rows: vec![row] }
    }

    fn tally(all: &[Judged]) -> Tally {
        let mut tally = Tally::default();
        all.iter().flat_map(Judged::rows).for_each(|row| tally.add(row));
        tally
    }

    fn mixed() -> Tally {
        let mut all: Vec<Judged> = (0..30).map(|n| judged(n, ConnectStatus::Open, Verdict::Pass, &[])).collect();
        for n in 30..40 {
            let codes = [(Code::PtrGeneric, Severity::Info), (Code::DnsblListed, Severity::Error)];
            let mut one = judged(n, ConnectStatus::Open, Verdict::Fail, &codes);
            one.rows[0].counted.push("bl.example".into());
            all.push(one);
        }
        all.push(judged(40, ConnectStatus::Open, Verdict::Fail, &[(Code::PtrGeneric, Severity::Warning)]));
        all.push(judged(41, ConnectStatus::Timeout, Verdict::Unknown, &[(Code::ConnectTimeout, Severity::Warning)]));
        all.push(judged(42, ConnectStatus::NotAsked, Verdict::Na, &[]));
        tally(&all)
    }

    #[test]
    fn the_summary_is_aligned_and_complete() {
        insta::with_settings!({ snapshot_path => "../../fixtures/golden", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!("summary", mixed().summary(false));
        });
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let mut plain = String::new();
        let coloured = mixed().summary(true);
        let mut rest = coloured.as_str();
        while let Some((text, escape)) = rest.split_once('\u{1b}') {
            plain.push_str(text);
            rest = escape.split_once('m').unwrap().1;
        }
        plain.push_str(rest);
        assert!(coloured.contains("\u{1b}[31m"));
        assert_eq!(plain, mixed().summary(false));
    }

    #[test]
    fn a_row_counts_once_for_a_code_and_a_target_once_for_its_rows() {
        let twice = [(Code::PtrGeneric, Severity::Info), (Code::PtrGeneric, Severity::Warning)];
        let mut one = judged(7, ConnectStatus::Open, Verdict::Fail, &twice);
        one.rows.push(one.rows[0].clone());
        let tally = tally(&[one]);
        assert_eq!((tally.targets(), tally.rows(), tally.found(Code::PtrGeneric)), (1, 2, 2));
        assert!(tally.reached(Severity::Warning));
        assert!(!tally.reached(Severity::Error));
    }

    /// The same target as a domain, whose rows have these preferences and verdicts, a server each.
    fn domain(sequence: u64, rows: &[(u16, Verdict)]) -> Judged {
        let mut one = judged(sequence, ConnectStatus::Open, Verdict::Pass, &[]);
        one.evidence.target.subject = Subject::Domain(crate::model::name::Name::parse("example.org").unwrap());
        let (route, row) = (one.evidence.routes.remove(0), one.rows.remove(0));
        for (at, (preference, verdict)) in (0..).zip(rows) {
            one.evidence.routes.push(Route { preference: Some(*preference), ..route.clone() });
            one.rows.push(Assessment { route: Some(at), verdicts: [*verdict; Rule::ALL.len()], ..row.clone() });
        }
        one
    }

    #[test]
    fn a_domain_is_as_good_as_the_worst_server_that_senders_try_first() {
        use Verdict::{Fail, Na, Pass, Unknown};
        for (rows, verdict) in [
            (&[(10, Pass), (20, Fail)][..], Pass),
            (&[(20, Fail), (10, Pass)], Pass),
            (&[(10, Pass), (10, Unknown)], Unknown),
            (&[(10, Unknown), (10, Fail), (20, Pass)], Fail),
            (&[(10, Na)], Na),
        ] {
            let tally = tally(&[domain(1, rows), domain(2, &[(10, Pass)])]);
            let domains = tally.domains.counts();
            assert_eq!(domains.all, 2);
            assert_eq!(domains.verdict(Rule::Fqdn, verdict), 1 + u64::from(verdict == Pass), "{rows:?}");
        }
        let mut nowhere = domain(1, &[(10, Fail), (20, Pass)]);
        nowhere.rows[0].host = None;
        assert_eq!(
            tally(&[nowhere.clone()]).domains.counts().verdict(Rule::Fqdn, Pass),
            1,
            "the first leads to no server"
        );
        nowhere.rows[0].verdicts = [Unknown; Rule::ALL.len()];
        let counts = tally(&[nowhere]).domains.counts();
        assert_eq!(counts.verdict(Rule::Fqdn, Unknown), 1, "the first may lead to one");
        let mut excluded = domain(1, &[(10, Na), (20, Pass)]);
        Arc::make_mut(&mut excluded.evidence.routes[0].hosts[0]).session.connect = ConnectStatus::Excluded;
        assert_eq!(tally(&[excluded]).domains.counts().verdict(Rule::Fqdn, Pass), 1, "the first was not contacted");
    }

    #[test]
    fn the_summary_shows_the_severity_that_most_rows_have() {
        use Severity::{Info, Warning};

        let shown = |severities: &[Severity]| {
            let one = |(n, severity): (usize, &Severity)| {
                judged(n as u64, ConnectStatus::Open, Verdict::Fail, &[(Code::PtrHeloDiffers, *severity)])
            };
            let tally = tally(&severities.iter().enumerate().map(one).collect::<Vec<_>>());
            assert!(tally.reached(Warning), "--fail-on still sees the worst");
            let summary = tally.summary(false);
            let line = summary.lines().find(|line| line.ends_with("ptr-helo-differs")).unwrap();
            line.split_whitespace().next().unwrap().to_owned()
        };
        assert_eq!(shown(&[Info, Warning, Info]), "info");
        assert_eq!(shown(&[Warning, Info, Warning]), "warning");
        assert_eq!(shown(&[Info, Warning]), "warning", "of two as frequent, the worse");
    }

    #[test]
    fn a_scan_that_reaches_nobody_suspects_itself() {
        let silent = |count| -> Vec<Judged> {
            (0..count).map(|n| judged(n, ConnectStatus::Timeout, Verdict::Unknown, &[])).collect()
        };
        let suspicion = "more than 90% of the addresses dialled are not open: suspect the scanner first";
        assert!(tally(&silent(20)).summary(false).contains(suspicion));
        assert!(!tally(&silent(19)).summary(false).contains(suspicion));
        let mut two_answer = silent(18);
        two_answer.extend((18..20).map(|n| judged(n, ConnectStatus::Open, Verdict::Pass, &[])));
        assert!(!tally(&two_answer).summary(false).contains(suspicion));
    }

    #[test]
    fn the_manifest_gets_maps_without_zero_findings() {
        let value = serde_json::to_value(mixed().told()).unwrap();
        assert_eq!(value["targets"], 43);
        assert_eq!(value["introduces"]["fail"], 11);
        assert_eq!(value["verdict"]["conformant"], 30);
        assert_eq!(
            value["findings"],
            serde_json::json!({ "ptr-generic": 11, "dnsbl-listed": 10, "connect-timeout": 1 })
        );
        assert_eq!(value["unknown_why"], serde_json::json!({ "connect-timeout": 1 }));
    }

    #[test]
    fn an_empty_run_has_a_summary() {
        assert_eq!(Tally::default().summary(false), "0 targets, 0 rows\n");
    }

    #[test]
    fn shares_are_rounded_and_never_divide_by_zero() {
        assert_eq!(share(1, 3), "33.3%");
        assert_eq!(share(2, 3), "66.7%");
        assert_eq!(share(0, 0), "0.0%");
        assert_eq!(share(u64::MAX, u64::MAX), "100.0%");
    }
}
