//! Rows on their way out: one column table, three formats, and files that are whole or not there.
//! Comes in: judged rows, one at a time, from one thread. Goes out: CSV, JSONL or Parquet, the evidence behind
//! them where it is wanted, and the manifest of a run.
//! A sink that is dropped without `finish` leaves nothing under the final name.
//! Text that came from outside is escaped in every text format; nothing here judges or counts.

pub mod columns;
pub mod csv;
pub mod evidence;
mod file;
mod jsonl;
pub mod manifest;
pub mod parquet;
pub mod schema;
mod spelling;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

pub use evidence::Evidences;
pub use file::beside;
pub use manifest::Manifest;
pub use spelling::rfc3339;

use crate::model::assessment::Row;
use crate::model::words::words;
use file::{Destination, TextFile};

/// What takes rows.
pub trait Sink: Send {
    /// Writes one row; it may stay in memory until `flush` or `finish`.
    fn write(&mut self, row: Row<'_>) -> Result<(), Error>;

    /// Hands all complete output to the system. Parquet keeps its open row group: without the footer nobody could read it.
    fn flush(&mut self) -> Result<(), Error>;

    /// Ends the output and makes it durable; a complete one gets its final name.
    fn finish(self: Box<Self>, ending: Ending) -> Result<(), Error>;
}

/// Whether all rows are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All of them: the file takes its final name.
    Complete,
    /// The run was cut short: the file is whole in itself, and stays `OUT.part`.
    CutShort,
}

words! {
    /// The formats of rows.
    Format {
        /// Comma-separated values with a header.
        Csv = "csv",
        /// One JSON object a line.
        Jsonl = "jsonl",
        /// Apache Parquet.
        Parquet = "parquet",
    }
}

/// How a text format is compressed, by the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not.
    None,
    /// `.gz` (RFC 1952).
    Gzip,
    /// `.zst` (RFC 8878).
    Zstd,
}

/// What the user said about the output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// The format, where the name does not say.
    pub format: Option<Format>,
    /// Leave CSV cells that a spreadsheet would run as they are.
    pub csv_raw: bool,
}

/// Our own faults while writing, and the reader's choice to stop.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system would not do it: a full disk, a missing right, a file over its limit.
    #[error("cannot {operation} {path}", path = path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Whoever read our output has enough: no fault.
    #[error("the reader of the output has closed it")]
    BrokenPipe,
    /// The name does not tell the format and no format was given.
    #[error("cannot tell the format of {path} from its name: end it in .csv, .jsonl (each also .gz, .zst) or .parquet, or give the format", path = path.display())]
    UnknownFormat {
        /// The output.
        path: PathBuf,
    },
    /// The name tells one thing, the option another.
    #[error("the name of {path} does not go with the format {format}", path = path.display())]
    Contradiction {
        /// The output.
        path: PathBuf,
        /// The format given.
        format: Format,
    },
    /// The name does not tell how evidence is to be stored.
    #[error("cannot tell how to store evidence in {path}: end its name in .jsonl, .jsonl.gz, .jsonl.zst or .parquet", path = path.display())]
    EvidenceName {
        /// The file.
        path: PathBuf,
    },
    /// A directory where a file is wanted.
    #[error("cannot write to {path}: it is a directory", path = path.display())]
    IsDirectory {
        /// The output.
        path: PathBuf,
    },
    /// The output's directory is missing.
    #[error("cannot write to {path}: there is no directory {directory}", path = path.display(), directory = directory.display())]
    NoDirectory {
        /// The directory.
        directory: PathBuf,
        /// The output.
        path: PathBuf,
    },
    /// Rows could not be put into Parquet.
    #[error("cannot encode Parquet for {path}", path = path.display())]
    Parquet {
        /// The output.
        path: PathBuf,
        /// What the encoder said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// A failed operation of the system; a closed pipe is told apart.
    fn io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::BrokenPipe {
            return Self::BrokenPipe;
        }
        Self::Io { operation, path: path.to_owned(), source }
    }
}

/// The format and compression of an output: by its name, else as given. Standard output is CSV unless told otherwise.
pub fn format_of(path: Option<&Path>, given: Option<Format>) -> Result<(Format, Compression), Error> {
    let Some(path) = named(path) else {
        return Ok((given.unwrap_or(Format::Csv), Compression::None));
    };
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let (stem, compression) = if let Some(stem) = name.strip_suffix(".gz") {
        (stem, Compression::Gzip)
    } else if let Some(stem) = name.strip_suffix(".zst") {
        (stem, Compression::Zstd)
    } else {
        (name.as_str(), Compression::None)
    };
    let told = Format::ALL
        .iter()
        .copied()
        .find(|format| stem.strip_suffix(format.as_str()).is_some_and(|rest| rest.ends_with('.')));
    let format = match (told, given) {
        (Some(told), Some(given)) if told != given => {
            return Err(Error::Contradiction { path: path.to_owned(), format: given });
        }
        (Some(format), _) | (None, Some(format)) => format,
        (None, None) => return Err(Error::UnknownFormat { path: path.to_owned() }),
    };
    // Parquet compresses its own pages; squeezed once more, no reader could open it.
    if format == Format::Parquet && compression != Compression::None {
        return Err(Error::Contradiction { path: path.to_owned(), format });
    }
    Ok((format, compression))
}

/// Opens an output for rows: a file, or standard output for None and `-`.
pub fn open(path: Option<&Path>, options: &Options) -> Result<Box<dyn Sink>, Error> {
    let (format, compression) = format_of(path, options.format)?;
    let destination = match named(path) {
        None => Destination::stdout(),
        Some(path) => Destination::file(path)?,
    };
    Ok(match format {
        Format::Csv => Box::new(csv::Csv::new(TextFile::new(destination, compression)?, options.csv_raw.into())?),
        Format::Jsonl => Box::new(jsonl::Jsonl::new(TextFile::new(destination, compression)?)),
        Format::Parquet => Box::new(parquet::Parquet::new(destination)?),
    })
}

/// Whether a device, pipe or socket stands under this name: it is written to as it is, and nothing is put beside it.
pub fn is_direct(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// The path, unless it stands for standard output.
fn named(path: Option<&Path>) -> Option<&Path> {
    path.filter(|path| path.as_os_str() != "-")
}
