//! Rows as Parquet: here, with what stands below, is the only place of the output that knows arrow.
//! Comes in: rows. Goes out: row groups of 100,000 rows, zstd pages, and the footer at the end. While a run lasts they stand in
//! closed parts, which are files of their own.
//! Text is kept as it is: a Parquet reader is no terminal and no spreadsheet.
//! Memory is bounded by rows and by bytes, so a run of hostile certificates does not grow it.

mod evidence;
mod parts;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    ListBuilder, StringBuilder, TimestampMillisecondBuilder, UInt8Builder, UInt16Builder, UInt32Builder, UInt64Builder,
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

pub(super) use evidence::EvidenceColumns;
use parts::Table;
pub(super) use parts::{Parts, path_of};

use super::columns::{COLUMNS, Cell, Kind, SCHEMA_VERSION};
use super::file::Destination;
use super::{Checkpoint, Ending, Error, Sink};
use crate::model::assessment::Row;

/// Rows gathered before they are handed to the encoder.
const BATCH_ROWS: usize = 4_096;
/// Octets of text gathered before they are handed to the encoder, however few the rows.
const BATCH_BYTES: usize = 8 << 20;
/// Rows of a row group.
const GROUP_ROWS: usize = 100_000;
/// Encoded octets of a row group, however few the rows.
const GROUP_BYTES: usize = 64 << 20;
/// Higher levels cost a quarter more time for a few per cent of size.
const ZSTD_LEVEL: i32 = 1;

/// Columns besides those of words whose values repeat so much that a dictionary pays for its time.
const REPEATING: &[&str] = &[
    "schema_version",
    "port",
    "greeting_code",
    "ehlo_code",
    "extensions",
    "software",
    "tls_version",
    "tls_cipher",
    "tls_cert_covers",
    "tls_cert_issuer",
    "tls_cert_key",
    "dnsbl_listed",
    "dnsbl_counted",
    "dnsbl_unknown",
    "rhsbl_listed",
    "findings",
    "unknown_why",
    "na_why",
    "attempts",
];

/// The sink for Parquet.
pub(super) struct Parquet {
    table: Table,
    builders: Vec<Builder>,
    rows: usize,
    bytes: usize,
}

impl Parquet {
    /// Rows into these parts.
    pub(super) fn new(parts: Parts) -> Result<Self, Error> {
        let builders = COLUMNS.iter().map(|column| Builder::of(column.kind)).collect();
        Ok(Self { table: Table::new(parts, schema(), properties())?, builders, rows: 0, bytes: 0 })
    }

    fn write_batch(&mut self) -> Result<(), Error> {
        if self.rows == 0 {
            return Ok(());
        }
        (self.rows, self.bytes) = (0, 0);
        self.table.write(self.builders.iter_mut().map(Builder::finish).collect())
    }
}

impl Sink for Parquet {
    fn write(&mut self, row: Row<'_>) -> Result<(), Error> {
        for (column, builder) in COLUMNS.iter().zip(&mut self.builders) {
            self.bytes += builder.append(&(column.cell)(row));
        }
        self.rows += 1;
        if self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES {
            self.write_batch()?;
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<Checkpoint, Error> {
        self.write_batch()?;
        self.table.checkpoint()
    }

    fn finish(mut self: Box<Self>, ending: Ending) -> Result<(), Error> {
        self.write_batch()?;
        self.table.finish(ending)
    }
}

impl fmt::Debug for Parquet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parquet").field("table", &self.table).field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// Joins whole files of rows, of the same columns, into one: their row groups are copied as they are.
pub(super) fn join(whole: Destination, paths: &[PathBuf]) -> Result<(), Error> {
    parts::join(whole, paths, &properties())
}

/// A fault of the file below the encoder keeps its own kind.
fn error(place: &Path, source: ParquetError) -> Error {
    match source {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(source) => Error::io("write", place, *source),
            Err(source) => Error::Parquet { path: place.to_owned(), source },
        },
        other => Error::Parquet { path: place.to_owned(), source: Box::new(other) },
    }
}

/// The columns as an arrow schema.
fn schema() -> Schema {
    Schema::new(COLUMNS.iter().map(|column| Field::new(column.name, data_type(column.kind), true)).collect::<Vec<_>>())
}

/// The columns and their arrow types, one a line, for `schema --format arrow`.
pub fn schema_arrow() -> String {
    let lines: Vec<String> =
        schema().fields().iter().map(|field| format!("{}: {}", field.name(), field.data_type())).collect();
    lines.join("\n") + "\n"
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::U8 => DataType::UInt8,
        Kind::U16 => DataType::UInt16,
        Kind::U32 | Kind::Milliseconds => DataType::UInt32,
        Kind::U64 => DataType::UInt64,
        Kind::Text | Kind::Word(_) | Kind::Verdict => DataType::Utf8,
        Kind::List(_) => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
        Kind::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
    }
}

