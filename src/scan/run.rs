//! The outline of a run, from the first look at its output to the last line it says.
//! Comes in: a `Job` and what may stop it. Goes out: an `Outcome`.
//! Whatever can be wrong with the command is found before the first packet to a server.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tracing::info;

use super::fitness::{Fit, Fitness};
use super::journal::{self, Before, Beginning, Counted, Journal, Kept};
use super::metrics::{Keeper, Metrics, Seen};
use super::progress::{Counts, Show, get, say_plainly};
use super::stop::{Level, Stop};
use super::summary::{Facts, effort, manifest, reconciliation, tell_of_the_rest};
use super::writer::{self, Writer};
use super::{Error, Feed, Job, Outcome, effective, header, lists, pipeline, reader, resolver};
use crate::input::{self, Source};
use crate::judge::policy::Policy;
use crate::model::clock::now_ms;
use crate::model::dnsbl::{Health, List};
use crate::model::header::Header;
use crate::model::words::Severity;
use crate::output::{self, Evidences, Lock, Manifest, Sink};
use crate::probe::dns;
use crate::probe::{Again, Prober, Work};
use crate::report::tally::Tally;

/// Gathered targets that wait for a test of their blocklists: one in this much of `--memory`, and not more than a test
/// every few seconds would let through.
const HELD_BYTES: u64 = 32 << 10;
const MOST_HELD: usize = 16_384;

/// Scans and judges the job's targets.
pub async fn run(job: Job, stop: Stop) -> Result<Outcome, Error> {
    let now = now_ms();
    let file = job.output.clone().filter(|path| !output::is_direct(path));
    let _lock = file.as_deref().map(Lock::take).transpose().map_err(Error::Open)?.flatten();
    let quiet = job.quiet;
    let metrics = Keeper::begin(job.metrics.as_deref(), now, job.checkpoint)?;
    // On the heap: whoever waits for a run need not have room for all of it.
    let ended = Box::pin(locked(job, file.as_deref(), metrics.metrics(), now, stop)).await;
    let complaint = metrics.end(&ended);
    if !quiet {
        lists::warn(complaint);
    }
    ended
}

/// Scans and judges while nobody else writes the same output.
async fn locked(job: Job, file: Option<&Path>, metrics: &Metrics, now: i64, stop: Stop) -> Result<Outcome, Error> {
    let before = match earlier(&job, file, metrics)? {
        ControlFlow::Continue(before) => before,
        ControlFlow::Break(outcome) => return Ok(outcome),
    };
    let quiet = job.quiet;
    let Some((parts, end)) = begin(job, file, before, metrics, now, stop).await? else {
        if !quiet {
            say_plainly("cut short: stopped before the first target");
        }
        return Ok(Outcome { complete: false, reached_fail_on: false });
    };
    info!(targets = parts.known, concurrency = parts.concurrency, "run begun");
    // On the heap: what waits for a whole run need not be moved about with it.
    let done = Box::pin(pipeline::run(parts)).await;
    info!(complete = done.as_ref().is_ok_and(|done| done.complete), "run ended");
    end.prober.close().await;
    end.of(done?)
}

