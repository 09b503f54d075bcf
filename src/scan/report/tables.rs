//! A survey as tables: one CSV in long form, a figure a record.
//! Comes in: a survey. Goes out: CSV with the columns of [`COLUMNS`], of which a program takes the table it wants.
//! Cells that a spreadsheet would run are made harmless, as in rows.

use crate::model::words::Rule;
use crate::output::csv::{Formulas, cell};
use crate::report::survey::{
    Counted, Distribution, Health, Level, OverallShares, RuleShares, Run, Share, Survey, WorstRow,
};

/// The columns, with their meanings.
const COLUMNS: &[(&str, &str)] = &[
    ("table", "what it is about"),
    ("level", "row, domain, server, target or network: what is counted; the place of the file in worst and run"),
    ("key", "which one: a rule, a finding, a provider"),
    ("what", "which of its figures"),
    ("count", "the figure"),
    ("of", "the whole that it is a part of"),
    ("share", "count / of"),
    ("low", "lower bound of its 95% interval"),
    ("high", "upper bound of its 95% interval"),
    ("text", "what is no figure"),
];

/// A survey as CSV.
pub(super) fn csv(survey: &Survey) -> Vec<u8> {
    let mut table = Table(::csv::Writer::from_writer(Vec::with_capacity(64 * 1024)));
    table.record(&COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
    survey.notes.iter().for_each(|note| table.text("note", "", "", "", note));
    survey.runs.iter().zip(0..).for_each(|(run, at)| runs(&mut table, run, at));
    totals(&mut table, survey);
    survey.levels.iter().for_each(|level| levels(&mut table, level));
    for unknown in &survey.unknown_why {
        let cause = unknown.cause.as_str();
        table.count("unknown_why", "row", cause, "all", unknown.verdicts);
        unknown.rules.iter().for_each(|(rule, count)| table.count("unknown_why", "row", cause, rule.as_str(), *count));
    }
    for found in &survey.findings {
        let (code, severity) = (found.code.as_str(), found.severity.as_str());
        table.share("finding", "row", code, severity, found.rows);
        table.share("finding", "server", code, severity, found.servers);
    }
    for software in &survey.software.entries {
        let name = software.name.as_deref().unwrap_or_default();
        table.share("software", "row", name, "", software.rows);
        table.share("software", "server", name, "", software.servers);
    }
    for provider in &survey.providers.entries {
        table.share("provider", "target", &provider.domain, "all", provider.targets);
        table.count("provider", "row", &provider.domain, "all", provider.rows);
        table.share("provider", "row", &provider.domain, "misconfigured", provider.misconfigured);
        table.share("provider", "row", &provider.domain, "undetermined", provider.undetermined);
    }
    words(&mut table, "ptr_class", &survey.ptr_class, |word| word.as_str());
    words(&mut table, "tls_status", &survey.tls.status, |word| word.as_str());
    words(&mut table, "tls_version", &survey.tls.version, String::as_str);
    words(&mut table, "tls_cert_trust", &survey.tls.trust, |word| word);
    words(&mut table, "tls_failure", &survey.tls.failure, |word| word);
    blocklists(&mut table, survey);
    distribution(&mut table, "greeting_ms", &survey.greeting_ms);
    distribution(&mut table, "connect_ms", &survey.connect_ms);
    networks(&mut table, survey);
    table.count("worst", "row", "", "all", survey.worst.of);
    survey.worst.rows.iter().for_each(|row| worst(&mut table, row));
    table.0.into_inner().expect("memory takes any record")
}

/// The records so far.
struct Table(::csv::Writer<Vec<u8>>);

impl Table {
    fn record(&mut self, cells: &[String]) {
        self.0.write_record(cells).expect("memory takes any record, and all have the same number of cells");
    }

    fn full(&mut self, head: [&str; 4], figures: &[String; 5], text: &str) {
        let safe = |text: &str| cell(text, Formulas::Neutralised).into_owned();
        self.record(&[&head.map(safe)[..], &figures[..], &[safe(text)]].concat());
    }

    fn share(&mut self, table: &str, level: &str, key: &str, what: &str, share: Share) {
        let figure = |figure: Option<f64>| figure.map_or_else(String::new, |figure| figure.to_string());
        let figures =
            [share.count.to_string(), share.of.to_string(), figure(share.share), figure(share.low), figure(share.high)];
        self.full([table, level, key, what], &figures, "");
    }

    fn count(&mut self, table: &str, level: &str, key: &str, what: &str, count: u64) {
        let figures = [Some(count.to_string()), None, None, None, None].map(Option::unwrap_or_default);
        self.full([table, level, key, what], &figures, "");
    }

    fn text(&mut self, table: &str, level: &str, key: &str, what: &str, text: &str) {
        self.full([table, level, key, what], &<_>::default(), text);
    }
}

fn runs(table: &mut Table, run: &Run, at: usize) {
    let at = at.to_string();
    table.text("run", &at, "name", "", &run.name);
    table.text("run", &at, "form", "", run.form);
    table.count("run", &at, "rows", "", run.rows);
    for (key, time) in ["first_target", "last_target"].iter().zip(run.scanned.iter().flatten()) {
        table.text("run", &at, key, "", time);
    }
    let Some(told) = &run.manifest else { return };
    let texts = [
        ("version", Some(&told.version)),
        ("start", Some(&told.start)),
        ("end", told.end.as_ref()),
        ("shard", told.shard.as_ref()),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            table.text("run", &at, key, "", text);
        }
    }
    table.text("run", &at, "complete", "", if told.complete { "true" } else { "false" });
    told.seeds.iter().for_each(|(what, seed)| table.count("run", &at, "seed", what, *seed));
    told.counts.iter().for_each(|(what, count)| table.count("run", &at, "count", what, *count));
    for input in &told.inputs {
        table.count("run", &at, "input", &input.name, input.records);
        input.sha256.iter().for_each(|sha256| table.text("run", &at, "input_sha256", &input.name, sha256));
    }
    told.configuration.iter().for_each(|(what, value)| table.text("run", &at, "option", what, &value.to_string()));
}

