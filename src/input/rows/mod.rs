//! Files of rows that this program wrote, read back row by row: CSV, JSONL (each also compressed) or Parquet.
//! Comes in: a file, and the columns that somebody wants to look at. Goes out: their cells, as CSV has them, and of text the line.
//! Which of the three it is is seen from the first bytes. A file that is not whole is an error: half a result is none.

mod json;

use std::fmt;
use std::io::BufReader;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use self::json::Object;
use super::columnar::{self, Batch, Columnar};
use super::lines::{self, Line, Plain};
use super::record::{self, Syntax};
use super::{Error, hex};
use crate::model::words::words;

/// Rows of a Parquet file read at a time.
const BATCH: usize = 4_096;
/// How this program writes CSV.
const SYNTAX: Syntax = Syntax { delimiter: b',', terminator: b'\n', comments: false };
/// What some spreadsheets put before a CSV file.
const MARK: &[u8] = "\u{feff}".as_bytes();

words! {
    /// How rows are stored, whatever a file's name is.
    Form {
        /// Comma-separated values with a header.
        Csv = "csv",
        /// One JSON object a line.
        Jsonl = "jsonl",
        /// Apache Parquet.
        Parquet = "parquet",
    }
}

/// An open file of rows, of which `N` columns are looked at.
pub(super) struct Rows<const N: usize> {
    name: Arc<str>,
    wanted: [&'static str; N],
    columns: Vec<String>,
    source: Source,
    /// The cells at hand, in the order of the columns wanted.
    cells: [String; N],
    /// The line at hand.
    line: Vec<u8>,
    number: u64,
}

enum Source {
    /// With the place among the columns wanted of each one in its header.
    Csv(Box<BufReader<Plain>>, Vec<Option<usize>>),
    /// With its first line, until that is read as a row.
    Jsonl(Box<BufReader<Plain>>, Option<Vec<u8>>),
    Parquet(Box<Columnar>, Option<(Batch, usize)>),
}

impl<const N: usize> fmt::Debug for Rows<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("name", &self.name).field("number", &self.number).finish_non_exhaustive()
    }
}

impl<const N: usize> Rows<N> {
    /// Opens a file and reads its header, in which all columns wanted must be.
    pub(super) fn open(path: &Path, wanted: [&'static str; N]) -> Result<Self, Error> {
        let new = |name, columns, source, line| {
            let cells = std::array::from_fn(|_| String::new());
            Self { name, wanted, columns, source, cells, line, number: 0 }
        };
        if columnar::is_parquet(path) {
            let file = Columnar::open(path, &wanted, BATCH)?;
            let (name, columns) = (Arc::clone(file.name()), file.columns().to_vec());
            return Ok(new(name, columns, Source::Parquet(Box::new(file), None), Vec::new()));
        }
        let mut reader = Plain::open(path)?;
        let name = Arc::clone(reader.get_ref().stream.name());
        let mut line = Vec::new();
        let first = lines::next(&mut reader, &mut line)?;
        if line.first() == Some(&b'{') {
            let keys = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&line);
            let what = "no file of rows: its first line is neither a header nor a row";
            let keys = keys.map_err(|_| Error::Foreign { path: Arc::clone(&name), what })?;
            let columns: Vec<String> = keys.into_iter().map(|(key, _)| key).collect();
            if columns.first().is_some_and(|key| key == "kind") {
                let what = "stored evidence, and no file of rows; `mxcensus judge` makes rows of it";
                return Err(Error::Foreign { path: name, what });
            }
            missing(&name, &wanted, &columns)?;
            return Ok(new(name, columns, Source::Jsonl(Box::new(reader), Some(line)), Vec::new()));
        }
        // Without a row there is no line in JSONL, and in CSV there is still the header.
        if first == Line::End && named_jsonl(path) {
            return Ok(new(name, Vec::new(), Source::Jsonl(Box::new(reader), None), Vec::new()));
        }
        if line.starts_with(MARK) {
            line.drain(..MARK.len());
        }
        let columns: Vec<String> = cells(&line).map(|cell| String::from_utf8_lossy(&cell).into_owned()).collect();
        missing(&name, &wanted, &columns)?;
        let place = |there: &String| wanted.iter().position(|column| column == there);
        let places = columns.iter().map(place).collect();
        Ok(new(name, columns, Source::Csv(Box::new(reader), places), line))
    }

    /// How its rows are stored.
    pub(super) const fn form(&self) -> Form {
        match self.source {
            Source::Csv(..) => Form::Csv,
            Source::Jsonl(..) => Form::Jsonl,
            Source::Parquet(..) => Form::Parquet,
        }
    }

    /// Its columns, in their order, those of Parquet with their types; none where there is not a row to show them.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The file's name.
    pub(super) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The cells of the row read last, in the order of the columns wanted, each as CSV has it: nothing for null, the items of a
    /// list joined by `;`. What CSV escapes is escaped only where it comes from CSV.
    pub(super) const fn cells(&self) -> &[String; N] {
        &self.cells
    }