/// Opens all that a run reads and writes, and tests what it asks; None where it is stopped meanwhile.
async fn begin(
    job: Job,
    file: Option<&Path>,
    before: Option<Kept>,
    metrics: &Metrics,
    now: i64,
    stop: Stop,
) -> Result<Option<(pipeline::Parts<dns::Engine>, End)>, Error> {
    let effective = effective::of(&job);
    let known = reader::known_targets(&job.feeds).map(|count| count + job.targets.len() as u64);
    let fitness = Fitness::of(&job);
    let (again, scratch, allowed) = (job.probe.again, job.probe.scratch.clone(), job.probe.allowed.clone());
    let (wanted, naming, named) = (job.probe.wanted, job.probe.naming, Arc::clone(&job.probe.lists));
    let opened = open(job.feeds, job.input, &job.dns, &scratch, before.as_ref(), &fitness, &stop);
    let Some((sources, engine, fit)) = opened.await? else { return Ok(None) };
    let (history, previous) = input::previous::read(&job.previous)?;
    let hold = usize::try_from(job.probe.memory / HELD_BYTES).unwrap_or(MOST_HELD).clamp(1, MOST_HELD);
    let prober = Arc::new(Prober::new(engine, job.probe));
    let Some(health) = first_test(&prober, wanted.dnsbl, &named, job.quiet, &stop).await else { return Ok(None) };
    let mut policy = Policy {
        profile: job.profile,
        naming,
        allowed,
        lists: prober.lists(),
        health: health.clone(),
        quorum: job.quorum,
        receivers: job.receivers,
        history: Arc::new(history),
    };
    let header = before.as_ref().and_then(Kept::header);
    let header = header.unwrap_or_else(|| header::of(&policy, previous, now, job.seed));
    leave_out(&mut policy.health, &header.health);
    let paths = (job.output.as_deref(), job.evidence.as_deref());
    let given = outputs(paths, (job.sink, job.format), &header, before.as_ref());
    let (mut sink, mut evidence) = given.map_err(Error::Open)?;

    let counts = Arc::new(Counts::default());
    let (settled, tally) = before.as_ref().map_or_else(Default::default, |kept| (kept.settled(), kept.tally.clone()));
    let passed = Arc::new(before.as_ref().map(Kept::passed).unwrap_or_default());
    let tally = Arc::new(Mutex::new(tally));
    metrics.watch(|| seen(before.as_ref(), &counts, &tally, &prober, wanted.dnsbl));
    if !job.quiet && before.is_some() {
        say_plainly(&format!("resumed: {} targets are done already", settled.len()));
    }
    let end = End {
        started: before.as_ref().map_or(now, |kept| kept.started),
        prober: Arc::clone(&prober),
        counts: Arc::clone(&counts),
        health,
        lists_asked: wanted.dnsbl,
        again,
        resumable: file.is_some(),
        output: job.output.clone(),
        seed: job.seed,
        quiet: job.quiet,
        verbose: job.verbose,
        tables: job.verbose || job.show != Show::None,
        colour: job.colour,
        fail_on: job.fail_on,
        configuration: job.configuration,
        effective,
    };
    let journal = file.map(|path| {
        let prober = Arc::clone(&prober);
        let beginning = Beginning {
            output: path,
            configuration: &end.configuration,
            header: &header,
            started: end.started,
            interval: job.checkpoint,
            inputs: sources.iter().map(Source::progress).collect(),
            counts: Arc::clone(&counts),
            passed: Arc::clone(&passed),
            work: Box::new(move || prober.work()),
            before,
        };
        let (rows, evidence) = writer::stand(&mut sink, &mut evidence)?;
        Journal::begin(beginning, rows, evidence)
    });
    let parts = pipeline::Parts {
        targets: job.targets,
        sources,
        known,
        fit,
        plan: job.plan,
        prober,
        policy: Arc::new(policy),
        journal: journal.transpose()?,
        sink,
        evidence,
        rejects: job.rejects,
        settled,
        passed,
        tally,
        concurrency: job.concurrency,
        hold,
        again,
        scratch,
        in_order: job.in_order,
        metrics: metrics.clone(),
        show: job.show,
        quiet: job.quiet,
        verbose: job.verbose,
        counts,
        stop,
    };
    Ok(Some((parts, end)))
}

/// What the metrics are told from.
fn seen(
    before: Option<&Kept>,
    counts: &Arc<Counts>,
    tally: &Arc<Mutex<Tally>>,
    prober: &Arc<Prober<dns::Engine>>,
    lists_asked: bool,
) -> Seen {
    let prober = Arc::clone(prober);
    Seen {
        since: Instant::now(),
        counts: Arc::clone(counts),
        probed: Box::new(move || (prober.work(), if lists_asked { prober.accounts() } else { Vec::new() })),
        tally: Arc::clone(tally),
        before: before.map_or_else(|| (Counted::default(), Work::default()), |kept| (kept.counts, kept.work)),
        resumed: before.map_or(0, |kept| kept.resumed + 1),
    }
}

