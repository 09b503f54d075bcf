//! A survey for a terminal.
//! Comes in: a survey, its texts harmless already. Goes out: lines of a hundred columns.
//! Of long tables the head is shown; JSON and CSV have all of them.

use std::fmt::{self, Write as _};

use super::survey::{Counted, Distribution, Level, Ranking, Share, Survey, Told, WorstRow};
use crate::model::words::{Rule, Severity, Verdict};

const STRING: &str = "writing to a String cannot fail";
/// Lines of a table that are shown.
const SHOWN: usize = 10;
/// Characters of a text in a table.
const WIDE: usize = 40;

/// A survey as text.
pub fn text(survey: &Survey, colour: bool) -> String {
    let mut page = Page { text: String::with_capacity(16 * 1024), colour };
    page.heading(&survey.title);
    page.runs(survey);
    for note in &survey.notes {
        let note = page.painted("33", &format!("note: {note}"));
        page.line(format_args!("{note}"));
    }
    if survey.totals.rows > 0 {
        survey.levels.iter().for_each(|level| page.level(level));
        page.unknown(survey);
        page.findings(survey);
        page.software(survey);
        page.providers(survey);
        page.words("reverse names", &survey.ptr_class, |word| word.as_str());
        page.words("STARTTLS", &survey.tls.status, |word| word.as_str());
        page.words("TLS versions", &survey.tls.version, String::as_str);
        page.words("certificates", &survey.tls.trust, |word| word);
        page.words("failed handshakes", &survey.tls.failure, |word| word);
        page.blocklists(survey);
        page.times("milliseconds to the greeting", &survey.greeting_ms);
        page.times("milliseconds to the connection", &survey.connect_ms);
        page.networks(survey);
        page.worst(survey);
    }
    page.text
}

/// Text so far.
struct Page {
    text: String,
    colour: bool,
}

impl Page {
    fn line(&mut self, arguments: fmt::Arguments<'_>) {
        writeln!(self.text, "{arguments}").expect(STRING);
    }

