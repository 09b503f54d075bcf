//! What `report` tells of runs: all its numbers, ready to be shown.
//! Comes in: nothing, for it is only a form. Goes out: one value that a page, a text and tables are made from, and that `--format json`
//! prints as it is.
//! A share is of those to whom the question applies, with its 95% interval; what is not known is a share of its own. What is counted
//! in part says so. Texts from files are as CSV escapes them: nothing in them steers a terminal, but HTML has to be escaped.
//! Long because it is one form, which other programs read, and each figure says what it counts; there is next to no logic.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::model::finding::Code;
use crate::model::words::{Basis, Cause, Overall, PtrClass, Rule, Severity, TlsStatus, Verdict};

/// The version of this form; it grows when something in it changes its meaning.
pub const SURVEY_VERSION: u16 = 1;

/// The standard normal deviate that a two-sided interval of 95% reaches.
const Z: f64 = 1.959_963_984_540_054;

/// All that is told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Survey {
    /// [`SURVEY_VERSION`].
    pub schema_version: u16,
    /// The program that made it, with its version.
    pub made_by: String,
    /// The heading: `--title`, or one made of the files.
    pub title: String,
    /// The files, in the order they were read.
    pub runs: Vec<Run>,
    /// What a reader has to know before any number: missing or odd manifests, rows that stand twice, suspicions of the scanner
    /// itself. Each is one sentence without its dot.
    pub notes: Vec<String>,
    /// Sizes of the whole.
    pub totals: Totals,
    /// What the rules ask, in the order of the levels' rules.
    pub rules: Vec<About>,
    /// How often each verdict was given: by row, by domain, by server, in this order; a level without anything is left out.
    pub levels: Vec<Level>,
    /// Why rules are unknown, the most frequent cause first.
    pub unknown_why: Vec<Unknown>,
    /// What was found, the most frequent first.
    pub findings: Vec<Found>,
    /// The software that servers seem to be.
    pub software: Ranking<Software>,
    /// Who stands behind the exchanges, by the registrable domain of their names.
    pub providers: Ranking<Provider>,
    /// What reverse names say of addresses; all words, in the order of their declaration.
    pub ptr_class: Vec<Counted<PtrClass>>,
    /// What STARTTLS came to.
    pub tls: Tls,
    /// The blocklists, those with most listings first.
    pub blocklists: Blocklists,
    /// Milliseconds from the connection to the end of the greeting.
    pub greeting_ms: Distribution,
    /// Milliseconds to the connection.
    pub connect_ms: Distribution,
    /// Networks by their trouble: most servers that fail first.
    pub networks: Ranking<Network>,
    /// The worst rows, the worst first.
    pub worst: Worst,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// Its name as given.
    pub name: String,
    /// `csv`, `jsonl` or `parquet`.
    pub form: &'static str,
    /// Rows in it.
    pub rows: u64,
    /// When the first and the last of its targets were taken up, RFC 3339 to the second; None without a row.
    pub scanned: Option<[String; 2]>,
    /// What the manifest beside it says; None where there is none that this program understands, which the notes tell.
    pub manifest: Option<Told>,
}

/// What a run says of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// The program's version.
    pub version: String,
    /// When it began, RFC 3339.
    pub start: String,
    /// When it ended, RFC 3339.
    pub end: Option<String>,
    /// False when it was cut short, or a part is missing.
    pub complete: bool,
    /// How often it was interrupted and resumed.
    pub resumed: u32,
    /// Which share of its list, as K/N.
    pub shard: Option<String>,
    /// Seeds, by what they decide.
    pub seeds: BTreeMap<String, u64>,
    /// The options that were given: those left at null, false or nothing are left out, and so are the tables.
    pub configuration: BTreeMap<String, Value>,
    /// What was in effect, as the manifest has it.
    pub effective: Value,
    /// The tables of names that the rules go by: name, date, version, digest.
    pub tables: Vec<Table>,
    /// What was read.
    pub inputs: Vec<Input>,
    /// What was counted: records, targets, rows, questions, connections, by name.
    pub counts: BTreeMap<String, u64>,
    /// Seconds it took, where it tells.
    pub seconds: Option<f64>,
}

