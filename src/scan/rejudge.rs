//! Stored evidence judged again (`judge`): the second half of a scan, without the first.
//! Comes in: evidence files and what is to be judged otherwise. Goes out: rows, a manifest, and an `Outcome`.
//! Nothing here asks the network, and no verdict asks the clock: the same rules give the same rows, byte for byte.
//! A record that cannot be understood costs itself; batches are judged on all processors and written in their order.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;

use super::header::{is_weaker, other_tables, policy};
use super::pipeline::spawn;
use super::progress::{one_line, say_plainly};
use super::reader::TOLD;
use super::stop::{Level, Stop};
use super::{Changes, Error, effective};
use crate::input;
use crate::input::evidence::{Damage, Record, Stored};
use crate::judge::{self, Policy};
use crate::model::assessment::Judged;
use crate::model::clock::now_ms;
use crate::model::header::{Header, Previous};
use crate::model::history::History;
use crate::model::words::Severity;
use crate::output::manifest::{Manifest, Rates, Source};
use crate::output::{self, Ending, Sink, rfc3339};
use crate::report::tally::Tally;

/// Records judged at a time, and their bytes: enough work for every processor, and little memory.
const BATCH: usize = 1_024;
const BATCH_BYTES: usize = 16 << 20;
/// Characters told of what is wrong with a record.
const SAID: usize = 300;

/// Everything a run needs to know.
#[derive(Debug)]
pub struct Job {
    /// Files of evidence, in their order; `-` is standard input.
    pub evidence: Vec<PathBuf>,
    /// What is judged otherwise than the scans did.
    pub changes: Changes,
    /// The results of earlier runs to judge with.
    pub previous: Vec<PathBuf>,
    /// Where rows go; None is standard output.
    pub output: Option<PathBuf>,
    /// In which form.
    pub format: output::Options,
    /// Errors only.
    pub quiet: bool,
    /// More on stderr.
    pub verbose: bool,
    /// Colours in the summary.
    pub colour: bool,
    /// The severity that makes the run end with exit code 1.
    pub fail_on: Option<Severity>,
    /// The whole configuration, for the manifest.
    pub configuration: serde_json::Value,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Every file was read to its end.
    pub complete: bool,
    /// A record, or the rest of a file, could not be understood.
    pub damaged: bool,
    /// A finding of at least the severity of `--fail-on` was found.
    pub reached_fail_on: bool,
}

/// Judges stored evidence again. A first signal ends it with the batch at hand; a second one does not wait for a file that
/// says nothing, such as standard input: the thread that reads it ends with the process.
pub async fn run(job: Job, stop: Stop) -> Result<Outcome, Error> {
    let own = stop.clone();
    let work = spawn("judge", move || review(job, &own))?;
    tokio::select! {
        outcome = work => outcome.expect("no panic leaves the review of a record"),
        () = stop.reached(Level::Halt) => Ok(Outcome { complete: false, damaged: false, reached_fail_on: false }),
    }
}

fn review(job: Job, stop: &Stop) -> Result<Outcome, Error> {
    let (started, begun) = (now_ms(), Instant::now());
    // Everything that can be wrong with the command is found before the first row. Standard input is opened but once.
    // A pipe gives its bytes only once.
    let can_be_read_twice =
        |path: &&PathBuf| std::fs::metadata(path).map_or(true, |found| found.is_file() || found.is_dir());
    for path in job.evidence.iter().filter(|path| path.as_os_str() != "-").filter(can_be_read_twice) {
        Stored::open(path)?;
    }
    let (history, previous) = input::previous::read(&job.previous)?;
    let sink = output::open(job.output.as_deref(), &job.format).map_err(Error::Open)?;
    let mut review = Review {
        sink,
        tally: Tally::default(),
        history: Arc::new(history),
        previous,
        counts: Counts::default(),
        weaker: false,
        tell: if job.verbose { u64::MAX } else { TOLD },
        quiet: job.quiet,
    };
    let mut inputs = Vec::with_capacity(job.evidence.len());
    let mut complete = true;
    let mut effective = Vec::with_capacity(job.evidence.len());
    for path in &job.evidence {
        if stop.level() > Level::Run {
            complete = false;
            break;
        }
        let mut stored = Stored::open(path)?;
        effective.push(effective::of_judge(&policy(stored.header(), &job.changes, Arc::clone(&review.history))));
        let whole = review.file(&mut stored, &job.changes, stop)?;
        complete &= whole;
        inputs.push(Source {
            name: stored.name().to_string(),
            sha256: whole.then(|| stored.sha256()),
            records: stored.records(),
        });
    }
    let Review { sink, tally, counts, weaker, .. } = review;
    sink.finish(if complete { Ending::Complete } else { Ending::CutShort })?;
    if let Some(path) = job.output.as_deref() {
        let mut manifest = Manifest::begin(job.configuration, started);
        manifest.effective = effective.into();
        let took = begun.elapsed();
        manifest.rates = Some(Rates::over(took, [counts.targets, counts.rows, 0, 0]));
        manifest.inputs = inputs;
        manifest.end = rfc3339(now_ms());
        manifest.counts = counts.named().into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
        manifest.tally =
            serde_json::to_value(tally.told()).expect("a tally has texts as keys and whole numbers as values");
        manifest.complete = complete;
        manifest.write(path)?;
    }
    if !job.quiet {
        say_plainly(tally.summary(job.colour).trim_end());
        if let Some(weight) = job.changes.quorum.filter(|_| weaker) {
            say_plainly(&format!(
                "weak R5: blocklists of a weight of {weight} in all were enough to call an address unlisted, less than the \
                 scan asked for"
            ));
        }
        say_plainly(&counts.reconciliation(complete));
    }
    let reached_fail_on = job.fail_on.is_some_and(|severity| tally.reached(severity));
    Ok(Outcome { complete, damaged: counts.damaged > 0, reached_fail_on })
}

