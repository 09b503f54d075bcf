//! The options of `judge`, as typed.

use std::path::PathBuf;

use clap::Args;

use super::rows::Rows;
use super::scan::Profile;
use super::tables::Tables;

/// `judge`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n\
                  \x20 mxcensus judge seen.jsonl.zst -o again.csv\n\
                  \x20 mxcensus judge seen.jsonl.zst --profile rfc5321 -o strict.csv\n\
                  \n\
                  No packet is sent: everything is judged by what the scan has seen. Judged by the same rules, the rows are \
                  those of the scan, byte for byte; by the rules of a newer version, or with the options under Judging, they \
                  show what these change, and only that. What the scan did not ask stays unknown.\n\
                  Keep evidence:    mxcensus scan -i list.csv -o rows.csv --evidence seen.jsonl.zst\n\
                  Look into it:     zstdcat seen.jsonl.zst | jq -c 'select(.target.text == \"example.org\") | .routes'\n\
                  Exit: 0 complete, 1 --fail-on reached, 2 usage, or a file or record that cannot be read, 3 cut short, \
                  4 our own fault.")]
pub struct Judge {
    /// Evidence of earlier scans: JSONL (also .gz, .zst) or Parquet; `-` is stdin, as JSONL
    #[arg(value_name = "EVIDENCE", required = true)]
    pub evidence: Vec<PathBuf>,

    /// Where rows go.
    #[command(flatten)]
    pub rows: Rows,
    /// Say more on stderr: every damaged record
    #[arg(short, long, help_heading = "Output", conflicts_with = "quiet")]
    pub verbose: bool,

    /// Another set of effects [default: the scan's]
    #[arg(long, value_enum, value_name = "NAME", help_heading = "Judging")]
    pub profile: Option<Profile>,
    /// Weight of blocklists that must have answered before an address is called unlisted, a core list or not [default: as
    /// the scan asked]
    #[arg(long, value_name = "WEIGHT", help_heading = "Judging")]
    pub quorum: Option<f32>,
    /// Treat this special-purpose network as public too, `all` for all; may repeat. What was not contacted stays so
    #[arg(long, value_name = "NETWORK", help_heading = "Judging")]
    pub allow_special: Vec<String>,
    /// Who recorded the introductions, by name, domain or address; may repeat [default: as the scan was told]
    #[arg(long, value_name = "NAME", help_heading = "Judging")]
    pub receiver: Vec<String>,
    /// Tables of names.
    #[command(flatten)]
    pub tables: Tables,
    /// Rows of an earlier run, for what only two runs can tell; may repeat
    #[arg(long, value_name = "RESULTS", help_heading = "Judging")]
    pub previous: Vec<PathBuf>,
}