/// A table of names, or the public suffix list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Its file's name.
    pub name: String,
    /// Its date.
    pub date: String,
    /// Its version, where it has one.
    pub version: Option<u64>,
    /// What tells it from others of that date.
    pub digest: String,
}

/// What a run has read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Input {
    /// The file, `-`, or `command line`.
    pub name: String,
    /// SHA-256, lower-case hex; None when it was not read to its end.
    pub sha256: Option<String>,
    /// Records in it.
    pub records: u64,
}

/// Sizes of the whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Rows.
    pub rows: u64,
    /// Targets that have a row; each address of a network is one.
    pub targets: u64,
    /// Servers that were met; an estimate where `servers_one_of` is more than 1.
    pub servers: u64,
    /// One server of how many is counted wherever this survey counts servers.
    pub servers_one_of: u64,
    /// Rows of the same target, exchange, address and introduction as one of an earlier file; an estimate where `repeated_one_of`
    /// is more than 1.
    pub repeated: u64,
    /// One place of how many was asked for that.
    pub repeated_one_of: u64,
    /// Rows by whose words were judged; those without a server are in neither.
    pub announced: u64,
    /// The same of introductions that somebody recorded.
    pub observed: u64,
}

/// A rule, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct About {
    /// The rule, by the name of its column.
    pub rule: Rule,
    /// Its number.
    pub id: &'static str,
    /// What it asks.
    pub asks: &'static str,
    /// When it passes.
    pub pass: &'static str,
    /// When it fails.
    pub fail: &'static str,
    /// When it cannot be told.
    pub unknown: &'static str,
    /// When it does not apply.
    pub na: &'static str,
}

/// A part of a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Share {
    /// The part.
    pub count: u64,
    /// The whole.
    pub of: u64,
    /// The part over the whole, from 0 to 1; None where the whole is nothing. So are its bounds.
    pub share: Option<f64>,
    /// The lower bound of its 95% interval (Wilson's score interval).
    pub low: Option<f64>,
    /// The upper bound.
    pub high: Option<f64>,
}

impl Share {
    /// So many of so many.
    #[expect(clippy::cast_precision_loss, reason = "no count comes near 2^52")]
    pub fn of(count: u64, of: u64) -> Self {
        if of == 0 {
            return Self { count, of, share: None, low: None, high: None };
        }
        let (n, share) = (of as f64, count as f64 / of as f64);
        let z2 = Z * Z;
        let centre = share + z2 / (2.0 * n);
        let reach = Z * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
        let bound = |value: f64| Some((value / (1.0 + z2 / n)).clamp(0.0, 1.0));
        // At its ends the interval reaches them exactly, which rounding would miss.
        let low = if count == 0 { Some(0.0) } else { bound(centre - reach) };
        let high = if count == of { Some(1.0) } else { bound(centre + reach) };
        Self { count, of, share: Some(share), low, high }
    }
}

/// The verdicts of one level.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Level {
    /// `row`, `domain` or `server`.
    pub by: &'static str,
    /// How a verdict comes about on this level, for people.
    pub meaning: &'static str,
    /// How many were counted.
    pub counted: u64,
    /// One of how many that is: more than 1 where only a sample fits in memory.
    pub one_of: u64,
    /// The rules that have a meaning on this level.
    pub rules: Vec<RuleShares>,
    /// The five rules in one word.
    pub overall: OverallShares,
}

/// What a rule came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleShares {
    /// The rule.
    pub rule: Rule,
    /// Of those to whom it applies.
    pub pass: Share,
    /// Of those to whom it applies.
    pub fail: Share,
    /// Of those to whom it applies.
    pub unknown: Share,
    /// Those to whom it does not apply.
    pub na: u64,
}

/// What the five rules came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OverallShares {
    /// All five pass; of those with something to judge.
    pub conformant: Share,
    /// Any of the five fails.
    pub misconfigured: Share,
    /// None fails and some cannot be told.
    pub undetermined: Share,
    /// Nothing to judge.
    pub na: u64,
}

