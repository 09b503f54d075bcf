//! A Parquet output in parts, because a Parquet file that lacks its footer is nothing.
//! Comes in: batches. Goes out: one file, or while a run lasts closed parts: whole Parquet files, each of which any engine reads.
//! A checkpoint closes the part at work. Many small parts, as a slow run makes them, become a larger one; at the end the row
//! groups of all parts are copied into one file as they are.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Schema, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::{ARROW_SCHEMA_META_KEY, ArrowWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

use super::super::file::{self, Destination, Lead, PART, Unsynced, beside, buffered, directory_of, lead, remove};
use super::super::{Checkpoint, Ending, Error, Mark, Part};
use super::{BATCH_ROWS, GROUP_ROWS, error};

/// So many small parts in a row become one.
const MANY: usize = 32;

/// The parts of an output.
#[derive(Debug)]
pub(in super::super) struct Parts {
    /// Where it is, for messages.
    place: PathBuf,
    /// Its final name; None for a device or pipe, which has no parts.
    last: Option<PathBuf>,
    closed: Vec<Part>,
    /// The part that is open at the start: an output without rows is still a Parquet file.
    first: Option<Destination>,
}

impl Parts {
    /// No part is closed yet; this is the first, or the device that takes all.
    pub(in super::super) fn new(first: Destination) -> Result<Self, Error> {
        let (place, last) = (first.place().to_owned(), first.last().map(Path::to_owned));
        let parts = Self { place, last, closed: Vec::new(), first: Some(first) };
        parts.drop_others(&[1])?;
        Ok(parts)
    }

    /// The closed parts that an interrupted run has left at this mark; others are removed.
    pub(in super::super) fn resumed(path: &Path, mark: &Mark) -> Result<Self, Error> {
        let Mark::Parts(closed) = mark else { return Err(Error::Mark { path: path.to_owned() }) };
        if closed.is_empty() {
            return Self::new(Destination::file(path)?);
        }
        let Lead::File(last) = lead(path)? else { return Err(Error::Mark { path: path.to_owned() }) };
        let parts = Self { place: path.to_owned(), last: Some(last), closed: closed.clone(), first: None };
        parts.drop_others(&closed.iter().map(|part| part.number).collect::<Vec<_>>())?;
        Ok(parts)
    }

    /// Where a part stands.
    fn path(&self, number: u32) -> PathBuf {
        path_of(self.last.as_deref().unwrap_or(&self.place), number)
    }

    /// The number of the next part: larger than any that a mark may name.
    fn next(&self) -> u32 {
        self.closed.iter().map(|part| part.number).max().unwrap_or(0) + 1
    }

    /// Removes what an earlier run, or the end of an interrupted one, has left beside these.
    fn drop_others(&self, kept: &[u32]) -> Result<(), Error> {
        let Some(last) = &self.last else { return Ok(()) };
        let listed =
            fs::read_dir(directory_of(last)).map_err(|source| Error::io("list", directory_of(last), source))?;
        let first = beside(last, PART);
        for entry in listed {
            let path = entry.map_err(|source| Error::io("list", directory_of(last), source))?.path();
            let (Some(name), Some(first)) = (path.file_name(), first.file_name()) else { continue };
            let (name, first) = (name.to_string_lossy(), first.to_string_lossy());
            let number = match name.strip_prefix(&*first) {
                Some("") => Some(1),
                Some(rest) => rest.strip_prefix('-').and_then(|number| number.parse().ok()),
                None => None,
            };
            if number.is_some_and(|number| !kept.contains(&number)) {
                remove(&path)?;
            }
        }
        Ok(())
    }
}

/// The file of a part of this output.
pub(in super::super) fn path_of(last: &Path, number: u32) -> PathBuf {
    if number == 1 { beside(last, PART) } else { beside(last, &format!("{PART}-{number:06}")) }
}

/// A table at work.
pub(super) struct Table {
    parts: Parts,
    schema: SchemaRef,
    properties: WriterProperties,
    /// The part at work, and its rows so far.
    writer: Option<ArrowWriter<BufWriter<Destination>>>,
    rows: u64,
    unsynced: Vec<Unsynced>,
    unneeded: Vec<PathBuf>,
}

