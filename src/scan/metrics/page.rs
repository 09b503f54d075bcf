//! The text of the metrics: Prometheus exposition format 0.0.4.
//! Comes in: what is known of a run at one moment. Goes out: text.
//! Labels are words of closed sets, and the blocklists that the run was told to ask; nothing that a server or a list of
//! targets says gets in. What is not counted yet is not there, rather than zero.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder};

use super::super::journal::Counted;
use super::super::progress::{Counts, get};
use super::super::writer::tally;
use super::{Run, State, seconds};
use crate::model::words::{Cause, ConnectStatus, Overall, Rule, Severity, SmtpStatus, Verdict};
use crate::probe::dnsbl::watch::Account;
use crate::probe::{ANSWERS, Work};
use crate::report::tally::Tally;

/// What is kept from run to run.
pub(super) const LAST_SUCCESS: &str = "mxcensus_last_success_timestamp_seconds";
pub(super) const LAST_EXIT_CODE: &str = "mxcensus_last_exit_code";

const WELL_FORMED: &str = "names and labels are constants, and none comes twice";

/// What a run counts, for whoever looks on.
pub(in super::super) struct Seen {
    /// When this start of the run had all that it needs.
    pub(in super::super) since: Instant,
    /// Of this start.
    pub(in super::super) counts: Arc<Counts>,
    pub(in super::super) probed: Box<dyn Fn() -> (Work, Vec<Account>) + Send + Sync>,
    /// Of all starts of the run.
    pub(in super::super) tally: Arc<Mutex<Tally>>,
    /// Of the starts before this one, and how many they were.
    pub(in super::super) before: (Counted, Work),
    pub(in super::super) resumed: u32,
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen").field("counts", &self.counts).finish_non_exhaustive()
    }
}

/// One of the counts of a list.
type Of = fn(&Account) -> u64;

/// The families of one moment.
struct Page(Registry);

impl Page {
    fn gauge(&self, name: &str, help: &str, value: f64) {
        let family = Gauge::new(name, help).expect(WELL_FORMED);
        family.set(value);
        self.0.register(Box::new(family)).expect(WELL_FORMED);
    }

    fn gauges<'a>(&self, name: &str, help: &str, label: &str, values: impl IntoIterator<Item = (&'a str, f64)>) {
        let family = GaugeVec::new(Opts::new(name, help), &[label]).expect(WELL_FORMED);
        for (word, value) in values {
            family.with_label_values(&[word]).set(value);
        }
        self.0.register(Box::new(family)).expect(WELL_FORMED);
    }

    fn count(&self, name: &str, help: &str, count: u64) {
        let family = IntCounter::new(name, help).expect(WELL_FORMED);
        family.inc_by(count);
        self.0.register(Box::new(family)).expect(WELL_FORMED);
    }

    fn counts<'a, const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
        counts: impl IntoIterator<Item = ([&'a str; N], u64)>,
    ) {
        let family = IntCounterVec::new(Opts::new(name, help), &labels).expect(WELL_FORMED);
        for (words, count) in counts {
            family.with_label_values(&words).inc_by(count);
        }
        self.0.register(Box::new(family)).expect(WELL_FORMED);
    }
}

/// The text of one moment.
pub(super) fn text(run: Run, seen: Option<&Seen>) -> String {
    let page = Page(Registry::new());
    whole(&page, run);
    if let Some(seen) = seen {
        let (work, accounts) = (seen.probed)();
        records(&page, seen);
        targets(&page, seen);
        rates(&page, seen, &work);
        network(&page, &seen.before.1.and(work));
        blocklists(&page, &accounts);
        results(&page, &tally(&seen.tally));
        page.gauge("mxcensus_run_resumed", "How often the run was interrupted and resumed.", seen.resumed.into());
    }
    TextEncoder::new().encode_to_string(&page.0.gather()).expect("a String takes all that is written")
}

