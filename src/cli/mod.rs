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
pub mod pages;
pub mod report;
pub mod rows;
pub mod scan;
pub mod show;
pub mod tables;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// What the program is called.
pub const PROGRAM: &str = "mxcensus";

/// A census of mail servers: who introduces itself properly, with the evidence.
#[derive(Debug, Parser)]
#[command(
    name = PROGRAM,
    version,
    about,
    long_about = "Takes a list of domains, addresses or networks and tells, for every mail server behind it, whether it is \
                  properly configured: it introduces itself, by a proper FQDN, that exists in DNS, with the address it \
                  speaks from, and is on no blocklist that counts. One row per (target, exchange, address).",
    after_help = "Examples:\n\
                  \x20 mxcensus scan --lab                                        # try it without a network\n\
                  \x20 mxcensus doctor --helo probe.your-domain.org               # is this machine fit to scan\n\
                  \x20 mxcensus scan example.org --helo probe.your-domain.org     # a first real scan\n\
                  \x20 mxcensus explain helo-nxdomain                             # what a finding means",
    args_override_self = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Tell on stderr what happens, by a level or by targets with theirs, such as `debug` or `mxcensus::probe::smtp=debug`
    /// [default: `$MXCENSUS_LOG`, else nothing; `mxcensus=info` with --verbose]
    #[arg(long, value_name = "FILTER", global = true, help_heading = "Diagnosis")]
    pub log: Option<String>,
}

/// The options of `scan` out of words that nobody typed; an error is one line about what is wrong with them.
pub fn scan_of(words: impl Iterator<Item = OsString>) -> Result<Box<scan::Scan>, String> {
    let words = ["mxcensus", "scan"].map(OsString::from).into_iter().chain(words);
    match Cli::try_parse_from(words) {
        Ok(Cli { command: Command::Scan(args), .. }) => Ok(args),
        Ok(_) => unreachable!("the command is scan"),
        Err(usage) => {
            let said = usage.to_string();
            let line = said.lines().next().unwrap_or_default();
            Err(line.strip_prefix("error: ").unwrap_or(line).to_owned())
        }
    }
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
    #[command(after_help = "Examples:\n\
                            \x20 mxcensus completions bash > /etc/bash_completion.d/mxcensus\n\
                            \x20 mxcensus completions zsh > ~/.zfunc/_mxcensus")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// A page of the manual, in roff, or all of them as files
    #[command(after_help = "Examples:\n\
                            \x20 mxcensus man | man -l -\n\
                            \x20 mxcensus man scan > mxcensus-scan.1\n\
                            \x20 mxcensus man --out /usr/local/share/man/man1")]
    Man {
        /// The command; the program itself without one
        #[arg(conflicts_with = "out")]
        command: Option<String>,
        /// Write every page into this folder, as mxcensus.1, mxcensus-scan.1 and so on
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

impl Command {
    /// Whether it was asked to say more.
    pub fn is_verbose(&self) -> bool {
        match self {
            Self::Scan(scan) => scan.verbose,
            Self::Judge(judge) => judge.verbose,
            _ => false,
        }
    }
}

/// `explain`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n\
                        \x20 mxcensus explain helo-nxdomain                             # a finding\n\
                        \x20 mxcensus explain fqdn                                      # a rule\n\
                        \x20 mxcensus explain --format json                             # all findings")]
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
#[command(after_help = "Examples:\n\
                        \x20 mxcensus schema                                            # the columns\n\
                        \x20 mxcensus schema --format json                              # the data dictionary\n\
                        \x20 mxcensus schema --format json-schema                       # what a line of JSONL is")]
pub struct Schema {
    /// A table for people, the data dictionary as JSON, a JSON Schema, the Parquet file's Arrow schema, or the README's table
    #[arg(long, value_enum, default_value_t = SchemaFormat::Text, value_name = "FORMAT")]
    pub format: SchemaFormat,
}

/// How `schema` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaFormat {
    /// For people.
    Text,
    /// The data dictionary for programs: columns, words with their meanings, rules, findings.
    Json,
    /// A JSON Schema (draft 2020-12) of a line of JSONL.
    JsonSchema,
    /// The Parquet file's Arrow schema.
    Arrow,
    /// The README's table.
    Markdown,
}