impl Table {
    /// A table of this schema in these parts.
    pub(super) fn new(mut parts: Parts, schema: Schema, properties: WriterProperties) -> Result<Self, Error> {
        let first = parts.first.take();
        let schema = Arc::new(schema);
        let mut table =
            Self { parts, schema, properties, writer: None, rows: 0, unsynced: Vec::new(), unneeded: Vec::new() };
        table.writer = first.map(|first| table.open(first)).transpose()?;
        Ok(table)
    }

    /// Where it is, for messages.
    pub(super) fn place(&self) -> &Path {
        &self.parts.place
    }

    /// Writes a batch: a column of the schema each.
    pub(super) fn write(&mut self, arrays: Vec<ArrayRef>) -> Result<(), Error> {
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays);
        let batch = batch.map_err(|source| self.error(source.into()))?;
        self.batch(&batch)
    }

    fn batch(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        if self.writer.is_none() {
            let part = self.next_part()?;
            self.writer = Some(self.open(part)?);
        }
        self.rows += batch.num_rows() as u64;
        let writer = self.writer.as_mut().expect("it has just been opened");
        writer.write(batch).map_err(|source| error(&self.parts.place, source))
    }

    /// Closes the part at work. A device, which cannot be resumed, stays as it is.
    pub(super) fn checkpoint(&mut self) -> Result<Checkpoint, Error> {
        if self.parts.last.is_some() && self.rows > 0 {
            self.close()?;
            self.merge()?;
        }
        Ok(Checkpoint {
            mark: Mark::Parts(self.parts.closed.clone()),
            unsynced: std::mem::take(&mut self.unsynced),
            unneeded: std::mem::take(&mut self.unneeded),
        })
    }

    /// Ends the table; a complete one gets its final name.
    pub(super) fn finish(mut self, ending: Ending) -> Result<(), Error> {
        let Some(last) = self.parts.last.clone() else {
            let writer = self.writer.take().expect("that of a device is never closed before");
            let buffer = writer.into_inner().map_err(|source| self.error(source))?;
            return file::commit(buffer, &self.parts.place, ending);
        };
        if self.writer.is_some() {
            self.close()?;
        }
        self.unsynced.iter().try_for_each(Unsynced::sync)?;
        if ending == Ending::CutShort {
            return Ok(());
        }
        match self.parts.closed.as_slice() {
            [only] => file::rename(&self.parts.path(only.number), &last)?,
            _ => self.join(&last)?,
        }
        // The first one first: without it the output is known to be in its place.
        for part in &self.parts.closed {
            remove(&self.parts.path(part.number))?;
        }
        self.unneeded.iter().try_for_each(|path| remove(path))
    }

    fn next_part(&self) -> Result<Destination, Error> {
        let last = self.parts.last.clone().expect("a device has one part, which is open");
        Destination::part(self.parts.path(self.parts.next()), last)
    }

    fn open(&self, part: Destination) -> Result<ArrowWriter<BufWriter<Destination>>, Error> {
        ArrowWriter::try_new(buffered(part), Arc::clone(&self.schema), Some(self.properties.clone()))
            .map_err(|source| self.error(source))
    }

    /// Writes the footer of the part at work.
    fn close(&mut self) -> Result<(), Error> {
        let writer = self.writer.take().expect("a part is open");
        let mut buffer = writer.into_inner().map_err(|source| self.error(source))?;
        buffer.flush().map_err(|source| Error::io("write", &self.parts.place, source))?;
        self.unsynced.extend(buffer.get_ref().unsynced()?);
        self.parts.closed.push(Part { number: self.parts.next(), rows: std::mem::take(&mut self.rows) });
        Ok(())
    }

    /// Makes one part out of the last ones, when they are many and small.
    fn merge(&mut self) -> Result<(), Error> {
        let is_small = |part: &&Part| part.rows < GROUP_ROWS as u64;
        let many = self.parts.closed.iter().rev().take_while(is_small).count();
        if many < MANY {
            return Ok(());
        }
        // None of the new part's number may be among them.
        let next = self.next_part()?;
        let number = self.parts.next();
        let small = self.parts.closed.split_off(self.parts.closed.len() - many);
        self.writer = Some(self.open(next)?);
        for part in &small {
            let path = self.parts.path(part.number);
            let file = File::open(&path).map_err(|source| Error::io("read back", &path, source))?;
            let reader = ParquetRecordBatchReaderBuilder::try_new(file)
                .and_then(|reader| reader.with_batch_size(BATCH_ROWS).build())
                .map_err(|source| error(&path, source))?;
            for batch in reader {
                self.batch(&batch.map_err(|source| error(&path, source.into()))?)?;
            }
            self.unneeded.push(path);
        }
        self.close()?;
        self.parts.closed.last_mut().expect("one was just closed").number = number;
        Ok(())
    }

    /// Copies the row groups of all parts into one file of the final name.
    fn join(&self, last: &Path) -> Result<(), Error> {
        let whole = Destination::part(beside(last, ".part-whole"), last.to_owned())?;
        let paths: Vec<PathBuf> = self.parts.closed.iter().map(|part| self.parts.path(part.number)).collect();
        join(whole, &paths, &self.properties)
    }

    fn error(&self, source: ParquetError) -> Error {
        error(&self.parts.place, source)
    }
}

