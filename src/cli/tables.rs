//! Which tables of names a command goes by, as typed: the same option for every command that judges.

use std::path::PathBuf;

use clap::Args;

/// `--tables`.
#[derive(Debug, Clone, Default, Args)]
pub struct Tables {
    /// Files that take the place of the built-in tables of the same names: special-use.txt, private-tlds.txt, tlds.txt,
    /// placeholders.txt, ptr.txt, public-suffix.dat
    #[arg(long = "tables", value_name = "DIR", help_heading = "Input")]
    pub folder: Option<PathBuf>,
}