/// The run as a whole.
fn whole(page: &Page, run: Run) {
    page.gauges("mxcensus_build_info", "The program's version.", "version", [(env!("CARGO_PKG_VERSION"), 1.0)]);
    let states = State::ALL.map(|(state, word)| (word, f64::from(u8::from(state == run.state))));
    page.gauges("mxcensus_run_state", "1 for the state that the run is in, or ended in.", "state", states);
    page.gauge("mxcensus_run_start_timestamp_seconds", "When this start of the run began.", seconds(run.began));
    if let Some(ended) = run.ended {
        page.gauge("mxcensus_run_end_timestamp_seconds", "When the run ended; absent while it runs.", seconds(ended));
    }
    let success = "When a run last came to its end with every record accounted for; 0 for never. Kept from run to run.";
    page.gauge(LAST_SUCCESS, success, run.last.success);
    if let Some(code) = run.last.exit_code {
        page.gauge(LAST_EXIT_CODE, "The exit code of the last run that ended. Kept from run to run.", code);
    }
}

fn records(page: &Page, seen: &Seen) {
    let counts = &seen.counts;
    let [rejected, excluded, elsewhere] = [&counts.rejected, &counts.excluded, &counts.elsewhere].map(get);
    let accepted = get(&counts.records).saturating_sub(rejected + excluded + elsewhere);
    let outcomes = [("accepted", accepted), ("rejected", rejected), ("excluded", excluded), ("other-shard", elsewhere)];
    let help = "Records read, by what became of them; together all that this start has read.";
    page.counts("mxcensus_records_total", help, ["outcome"], outcomes.map(|(word, count)| ([word], count)));
}

fn targets(page: &Page, seen: &Seen) {
    let counts = &seen.counts;
    let [taken, done, skipped] = [&counts.taken, &counts.done, &counts.skipped].map(get);
    let [aside, later, held] = [&counts.aside, &counts.later, &counts.held].map(get);
    page.count("mxcensus_targets_read_total", "Targets that this start has come to.", taken + skipped);
    let help = "Targets read that an earlier start of the run had settled.";
    page.count("mxcensus_targets_skipped_total", help, skipped);
    let counted = seen.before.0.and(counts);
    page.count("mxcensus_targets_done_total", "Targets whose rows are written, by all starts.", counted.targets);
    let help = "Targets whose last pass left something that one more might have shown.";
    page.count("mxcensus_targets_unsettled_total", help, counted.unsettled);
    let states = [
        ("in-flight", taken.saturating_sub(done + aside + later + held)),
        ("put-aside", aside),
        ("awaiting-pass", later),
        ("held", held),
    ];
    let help = "Targets under way now: with a worker or a judge, put aside until a server may be contacted, put aside until their \
                next pass, held until their blocklists have passed a test.";
    page.gauges("mxcensus_targets_pending", help, "state", states.map(|(word, count)| (word, float(count))));
}

/// Over the whole of this start.
fn rates(page: &Page, seen: &Seen, work: &Work) {
    let elapsed = seen.since.elapsed().as_secs_f64();
    let rate = |count: u64| if elapsed > 0.0 { float(count) / elapsed } else { 0.0 };
    for (name, help, count) in [
        ("mxcensus_targets_per_second", "Targets done, over the whole of this start.", get(&seen.counts.done)),
        ("mxcensus_dns_questions_per_second", "DNS questions asked, over the whole of this start.", work.questions.1),
        ("mxcensus_connections_per_second", "SMTP connections, over the whole of this start.", work.connections),
    ] {
        page.gauge(name, help, rate(count));
    }
}