/// Copies the row groups of all these files, of which there is at least one, into one file of their schema.
pub(super) fn join(whole: Destination, paths: &[PathBuf], properties: &WriterProperties) -> Result<(), Error> {
    let place = whole.place().to_owned();
    let mut writer = None;
    let mut whole = Some(whole);
    for path in paths {
        let file = File::open(path).map_err(|source| Error::io("read back", path, source))?;
        let metadata = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
        let metadata = metadata.parse_and_finish(&file).map_err(|source| error(path, source))?;
        if let Some(whole) = whole.take() {
            writer = Some(begin(whole, &metadata, properties).map_err(|source| error(&place, source))?);
        }
        let writer = writer.as_mut().expect("the first part has opened it");
        copy(writer, &file, &metadata).map_err(|source| error(path, source))?;
    }
    let writer = writer.expect("there is a part");
    let buffer = writer.into_inner().map_err(|source| error(&place, source))?;
    file::commit(buffer, &place, Ending::Complete)
}

/// A writer of a file like that of this metadata.
fn begin(
    whole: Destination,
    like: &ParquetMetaData,
    properties: &WriterProperties,
) -> Result<SerializedFileWriter<BufWriter<Destination>>, ParquetError> {
    let schema = like.file_metadata().schema_descr().root_schema_ptr();
    let mut writer = SerializedFileWriter::new(buffered(whole), schema, Arc::new(properties.clone()))?;
    let pairs = like.file_metadata().key_value_metadata().into_iter().flatten();
    for pair in pairs.filter(|pair| pair.key == ARROW_SCHEMA_META_KEY) {
        writer.append_key_value_metadata(pair.clone());
    }
    Ok(writer)
}

/// Copies all row groups of a file as they are.
fn copy(
    writer: &mut SerializedFileWriter<BufWriter<Destination>>,
    file: &File,
    metadata: &ParquetMetaData,
) -> Result<(), ParquetError> {
    let index = metadata.page_index();
    for (at, group) in metadata.row_groups().iter().enumerate() {
        let mut copied = writer.next_row_group()?;
        for (column_at, column) in group.columns().iter().enumerate() {
            let close = ColumnCloseResult {
                bytes_written: column.compressed_size().unsigned_abs(),
                rows_written: group.num_rows().unsigned_abs(),
                metadata: column.clone(),
                bloom_filter: None,
                column_index: index.and_then(|index| index.column_index(at, column_at)).cloned(),
                offset_index: index.and_then(|index| index.offset_index(at, column_at)).cloned(),
            };
            copied.append_column(file, close)?;
        }
        copied.close()?;
    }
    Ok(())
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("parts", &self.parts).field("rows", &self.rows).finish_non_exhaustive()
    }
}