/// What the end of a run is made of.
struct End {
    /// Milliseconds since 1970 when its first start was.
    started: i64,
    prober: Arc<Prober<dns::Engine>>,
    counts: Arc<Counts>,
    /// Of the lists, at this start.
    health: Vec<Health>,
    lists_asked: bool,
    again: Again,
    resumable: bool,
    output: Option<PathBuf>,
    configuration: serde_json::Value,
    effective: serde_json::Value,
    seed: u64,
    quiet: bool,
    verbose: bool,
    /// The summary in tables, as a person reads it.
    tables: bool,
    colour: bool,
    fail_on: Option<Severity>,
}

impl End {
    /// Ends the files, and says what there is to say.
    fn of(self, done: pipeline::Done) -> Result<Outcome, Error> {
        let pipeline::Done { complete, written, inputs } = done;
        let (prober, counts) = (self.prober, self.counts);
        if complete && get(&counts.taken) != get(&counts.done) {
            return Err(Error::Lost(get(&counts.taken) - get(&counts.done)));
        }
        let (counted, resumed, work) =
            written.before().unwrap_or_else(|| (Counted::default().and(&counts), 0, prober.work()));
        let tally = writer::tally(&written.tally).clone();
        let facts = Facts {
            started: self.started,
            complete,
            resumed,
            resumable: self.resumable,
            counts: &counts,
            counted,
            tally: &tally,
            work,
            lists: if self.lists_asked { prober.accounts() } else { Vec::new() },
        };
        let manifest = manifest((self.configuration, self.effective), self.seed, inputs, &facts);
        conclude(written, &manifest, self.output.as_deref())?;
        if !self.quiet {
            if self.tables {
                say_plainly(tally.summary(self.colour).trim_end());
            } else {
                tally.suspicions().for_each(|suspicion| lists::warn(Some(suspicion)));
            }
            lists::tell_of(&facts.lists, &self.health);
            for complaint in [prober.complaint(), prober.blocked(), prober.shortage()] {
                lists::warn(complaint);
            }
            tell_of_the_rest(&facts, self.again);
            say_plainly(&reconciliation(&facts));
            if self.verbose {
                say_plainly(&effort(&facts));
            }
        }
        Ok(Outcome { complete, reached_fail_on: self.fail_on.is_some_and(|severity| tally.reached(severity)) })
    }
}

/// The health of the lists before the run, said where one has none; None where it is stopped meanwhile.
async fn first_test(
    prober: &Prober<dns::Engine>,
    asked: bool,
    named: &[List],
    quiet: bool,
    stop: &Stop,
) -> Option<Vec<Health>> {
    let tested = async { if asked { prober.first_test().await } else { vec![Health::Healthy; named.len()] } };
    // At a low rate this takes its time.
    let health = tokio::select! {
        health = tested => health,
        () = stop.reached(Level::Drain) => return None,
    };
    if !quiet {
        lists::warn_of(named, &prober.lists(), &health);
        lists::warn(prober.complaint());
    }
    Some(health)
}

/// Evidence has one header: a list that was left out when the run began stays so.
fn leave_out(health: &mut [Health], then: &[Health]) {
    for (now, then) in health.iter_mut().zip(then).filter(|(_, then)| **then != Health::Healthy) {
        *now = then.clone();
    }
}

/// What an earlier run of the same output has left, or the end of one that is complete already.
fn earlier(job: &Job, file: Option<&Path>, metrics: &Metrics) -> Result<ControlFlow<Outcome, Option<Kept>>, Error> {
    let Some(path) = file else { return Ok(ControlFlow::Continue(None)) };
    Ok(match Before::of(path, job.resume, &job.configuration)? {
        Before::Interrupted(kept) => ControlFlow::Continue(Some(*kept)),
        Before::Complete(manifest) => ControlFlow::Break(complete_already(job, metrics, &manifest, None)?),
        Before::Sealed(kept, manifest) => ControlFlow::Break(complete_already(job, metrics, &manifest, Some(&kept))?),
        Before::Nothing => {
            if job.resume && !job.quiet {
                say_plainly("nothing to resume: the run begins anew");
            }
            ControlFlow::Continue(None)
        }
    })
}

