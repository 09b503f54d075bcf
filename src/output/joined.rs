//! Files of rows joined into one, their rows as they stand.
//! Comes in: lines of text, or whole Parquet files. Goes out: one file, under its name only when it is whole.
//! Nothing here understands a row: that they belong together is found out before.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::file::{Destination, TextFile};
use super::{Ending, Error, Format, format_of, named, parquet};

/// Rows that are lines already.
#[derive(Debug)]
pub struct Lines(TextFile);

impl Lines {
    /// Lines into a file, compressed if its name says so, or to standard output for None.
    pub fn create(path: Option<&Path>, given: Option<Format>) -> Result<Self, Error> {
        let (_, compression) = format_of(path, given)?;
        let destination = named(path).map_or_else(|| Ok(Destination::stdout()), Destination::file)?;
        Ok(Self(TextFile::new(destination, compression)?))
    }

    /// Writes a line.
    pub fn write(&mut self, line: &[u8]) -> Result<(), Error> {
        let written = self.0.write_all(line).and_then(|()| self.0.write_all(b"\n"));
        written.map_err(|source| Error::io("write", self.0.place(), source))
    }

    /// Ends the file and gives it its name.
    pub fn finish(self) -> Result<(), Error> {
        self.0.commit(Ending::Complete)
    }
}

/// Joins Parquet files of the same columns, at least one, into a file, or to standard output for None.
pub fn join(parts: &[PathBuf], path: Option<&Path>) -> Result<(), Error> {
    parquet::join(named(path).map_or_else(|| Ok(Destination::stdout()), Destination::file)?, parts)
}
