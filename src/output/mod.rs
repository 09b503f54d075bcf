//! Rows on their way out: one column table, three formats, and files that are whole or not there.
//! Comes in: judged rows, one at a time, from one thread. Goes out: CSV, JSONL or Parquet, the evidence behind
//! them where it is wanted, and the manifest of a run.
//! A sink that is dropped without `finish` leaves nothing under the final name.
//! Text that came from outside is escaped in every text format; nothing here judges or counts.

pub mod columns;
pub mod csv;
pub mod evidence;
mod file;
mod joined;
mod jsonl;
mod lock;
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
pub use file::{beside, remove, replace, replace_or_print};
pub use joined::{Lines, join};
pub use lock::Lock;
pub use manifest::Manifest;
pub use spelling::{is_dangerous, rfc3339};

use serde::{Deserialize, Serialize};

use crate::model::assessment::Row;
use crate::model::words::words;
use file::{Destination, TextFile};

/// What takes rows.
pub trait Sink: Send {
    /// Writes one row; it may stay in memory until `flush` or `finish`.
    fn write(&mut self, row: Row<'_>) -> Result<(), Error>;

    /// Hands all that was written to the system, so that a run that is interrupted later can go on from here.
    fn checkpoint(&mut self) -> Result<Checkpoint, Error>;

    /// Ends the output and makes it durable; a complete one gets its final name.
    fn finish(self: Box<Self>, ending: Ending) -> Result<(), Error>;
}

/// How far an output has got: what is needed to go on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mark {
    /// Text: so many octets of `OUT.part`.
    Octets(u64),
    /// Parquet: the closed parts, in the order of their rows.
    Parts(Vec<Part>),
}

/// A closed part of a Parquet output: a file of its own. The first is `OUT.part`, others `OUT.part-NUMBER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its number, from 1.
    pub number: u32,
    /// Its rows.
    pub rows: u64,
}

/// An output as it stands: its mark is to be kept once it is durable.
#[derive(Debug)]
#[must_use]
pub struct Checkpoint {
    mark: Mark,
    unsynced: Vec<file::Unsynced>,
    unneeded: Vec<PathBuf>,
}

impl Checkpoint {
    /// How far the output has got.
    pub const fn mark(&self) -> &Mark {
        &self.mark
    }

    /// Makes all up to the mark durable; another thread may write on meanwhile.
    pub fn sync(&self) -> Result<(), Error> {
        self.unsynced.iter().try_for_each(file::Unsynced::sync)
    }

    /// Removes what earlier marks needed, once this one is kept.
    pub fn tidy(self) -> Result<(), Error> {
        self.unneeded.iter().try_for_each(|path| remove(path))
    }
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
    /// A file of an interrupted run has lost its end.
    #[error("{path} has {found} bytes, and the journal of the interrupted run knows of {length}: begin anew without it", path = path.display())]
    Short {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
        /// The length that was durable.
        length: u64,
    },
    /// Another run writes the same output.
    #[error("{path} is being written by another run ({holder}): wait for its end, or name another output", path = path.display())]
    Locked {
        /// The output.
        path: PathBuf,
        /// Who has it.
        holder: String,
    },
    /// A mark of another format.
    #[error("the journal of the interrupted run tells of another format than that of {path}", path = path.display())]
    Mark {
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
    /// A failed operation of the system on behalf of an output.
    pub fn system(operation: &'static str, path: &Path, source: io::Error) -> Self {
        Self::io(operation, path, source)
    }

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
        Format::Csv => {
            let mut sink = csv::Csv::new(TextFile::new(destination, compression)?, options.csv_raw.into());
            sink.header()?;
            Box::new(sink)
        }
        Format::Jsonl => Box::new(jsonl::Jsonl::new(TextFile::new(destination, compression)?)),
        Format::Parquet => Box::new(parquet::Parquet::new(parquet::Parts::new(destination)?)?),
    })
}

/// Opens the rows of an interrupted run behind this mark; what stands behind it is dropped.
pub fn resume(path: &Path, options: &Options, mark: &Mark) -> Result<Box<dyn Sink>, Error> {
    let (format, compression) = format_of(Some(path), options.format)?;
    let text = || TextFile::new(Destination::resumed(path, octets(path, mark)?)?, compression);
    Ok(match format {
        Format::Csv => Box::new(csv::Csv::new(text()?, options.csv_raw.into())),
        Format::Jsonl => Box::new(jsonl::Jsonl::new(text()?)),
        Format::Parquet => Box::new(parquet::Parquet::new(parquet::Parts::resumed(path, mark)?)?),
    })
}

/// Whether the complete output of a run that was interrupted at its very end has its final name already; what is left beside it
/// is removed then.
pub fn is_in_place(path: &Path, mark: &Mark) -> Result<bool, Error> {
    let file::Lead::File(last) = file::lead(path)? else { return Ok(false) };
    let parts = match mark {
        Mark::Octets(_) => vec![1],
        Mark::Parts(parts) => parts.iter().map(|part| part.number).collect(),
    };
    let mut files = parts.into_iter().map(|number| parquet::path_of(&last, number));
    if !last.is_file() || files.next().is_none_or(|first| first.exists()) {
        return Ok(false);
    }
    files.try_for_each(|path| remove(&path))?;
    Ok(true)
}

/// The length of a text up to its mark.
fn octets(path: &Path, mark: &Mark) -> Result<u64, Error> {
    match mark {
        Mark::Octets(length) => Ok(*length),
        Mark::Parts(_) => Err(Error::Mark { path: path.to_owned() }),
    }
}

/// Whether a device, pipe or socket stands under this name: it is written to as it is, and nothing is put beside it.
pub fn is_direct(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// The path, unless it stands for standard output.
fn named(path: Option<&Path>) -> Option<&Path> {
    path.filter(|path| path.as_os_str() != "-")
}
