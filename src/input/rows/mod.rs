//! Files of rows that this program wrote, read back row by row: CSV, JSONL (each also compressed) or Parquet.
//! Comes in: a file, and the columns that somebody wants to look at. Goes out: their cells, as CSV has them, and of text the line.
//! Which of the three it is is seen from the first bytes. A file that is not whole is an error: half a result is none.

mod hand;
mod json;
mod piece;

use std::fmt;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

pub(super) use self::hand::Hand;
pub(super) use self::json::push_item;
pub(super) use self::piece::Piece;
use super::columnar::{self, Batch, Columnar};
use super::lines::{self, Line, Plain};
use super::{Error, hex};
use crate::model::words::words;

/// Rows of a Parquet file read at a time.
const BATCH: usize = 4_096;
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
    columns: Vec<String>,
    source: Source,
    hand: Hand<N>,
    /// The line at hand.
    line: Vec<u8>,
}

enum Source {
    Csv(Box<BufReader<Plain>>),
    /// With its first line, until that is read as a row.
    Jsonl(Box<BufReader<Plain>>, Option<Vec<u8>>),
    /// With the batch at work and its next row, and the next group that is handed out as a piece.
    Parquet(Box<Columnar>, Option<(Batch, usize)>, usize),
}

impl<const N: usize> fmt::Debug for Rows<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("hand", &self.hand).finish_non_exhaustive()
    }
}

impl<const N: usize> Rows<N> {
    /// Opens a file and reads its header, in which all columns wanted must be.
    pub(super) fn open(path: &Path, wanted: [&'static str; N]) -> Result<Self, Error> {
        let new =
            |name, columns, source, line, places| Self { columns, source, hand: Hand::new(name, wanted, places), line };
        if columnar::is_parquet(path) {
            let file = Columnar::open(path, &wanted, BATCH)?;
            let (name, columns) = (Arc::clone(file.name()), file.columns().to_vec());
            return Ok(new(name, columns, Source::Parquet(Box::new(file), None, 0), Vec::new(), None));
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
            return Ok(new(name, columns, Source::Jsonl(Box::new(reader), Some(line)), Vec::new(), None));
        }
        // Without a row there is no line in JSONL, and in CSV there is still the header.
        if first == Line::End && named_jsonl(path) {
            return Ok(new(name, Vec::new(), Source::Jsonl(Box::new(reader), None), Vec::new(), None));
        }
        if line.starts_with(MARK) {
            line.drain(..MARK.len());
        }
        let columns: Vec<String> = hand::cells(&line).map(|cell| String::from_utf8_lossy(&cell).into_owned()).collect();
        missing(&name, &wanted, &columns)?;
        let place = |there: &String| wanted.iter().position(|column| column == there);
        let places = Some(columns.iter().map(place).collect());
        Ok(new(name, columns, Source::Csv(Box::new(reader)), line, places))
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

    /// The row read last.
    pub(super) const fn hand(&self) -> &Hand<N> {
        &self.hand
    }

    /// The line at hand without its end: that of the row read last, and before the first row the header of a CSV file.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    /// SHA-256 of the file as it is stored, lower-case hex; of text, as far as it was read.
    pub(super) fn sha256(&self, path: &Path) -> Result<String, Error> {
        match &self.source {
            Source::Csv(reader) | Source::Jsonl(reader, _) => Ok(hex(&reader.get_ref().stream.digest())),
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
            Source::Csv(reader) | Source::Jsonl(reader, None) => lines::next(reader, &mut self.line)?,
            Source::Parquet(..) => Line::End,
        };
        self.hand.number += u64::from(read != Line::End);
        match read {
            Line::Whole => Ok(true),
            Line::End => Ok(false),
            Line::TooLong => Err(self.hand.damaged("it is no row")),
        }
    }

    /// Reads the next row; false at the end. After an error there is nothing more.
    pub(super) fn next(&mut self) -> Result<bool, Error> {
        if let Source::Parquet(file, at_work, _) = &mut self.source {
            let Some((batch, row)) = next_of_batch(file, at_work)? else { return Ok(false) };
            self.hand.take_of(batch, row);
            return Ok(true);
        }
        if !self.next_line()? {
            return Ok(false);
        }
        self.hand.take(&self.line).map(|()| true)
    }

    /// The next piece of what has not been read yet: a group of rows, or so many bytes of lines and one line at least. None at the
    /// end. Another thread can read it on while this one goes on to the next.
    pub(super) fn cut(&mut self, bytes: usize) -> Result<Option<Piece<N>>, Error> {
        let mut hand = self.hand.another();
        if let Source::Parquet(file, _, next) = &mut self.source {
            let Some((group, rows)) = file.group(*next, BATCH)? else { return Ok(None) };
            *next += 1;
            self.hand.number += rows;
            return Ok(Some(Piece::of_group(hand, group)));
        }
        let (mut lines, mut ends) = (Vec::with_capacity(bytes + bytes / 8), Vec::new());
        hand.number = self.hand.number;
        while lines.len() < bytes && self.next_line()? {
            lines.extend_from_slice(&self.line);
            ends.push(lines.len());
        }
        Ok((!ends.is_empty()).then(|| Piece::of_lines(hand, lines, ends)))
    }
}

/// The batch at work and its next row; None at the end of the file.
fn next_of_batch<'a>(
    file: &mut Columnar,
    at_work: &'a mut Option<(Batch, usize)>,
) -> Result<Option<(&'a Batch, usize)>, Error> {
    while at_work.as_ref().is_none_or(|(batch, row)| *row >= batch.rows()) {
        match file.next()? {
            Some(batch) => *at_work = Some((batch, 0)),
            None => return Ok(None),
        }
    }
    Ok(at_work.as_mut().map(|(batch, row)| {
        *row += 1;
        (&*batch, *row - 1)
    }))
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
