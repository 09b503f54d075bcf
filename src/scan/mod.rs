//! The outline of a run, and all its channels, tasks, threads and signals.
//! Comes in: a `Job`, meant and checked. Goes out: rows, rejects, a manifest, and an `Outcome`.
//! Data flows one way: a thread reads and plans, workers probe and judge, a thread writes.
//! Every record that is read ends as a row or a reject, and the run says so at its end. A journal beside the output lets a run
//! that was interrupted, however it was, go on from its last checkpoint.

mod deferred;
mod header;
mod hold;
mod journal;
mod lists;
mod pipeline;
pub mod progress;
mod reader;
pub mod rejudge;
mod resolver;
mod settled;
mod spool;
pub mod stop;
mod summary;
mod worker;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use self::header::Changes;
pub use self::journal::Error as ResumeError;
use self::journal::{Before, Beginning, Counted, Journal, Kept};
use self::progress::{Counts, Show, get, say_plainly};
use self::stop::{Level, Stop};
use self::summary::{Facts, effort, manifest, reconciliation, tell_of_the_rest};
use self::writer::Writer;
use crate::input;
use crate::judge::policy::Policy;
use crate::model::address::Allowed;
use crate::model::dnsbl::{Health, Quorum};
use crate::model::header::Header;
use crate::model::introduction::Naming;
use crate::model::name::Name;
use crate::model::target::Receiver;
use crate::model::words::{Cause, Profile, Severity};
use crate::output::{self, Evidences, Lock, Manifest, Sink};
use crate::plan;
use crate::probe::dns;
use crate::probe::{self, Prober};

/// Gathered targets that wait for a test of their blocklists: one in this much of `--memory`, and not more than a test
/// every few seconds would let through.
const HELD_BYTES: u64 = 32 << 10;
const MOST_HELD: usize = 16_384;

/// Where targets come from.
pub enum Feed {
    /// A file, or standard input as `-`.
    File(PathBuf),
    /// Lines made by the program itself.
    Lines {
        /// What rejects and messages call it.
        name: String,
        /// CSV lines without line ends.
        lines: Box<dyn Iterator<Item = String> + Send>,
        /// How many targets they are.
        count: u64,
    },
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Lines { name, .. } => f.debug_tuple("Lines").field(name).finish(),
        }
    }
}

/// Everything a run needs to know.
#[derive(Debug)]
pub struct Job {
    /// Targets of the command line, before all files.
    pub targets: Vec<String>,
    /// Inputs, in their order.
    pub feeds: Vec<Feed>,
    /// How inputs are read.
    pub input: input::Options,
    /// Exclusions, shard, order.
    pub plan: plan::Settings,
    /// The resolver.
    pub dns: dns::Settings,
    /// What is asked, and how fast.
    pub probe: probe::Settings,
    /// The judge's profile.
    pub profile: Profile,
    /// What rule 5 needs to pass.
    pub quorum: Quorum,
    /// Who recorded the introductions of clients.
    pub receivers: Vec<Receiver>,
    /// Where rows go; None is standard output.
    pub output: Option<PathBuf>,
    /// In which form.
    pub format: output::Options,
    /// Where the full evidence goes, if it is wanted.
    pub evidence: Option<PathBuf>,
    /// The results of earlier runs that this one is judged with.
    pub previous: Vec<PathBuf>,
    /// Where rejects go; None prints them to stderr only.
    pub rejects: Option<PathBuf>,
    /// Targets in flight.
    pub concurrency: usize,
    /// Go on with an interrupted run of the same output.
    pub resume: bool,
    /// Between two checkpoints.
    pub checkpoint: Duration,
    /// Rows in input order.
    pub in_order: bool,
    /// Progress on stderr.
    pub show: Show,
    /// No summary, no reconciliation, no warnings: errors only.
    pub quiet: bool,
    /// More on stderr.
    pub verbose: bool,
    /// Colours in the summary.
    pub colour: bool,
    /// The severity that makes the run end with exit code 1.
    pub fail_on: Option<Severity>,
    /// What makes the run reproducible.
    pub seed: u64,
    /// The whole configuration, for the manifest.
    pub configuration: serde_json::Value,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Every record has its rows or its reject.
    pub complete: bool,
    /// A finding of at least the severity of `--fail-on` was found.
    pub reached_fail_on: bool,
}