/// A cause of unknown verdicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unknown {
    /// The cause.
    pub cause: Cause,
    /// Verdicts, of all rules.
    pub verdicts: u64,
    /// The same by rule; those without any are left out.
    pub rules: Vec<(Rule, u64)>,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// Its id.
    pub code: Code,
    /// What it usually weighs, for the words that were judged most often where it was found.
    pub severity: Severity,
    /// Rows that have it, of all.
    pub rows: Share,
    /// Servers with such a row, of those that were counted.
    pub servers: Share,
    /// What it means.
    pub meaning: &'static str,
    /// The standard, or the receivers' behaviour, that makes it a fault.
    pub why: &'static str,
    /// How to mend it.
    pub remedy: &'static str,
}

/// A table of keys without end, of which the largest are shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranking<T> {
    /// The largest, in their order.
    pub entries: Vec<T>,
    /// Entries that are not shown; at least so many where the table is approximate.
    pub others: u64,
    /// There were more keys than memory is meant for, and those that seemed small were given up: a count can be too small.
    pub approximate: bool,
    /// By how much at most (in rows; of networks, in rows that fail), also that of a key that is not there at all. 0 where all counts
    /// are exact.
    pub missed_at_most: u64,
}

/// A kind of software.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Software {
    /// What its greeting says it is; None where it does not say.
    pub name: Option<String>,
    /// Rows, of those whose server greeted.
    pub rows: Share,
    /// Servers, of those that greeted.
    pub servers: Share,
}

/// Who stands behind exchanges.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Provider {
    /// The registrable domain of the exchange's name; the name itself where nobody has registered one.
    pub domain: String,
    /// Targets with an exchange there, of all with any exchange. One that has several providers counts for each.
    pub targets: Share,
    /// Rows.
    pub rows: u64,
    /// Rows that are misconfigured, of those with something to judge.
    pub misconfigured: Share,
    /// Rows that cannot be told, of the same.
    pub undetermined: Share,
}

/// A word and how often it was said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counted<T> {
    /// The word.
    pub word: T,
    /// Rows, of those that say any.
    pub rows: Share,
    /// Servers, of those of which any is known; of several rows the best says it: the word declared first.
    pub servers: Share,
}

/// What STARTTLS came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tls {
    /// All words of `tls_status`, in the order of their declaration.
    pub status: Vec<Counted<TlsStatus>>,
    /// Versions that were negotiated, in their order.
    pub version: Vec<Counted<String>>,
    /// All words of `tls_cert_trust`, in the order of their declaration.
    pub trust: Vec<Counted<&'static str>>,
    /// All words of `tls_failure`, in the order of their declaration.
    pub failure: Vec<Counted<&'static str>>,
}

/// What was asked of blocklists.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Blocklists {
    /// Rows about whose address any list was asked.
    pub asked: u64,
    /// Rows that a list which counts has, of those.
    pub counted: Share,
    /// The lists.
    pub lists: Ranking<Blocklist>,
}

/// A blocklist.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Blocklist {
    /// The list as it is shown.
    pub list: String,
    /// Rows that are on it.
    pub listed: u64,
    /// Rows whose rule 5 it helps to decide.
    pub counted: u64,
    /// Rows about which it gave no usable answer.
    pub silent: u64,
    /// Why, the most frequent first.
    pub silent_why: Vec<(Cause, u64)>,
    /// What the runs say of it.
    pub health: Vec<Health>,
}

/// What a run says of a blocklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The run: its place in `runs`, from 0.
    pub run: usize,
    /// Questions sent, tests included.
    pub asked: u64,
    /// Listings among the answers.
    pub hits: u64,
    /// Refusals.
    pub refused: u64,
    /// Questions without an answer.
    pub unanswered: u64,
    /// Answers that are not believed, for the list failed the test after them.
    pub void: u64,
    /// Questions that the budget of the day did not allow.
    pub over_budget: u64,
    /// Tests made.
    pub tests: u64,
    /// Why it was left out; None where it was healthy to the end.
    pub off: Option<String>,
    /// Since when, milliseconds since 1970; None where from the start.
    pub off_since: Option<i64>,
}