/// What became of the records.
#[derive(Debug, Default)]
struct Counts {
    records: u64,
    /// Records that could not be understood, and files that broke off.
    damaged: u64,
    broken: u64,
    targets: u64,
    rows: u64,
}

impl Counts {
    fn named(&self) -> [(&'static str, u64); 5] {
        [
            ("records_read", self.records),
            ("records_damaged", self.damaged - self.broken),
            ("files_broken_off", self.broken),
            ("targets", self.targets),
            ("rows", self.rows),
        ]
    }

    /// The line by which a reader sees that nothing was lost.
    fn reconciliation(&self, complete: bool) -> String {
        let how = if complete { "complete" } else { "cut short" };
        let (records, done, damaged) = (self.records, self.targets, self.damaged - self.broken);
        let broken = if self.broken > 0 { format!(", files broken off {}", self.broken) } else { String::new() };
        format!("{how}: records read {records} = judged {done} + damaged {damaged}{broken}; rows written {}", self.rows)
    }
}

/// A run at work.
struct Review {
    sink: Box<dyn Sink>,
    tally: Tally,
    history: Arc<History>,
    previous: Vec<Previous>,
    counts: Counts,
    /// Rule 5 was passed with less than some scan asked for.
    weaker: bool,
    /// How many damaged records are still told.
    tell: u64,
    quiet: bool,
}

impl Review {
    /// Judges one file; false when it was not read to its end.
    fn file(&mut self, stored: &mut Stored, changes: &Changes, stop: &Stop) -> Result<bool, Error> {
        let policy = policy(stored.header(), changes, Arc::clone(&self.history));
        self.weaker |= is_weaker(stored.header(), changes);
        if !self.quiet {
            self.note(stored.name(), stored.header(), changes);
        }
        let mut is_cut = false;
        loop {
            let (batch, broken) = batch(stored);
            self.counts.records += batch.len() as u64;
            let first = self.counts.targets;
            let judged = batch.par_iter().enumerate().map(|(at, record)| judge(record, first + at as u64, &policy));
            for (record, judged) in batch.iter().zip(judged.collect::<Vec<_>>()) {
                match judged {
                    Ok(judged) => self.write(&judged)?,
                    Err(damage) => {
                        is_cut = damage.is_cut;
                        self.damaged(stored.name(), Some(record.number), &damage.reason);
                        continue;
                    }
                }
                is_cut = false;
            }
            if let Some(error) = broken {
                self.counts.broken += 1;
                self.damaged(stored.name(), None, &chain(&error));
                return Ok(false);
            }
            if batch.is_empty() {
                self.counts.broken += u64::from(is_cut);
                self.counts.damaged += u64::from(is_cut);
                return Ok(!is_cut);
            }
            if stop.level() > Level::Run {
                return Ok(false);
            }
        }
    }

    fn write(&mut self, judged: &Judged) -> Result<(), Error> {
        for row in judged.rows() {
            self.sink.write(row)?;
            self.tally.add(row);
            self.counts.rows += 1;
        }
        self.counts.targets += 1;
        Ok(())
    }

    fn damaged(&mut self, name: &str, record: Option<u64>, reason: &str) {
        self.counts.damaged += 1;
        if let Some(left) = self.tell.checked_sub(1) {
            self.tell = left;
            // A decoder quotes what it did not expect, which may be long and anything.
            let reason: String = reason.chars().take(SAID).collect();
            say_plainly(&one_line(&match record {
                Some(record) => format!("mxcensus: {name}: record {record} {reason}"),
                None => format!("mxcensus: {reason}"),
            }));
            if left == 0 {
                say_plainly("further damaged records are only counted; --verbose tells them all");
            }
        }
    }

    /// Says when the rows cannot be those of the scan, because it knew of earlier runs, or went by other tables.
    fn note(&self, name: &str, header: &Header, changes: &Changes) {
        for table in other_tables(header, changes) {
            say_plainly(&one_line(&format!(
                "note: the scan of {name} went by {} of {}, and this judgement goes by another; rows may differ from the scan's",
                table.name, table.date
            )));
        }
        for scan in header.previous.iter().filter(|scan| !self.previous.iter().any(|own| own.sha256 == scan.sha256)) {
            say_plainly(&one_line(&format!(
                "note: the scan of {name} was judged with --previous {}; without it rows may differ from the scan's",
                scan.name
            )));
        }
    }
}

/// The next records, and the error that ended them.
fn batch(stored: &mut Stored) -> (Vec<Record>, Option<input::Error>) {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while batch.len() < BATCH && bytes < BATCH_BYTES {
        match stored.next_record() {
            Ok(Some(record)) => {
                bytes += record.size();
                batch.push(record);
            }
            Ok(None) => break,
            Err(error) => return (batch, Some(error)),
        }
    }
    (batch, None)
}

/// Judges one record. A panic costs this one record, as a fault of ours.
fn judge(record: &Record, sequence: u64, policy: &Policy) -> Result<Judged, Damage> {
    let mut evidence = record.understand()?;
    // Places in the run of the scan: several files would have the same ones.
    evidence.target.sequence = sequence;
    catch_unwind(AssertUnwindSafe(|| judge::assess(evidence, policy)))
        .map_err(|_panic| Damage { is_cut: false, reason: "makes this program fail: please report it".to_owned() })
}

/// An error and what is behind it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}