/// What all our files have in common.
fn begin() -> WriterPropertiesBuilder {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).expect("1 is a level of zstd");
    WriterProperties::builder()
        .set_created_by(concat!("mxcensus ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_max_row_group_bytes(Some(GROUP_BYTES))
        .set_dictionary_enabled(false)
}

fn properties() -> WriterProperties {
    let mut properties = begin()
        .set_statistics_enabled(EnabledStatistics::Chunk)
        // For readers that show these pairs and not who has written the file.
        .set_key_value_metadata(Some(vec![
            KeyValue::new("schema_version".to_owned(), SCHEMA_VERSION.to_string()),
            KeyValue::new("program_version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ]));
    for column in COLUMNS.iter().filter(|column| column.kind.words().is_some() || REPEATING.contains(&column.name)) {
        let mut path = vec![column.name.to_owned()];
        if matches!(column.kind, Kind::List(_)) {
            path.extend(["list".to_owned(), Field::LIST_FIELD_DEFAULT_NAME.to_owned()]);
        }
        properties = properties.set_column_dictionary_enabled(ColumnPath::new(path), true);
    }
    properties.build()
}

/// One column's values of the batch at work.
enum Builder {
    U8(UInt8Builder),
    U16(UInt16Builder),
    U32(UInt32Builder),
    U64(UInt64Builder),
    Text(StringBuilder),
    List(ListBuilder<StringBuilder>),
    Time(TimestampMillisecondBuilder),
}

impl Builder {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::U8 => Self::U8(UInt8Builder::with_capacity(BATCH_ROWS)),
            Kind::U16 => Self::U16(UInt16Builder::with_capacity(BATCH_ROWS)),
            Kind::U32 | Kind::Milliseconds => Self::U32(UInt32Builder::with_capacity(BATCH_ROWS)),
            Kind::U64 => Self::U64(UInt64Builder::with_capacity(BATCH_ROWS)),
            Kind::Text | Kind::Word(_) | Kind::Verdict => Self::Text(StringBuilder::new()),
            Kind::List(_) => Self::List(ListBuilder::new(StringBuilder::new())),
            Kind::Timestamp => Self::Time(TimestampMillisecondBuilder::with_capacity(BATCH_ROWS).with_timezone("UTC")),
        }
    }

    /// Appends one cell and says how many octets of text it took.
    fn append(&mut self, cell: &Cell<'_>) -> usize {
        match (self, cell) {
            (Self::U8(builder), cell) => builder.append_option(narrow(cell)),
            (Self::U16(builder), cell) => builder.append_option(narrow(cell)),
            (Self::U32(builder), cell) => builder.append_option(narrow(cell)),
            (Self::U64(builder), cell) => builder.append_option(narrow(cell)),
            (Self::Text(builder), Cell::Text(text)) => {
                builder.append_value(text);
                return text.len();
            }
            (Self::Text(builder), Cell::Word(word)) => {
                builder.append_value(word);
                return word.len();
            }
            (Self::Text(builder), _) => builder.append_null(),
            (Self::List(builder), Cell::List(items)) => {
                for item in items {
                    builder.values().append_value(item);
                }
                builder.append(true);
                return items.iter().map(|item| item.len()).sum();
            }
            (Self::List(builder), _) => builder.append(false),
            (Self::Time(builder), Cell::Time(ms)) => builder.append_value(*ms),
            (Self::Time(builder), _) => builder.append_null(),
        }
        0
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::U8(builder) => Arc::new(builder.finish()),
            Self::U16(builder) => Arc::new(builder.finish()),
            Self::U32(builder) => Arc::new(builder.finish()),
            Self::U64(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::List(builder) => Arc::new(builder.finish()),
            Self::Time(builder) => Arc::new(builder.finish()),
        }
    }
}

/// The number of a cell in the column's width.
fn narrow<T: TryFrom<u64>>(cell: &Cell<'_>) -> Option<T> {
    match cell {
        Cell::Number(number) => {
            let narrowed = T::try_from(*number).ok();
            debug_assert!(narrowed.is_some(), "{number} is wider than its column");
            narrowed
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_repeating_column_is_a_column() {
        for name in REPEATING {
            assert!(COLUMNS.iter().any(|column| column.name == *name), "{name}");
        }
    }

    #[test]
    fn a_fault_of_the_file_is_told_as_such() {
        let source = ParquetError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert!(matches!(error(Path::new("out"), source), Error::BrokenPipe));
        let source = ParquetError::General("bad".to_owned());
        assert!(matches!(error(Path::new("out"), source), Error::Parquet { .. }));
    }
}
