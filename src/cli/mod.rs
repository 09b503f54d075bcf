//! What was typed.
//! Comes in: the command line and a configuration file of the same names. Goes out: arguments, unjudged.
//! Nothing here knows a default that has to be derived: that is `config`'s.

pub mod diff;
pub mod doctor;
pub mod file;
pub mod judge;
pub mod lab;
pub mod lists;
pub mod merge;
pub mod observe;
pub mod report;
pub mod rows;
pub mod scan;
pub mod tables;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// A census of mail servers: who introduces itself properly, with the evidence.
#[derive(Debug, Parser)]
#[command(
    name = "mxcensus",
    version,
    about,
    long_about = "Takes a list of domains, addresses or networks and tells, for every mail server behind it, whether it is \
                  properly configured: it introduces itself, by a proper FQDN, that exists in DNS, with the address it \
                  speaks from, and is on no blocklist that counts. One row per (target, exchange, address).",
    after_help = "Try it without a network:  mxcensus scan --lab\n\
                  A first real scan:         mxcensus scan example.org --helo probe.your-domain.org\n\
                  What a finding means:      mxcensus explain helo-nxdomain",
    args_override_self = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Scan a list of mail servers and judge them: the main job
    Scan(Box<scan::Scan>),
    /// Whether this machine is fit to scan: its names, its resolvers, its limits
    Doctor(Box<doctor::Doctor>),
    /// Judge the evidence of earlier scans again, without a packet
    Judge(judge::Judge),
    /// Join the outputs of shards, or of scans of different lists, into one
    Merge(merge::Merge),
    /// What has changed between two runs: broken, fixed, newly listed, still listed though mended
    Diff(diff::Diff),
    /// What runs came to: prevalence with intervals, findings, software, providers, networks, the worst rows
    Report(report::Report),
    /// A loopback world to try all this on
    Lab(lab::Lab),
    /// Introductions out of your own mail logs, as CSV for `scan`
    Observe(observe::Observe),
    /// The blocklists: the catalogue, and the health of those a scan would ask
    Lists(lists::Lists),
    /// What a finding or a rule means, its reference, how to mend it
    Explain(Explain),
    /// The columns of a row, printed from the code
    Schema(Schema),
    /// Completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// The manual page, in roff
    Man {
        /// The command; the program itself without one
        command: Option<String>,
    },
}

/// `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The finding, or the rule by the name of its column; all findings without one
    pub finding: Option<String>,
    /// Text for people, JSON, or the README's table of rules
    #[arg(long, value_enum, default_value_t = ExplainFormat::Text, value_name = "FORMAT")]
    pub format: ExplainFormat,
}

/// How `explain` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExplainFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// The README's table of rules.
    Markdown,
}

/// `schema`.
#[derive(Debug, Args)]
pub struct Schema {
    /// A table for people, JSON, the Parquet file's Arrow schema, or the README's table
    #[arg(long, value_enum, default_value_t = SchemaFormat::Text, value_name = "FORMAT")]
    pub format: SchemaFormat,
}

/// How `schema` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// The Parquet file's Arrow schema.
    Arrow,
    /// The README's table.
    Markdown,
}
