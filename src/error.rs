//! What can go wrong on our side, one variant per stage, and the exit code it comes to.
//! Comes in: a stage's error. Goes out: a chain of messages for a person, and a number for a script.
//! A remote's misbehaviour never gets here: it is evidence.

use std::path::PathBuf;

use crate::{cli, config, doctor, lab, lists, log, observe, output, scan};

/// Any error of ours.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration file.
    #[error(transparent)]
    File(#[from] cli::file::Error),
    /// What the options mean together.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The loopback world.
    #[error("cannot start the lab")]
    Lab(#[from] lab::Error),
    /// The filter of logs.
    #[error(transparent)]
    Log(#[from] log::Error),
    /// Examining this machine.
    #[error(transparent)]
    Doctor(#[from] doctor::Error),
    /// Testing blocklists.
    #[error(transparent)]
    Lists(#[from] lists::Error),
    /// Reading logs.
    #[error("cannot observe")]
    Observe(#[from] observe::Error),
    /// The run itself.
    #[error(transparent)]
    Scan(#[from] scan::Error),
    /// Standard output.
    #[error("cannot print")]
    Print(#[source] std::io::Error),
    /// A finding nobody knows.
    #[error("there is no finding or rule {name:?}{hint}; `mxcensus explain` lists all findings")]
    NoFinding {
        /// What was asked for.
        name: String,
        /// What may be meant.
        hint: String,
    },
    /// `man` of a command that is none.
    #[error("there is no command {name:?}{hint}; `mxcensus --help` lists them")]
    NoCommand {
        /// What was asked for.
        name: String,
        /// What may be meant.
        hint: String,
    },
    /// `man --out`.
    #[error("cannot write the manual into {}; name a folder that may be written, or make it first", .folder.display())]
    Manual {
        /// Where it was to go.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Error {
    /// The exit code: 2 for what the user can mend in the command, 4 for what went wrong in us or under us.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::File(_)
            | Self::Config(_)
            | Self::Log(_)
            | Self::NoFinding { .. }
            | Self::NoCommand { .. }
            | Self::Manual { .. } => 2,
            Self::Doctor(_) | Self::Lab(_) | Self::Lists(_) | Self::Print(_) => 4,
            Self::Observe(error) => error.exit_code(),
            Self::Scan(error) => error.exit_code(),
        }
    }

    /// Whether the reader of our standard output has gone, which ends a run well.
    pub const fn is_broken_pipe(&self) -> bool {
        matches!(
            self,
            Self::Scan(scan::Error::Output(output::Error::BrokenPipe)) | Self::Observe(observe::Error::BrokenPipe)
        )
    }
}
