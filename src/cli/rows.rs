//! Where rows go and how they are told, as typed: the same options for every command that judges.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What `scan` and `judge` write.
#[derive(Debug, Args)]
pub struct Rows {
    /// .csv, .jsonl (each also .gz, .zst) or .parquet; `-` is stdout [default: CSV on stdout]
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// The format, where the file's name does not say
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Output")]
    pub format: Option<Format>,
    /// Do not neutralise cells that a spreadsheet would run
    #[arg(long, help_heading = "Output")]
    pub csv_raw: bool,
    /// Exit 1 when a finding of at least this severity was found
    #[arg(long, value_enum, value_name = "SEVERITY", default_value = "never", help_heading = "Output")]
    pub fail_on: FailOn,
    /// Nothing on stderr but errors
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,
}

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Comma-separated values.
    Csv,
    /// One JSON object a line.
    Jsonl,
    /// Apache Parquet.
    Parquet,
}

/// `--fail-on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Errors.
    Error,
    /// Warnings and errors.
    Warning,
    /// Nothing.
    Never,
}