    fn painted(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn heading(&mut self, heading: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let heading = self.painted("1", heading);
        self.line(format_args!("{heading}"));
    }

    fn runs(&mut self, survey: &Survey) {
        for run in &survey.runs {
            let when = run.scanned.as_ref().map_or_else(String::new, |[first, last]| format!(", {first} to {last}"));
            self.line(format_args!("{} ({}): {} rows{when}", run.name, run.form, run.rows));
            if let Some(told) = &run.manifest {
                self.manifest(told);
            }
        }
        let totals = &survey.totals;
        let about = if totals.servers_one_of > 1 { "about " } else { "" };
        self.line(format_args!(
            "{} rows, {} targets, {about}{} servers{}; shares with their 95% intervals (Wilson)",
            totals.rows,
            totals.targets,
            totals.servers,
            if totals.servers_one_of > 1 {
                format!(" (one in {} is counted)", totals.servers_one_of)
            } else {
                String::new()
            },
        ));
    }

    fn manifest(&mut self, told: &Told) {
        let shard = told.shard.as_ref().map_or_else(String::new, |shard| format!(", share {shard}"));
        let how = if told.complete { "complete" } else { "cut short" };
        self.line(format_args!("  mxcensus {}, {how}{shard}, begun {}", told.version, told.start));
        for input in &told.inputs {
            let digest = input.sha256.as_ref().map_or_else(String::new, |sha256| format!(", SHA-256 {sha256}"));
            self.line(format_args!("  of {}: {} records{digest}", input.name, input.records));
        }
    }

    fn level(&mut self, level: &Level) {
        let sample = if level.one_of > 1 { format!(" (one in {})", level.one_of) } else { String::new() };
        self.heading(&format!("by {}: {}{sample}; {}", level.by, level.counted, level.meaning));
        self.line(format_args!("{:14}{:>27}{:>27}{:>24}{:>8}", "", "pass", "fail", "unknown", "n/a"));
        for rule in &level.rules {
            self.verdicts(rule.rule.as_str(), [rule.pass, rule.fail, rule.unknown], rule.na);
        }
        let overall = &level.overall;
        self.line(format_args!("{:14}{:>27}{:>27}{:>24}", "", "conformant", "misconfigured", "undetermined"));
        self.verdicts("all five", [overall.conformant, overall.misconfigured, overall.undetermined], overall.na);
    }

    fn verdicts(&mut self, name: &str, [pass, fail, unknown]: [Share; 3], na: u64) {
        let cells = [("32", pass, 27), ("31", fail, 27), ("33", unknown, 24)].map(|(colour, share, wide)| {
            let colour = if share.count == 0 { "2" } else { colour };
            self.painted(colour, &format!("{:>wide$}", with_interval(share)))
        });
        self.line(format_args!("{name:14}{}{na:>8}", cells.concat()));
    }

    fn unknown(&mut self, survey: &Survey) {
        if survey.unknown_why.is_empty() {
            return;
        }
        self.heading("why rules are unknown");
        let all = survey.unknown_why.iter().map(|unknown| unknown.verdicts).sum();
        for unknown in survey.unknown_why.iter().take(SHOWN) {
            let share = plain(Share::of(unknown.verdicts, all));
            self.line(format_args!("{:>9} {share:>6}  {}", unknown.verdicts, unknown.cause));
        }
        self.more(survey.unknown_why.len());
    }

    fn findings(&mut self, survey: &Survey) {
        if survey.findings.is_empty() {
            return;
        }
        self.heading("findings");
        self.line(format_args!("{:8}{:>17}{:>17}", "", "rows", "servers"));
        for found in survey.findings.iter().take(2 * SHOWN) {
            let colour = match found.severity {
                Severity::Error => "31",
                Severity::Warning => "33",
                Severity::Info => "2",
            };
            let severity = self.painted(colour, &format!("{:8}", found.severity));
            let (rows, servers) = (two(found.rows), two(found.servers));
            self.line(format_args!("{severity}{rows}{servers}  {}", found.code));
        }
        if survey.findings.len() > 2 * SHOWN {
            self.line(format_args!("  and {} more", survey.findings.len() - 2 * SHOWN));
        }
        self.line(format_args!("  mxcensus explain FINDING tells what each means and how to mend it"));
    }

    fn more(&mut self, all: usize) {
        if all > SHOWN {
            self.line(format_args!("  and {} more", all - SHOWN));
        }
    }

    /// What is told under a ranking.
    fn rest<T>(&mut self, ranking: &Ranking<T>) {
        let hidden = ranking.entries.len().saturating_sub(SHOWN) as u64 + ranking.others;
        let least = if ranking.approximate { "at least " } else { "" };
        if hidden > 0 {
            self.line(format_args!("  and {least}{hidden} more"));
        }
        if ranking.approximate {
            let missed = ranking.missed_at_most;
            self.line(format_args!(
                "  there were too many to count each: up to {missed} rows of any may be missing here"
            ));
        }
    }

    fn software(&mut self, survey: &Survey) {
        if survey.software.entries.is_empty() {
            return;
        }
        self.heading("software, by the greeting");
        self.line(format_args!("{:>17}{:>17}", "rows", "servers"));
        for software in survey.software.entries.iter().take(SHOWN) {
            let name = software.name.as_deref().map_or_else(|| "not told".into(), clipped);
            let (rows, servers) = (two(software.rows), two(software.servers));
            self.line(format_args!("{rows}{servers}  {name}"));
        }
        self.rest(&survey.software);
    }

    fn providers(&mut self, survey: &Survey) {
        if survey.providers.entries.is_empty() {
            return;
        }
        self.heading("providers, by the registrable domain of the exchange");
        self.line(format_args!("{:>17}{:>10}{:>27}", "targets", "rows", "misconfigured rows"));
        for provider in survey.providers.entries.iter().take(SHOWN) {
            let (targets, bad) = (two(provider.targets), with_interval(provider.misconfigured));
            self.line(format_args!("{targets}{:>10}{bad:>27}  {}", provider.rows, clipped(&provider.domain)));
        }
        self.rest(&survey.providers);
    }

    fn words<T>(&mut self, heading: &str, counted: &[Counted<T>], word: impl Fn(&T) -> &str) {
        if counted.iter().all(|entry| entry.rows.count == 0) {
            return;
        }
        self.heading(heading);
        self.line(format_args!("{:>17}{:>17}", "rows", "servers"));
        for entry in counted.iter().filter(|entry| entry.rows.count > 0).take(2 * SHOWN) {
            let (rows, servers) = (two(entry.rows), two(entry.servers));
            self.line(format_args!("{rows}{servers}  {}", clipped(word(&entry.word))));
        }
    }

    fn blocklists(&mut self, survey: &Survey) {
        let lists = &survey.blocklists;
        if lists.asked == 0 && lists.lists.entries.is_empty() {
            return;
        }
        self.heading("blocklists");
        let counted = with_interval(lists.counted);
        self.line(format_args!("{} rows asked about, on a list that counts: {}", lists.asked, counted.trim_start()));
        self.line(format_args!("{:>9}{:>9}{:>9}", "listed", "counted", "silent"));
        for list in lists.lists.entries.iter().take(SHOWN) {
            let off: Vec<&str> = list.health.iter().filter_map(|health| health.off.as_deref()).collect();
            let off = if off.is_empty() { String::new() } else { format!(" (left out: it {})", off.join("; ")) };
            let (listed, counted, silent) = (list.listed, list.counted, list.silent);
            self.line(format_args!("{listed:>9}{counted:>9}{silent:>9}  {}{off}", clipped(&list.list)));
        }
        self.rest(&lists.lists);
    }

    fn times(&mut self, heading: &str, distribution: &Distribution) {
        if distribution.servers == 0 {
            return;
        }
        self.heading(&format!("{heading}, of {} servers", distribution.servers));
        let shown = distribution.quantiles.iter().filter(|quantile| [0.1, 0.5, 0.9, 0.99].contains(&quantile.of));
        let told: Vec<String> = shown.map(|quantile| format!("{}% {}", quantile.of * 100.0, quantile.from)).collect();
        let longest = distribution.longest.unwrap_or(0);
        self.line(format_args!("  within: {}, longest {longest}", told.join(", ")));
    }

    fn networks(&mut self, survey: &Survey) {
        let bad = survey.networks.entries.iter().filter(|network| network.failing_servers > 0);
        let bad: Vec<_> = bad.collect();
        if bad.is_empty() {
            return;
        }
        self.heading("networks with most trouble");
        self.line(format_args!("{:>16}{:>9}{:>9}", "failing/servers", "listed", "rows"));
        for network in bad.iter().take(SHOWN) {
            let servers = format!("{}/{}", network.failing_servers, network.servers);
            let codes: Vec<String> = network.findings.iter().map(|(code, rows)| format!("{code} {rows}")).collect();
            let (listed, rows) = (network.listed_servers, network.rows);
            self.line(format_args!("{servers:>16}{listed:>9}{rows:>9}  {}  {}", network.network, codes.join(", ")));
        }
        if survey.networks.approximate {
            self.rest(&survey.networks);
        } else {
            self.more(bad.len());
        }
    }

    fn worst(&mut self, survey: &Survey) {
        if survey.worst.rows.is_empty() {
            return;
        }
        self.heading(&format!("the worst of {} rows of which a rule fails", survey.worst.of));
        for row in survey.worst.rows.iter().take(SHOWN) {
            self.row(row);
        }
        if survey.worst.of > SHOWN as u64 {
            self.line(format_args!("  and {} more", survey.worst.of - SHOWN as u64));
        }
    }

    fn row(&mut self, row: &WorstRow) {
        let introduced = if row.introduction.is_empty() { String::new() } else { format!("({})", row.introduction) };
        let texts = [&row.target, &row.exchange, &row.address, &row.ptr, &introduced];
        let texts: Vec<String> = texts.iter().filter(|text| !text.is_empty()).map(|text| clipped(text)).collect();
        self.line(format_args!("  {}", texts.join("  ")));
        let failing = Rule::ALL.iter().zip(row.verdicts).filter(|(_, verdict)| *verdict == Verdict::Fail);
        let failing: Vec<&str> = failing.map(|(rule, _)| rule.as_str()).collect();
        let failing = self.painted("31", &failing.join(" "));
        let codes: Vec<&str> = row.findings.iter().take(6).map(|code| code.as_str()).collect();
        let dots = if row.findings.len() > codes.len() { " ..." } else { "" };
        self.line(format_args!("    {failing}: {}{dots}", codes.join(" ")));
    }
}

/// A share in per cent.
fn plain(share: Share) -> String {
    share.share.map_or_else(|| "-".to_owned(), |share| format!("{:.1}%", share * 100.0))
}

/// A count and its share, in 17 columns.
fn two(share: Share) -> String {
    format!("{:>10} {:>6}", share.count, plain(share))
}

/// A count, its share and its interval.
fn with_interval(share: Share) -> String {
    match (share.low, share.high) {
        (Some(low), Some(high)) => {
            format!("{} {} {:.1}-{:.1}", share.count, plain(share), low * 100.0, high * 100.0)
        }
        _ => format!("{} -", share.count),
    }
}

/// The beginning of a text that may be long.
fn clipped(text: &str) -> String {
    match text.char_indices().nth(WIDE) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_part_is_told_and_colour_changes_nothing_but_colour() {
        let survey = sample::survey();
        let plain = text(&survey, false);
        for part in [
            "by domain: 90",
            "connect-timeout",
            "helo-illegal-char",
            "software",
            "example.org",
            "generic-static",
            "TLSv1.3",
            "left out: it answers nothing",
            "50% 14",
            "192.0.2.0/24",
            "up to 2 rows of any may be missing",
            "the worst of 15 rows",
        ] {
            assert!(plain.contains(part), "{part}: {plain}");
        }
        let coloured = text(&survey, true);
        let mut bare = String::new();
        let mut rest = coloured.as_str();
        while let Some((text, escape)) = rest.split_once('\u{1b}') {
            bare.push_str(text);
            rest = escape.split_once('m').unwrap().1;
        }
        bare.push_str(rest);
        assert!(coloured.contains("\u{1b}[31m"));
        assert_eq!(bare, plain);
    }
}
