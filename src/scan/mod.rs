//! The outline of a run, and all its channels, tasks, threads and signals.
//! Comes in: a `Job`, meant and checked. Goes out: rows, rejects, a manifest, and an `Outcome`.
//! Data flows one way: a thread reads and plans, workers probe and judge, a thread writes.
//! Every record that is read ends as a row or a reject, and the run says so at its end.

mod deferred;
mod header;
mod hold;
mod lists;
mod pipeline;
pub mod progress;
mod reader;
pub mod rejudge;
mod resolver;
mod spool;
pub mod stop;
mod summary;
mod worker;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

pub use self::header::Changes;
use self::progress::{Counts, Show, get, say_plainly};
use self::stop::{Level, Stop};
use self::summary::{Facts, effort, manifest, reconciliation, tell_of_the_rest};
use crate::input;
use crate::judge::policy::Policy;
use crate::model::address::Allowed;
use crate::model::dnsbl::{Health, Quorum};
use crate::model::introduction::Naming;
use crate::model::name::Name;
use crate::model::target::Receiver;
use crate::model::words::{Cause, Profile, Severity};
use crate::output::{self, Evidences};
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
            | Self::Open(_) => 2,
        }
    }
}

/// Scans and judges the job's targets.
pub async fn run(job: Job, stop: Stop) -> Result<Outcome, Error> {
    let started = SystemTime::now();
    stop.listen().map_err(|source| Error::System { what: "listen for signals", source })?;

    // Everything that can be wrong with the command is found before the first packet to a server.
    let known = reader::known_targets(&job.feeds).map(|count| count + job.targets.len() as u64);
    let (feeds, options) = (job.feeds, job.input);
    // Standard input may have nothing to say for as long as it likes.
    let opened = pipeline::spawn("opener", move || reader::open(feeds, &options))?;
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
    let policy = Policy {
        profile: job.profile,
        naming,
        allowed,
        lists,
        health,
        quorum: job.quorum,
        receivers: job.receivers,
        history: Arc::new(history),
    };
    let create = |path: &Path| Evidences::create(path, &header::of(&policy, previous, ms(started), job.seed));
    let evidence = job.evidence.as_deref().map(create).transpose().map_err(Error::Open)?;
    let sink = output::open(job.output.as_deref(), &job.format).map_err(Error::Open)?;

    let counts = Arc::new(Counts::default());
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
    let done = done?;

    let complete = done.complete;
    if complete && get(&counts.taken) != get(&counts.done) {
        return Err(Error::Lost(get(&counts.taken) - get(&counts.done)));
    }
    let facts = Facts {
        started,
        complete,
        counts: &counts,
        tally: &done.tally,
        work: prober.work(),
        lists: if wanted.dnsbl { prober.accounts() } else { Vec::new() },
    };
    if let Some(path) = job.output.as_deref() {
        manifest(path, job.configuration, job.seed, done.inputs, &facts)?;
    }
    if !job.quiet {
        say_plainly(done.tally.summary(job.colour).trim_end());
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
    Ok(Outcome { complete, reached_fail_on: job.fail_on.is_some_and(|severity| done.tally.reached(severity)) })
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
