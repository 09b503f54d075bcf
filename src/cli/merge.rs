//! The options of `merge`, as typed.

use std::path::PathBuf;

use clap::Args;

/// `merge`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n\
                  \x20 mxcensus merge part-1.csv.zst part-2.csv.zst part-3.csv.zst -o census.csv.zst\n\
                  \x20 mxcensus merge part-1.parquet part-3.parquet -o census.parquet --partial\n\
                  \n\
                  Parts are outputs of scans of one form: the shares (--shard K/N) of one list, or whole scans of different \
                  lists, by the same options. They are compared by the manifests beside them: a share that is missing or \
                  given twice, another list, seed or option is named, and nothing is written. A part without a manifest is \
                  taken for its rows. Rows are copied as they stand, and counted anew for the manifest of the output; rows \
                  that stand in more than one part are counted and told.\n\
                  Evidence need not be joined: judge takes the files of all shares.\n\
                  Exit: 0 complete, 2 usage, or parts that cannot be read or do not belong together, 3 joined by --partial, \
                  and something is missing, 4 our own fault.")]
pub struct Merge {
    /// Outputs of scans: CSV, JSONL (each also .gz, .zst) or Parquet, all of one form
    #[arg(value_name = "PART", required = true)]
    pub parts: Vec<PathBuf>,
    /// A file of the same form, also .gz or .zst where that is text; `-` is stdout
    #[arg(short, long, value_name = "FILE", required = true)]
    pub output: PathBuf,
    /// Join what there is, though shares are missing or were cut short
    #[arg(long)]
    pub partial: bool,
    /// Nothing on stderr but errors
    #[arg(short, long)]
    pub quiet: bool,
}
