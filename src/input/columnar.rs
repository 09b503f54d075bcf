//! Parquet files that this program wrote itself: the only place of the input that knows arrow.
//! Comes in: a path. Goes out: the columns asked for, a batch at a time, and the file's own key-value metadata.
//! Only those columns are read, so memory is bounded by a batch and a page, not by the file.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{TimestampMillisecondType, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use sha2::{Digest as _, Sha256};

use super::Error;

/// The first bytes of such a file.
const MAGIC: &[u8; 4] = b"PAR1";

/// An open file.
pub(super) struct Columnar {
    name: Arc<str>,
    metadata: Vec<(String, String)>,
    /// All its columns with their types, whether or not they are read.
    columns: Vec<String>,
    reader: ParquetRecordBatchReader,
    record: u64,
}

/// Rows of the columns asked for.
pub(super) struct Batch(RecordBatch);

/// Whether a file is Parquet, by its first bytes. What cannot be read is left to those who read it.
pub(super) fn is_parquet(path: &Path) -> bool {
    let mut head = [0; MAGIC.len()];
    let is_file = std::fs::metadata(path).is_ok_and(|found| found.is_file());
    is_file && File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == *MAGIC
}

/// SHA-256 of a file's bytes.
pub(super) fn digest(path: &Path) -> Result<[u8; 32], Error> {
    let fault = |source| Error::Read { path: path.display().to_string().into(), record: 0, source };
    let mut file = File::open(path).map_err(|source| Error::Open { path: path.to_owned(), source })?;
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
        let file = File::open(path).map_err(|source| Error::Open { path: path.to_owned(), source })?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| fault(&error))?;
        let pairs = builder.metadata().file_metadata().key_value_metadata();
        let metadata = pairs.into_iter().flatten().filter_map(|pair| Some((pair.key.clone(), pair.value.clone()?)));
        let metadata = metadata.collect();
        let there = builder.schema();
        if let Some(missing) = columns.iter().find(|column| there.field_with_name(column).is_err()) {
            let names: Vec<&str> = there.fields().iter().map(|field| field.name().as_str()).collect();
            let columns = names.join(" ");
            return Err(Error::MissingColumn { path: name, column: (*missing).into(), columns });
        }
        let described = there.fields().iter().map(|field| format!("{}: {}", field.name(), field.data_type())).collect();
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        let reader = builder.with_projection(mask).with_batch_size(rows).build().map_err(|error| fault(&error))?;
        Ok(Self { name, metadata, columns: described, reader, record: 0 })
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
                Ok(Some(Batch(batch)))
            }
        }
    }
}

fn damaged(name: &Arc<str>, record: u64, error: &dyn std::error::Error) -> Error {
    Error::Damaged { path: Arc::clone(name), record, reason: error.to_string().replace('\n', " ").into() }
}

impl Batch {
    pub(super) fn rows(&self) -> usize {
        self.0.num_rows()
    }

    fn cell(&self, column: &str, row: usize) -> Option<&ArrayRef> {
        self.0.column_by_name(column).filter(|array| row < array.len() && array.is_valid(row))
    }

    /// A text; None for null, and where the column holds something else.
    pub(super) fn text(&self, column: &str, row: usize) -> Option<&str> {
        Some(self.cell(column, row)?.as_string_opt::<i32>()?.value(row))
    }

    /// Texts; empty for null, and where the column holds something else.
    fn texts(&self, column: &str, row: usize) -> Vec<String> {
        let list = self.cell(column, row).and_then(|array| array.as_list_opt::<i32>()).map(|array| array.value(row));
        let texts = list.as_ref().and_then(|list| list.as_string_opt::<i32>());
        texts.into_iter().flatten().flatten().map(str::to_owned).collect()
    }

    /// Adds a number, a time, a text, or the items of a list to a cell, as CSV has them; nothing for null.
    pub(super) fn push(&self, column: &str, row: usize, cell: &mut String) {
        let Some(array) = self.cell(column, row) else { return };
        let number = array.as_primitive_opt::<UInt16Type>().map(|array| u64::from(array.value(row)));
        let number = number.or_else(|| array.as_primitive_opt::<UInt32Type>().map(|array| array.value(row).into()));
        let number = number.or_else(|| array.as_primitive_opt::<UInt64Type>().map(|array| array.value(row)));
        let time = array.as_primitive_opt::<TimestampMillisecondType>().map(|array| array.value(row));
        if let Some(number) = number {
            cell.push_str(&number.to_string());
        } else if let Some(time) = time {
            cell.push_str(
                &jiff::Timestamp::from_millisecond(time).map_or_else(|_| String::new(), |time| time.to_string()),
            );
        } else if let Some(text) = self.text(column, row) {
            cell.push_str(text);
        } else {
            cell.push_str(&self.texts(column, row).join(";"));
        }
    }
}
