//! Parquet files that this program wrote itself: the only place of the input that knows arrow.
//! Comes in: a path. Goes out: the columns asked for, a batch at a time, and the file's own key-value metadata.
//! Only those columns are read, so memory is bounded by a batch and a page, not by the file.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{TimestampMillisecondType, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use sha2::{Digest as _, Sha256};

use super::Error;
use super::rows::push_item;

const STRING: &str = "writing to a String cannot fail";
/// The first bytes of such a file.
const MAGIC: &[u8; 4] = b"PAR1";

/// An open file, or a group of its rows.
pub(super) struct Columnar {
    name: Arc<str>,
    path: PathBuf,
    footer: ArrowReaderMetadata,
    mask: ProjectionMask,
    /// Where in a batch each of the columns asked for stands.
    order: Arc<[usize]>,
    metadata: Vec<(String, String)>,
    /// All its columns with their types, whether or not they are read.
    columns: Vec<String>,
    reader: ParquetRecordBatchReader,
    record: u64,
}

/// Rows of the columns asked for.
pub(super) struct Batch(RecordBatch, Arc<[usize]>);

/// Whether a file is Parquet, by its first bytes. What cannot be read is left to those who read it.
pub(super) fn is_parquet(path: &Path) -> bool {
    let mut head = [0; MAGIC.len()];
    let is_file = std::fs::metadata(path).is_ok_and(|found| found.is_file());
    is_file && File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == *MAGIC
}

/// SHA-256 of a file's bytes.
pub(super) fn digest(path: &Path) -> Result<[u8; 32], Error> {
    let fault = |source| Error::Read { path: path.display().to_string().into(), record: 0, source };
    let mut file = opened(path)?;
    let mut sha256 = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(sha256.finalize().into()),
            Ok(count) => sha256.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(fault(error)),
        }
    }
}

impl Columnar {
    /// Opens a file for some of its columns, so many rows at a time.
    pub(super) fn open(path: &Path, columns: &[&str], rows: usize) -> Result<Self, Error> {
        let name: Arc<str> = path.display().to_string().into();
        let fault = |error: &dyn std::error::Error| damaged(&name, 0, error);
        let file = opened(path)?;
        let footer = ArrowReaderMetadata::load(&file, ArrowReaderOptions::default()).map_err(|error| fault(&error))?;
        let pairs = footer.metadata().file_metadata().key_value_metadata();
        let metadata = pairs.into_iter().flatten().filter_map(|pair| Some((pair.key.clone(), pair.value.clone()?)));
        let metadata = metadata.collect();
        let there = footer.schema();
        let place = |column: &str| there.fields().iter().position(|field| field.name() == column);
        let Some(places) = columns.iter().map(|column| place(column)).collect::<Option<Vec<usize>>>() else {
            let missing = columns.iter().find(|column| place(column).is_none()).copied().unwrap_or_default();
            let names: Vec<&str> = there.fields().iter().map(|field| field.name().as_str()).collect();
            return Err(Error::MissingColumn { path: name, column: missing.into(), columns: names.join(" ") });
        };
        // A batch has the columns asked for in the order of the file.
        let order = places.iter().map(|own| places.iter().filter(|other| *other < own).count()).collect();
        let described = there.fields().iter().map(|field| format!("{}: {}", field.name(), field.data_type())).collect();
        let mask = ProjectionMask::columns(footer.parquet_schema(), columns.iter().copied());
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer.clone());
        let builder = builder.with_projection(mask.clone()).with_batch_size(rows);
        let reader = builder.build().map_err(|error| fault(&error))?;
        Ok(Self { name, path: path.to_owned(), footer, mask, order, metadata, columns: described, reader, record: 0 })
    }

    /// One of the groups that the file's rows are stored in, from 0, and how many rows it has; None behind the last.
    pub(super) fn group(&self, at: usize, rows: usize) -> Result<Option<(Self, u64)>, Error> {
        let Some(group) = self.footer.metadata().row_groups().get(at) else { return Ok(None) };
        // Handles that share a position would disturb each other.
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(opened(&self.path)?, self.footer.clone());
        let builder = builder.with_projection(self.mask.clone()).with_batch_size(rows).with_row_groups(vec![at]);
        let reader = builder.build().map_err(|error| damaged(&self.name, 0, &error))?;
        let before = self.footer.metadata().row_groups().iter().take(at).map(|group| group.num_rows().unsigned_abs());
        let part = Self {
            name: Arc::clone(&self.name),
            path: PathBuf::new(),
            footer: self.footer.clone(),
            mask: self.mask.clone(),
            order: Arc::clone(&self.order),
            metadata: Vec::new(),
            columns: Vec::new(),
            reader,
            record: before.sum(),
        };
        Ok(Some((part, group.num_rows().unsigned_abs())))
    }

    pub(super) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// All its columns, each with its type.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// A value of the file's own metadata.
    pub(super) fn told(&self, key: &str) -> Option<&str> {
        self.metadata.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// The next rows; None at the end. After an error there is nothing more.
    pub(super) fn next(&mut self) -> Result<Option<Batch>, Error> {
        match self.reader.next() {
            None => Ok(None),
            Some(Err(error)) => Err(damaged(&self.name, self.record, &error)),
            Some(Ok(batch)) => {
                self.record += batch.num_rows() as u64;
                Ok(Some(Batch(batch, Arc::clone(&self.order))))
            }
        }
    }
}

