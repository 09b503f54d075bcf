//! Why a run is not gone on with, or not begun where an earlier one would be lost.
//! Comes in: what was found. Goes out: one line each, which says what to do.

use std::path::PathBuf;

/// Why a run cannot be resumed, or not be begun.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is work that would be lost.
    #[error(
        "{} was interrupted with {settled} targets done: go on with --resume, or remove {} to begin anew",
        output.display(), journal.display()
    )]
    Unfinished {
        /// The output.
        output: PathBuf,
        /// Its journal.
        journal: PathBuf,
        /// Targets whose rows are written.
        settled: u64,
    },
    /// Other options.
    #[error(
        "cannot resume {}: it was begun with other options: {differences}; give the same ones, or begin anew without --resume{}",
        output.display(), if *finished { "" } else { " and its journal" }
    )]
    Options {
        /// The output.
        output: PathBuf,
        /// Which, and what they were and are.
        differences: String,
        /// The earlier run came to its end.
        finished: bool,
    },
    /// Written by another version.
    #[error(
        "cannot resume {}: it was begun by another version of this program ({found}); go on with that one, or remove {} to begin anew",
        output.display(), journal.display()
    )]
    Version {
        /// The output.
        output: PathBuf,
        /// Its journal.
        journal: PathBuf,
        /// The version.
        found: String,
    },
    /// No journal at all.
    #[error("cannot resume {}: {} is damaged ({reason}); remove it to begin anew", output.display(), journal.display())]
    Damaged {
        /// The output.
        output: PathBuf,
        /// Its journal.
        journal: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}