/// Opens the inputs, and tests the resolver and this machine; None where the run is stopped meanwhile.
async fn open(
    feeds: Vec<Feed>,
    options: input::Options,
    dns: &dns::Settings,
    scratch: &Path,
    before: Option<&Kept>,
    fitness: &Fitness,
    stop: &Stop,
) -> Result<Option<(Vec<Source>, dns::Engine, Fit)>, Error> {
    let seen = before.map(|kept| kept.inputs.clone()).unwrap_or_default();
    let scratch = scratch.to_owned();
    // Standard input may have nothing to say for as long as it likes.
    let opened = pipeline::spawn("opener", move || reader::open(feeds, &options, &seen, &scratch))?;
    let sources = tokio::select! {
        sources = opened => sources.expect("opening a file does not panic")?,
        () = stop.reached(Level::Drain) => return Ok(None),
    };
    let engine = dns::Engine::start(dns.clone()).await?;
    let tested = async {
        resolver::answering(&engine, dns).await?;
        fitness.look(&engine).await
    };
    let fit = tokio::select! {
        fit = tested => fit?,
        () = stop.reached(Level::Drain) => return Ok(None),
    };
    Ok(Some((sources, engine, fit)))
}

/// Ends the files of a run; the journal of a complete one goes last.
fn conclude(written: Writer, manifest: &Manifest, output: Option<&Path>) -> Result<(), output::Error> {
    if !manifest.complete {
        written.leave()?;
        return output.map_or(Ok(()), |path| manifest.write(path));
    }
    let had_journal = written.before().is_some();
    written.complete(manifest)?;
    let Some(path) = output else { return Ok(()) };
    manifest.write(path)?;
    if had_journal { Journal::remove(path) } else { Ok(()) }
}

/// The outputs of a run that begins, or of one that goes on.
fn outputs(
    (rows, evidence): (Option<&Path>, Option<&Path>),
    (sink, format): (Option<Box<dyn Sink>>, output::Options),
    header: &Header,
    before: Option<&Kept>,
) -> Result<(Box<dyn Sink>, Option<Evidences>), output::Error> {
    let Some(kept) = before else {
        let evidence = evidence.map(|path| Evidences::create(path, header)).transpose()?;
        let sink = sink.map_or_else(|| output::open(rows, &format), Ok)?;
        return Ok((sink, evidence));
    };
    let resumed = match (evidence, &kept.evidence) {
        (Some(path), Some(mark)) => Some(Evidences::resume(path, header, mark)?),
        (path, _) => path.map(|path| Evidences::create(path, header)).transpose()?,
    };
    let rows = rows.expect("a journal stands beside a file");
    Ok((output::resume(rows, &format, &kept.rows)?, resumed))
}

/// The run to be resumed has come to its end; `kept` where its last start had not given all files their names.
fn complete_already(job: &Job, metrics: &Metrics, manifest: &Manifest, kept: Option<&Kept>) -> Result<Outcome, Error> {
    metrics.complete_since(manifest.end.as_deref().unwrap_or_default());
    let output = job.output.as_deref().expect("a journal and a manifest stand beside a file");
    for (feed, source) in job.feeds.iter().zip(&manifest.inputs) {
        if let (Feed::File(path), Some(sha256)) = (feed, &source.sha256) {
            input::same(path, sha256)?;
        }
    }
    if let Some(kept) = kept {
        journal::complete(output, job.evidence.as_deref(), job.format, kept, manifest)?;
    }
    if !job.quiet {
        let end = manifest.end.as_deref().unwrap_or("an unknown time");
        say_plainly(&format!("complete already: {} is the output of a run that ended at {end}", output.display()));
    }
    let reached = job.fail_on.zip(kept).is_some_and(|(severity, kept)| kept.tally.reached(severity));
    Ok(Outcome { complete: true, reached_fail_on: reached })
}