fn totals(table: &mut Table, survey: &Survey) {
    let totals = &survey.totals;
    for (what, count) in [
        ("rows", totals.rows),
        ("targets", totals.targets),
        ("servers", totals.servers),
        ("servers_one_of", totals.servers_one_of),
        ("repeated", totals.repeated),
        ("repeated_one_of", totals.repeated_one_of),
        ("announced", totals.announced),
        ("observed", totals.observed),
    ] {
        table.count("total", "", what, "", count);
    }
    // Where a table is not exact, it says so itself.
    let rankings = [
        ("software", survey.software.others, survey.software.approximate, survey.software.missed_at_most),
        ("provider", survey.providers.others, survey.providers.approximate, survey.providers.missed_at_most),
        (
            "blocklist",
            survey.blocklists.lists.others,
            survey.blocklists.lists.approximate,
            survey.blocklists.lists.missed_at_most,
        ),
        ("network", survey.networks.others, survey.networks.approximate, survey.networks.missed_at_most),
    ];
    for (key, others, approximate, missed) in rankings {
        table.count("ranking", "", key, "others", others);
        table.count("ranking", "", key, "approximate", approximate.into());
        table.count("ranking", "", key, "missed_at_most", missed);
    }
}

fn levels(table: &mut Table, level: &Level) {
    table.count("verdict", level.by, "", "counted", level.counted);
    table.count("verdict", level.by, "", "one_of", level.one_of);
    for RuleShares { rule, pass, fail, unknown, na } in &level.rules {
        let rule = rule.as_str();
        for (what, share) in [("pass", pass), ("fail", fail), ("unknown", unknown)] {
            table.share("verdict", level.by, rule, what, *share);
        }
        table.count("verdict", level.by, rule, "na", *na);
    }
    let OverallShares { conformant, misconfigured, undetermined, na } = level.overall;
    for (what, share) in [("conformant", conformant), ("misconfigured", misconfigured), ("undetermined", undetermined)]
    {
        table.share("verdict", level.by, "verdict", what, share);
    }
    table.count("verdict", level.by, "verdict", "na", na);
}