/// How long something took, of servers: each counts once, by the row of least time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Distribution {
    /// Servers of which it is known.
    pub servers: u64,
    /// How many took how long: bins of growing width without a gap between the first and the last that are not empty.
    pub bins: Vec<Bin>,
    /// Quantiles.
    pub quantiles: Vec<Quantile>,
    /// The longest, in milliseconds.
    pub longest: Option<u32>,
}

/// One bin, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bin {
    /// From here on.
    pub from: u64,
    /// And below this.
    pub below: u64,
    /// Servers.
    pub servers: u64,
}

/// A quantile, as exact as the bins: it is one of the milliseconds from `from` on and below `below`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantile {
    /// Which: from 0 to 1.
    pub of: f64,
    /// From here on.
    pub from: u64,
    /// And below this.
    pub below: u64,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Network {
    /// A /24, or a /48 of IPv6.
    pub network: String,
    /// Addresses in it; of IPv6 at least so many.
    pub servers: u64,
    /// Those with a row that is misconfigured.
    pub failing_servers: u64,
    /// Those on a blocklist that counts.
    pub listed_servers: u64,
    /// Rows.
    pub rows: u64,
    /// Rows that are misconfigured.
    pub failing: u64,
    /// Rows that cannot be told.
    pub undetermined: u64,
    /// Its graver findings with their rows: errors, then warnings, each the most frequent first; a few at most.
    pub findings: Vec<(Code, u64)>,
}

/// The worst rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Worst {
    /// Rows that could stand here: a rule fails.
    pub of: u64,
    /// Most rules that fail first, then most errors among the findings, then most warnings, then in the order of the files.
    pub rows: Vec<WorstRow>,
}

/// A row that is shown as such.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorstRow {
    /// The file: its place in `runs`, from 0.
    pub run: usize,
    /// The row in it, from 1.
    pub row: u64,
    /// The target as given.
    pub target: String,
    /// The exchange; empty where there is none. So are the following.
    pub exchange: String,
    /// The address.
    pub address: String,
    /// The reverse names, joined by a space.
    pub ptr: String,
    /// The introduction.
    pub introduction: String,
    /// The greeting.
    pub greeting: String,
    /// Whose words were judged.
    pub basis: Option<Basis>,
    /// The verdicts, in the order of the rules.
    pub verdicts: [Verdict; Rule::ALL.len()],
    /// The five rules in one word.
    pub overall: Overall,
    /// Findings, the most severe first.
    pub findings: Vec<Code>,
    /// The blocklists that count against the address.
    pub blocklists: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(count: u64, of: u64) -> (f64, f64) {
        let share = Share::of(count, of);
        (share.low.unwrap(), share.high.unwrap())
    }

    #[test]
    fn the_intervals_are_those_of_the_literature() {
        // R. Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17 (1998), table I, method 3.
        for (count, of, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let (found_low, found_high) = bounds(count, of);
            assert!((found_low - low).abs() < 5e-5 && (found_high - high).abs() < 5e-5, "{found_low} {found_high}");
        }
    }

    #[test]
    fn an_interval_holds_its_share_and_ends_at_nothing_and_all() {
        for of in [1_u64, 2, 3, 10, 1_000, 10_000_000] {
            for count in [0, 1, of / 2, of - 1, of] {
                let share = Share::of(count, of);
                let (low, high) = bounds(count, of);
                let middle = share.share.unwrap();
                assert!(0.0 <= low && low <= middle && middle <= high && high <= 1.0, "{share:?}");
                assert_eq!((low <= 0.0, high >= 1.0), (count == 0, count == of), "{share:?}");
            }
        }
        assert_eq!(Share::of(0, 0), Share { count: 0, of: 0, share: None, low: None, high: None });
    }

    #[test]
    fn programs_meet_words_and_numbers() {
        let told = serde_json::to_value(crate::report::sample::survey()).unwrap();
        assert_eq!(told["schema_version"], SURVEY_VERSION);
        assert_eq!(told["levels"][2]["rules"][1]["rule"], "fqdn");
        assert_eq!(told["findings"][0]["code"], "helo-illegal-char");
        assert_eq!(told["worst"]["rows"][0]["verdicts"][1], "fail");
        assert!(told["levels"][0]["rules"][0]["pass"]["low"].is_number());
    }
}
