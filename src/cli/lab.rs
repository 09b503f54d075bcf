//! The options of `lab`, as typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::scan::duration;

/// `lab`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n\
                  \x20 mxcensus lab                                               # until it is interrupted\n\
                  \x20 mxcensus lab --truth --domains 500                         # what a scan of it must find\n\
                  \x20 mxcensus lab --hostile --list                              # servers that do their worst\n\
                  \n\
                  Without --list and --truth the world stays up until it is interrupted, on 127/8, and prints how to \
                        reach it with any DNS or SMTP tool. `mxcensus scan --lab` brings its own and needs none.\n\n\
                  With --hostile there are mail servers instead that do their worst, one mode of it at each address; \
                  --hostile --list prints addresses and modes as CSV, which `scan -i` reads.")]
pub struct Lab {
    /// Print N of its targets as CSV and exit
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "2000", conflicts_with = "truth")]
    pub list: Option<u64>,
    /// Print the verdicts a scan must come to, as CSV, and exit
    #[arg(long)]
    pub truth: bool,
    /// How many targets the world has
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    pub domains: u64,
    /// How many addresses stand behind them [default: a fifth of the targets]
    #[arg(long, value_name = "N")]
    pub servers: Option<u32>,
    /// The world's seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Mail servers that never greet, drip, reset, close, stall, refuse, inject…: these modes of it, or all
    #[arg(long, value_name = "MODE", num_args = 0.., conflicts_with_all = ["truth", "domains", "servers", "seed"])]
    pub hostile: Option<Vec<String>>,
    /// How late hostile servers are that are only late [default: 15s]
    #[arg(long, value_name = "DURATION", requires = "hostile", value_parser = duration)]
    pub late: Option<Duration>,
    /// Between two octets of a hostile server that drips [default: 5s]
    #[arg(long, value_name = "DURATION", requires = "hostile", value_parser = duration)]
    pub drip: Option<Duration>,
    /// Write the certificate of the hostile servers' authority to this file, as PEM: a scan under
    /// `SSL_CERT_FILE=FILE` trusts it
    #[arg(long, value_name = "FILE", requires = "hostile")]
    pub authority: Option<PathBuf>,
}