    /// The line at hand without its end: that of the row read last, and before the first row the header of a CSV file.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    /// Rows read so far.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// SHA-256 of the file as it is stored, lower-case hex; of text, as far as it was read.
    pub(super) fn sha256(&self, path: &Path) -> Result<String, Error> {
        match &self.source {
            Source::Csv(reader, _) | Source::Jsonl(reader, _) => Ok(hex(&reader.get_ref().stream.digest())),
            Source::Parquet(..) => Ok(hex(&columnar::digest(path)?)),
        }
    }

    /// Reads the next line without understanding it; false at the end. Parquet has none.
    pub(super) fn next_line(&mut self) -> Result<bool, Error> {
        let read = match &mut self.source {
            Source::Jsonl(_, first @ Some(_)) => {
                self.line = first.take().unwrap_or_default();
                Line::Whole
            }
            Source::Csv(reader, _) | Source::Jsonl(reader, None) => lines::next(reader, &mut self.line)?,
            Source::Parquet(..) => Line::End,
        };
        self.number += u64::from(read != Line::End);
        match read {
            Line::Whole => Ok(true),
            Line::End => Ok(false),
            Line::TooLong => Err(self.damaged("it is no row")),
        }
    }

    /// Reads the next row; false at the end. After an error there is nothing more.
    pub(super) fn next(&mut self) -> Result<bool, Error> {
        self.cells.iter_mut().for_each(String::clear);
        if matches!(self.source, Source::Parquet(..)) {
            return self.next_of_batch();
        }
        if !self.next_line()? {
            return Ok(false);
        }
        let taken = match &self.source {
            Source::Csv(_, places) => take(&self.line, places, &mut self.cells),
            Source::Jsonl(..) | Source::Parquet(..) => {
                let mut from = serde_json::Deserializer::from_slice(&self.line);
                let object = Object { wanted: &self.wanted, cells: &mut self.cells };
                object.read(&mut from).and_then(|()| from.end()).map_err(|error| error.to_string())
            }
        };
        taken.map(|()| true).map_err(|reason| self.damaged(&reason))
    }

    /// Takes the cells of the next row of Parquet.
    fn next_of_batch(&mut self) -> Result<bool, Error> {
        let Source::Parquet(file, at_work) = &mut self.source else { return Ok(false) };
        let (batch, row) = loop {
            match at_work {
                Some((batch, row)) if *row < batch.rows() => {
                    *row += 1;
                    break (&*batch, *row - 1);
                }
                _ => match file.next()? {
                    Some(batch) => *at_work = Some((batch, 0)),
                    None => return Ok(false),
                },
            }
        };
        for (cell, column) in self.cells.iter_mut().zip(self.wanted) {
            batch.push(column, row, cell);
        }
        self.number += 1;
        Ok(true)
    }

    /// A cell's number.
    pub(super) fn parsed<T: FromStr>(&self, column: &str, cell: &str) -> Result<T, Error> {
        cell.parse().map_err(|_| self.damaged(&format!("its {column} is {cell:?}")))
    }

    /// What is wrong with the row at hand.
    pub(super) fn damaged(&self, reason: &str) -> Error {
        Error::Damaged { path: Arc::clone(&self.name), record: self.number, reason: reason.into() }
    }
}

/// The cells of a line; a CR before its end is none of theirs.
fn cells(line: &[u8]) -> impl Iterator<Item = std::borrow::Cow<'_, [u8]>> {
    record::cells(line.strip_suffix(b"\r").unwrap_or(line), SYNTAX)
}

/// Takes those cells of a line of CSV that are looked at.
fn take(line: &[u8], places: &[Option<usize>], own: &mut [String]) -> Result<(), String> {
    let mut places = places.iter();
    for cell in cells(line) {
        let place = places.next().ok_or("it has more cells than the header")?;
        if let Some(own) = place.and_then(|at| own.get_mut(at)) {
            own.push_str(std::str::from_utf8(&cell).map_err(|_| "it is not UTF-8")?);
        }
    }
    if places.next().is_some() { Err("it has fewer cells than the header".to_owned()) } else { Ok(()) }
}

/// That all columns are there that are looked at.
fn missing(name: &Arc<str>, wanted: &[&str], there: &[String]) -> Result<(), Error> {
    match wanted.iter().find(|column| !there.iter().any(|name| name == *column)) {
        None => Ok(()),
        Some(column) => Err(Error::MissingColumn {
            path: Arc::clone(name),
            column: (*column).into(),
            columns: there.join(" ").chars().take(1_000).collect(),
        }),
    }
}

/// Whether a file's name says JSONL.
fn named_jsonl(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().to_ascii_lowercase().contains(".jsonl"))
}