fn network(page: &Page, work: &Work) {
    for (name, help, count) in [
        ("mxcensus_dns_questions_needed_total", "DNS questions that were met.", work.questions.0),
        ("mxcensus_dns_questions_asked_total", "DNS questions that memory had no answer to.", work.questions.1),
        ("mxcensus_servers_needed_total", "Servers that were met.", work.hosts.0),
        ("mxcensus_servers_asked_total", "Servers that memory did not hold.", work.hosts.1),
        ("mxcensus_connections_begun_total", "SMTP connections begun.", work.connections),
        ("mxcensus_exclusions_total", "Times that the exclusions kept us from a server.", work.exclusions),
    ] {
        page.count(name, help, count);
    }
    let help = "What resolvers answered; questions to blocklists are counted with their list.";
    let answers = ANSWERS.into_iter().zip(work.outcomes.answers);
    page.counts("mxcensus_dns_answers_total", help, ["outcome"], answers.map(|(word, count)| ([word], count)));
    // Whom we leave alone is not dialled.
    let dialled = |status: &ConnectStatus| {
        !matches!(status, ConnectStatus::Excluded | ConnectStatus::Special | ConnectStatus::NotAsked)
    };
    let ended = ConnectStatus::ALL.iter().zip(work.outcomes.connections).filter(|(status, _)| dialled(status));
    let ended = ended.map(|(status, count)| ([status.as_str()], count));
    page.counts("mxcensus_connections_total", "SMTP connections that are over, by outcome.", ["outcome"], ended);
    let ended =
        SmtpStatus::ALL.iter().zip(work.outcomes.sessions).filter(|(status, _)| **status != SmtpStatus::NotAsked);
    let ended = ended.map(|(status, count)| ([status.as_str()], count));
    page.counts("mxcensus_sessions_total", "SMTP sessions that are over, by how far they got.", ["outcome"], ended);
}

fn blocklists(page: &Page, accounts: &[Account]) {
    let health = accounts.iter().map(|account| (account.list.as_str(), f64::from(u8::from(account.off.is_none()))));
    let help = "1 while the blocklist is believed, 0 once it has failed a test.";
    page.gauges("mxcensus_blocklist_healthy", help, "list", health);
    let families: [(&str, &str, Of); 5] = [
        ("mxcensus_blocklist_questions_total", "Questions sent, those of tests included.", |list| list.asked),
        ("mxcensus_blocklist_hits_total", "Listings among the answers.", |list| list.hits),
        ("mxcensus_blocklist_refusals_total", "Refusals.", |list| list.refused),
        ("mxcensus_blocklist_unanswered_total", "Questions that got no answer.", |list| list.unanswered),
        ("mxcensus_blocklist_over_budget_total", "Questions not asked: the day's budget is spent.", |list| {
            list.over_budget
        }),
    ];
    for (name, help, of) in families {
        page.counts(name, help, ["list"], accounts.iter().map(|account| ([account.list.as_str()], of(account))));
    }
}

fn results(page: &Page, tally: &Tally) {
    let rows = Overall::ALL.iter().map(|word| ([word.as_str()], tally.overall(*word)));
    page.counts("mxcensus_rows_total", "Rows written, by verdict over the five rules.", ["verdict"], rows);
    let rules = Rule::ALL.iter().flat_map(|rule| Verdict::ALL.iter().map(move |verdict| (*rule, *verdict)));
    let rules = rules.map(|(rule, verdict)| ([rule.as_str(), verdict.as_str()], tally.verdicts(rule, verdict)));
    page.counts("mxcensus_verdicts_total", "Rows written, by rule and verdict.", ["rule", "verdict"], rules);
    let causes = Cause::ALL.iter().map(|cause| ([cause.as_str()], tally.unknown_by(*cause)));
    page.counts("mxcensus_unknown_total", "Unknown verdicts, by cause.", ["cause"], causes);
    let findings = Severity::ALL.iter().map(|severity| ([severity.as_str()], tally.findings_of(*severity)));
    page.counts("mxcensus_findings_total", "Findings, by severity.", ["severity"], findings);
}

#[expect(clippy::cast_precision_loss, reason = "the format knows no other numbers")]
fn float(count: u64) -> f64 {
    count as f64
}
