//! The options of `diff`, as typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::rows::FailOn;

/// `diff`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n\
                  \x20 mxcensus diff -q yesterday.csv today.csv    # a mail from cron only where something has changed\n\
                  \x20 mxcensus diff old.parquet new.csv.zst --format jsonl | jq 'select(.change == \"broken\")'\n\
                  \n\
                  Rows of the same target, exchange and address are held against each other, those that somebody recorded also by \
                  their introduction; several of one place are paired in their order. Kinds of change:\n\
                  \x20 broken          a rule passed, and fails\n\
                  \x20 listed          on a blocklist that counts, and was not\n\
                  \x20 still-listed    the rules that failed pass, and the address was and is listed: ask for its removal\n\
                  \x20 applies         a rule did not apply, and is judged\n\
                  \x20 became-unknown  a rule could be told, and cannot; or a blocklist was asked, and was not now\n\
                  \x20 became-known    the reverse; never counted as broken or fixed\n\
                  \x20 findings        ids that are new or gone, where no rule's change tells of them\n\
                  \x20 fixed, delisted, ceased   the reverse of broken, listed, applies\n\
                  \x20 appeared, vanished        rows of one side only\n\
                  Columns of csv and jsonl, a record for each kind of change of a row: change, severity, target, exchange, \
                  address, introduction (recorded ones), was and is (rule=verdict), why (rule=cause of unknowns), \
                  findings_gone, findings_new, zones (blocklists). Lists are `;`-joined in csv.\n\
                  --fail-on error: a rule fails that passed or did not apply, an address is newly listed, or a finding that is an \
                  error is new; warning: also a new finding that is a warning. What became known, appeared or is still listed \
                  counts for neither.\n\
                  Exit: 0 compared, 1 --fail-on reached, 2 usage, or a file that cannot be read, 4 our own fault.")]
pub struct Diff {
    /// Rows of the earlier run: CSV, JSONL (each also .gz, .zst) or Parquet; `-` is stdin
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// Rows of the later run, in any of these forms
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// Where changes go; `-` is stdout [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Text for people, or a record for each change [default: by the name of FILE, else text]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<DiffFormat>,
    /// Changes of each kind that text tells, the most severe first; the others are counted
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
    /// Exit 1 when something got worse by at least this severity
    #[arg(long, value_enum, value_name = "SEVERITY", default_value = "never")]
    pub fail_on: FailOn,
    /// Nothing on stderr but errors, and no text on stdout where nothing has changed
    #[arg(short, long)]
    pub quiet: bool,
}

/// How changes are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For people.
    Text,
    /// Comma-separated values.
    Csv,
    /// One JSON object a line.
    Jsonl,
}