/// Our own faults.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A resolver that does not answer at all.
    #[error(
        "no resolver answers: asked {resolvers} for the root's SOA and got {cause}{detail}; name another with --resolver"
    )]
    NoResolver {
        /// Those asked.
        resolvers: String,
        /// What came instead.
        cause: Cause,
        /// What is known of it, in brackets, or nothing.
        detail: String,
    },
    /// A resolver that gives records for names that nobody has registered.
    #[error(
        "the resolver invents addresses: asked {resolvers} for {name}, which does not exist, and got records; name an honest one with --resolver"
    )]
    Invents {
        /// Those asked.
        resolvers: String,
        /// A name made up for the purpose.
        name: Name,
    },
    /// A resolver cut off from the world, which denies all it is asked for.
    #[error(
        "the resolver denies that the root of DNS has an SOA, so its denials mean nothing: {resolvers}; name another with --resolver"
    )]
    DeniesRoot {
        /// Those asked.
        resolvers: String,
    },
    /// The DNS client cannot be set up.
    #[error("cannot set up the DNS client")]
    Dns(#[from] dns::Error),
    /// An earlier run of the same output.
    #[error(transparent)]
    Resume(#[from] ResumeError),
    /// Reading targets.
    #[error(transparent)]
    Input(#[from] input::Error),
    /// The output cannot be opened.
    #[error(transparent)]
    Open(output::Error),
    /// Writing rows.
    #[error(transparent)]
    Output(#[from] output::Error),
    /// Signals or threads.
    #[error("cannot {what}")]
    System {
        /// The operation.
        what: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Rows and records do not add up: a bug.
    #[error("{0} targets were taken up but left no row: this is a fault of the program, please report it")]
    Lost(u64),
}

impl Error {
    /// The exit code.
    pub const fn exit_code(&self) -> u8 {
        match self {
            // Rejects that cannot be written are no fault of the input.
            Self::Dns(_)
            | Self::Output(_)
            | Self::System { .. }
            | Self::Lost(_)
            | Self::Input(input::Error::Write { .. }) => 4,
            Self::NoResolver { .. }
            | Self::DeniesRoot { .. }
            | Self::Invents { .. }
            | Self::Input(_)
            | Self::Resume(_)
            | Self::Open(_) => 2,
        }
    }
}

/// Scans and judges the job's targets.
pub async fn run(job: Job, stop: Stop) -> Result<Outcome, Error> {
    let started = SystemTime::now();
    stop.listen().map_err(|source| Error::System { what: "listen for signals", source })?;

    // Everything that can be wrong with the command is found before the first packet to a server.
    let file = job.output.as_deref().filter(|path| !output::is_direct(path));
    let _lock = file.map(Lock::take).transpose().map_err(Error::Open)?.flatten();
    let before = match file.map(|path| Before::of(path, job.resume, &job.configuration)).transpose()? {
        Some(Before::Interrupted(kept)) => Some(*kept),
        Some(Before::Complete(manifest)) => return complete_already(&job, &manifest, None),
        Some(Before::Sealed(kept, manifest)) => return complete_already(&job, &manifest, Some(&kept)),
        Some(Before::Nothing) => {
            if job.resume && !job.quiet {
                say_plainly("nothing to resume: the run begins anew");
            }
            None
        }
        None => None,
    };
    let known = reader::known_targets(&job.feeds).map(|count| count + job.targets.len() as u64);
    let (feeds, options, scratch) = (job.feeds, job.input, job.probe.scratch.clone());
    let seen = before.as_ref().map(|kept| kept.inputs.clone()).unwrap_or_default();
    // Standard input may have nothing to say for as long as it likes.
    let opened = pipeline::spawn("opener", move || reader::open(feeds, &options, &seen, &scratch))?;
    let sources = tokio::select! {
        sources = opened => sources.expect("opening a file does not panic")?,
        () = stop.reached(Level::Drain) => return Ok(stopped(job.quiet)),
    };
    let (history, previous) = input::previous::read(&job.previous)?;
    let engine = dns::Engine::start(job.dns.clone()).await?;
    tokio::select! {
        answered = resolver::answering(&engine, &job.dns) => answered?,
        () = stop.reached(Level::Drain) => return Ok(stopped(job.quiet)),
    }
    let (wanted, mut lists) = (job.probe.wanted, Arc::clone(&job.probe.lists));
    let hold = usize::try_from(job.probe.memory / HELD_BYTES).unwrap_or(MOST_HELD).clamp(1, MOST_HELD);
    let (allowed, naming): (Allowed, Naming) = (job.probe.allowed.clone(), job.probe.naming);
    let (again, scratch) = (job.probe.again, job.probe.scratch.clone());
    let prober = Arc::new(Prober::new(engine, job.probe));
    let tested = async { if wanted.dnsbl { prober.first_test().await } else { vec![Health::Healthy; lists.len()] } };
    // At a low rate this takes its time.
    let health = tokio::select! {
        health = tested => health,
        () = stop.reached(Level::Drain) => return Ok(stopped(job.quiet)),
    };
    let named = std::mem::replace(&mut lists, prober.lists());
    if !job.quiet {
        lists::warn_of(&named, &lists, &health);
        lists::warn(prober.complaint());
    }
    let first_health = health.clone();
    let mut policy = Policy {
        profile: job.profile,
        naming,
        allowed,
        lists,
        health,
        quorum: job.quorum,
        receivers: job.receivers,
        history: Arc::new(history),
    };
    let header = match before.as_ref().and_then(Kept::header) {
        Some(header) => header,
        None => header::of(&policy, previous, ms(started), job.seed),
    };
    // Evidence has one header: a list that was left out when the run began stays so.
    for (now, then) in policy.health.iter_mut().zip(&header.health).filter(|(_, then)| **then != Health::Healthy) {
        *now = then.clone();
    }
    let paths = (job.output.as_deref(), job.evidence.as_deref());
    let (mut sink, mut evidence) = outputs(paths, job.format, &header, before.as_ref()).map_err(Error::Open)?;

    let counts = Arc::new(Counts::default());
    let (settled, tally) = before.as_ref().map_or_else(Default::default, |kept| (kept.settled(), kept.tally.clone()));
    if !job.quiet && before.is_some() {
        say_plainly(&format!("resumed: {} targets are done already", settled.len()));
    }
    let started = before.as_ref().map_or_else(|| ms(started), |kept| kept.started);
    let work = { let prober = Arc::clone(&prober); move || prober.work() };
    let journal = file.map(|path| {
        let beginning = Beginning {
            output: path,
            configuration: &job.configuration,
            header: &header,
            started,
            interval: job.checkpoint,
            inputs: sources.iter().map(input::Source::progress).collect(),
            counts: Arc::clone(&counts),
            work: Box::new(work),
            before,
        };
        let (rows, evidence) = writer::stand(&mut sink, &mut evidence)?;
        Journal::begin(beginning, rows, evidence)
    });
    let journal = journal.transpose()?;
    let done = pipeline::run(pipeline::Parts {
        targets: job.targets,
        sources,
        known,
        plan: job.plan,
        prober: Arc::clone(&prober),
        policy: Arc::new(policy),
        sink,
        evidence,
        rejects: job.rejects,
        settled,
        tally,
        journal,
        concurrency: job.concurrency,
        hold,
        again,
        scratch,
        in_order: job.in_order,
        show: job.show,
        quiet: job.quiet,
        verbose: job.verbose,
        counts: Arc::clone(&counts),
        stop: stop.clone(),
    })
    .await;
    prober.close().await;
    let pipeline::Done { complete, written, inputs } = done?;

    if complete && get(&counts.taken) != get(&counts.done) {
        return Err(Error::Lost(get(&counts.taken) - get(&counts.done)));
    }
    let (counted, resumed, work) =
        written.before().unwrap_or_else(|| (Counted::default().and(&counts), 0, prober.work()));
    let tally = written.tally.clone();
    let facts = Facts {
        started,
        complete,
        resumed,
        resumable: file.is_some(),
        counts: &counts,
        counted,
        tally: &tally,
        work,
        lists: if wanted.dnsbl { prober.accounts() } else { Vec::new() },
    };
    let manifest = manifest(job.configuration, job.seed, inputs, &facts);
    conclude(written, &manifest, job.output.as_deref())?;
    if !job.quiet {
        say_plainly(tally.summary(job.colour).trim_end());
        lists::tell_of(&facts.lists, &first_health);
        for complaint in [prober.complaint(), prober.blocked(), prober.shortage()] {
            lists::warn(complaint);
        }
        tell_of_the_rest(&facts, again);
        say_plainly(&reconciliation(&facts));
        if job.verbose {
            say_plainly(&effort(&facts));
        }
    }
    Ok(Outcome { complete, reached_fail_on: job.fail_on.is_some_and(|severity| tally.reached(severity)) })
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
    format: output::Options,
    header: &Header,
    before: Option<&Kept>,
) -> Result<(Box<dyn Sink>, Option<Evidences>), output::Error> {
    let Some(kept) = before else {
        let evidence = evidence.map(|path| Evidences::create(path, header)).transpose()?;
        return Ok((output::open(rows, &format)?, evidence));
    };
    let resumed = match (evidence, &kept.evidence) {
        (Some(path), Some(mark)) => Some(Evidences::resume(path, header, mark)?),
        (path, _) => path.map(|path| Evidences::create(path, header)).transpose()?,
    };
    let rows = rows.expect("a journal stands beside a file");
    Ok((output::resume(rows, &format, &kept.rows)?, resumed))
}

/// The run to be resumed has come to its end; `kept` where its last start had not given all files their names.
fn complete_already(job: &Job, manifest: &Manifest, kept: Option<&Kept>) -> Result<Outcome, Error> {
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

/// Milliseconds since 1970.
fn ms(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Stopped before there was anything to do.
fn stopped(quiet: bool) -> Outcome {
    if !quiet {
        say_plainly("cut short: stopped before the first target");
    }
    Outcome { complete: false, reached_fail_on: false }
}