fn opened(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(|source| Error::Open { path: path.to_owned(), source })
}

fn damaged(name: &Arc<str>, record: u64, error: &dyn std::error::Error) -> Error {
    Error::Damaged { path: Arc::clone(name), record, reason: error.to_string().replace('\n', " ").into() }
}

impl Batch {
    pub(super) fn rows(&self) -> usize {
        self.0.num_rows()
    }

    /// A text; None for null, and where the column holds something else.
    pub(super) fn text(&self, column: &str, row: usize) -> Option<&str> {
        let array = self.0.column_by_name(column).filter(|array| row < array.len() && array.is_valid(row))?;
        Some(array.as_string_opt::<i32>()?.value(row))
    }

    /// Adds a number, a time, a text, or the items of a list to a cell, as CSV has them; nothing for null. The column is told by its
    /// place among those asked for.
    pub(super) fn push(&self, at: usize, row: usize, cell: &mut String) {
        let array = self.1.get(at).and_then(|own| self.0.columns().get(*own));
        let Some(array) = array.filter(|array| row < array.len() && array.is_valid(row)) else { return };
        if let Some(texts) = array.as_string_opt::<i32>() {
            cell.push_str(texts.value(row));
        } else if array.as_list_opt::<i32>().is_some() {
            push_list(array, row, cell);
        } else if let Some(times) = array.as_primitive_opt::<TimestampMillisecondType>() {
            if let Ok(time) = jiff::Timestamp::from_millisecond(times.value(row)) {
                write!(cell, "{time}").expect(STRING);
            }
        } else {
            let number = array.as_primitive_opt::<UInt16Type>().map(|array| u64::from(array.value(row)));
            let number = number.or_else(|| array.as_primitive_opt::<UInt32Type>().map(|array| array.value(row).into()));
            let number = number.or_else(|| array.as_primitive_opt::<UInt64Type>().map(|array| array.value(row)));
            if let Some(number) = number {
                write!(cell, "{number}").expect(STRING);
            }
        }
    }
}

/// Adds the items of a list of texts to a cell.
fn push_list(array: &ArrayRef, row: usize, cell: &mut String) {
    let lists = array.as_list::<i32>();
    let Some(texts) = lists.values().as_string_opt::<i32>() else { return };
    let place = |at: usize| lists.value_offsets().get(at).and_then(|offset| usize::try_from(*offset).ok());
    let (Some(begin), Some(end)) = (place(row), place(row + 1)) else { return };
    for at in begin..end {
        if at > begin {
            cell.push(';');
        }
        if texts.is_valid(at) {
            push_item(cell, texts.value(at));
        }
    }
}
