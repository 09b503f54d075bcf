//! Reads lists of targets: CSV in its dialects, or one target a line, plain or compressed. Beside them stand `evidence`,
//! `previous`, `results` and `sightings`, which read back what earlier runs of this program have written.
//! Comes in: bytes of a file, of standard input, or an argument. Goes out: entries, and rejects for records that are none.
//! Blank lines, and lines that begin with `#` where targets stand in the first column, are no records; every record is an
//! entry or a reject. Reads in bounded memory, asks nothing of the network, and stops only where its own input fails.

mod cell;
mod columnar;
pub mod evidence;
mod header;
mod lines;
pub mod previous;
mod record;
mod rejects;
pub mod results;
mod rows;
pub mod sightings;
mod stream;

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::smtp::escape;
use crate::model::target::{Entry, Reject, Wanted};
use header::{Column, Layout};
use record::{Framed, Kind, MAX_RECORD, Records, Syntax};
use stream::Stream;

pub use rejects::Rejects;
pub use stream::{Progress, Seen};

/// Characters of an offending text that are shown.
const EXCERPT: usize = 200;

/// What the user says about the columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The column that holds the target: a header name, or a number from 1.
    pub column: Option<String>,
    /// The column that holds an introduction already seen: a header name, or a number from 1.
    pub helo_column: Option<String>,
}

/// What a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Something to scan.
    Entry(Entry),
    /// Something that cannot be scanned.
    Reject(Reject),
}

/// Why an input cannot be read, or the rejects cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Reading stopped.
    #[error("cannot read {path} after record {record}")]
    Read {
        /// The file.
        path: Arc<str>,
        /// The last record that was read.
        record: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The compressed data is damaged or cut off.
    #[error("cannot decompress {path} after record {record}")]
    Decompress {
        /// The file.
        path: Arc<str>,
        /// The last record that was read.
        record: u64,
        /// What the decoder said.
        source: io::Error,
    },
    /// The compressed data unfolds out of all proportion.
    #[error("{path} unfolds to over 1000 times its size after record {record}: taken for a decompression bomb")]
    Bomb {
        /// The file.
        path: Arc<str>,
        /// The last record that was read.
        record: u64,
    },
    /// Another kind of file.
    #[error("{path} is {what}")]
    Foreign {
        /// The file.
        path: Arc<str>,
        /// What it is, and what to do.
        what: &'static str,
    },
    /// A column that the user named, or that is needed, is not there: a usage error.
    #[error("{path} has no column {column:?}; its columns are: {columns}")]
    MissingColumn {
        /// The file.
        path: Arc<str>,
        /// The column looked for.
        column: Box<str>,
        /// The columns that are there.
        columns: String,
    },
    /// A record of a file that this program wrote cannot be understood.
    #[error("{}{path} is damaged: {reason}", place(*record))]
    Damaged {
        /// The file.
        path: Arc<str>,
        /// The record, from 1; 0 when it is the file as a whole.
        record: u64,
        /// What the decoder said.
        reason: Box<str>,
    },
    /// More of what earlier runs found than memory is meant for.
    #[error(
        "up to record {record} of {path} there are over {most} facts that a later run must know; give --previous the results of this shard or list only"
    )]
    TooMuchHistory {
        /// The file that went over the bound.
        path: Arc<str>,
        /// The record that did.
        record: u64,
        /// The bound.
        most: usize,
    },
    /// Evidence of a form that this program does not know.
    #[error(
        "{path} holds evidence of version {version}, and this program reads up to version {known}: judge it with a newer one"
    )]
    Version {
        /// The file.
        path: Arc<str>,
        /// Its version.
        version: u16,
        /// The newest one known.
        known: u16,
    },
    /// An input is not, or does not begin with, what an earlier run has read there.
    #[error("{path} is not what the run to be resumed has read; give the same input, or begin anew without --resume")]
    Differs {
        /// The file.
        path: Arc<str>,
    },
    /// The rejects file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The records of one input, in their order. After an error there is nothing more.
pub struct Source {
    records: Records,
    layout: Layout,
    ended: bool,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", self.name())
            .field("record", &self.records.number)
            .finish_non_exhaustive()
    }
}

impl Source {
    /// Opens a file and reads its header; `-` is standard input. gzip and zstd are known by the name or by the first bytes.
    pub fn open(path: &Path, options: &Options) -> Result<Self, Error> {
        Self::begin(Stream::open(path)?, options)
    }

    /// Opens an input again that an interrupted run has read so far, and checks that it is the same: see `open`. `scratch` is a
    /// folder for what a pipe has already given.
    pub fn again(path: &Path, options: &Options, seen: &Seen, scratch: &Path) -> Result<Self, Error> {
        Self::begin(Stream::again(path, seen, scratch)?, options)
    }

    /// Reads from anything; the name stands in errors and rejects, and its ending tells of compression.
    pub fn reader(name: &str, read: impl Read + Send + 'static, options: &Options) -> Result<Self, Error> {
        Self::begin(Stream::new(name.into(), Box::new(read), None)?, options)
    }

    fn begin(stream: Stream, options: &Options) -> Result<Self, Error> {
        let mut records = Records::new(stream, Syntax { delimiter: b',', terminator: b'\n', comments: true });
        let layout = header::layout(&mut records, options)?;
        Ok(Self { records, layout, ended: false })
    }