fn words<T>(table: &mut Table, name: &str, counted: &[Counted<T>], word: impl Fn(&T) -> &str) {
    for entry in counted {
        table.share(name, "row", word(&entry.word), "", entry.rows);
        table.share(name, "server", word(&entry.word), "", entry.servers);
    }
}

fn blocklists(table: &mut Table, survey: &Survey) {
    let lists = &survey.blocklists;
    table.count("blocklist", "row", "", "asked", lists.asked);
    table.share("blocklist", "row", "", "counted", lists.counted);
    for list in &lists.lists.entries {
        let name = list.list.as_str();
        for (what, count) in [("listed", list.listed), ("counted", list.counted), ("silent", list.silent)] {
            table.count("blocklist", "row", name, what, count);
        }
        let why = list.silent_why.iter();
        why.for_each(|(cause, count)| table.count("blocklist", "row", name, &format!("silent={cause}"), *count));
        list.health.iter().for_each(|told| health(table, name, told));
    }
}

fn health(table: &mut Table, list: &str, health: &Health) {
    let run = health.run.to_string();
    for (what, count) in [
        ("asked", health.asked),
        ("hits", health.hits),
        ("refused", health.refused),
        ("unanswered", health.unanswered),
        ("void", health.void),
        ("over_budget", health.over_budget),
        ("tests", health.tests),
    ] {
        table.count("blocklist_health", &run, list, what, count);
    }
    health.off.iter().for_each(|why| table.text("blocklist_health", &run, list, "off", why));
}

fn distribution(table: &mut Table, name: &str, distribution: &Distribution) {
    for bin in &distribution.bins {
        table.share(name, "server", &bin.from.to_string(), "from", Share::of(bin.servers, distribution.servers));
    }
    for quantile in &distribution.quantiles {
        table.count(name, "server", &quantile.of.to_string(), "quantile_from", quantile.from);
        table.count(name, "server", &quantile.of.to_string(), "quantile_below", quantile.below);
    }
    distribution.longest.iter().for_each(|longest| table.count(name, "server", "", "longest", (*longest).into()));
}

fn networks(table: &mut Table, survey: &Survey) {
    for network in &survey.networks.entries {
        let name = network.network.as_str();
        for (what, count) in [
            ("servers", network.servers),
            ("failing_servers", network.failing_servers),
            ("listed_servers", network.listed_servers),
            ("rows", network.rows),
            ("failing", network.failing),
            ("undetermined", network.undetermined),
        ] {
            table.count("network", "network", name, what, count);
        }
        network.findings.iter().for_each(|(code, rows)| table.count("network", "row", name, code.as_str(), *rows));
    }
}

fn worst(table: &mut Table, row: &WorstRow) {
    let (run, number) = (row.run.to_string(), row.row.to_string());
    let codes: Vec<&str> = row.findings.iter().map(|code| code.as_str()).collect();
    let texts = [
        ("target", row.target.as_str()),
        ("exchange", &row.exchange),
        ("address", &row.address),
        ("ptr_names", &row.ptr),
        ("introduction", &row.introduction),
        ("greeting", &row.greeting),
        ("basis", row.basis.map_or("", |basis| basis.as_str())),
        ("verdict", row.overall.as_str()),
        ("findings", &codes.join(";")),
        ("dnsbl_counted", &row.blocklists.join(";")),
    ];
    let rules = Rule::ALL.iter().zip(row.verdicts).map(|(rule, verdict)| (rule.as_str(), verdict.as_str()));
    for (what, text) in texts.into_iter().chain(rules).filter(|(_, text)| !text.is_empty()) {
        table.text("worst", &run, &number, what, text);
    }
}
