//! What is told of a run at its end, on stderr and in the manifest.
//! Comes in: its counts. Goes out: lines, and the manifest beside the output.

use super::journal::Counted;
use super::progress::{Counts, get, say_plainly};
use crate::model::clock::now_ms;
use crate::output::manifest::{Manifest, Rates, Source};
use crate::output::rfc3339;
use crate::probe::dnsbl::watch::Account;
use crate::probe::{Again, Work};
use crate::report::tally::Tally;

/// What was left alone, and what another pass may show.
pub(super) fn tell_of_the_rest(facts: &Facts<'_>, again: Again) {
    if facts.work.exclusions > 0 {
        say_plainly(&format!("excluded servers met and not contacted: {}", facts.work.exclusions));
    }
    if facts.work.lost > 0 {
        say_plainly(&format!(
            "warning: the evidence of {} servers had no place in memory and could not be kept on disk: rows that needed it \
             again are unknown (self-fault); give more with --memory",
            facts.work.lost
        ));
    }
    let unsettled = facts.counted.unsettled;
    if again.times == 0 && unsettled > 0 {
        say_plainly(&format!(
            "{unsettled} targets were put off or gave no answer in time; --retries 2 would have tried them again, every {} min",
            again.after.as_secs().div_ceil(60)
        ));
    }
}

/// What the end of a run is told from.
pub(super) struct Facts<'a> {
    /// Milliseconds since 1970.
    pub(super) started: i64,
    pub(super) complete: bool,
    /// How often it was interrupted and resumed, and whether it can be.
    pub(super) resumed: u32,
    pub(super) resumable: bool,
    /// Counts of this start, and those of all starts of the run.
    pub(super) counts: &'a Counts,
    pub(super) counted: Counted,
    pub(super) tally: &'a Tally,
    pub(super) work: Work,
    pub(super) lists: Vec<Account>,
}

/// The line by which a reader sees that nothing was lost.
pub(super) fn reconciliation(facts: &Facts<'_>) -> String {
    let counts = facts.counts;
    let (records, rejected, excluded) = (get(&counts.records), get(&counts.rejected), get(&counts.excluded));
    let elsewhere = get(&counts.elsewhere);
    let done = records.saturating_sub(rejected + excluded + elsewhere);
    let share = if elsewhere > 0 { format!(" + other shards {elsewhere}") } else { String::new() };
    let Counted { targets, rows, .. } = facts.counted;
    if facts.complete {
        format!(
            "complete: records read {records} = done {done} + rejected {rejected} + excluded {excluded}{share}; \
             targets {targets}, rows written {rows}"
        )
    } else {
        let left = get(&counts.taken).saturating_sub(get(&counts.done));
        let resume = if facts.resumable { "; go on with --resume" } else { "" };
        format!(
            "cut short: records read {records}, rejected {rejected}, excluded {excluded}{share}; \
             targets done {targets}, dropped {left}, rows written {rows}{resume}"
        )
    }
}

pub(super) fn effort(facts: &Facts<'_>) -> String {
    let Work { questions, exchanges, hosts, connections, outcomes: _, exclusions: _, lost: _, took: _ } = facts.work;
    format!(
        "asked once: {} DNS questions for {} needs, {} exchanges for {}, {} servers for {}; {connections} connections",
        questions.1, questions.0, exchanges.1, exchanges.0, hosts.1, hosts.0
    )
}

pub(super) fn manifest(
    (configuration, effective): (serde_json::Value, serde_json::Value),
    seed: u64,
    inputs: Vec<Source>,
    facts: &Facts<'_>,
) -> Manifest {
    let counts = facts.counts;
    let counted = [
        ("records_read", get(&counts.records)),
        ("records_rejected", get(&counts.rejected)),
        ("records_excluded", get(&counts.excluded)),
        ("records_of_other_shards", get(&counts.elsewhere)),
        ("targets", facts.counted.targets),
        ("rows", facts.counted.rows),
        ("dns_questions", facts.work.questions.1),
        ("servers", facts.work.hosts.1),
        ("connections", facts.work.connections),
        ("exclusions", facts.work.exclusions),
        ("unsettled", facts.counted.unsettled),
    ];
    let mut manifest = Manifest::begin(configuration, facts.started);
    manifest.effective = effective;
    let Counted { targets, rows, .. } = facts.counted;
    let rated = [targets, rows, facts.work.questions.1, facts.work.connections];
    manifest.rates = Some(Rates::over(facts.work.took, rated));
    manifest.seeds.insert("order".to_owned(), seed);
    manifest.inputs = inputs;
    manifest.end = rfc3339(now_ms());
    manifest.counts = counted.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    manifest.tally =
        serde_json::to_value(facts.tally.told()).expect("a tally has texts as keys and whole numbers as values");
    manifest.lists = serde_json::to_value(&facts.lists).expect("an account has texts as keys");
    manifest.complete = facts.complete;
    manifest.resumed = facts.resumed;
    manifest
}