    /// The input's name: its path, or `-`.
    pub const fn name(&self) -> &Arc<str> {
        self.records.stream.name()
    }

    /// A view of how far the input has been read, for another thread.
    pub fn progress(&self) -> Progress {
        self.records.stream.progress().clone()
    }

    /// SHA-256 of the input as it is stored, before decompression; None until it has been read to its end.
    pub fn digest(&self) -> Option<[u8; 32]> {
        self.records.at_end().then(|| self.records.stream.digest())
    }

    /// Makes an item of a framed record; true when the record ends with its first line.
    fn item(&self, framed: &Framed) -> (Item, bool) {
        let Layout { target, helo } = &self.layout;
        let content = self.records.content(framed);
        match framed.kind {
            Kind::Whole => {}
            Kind::TooLong => return (self.reject(None, "is over 64 KiB", content), false),
            Kind::OpenQuote => return (self.reject(None, "has a quote that is not closed", content), false),
        }
        let (mut target_cell, mut helo_cell) = (None, None);
        let last = helo.as_ref().map_or(target.at, |helo| helo.at.max(target.at));
        for (at, cell) in record::cells(content, self.records.syntax).take(last + 1).enumerate() {
            if at == target.at {
                target_cell = Some(cell);
            } else if helo.as_ref().is_some_and(|helo| helo.at == at) {
                helo_cell = Some(cell);
            }
        }
        let Some(target_cell) = target_cell else {
            return (self.reject(Some(target), "is not there: the record has fewer columns", content), false);
        };
        if target_cell.trim_ascii().contains(&self.records.syntax.terminator) {
            return (self.reject(Some(target), "has a quote that is not closed on its line", content), true);
        }
        let Ok(text) = std::str::from_utf8(&target_cell) else {
            return (self.reject(Some(target), "is not UTF-8", &target_cell), false);
        };
        let mut wanted = match cell::understand(text) {
            Ok(wanted) => wanted,
            Err(reason) => return (self.reject(Some(target), &reason, &target_cell), false),
        };
        let introduction = helo_cell.as_deref().map(cell::introduction).unwrap_or_default();
        if !introduction.is_empty() {
            let Wanted::Address(address) = wanted else {
                return (self.reject(helo.as_ref(), "needs an address as target beside it", &target_cell), false);
            };
            if introduction.contains('\0') {
                return (self.reject(helo.as_ref(), "holds a NUL byte", introduction.as_bytes()), false);
            }
            wanted = Wanted::Observed { address, helo: introduction.into() };
        }
        (Item::Entry(Entry { line: Some(self.records.number + 1), text: text.trim().into(), wanted }), false)
    }

    /// `column` is None when the record as a whole is wrong.
    fn reject(&self, column: Option<&Column>, reason: &str, text: &[u8]) -> Item {
        Item::Reject(Reject {
            file: Arc::clone(self.name()),
            record: Some(self.records.number + 1),
            column: column.map(|column| column.label.clone()).unwrap_or_default(),
            reason: reason.into(),
            text: excerpt(text),
        })
    }
}

impl Iterator for Source {
    type Item = Result<Item, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let framed = match self.records.frame() {
            Ok(Some(framed)) => framed,
            Ok(None) => {
                self.ended = true;
                return None;
            }
            Err(error) => {
                self.ended = true;
                return Some(Err(error));
            }
        };
        let (item, first_line_only) = self.item(&framed);
        if first_line_only {
            self.records.consume_first_line(&framed);
        } else {
            self.records.consume(&framed);
        }
        Some(Ok(item))
    }
}

/// That a file has this SHA-256, in lower-case hex. A pipe, which would have to be read to its end, is taken to have it.
pub fn same(path: &Path, sha256: &str) -> Result<(), Error> {
    match stream::sha256(path)? {
        Some(found) if hex(&found) != sha256 => Err(Error::Differs { path: path.display().to_string().into() }),
        _ => Ok(()),
    }
}

/// Understands a target given on the command line.
pub fn argument(text: &str) -> Item {
    let understood = if text.len() > MAX_RECORD { Err("is over 64 KiB".to_owned()) } else { cell::understand(text) };
    match understood {
        Ok(wanted) => Item::Entry(Entry { line: None, text: text.trim().into(), wanted }),
        Err(reason) => Item::Reject(Reject {
            file: "command line".into(),
            record: None,
            column: "TARGET".into(),
            reason: reason.into(),
            text: excerpt(text.as_bytes()),
        }),
    }
}

/// Which part of a file is meant, in front of its name; nothing for the file as a whole.
fn place(record: u64) -> String {
    if record == 0 { String::new() } else { format!("record {record} of ") }
}

/// Bytes in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).expect("a nibble is a hex digit");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The beginning of a text, escaped, cut to 200 characters and not inside an escape.
fn excerpt(text: &[u8]) -> Box<str> {
    let mut shown = String::new();
    for byte in text.iter().take(EXCERPT) {
        let piece = escape(&[*byte]);
        if shown.len() + piece.len() > EXCERPT {
            break;
        }
        shown.push_str(&piece);
    }
    shown.into()
}

#[cfg(test)]
mod tests;
