//! The options of `report`, as typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `report`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n\
                  \x20 mxcensus report census.parquet -o page.html    # for a browser\n\
                  \x20 mxcensus report census.parquet | less\n\
                  \x20 mxcensus report 1.csv.zst 2.csv.zst --format json | jq .levels\n\
                  \x20 mxcensus report census/ -o tables.csv    # verdicts: table == \"verdict\"\n\
                  \n\
                  RESULTS are outputs of scans, of one or of many: shards, days, lists; of a folder every file whose name ends like \
                  one. What stands beside them as manifest is told as well: when, by which options, of which input; that one is \
                  missing, or of a run that was cut short, is noted. Rows that stand in several files count each time, which is noted \
                  too.\n\
                  Counted are rows, domains (as good as the worst of the servers that senders try first) and servers (as good as \
                  their worst introduction). A share is of those to whom the rule applies, with its 95% interval (Wilson); what is \
                  unknown is a share of its own. Of very many servers a sample is counted, and of very many providers or networks \
                  those of most rows: the report says so, and by how much a count may be wrong.\n\
                  csv is one table in long form, a figure a record: table, level, key, what, count, of, share, low, high, text.\n\
                  html is one page that needs nothing beside it and no network, for a screen, a phone and paper.\n\
                  Exit: 0 told, 2 usage, or a file that cannot be read, 4 our own fault.")]
pub struct Report {
    /// Outputs of scans: CSV, JSONL (each also .gz, .zst) or Parquet, or folders of them; `-` is stdin
    #[arg(value_name = "RESULTS", required = true)]
    pub results: Vec<PathBuf>,
    /// Where the report goes; `-` is stdout [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How it is told [default: by the name of FILE (.html, .json, .csv, else text)]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<ReportFormat>,
    /// Its heading [default: the name of the file]
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// Rows that are told as such, the worst
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(..=100_000))]
    pub worst: u32,
    /// Nothing on stderr but errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// How a report is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For a terminal.
    Text,
    /// A page for a browser, with nothing beside it.
    Html,
    /// All of it, for programs.
    Json,
    /// Its tables.
    Csv,
}
