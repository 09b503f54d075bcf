//! The options of `lab`, as typed.

use clap::Args;

/// `lab`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --list and --truth the world stays up until it is interrupted, on 127/8, and prints how to \
                        reach it with any DNS or SMTP tool. `mxcensus scan --lab` brings its own and needs none."
)]
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
}
