//! The outline of a run, and all its channels, tasks, threads and signals.
//! Comes in: a `Job`, meant and checked. Goes out: rows, rejects, a manifest, and an `Outcome`.
//! Data flows one way: a thread reads and plans, workers probe and judge, a thread writes.
//! Every record that is read ends as a row or a reject, and the run says so at its end. A journal beside the output lets a run
//! that was interrupted, however it was, go on from its last checkpoint.

mod deferred;
pub mod diff;
mod effective;
mod header;
mod hold;
mod journal;
mod judges;
mod lists;
pub mod merge;
mod metrics;
mod outage;
mod pipeline;
pub mod progress;
mod reader;
pub mod rejudge;
pub mod report;
mod resolver;
mod run;
mod settled;
mod sorted;
mod spool;
pub mod stop;
mod summary;
mod worker;
mod writer;

use std::path::PathBuf;
use std::time::Duration;

pub use self::header::Changes;
pub use self::journal::Error as ResumeError;
use self::progress::Show;
pub use self::run::run;
use crate::input;
use crate::model::dnsbl::Quorum;
use crate::model::name::Name;
use crate::model::target::Receiver;
use crate::model::words::{Cause, Profile, Severity};
use crate::output;
use crate::plan;
use crate::probe;
use crate::probe::dns;

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
    /// File descriptors this process may have.
    pub descriptors: u64,
    /// Go on with an interrupted run of the same output.
    pub resume: bool,
    /// Between two checkpoints.
    pub checkpoint: Duration,
    /// Where the metrics go, if they are wanted.
    pub metrics: Option<PathBuf>,
    /// Rows in input order.
    pub in_order: bool,
    /// Progress on stderr, and the summary at the end; where nothing is shown, or no more is wanted, one line is the summary.
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

impl Outcome {
    /// The exit code.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self { complete: false, .. } => 3,
            Self { reached_fail_on: true, .. } => 1,
            Self { .. } => 0,
        }
    }
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
    /// Parts that are not joined.
    #[error(transparent)]
    Merge(#[from] merge::Error),
    /// Runs that are not compared.
    #[error(transparent)]
    Diff(#[from] diff::Error),
    /// Rows that are not reported on.
    #[error(transparent)]
    Report(#[from] report::Error),
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
            // The reader of standard output has enough.
            Self::Output(output::Error::BrokenPipe) => 0,
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
            | Self::Merge(_)
            | Self::Diff(_)
            | Self::Report(_)
            | Self::Open(_) => 2,
        }
    }
}
