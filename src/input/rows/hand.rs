//! The row at hand: the cells of it that are looked at.
//! Comes in: a line, or a row of a batch. Goes out: its cells as CSV has them, or what is wrong with it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::super::Error;
use super::super::columnar::Batch;
use super::super::record::{self, Syntax};
use super::json::Object;

/// How this program writes CSV.
const SYNTAX: Syntax = Syntax { delimiter: b',', terminator: b'\n', comments: false };

/// A row of a file, of which `N` columns are looked at.
pub(in super::super) struct Hand<const N: usize> {
    name: Arc<str>,
    wanted: [&'static str; N],
    /// Of CSV, the place among the columns wanted of each one in the header.
    places: Option<Arc<[Option<usize>]>>,
    cells: [String; N],
    /// Its number in the file, from 1.
    pub(super) number: u64,
}

impl<const N: usize> fmt::Debug for Hand<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hand").field("name", &self.name).field("number", &self.number).finish_non_exhaustive()
    }
}

impl<const N: usize> Hand<N> {
    /// None read yet.
    pub(super) fn new(name: Arc<str>, wanted: [&'static str; N], places: Option<Arc<[Option<usize>]>>) -> Self {
        Self { name, wanted, places, cells: std::array::from_fn(|_| String::new()), number: 0 }
    }

    /// One for the rows behind this one.
    pub(super) fn another(&self) -> Self {
        let places = self.places.as_ref().map(Arc::clone);
        Self { number: self.number, ..Self::new(Arc::clone(&self.name), self.wanted, places) }
    }

    /// The file's name.
    pub(in super::super) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its cells in the order of the columns wanted, each as CSV has it: nothing for null, the items of a list joined by `;`, with `\`
    /// before what is no border between two. What else CSV escapes is escaped only where it comes from CSV.
    pub(in super::super) const fn cells(&self) -> &[String; N] {
        &self.cells
    }

    /// Its number in the file, from 1; 0 before the first.
    pub(in super::super) const fn number(&self) -> u64 {
        self.number
    }

    /// Whether it comes from CSV, where texts may have an apostrophe before them.
    pub(in super::super) const fn is_csv(&self) -> bool {
        self.places.is_some()
    }

    /// Takes the cells of a line. The number has been set before.
    pub(super) fn take(&mut self, line: &[u8]) -> Result<(), Error> {
        self.cells.iter_mut().for_each(String::clear);
        let taken = if let Some(places) = &self.places {
            take_csv(line, places, &mut self.cells)
        } else {
            let mut from = serde_json::Deserializer::from_slice(line);
            let object = Object { wanted: &self.wanted, cells: &mut self.cells };
            object.read(&mut from).and_then(|()| from.end()).map_err(|error| error.to_string())
        };
        taken.map_err(|reason| self.damaged(&reason))
    }

    /// Takes the cells of the next row, which stands here in a batch of Parquet.
    pub(super) fn take_of(&mut self, batch: &Batch, row: usize) {
        for (at, cell) in self.cells.iter_mut().enumerate() {
            cell.clear();
            batch.push(at, row, cell);
        }
        self.number += 1;
    }

    /// A cell's number.
    pub(in super::super) fn parsed<T: FromStr>(&self, column: &str, cell: &str) -> Result<T, Error> {
        cell.parse().map_err(|_| self.damaged(&format!("its {column} is {cell:?}")))
    }

    /// What is wrong with it.
    pub(in super::super) fn damaged(&self, reason: &str) -> Error {
        Error::Damaged { path: Arc::clone(&self.name), record: self.number, reason: reason.into() }
    }
}

/// The cells of a line; a CR before its end is none of theirs.
pub(super) fn cells(line: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    record::cells(line.strip_suffix(b"\r").unwrap_or(line), SYNTAX)
}

/// Takes those cells of a line of CSV that are looked at.
fn take_csv(line: &[u8], places: &[Option<usize>], own: &mut [String]) -> Result<(), String> {
    let mut places = places.iter();
    for cell in cells(line) {
        let place = places.next().ok_or("it has more cells than the header")?;
        if let Some(own) = place.and_then(|at| own.get_mut(at)) {
            own.push_str(std::str::from_utf8(&cell).map_err(|_| "it is not UTF-8")?);
        }
    }
    if places.next().is_some() { Err("it has fewer cells than the header".to_owned()) } else { Ok(()) }
}
