//! Makes very many rows out of few, to measure what reads them; `scripts/bench report` puts it to use.
//! Comes in: a file of rows, CSV or Parquet, and how many there are to be. Goes out: a file of that form.
//! Every copy has targets of its own, ten rows share a provider and three an address, all over IPv4: more of each than any list has, so
//! that what is kept of them is given up all the time. Without words it measures nothing, so that `cargo bench` passes it by.

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

/// Rows of a row group, as the program writes them.
const GROUP: usize = 100_000;

#[expect(clippy::print_stderr, reason = "this is a program")]
fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [from, into, rows] = words.as_slice() else {
        eprintln!("usage: rows FROM INTO ROWS, two files that end in .csv or in .parquet");
        return ExitCode::SUCCESS;
    };
    match rows.parse().map_err(Into::into).and_then(|rows| make(Path::new(from), Path::new(into), rows)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rows: {error}");
            ExitCode::FAILURE
        }
    }
}

fn make(from: &Path, into: &Path, rows: usize) -> Result<(), Box<dyn Error>> {
    if into.extension().is_some_and(|ending| ending == "parquet") {
        parquet(from, into, rows)
    } else {
        csv(from, into, rows)
    }
}

/// What a cell of a row is in its copy; None where it stays as it is.
fn changed(column: &str, cell: &str, copy: usize, row: usize) -> Option<String> {
    match column {
        "target" | "domain" => Some(format!("c{copy}.{cell}")),
        "exchange" if cell != "." => Some(format!("mx{}.p{}.test", row % 7, row / 10)),
        "address" => {
            // Neighbours land far apart, and no address is met twice by chance.
            let number = u32::try_from(row / 3).unwrap_or(u32::MAX).wrapping_mul(2_654_435_761);
            Some(Ipv4Addr::from_bits(number).to_string())
        }
        _ => None,
    }
}

fn parquet(from: &Path, into: &Path, rows: usize) -> Result<(), Box<dyn Error>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(from)?)?;
    let schema = Arc::clone(builder.schema());
    let batches = builder.with_batch_size(GROUP).build()?.collect::<Result<Vec<_>, _>>()?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_max_row_group_row_count(Some(GROUP));
    let mut writer = ArrowWriter::try_new(File::create(into)?, Arc::clone(&schema), Some(properties.build()))?;
    let (mut written, mut copy) = (0, 0);
    while written < rows {
        for batch in &batches {
            let some = batch.slice(0, batch.num_rows().min(rows - written));
            let column = |(field, array): (&str, &ArrayRef)| match array.as_string_opt::<i32>() {
                Some(texts) if changed(field, "", 0, 0).is_some() => {
                    let cell = |(at, cell): (usize, Option<&str>)| {
                        cell.map(|cell| changed(field, cell, copy, written + at).unwrap_or_else(|| cell.to_owned()))
                    };
                    Arc::new(texts.iter().enumerate().map(cell).collect::<StringArray>()) as ArrayRef
                }
                _ => Arc::clone(array),
            };
            let names = schema.fields().iter().map(|field| field.name().as_str());
            let columns = names.zip(some.columns()).map(column).collect();
            writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns)?)?;
            written += some.num_rows();
        }
        copy += 1;
    }
    writer.close()?;
    Ok(())
}

fn csv(from: &Path, into: &Path, rows: usize) -> Result<(), Box<dyn Error>> {
    let mut reader = ::csv::Reader::from_reader(BufReader::new(File::open(from)?));
    let header = reader.headers()?.clone();
    let records = reader.records().collect::<Result<Vec<_>, _>>()?;
    let mut writer = ::csv::Writer::from_writer(BufWriter::with_capacity(1 << 20, File::create(into)?));
    writer.write_record(&header)?;
    let copies = records.iter().cycle().take(if records.is_empty() { 0 } else { rows });
    for (row, record) in copies.enumerate() {
        for (column, cell) in header.iter().zip(record) {
            let own = Some(cell).filter(|cell| !cell.is_empty());
            match own.and_then(|cell| changed(column, cell, row / records.len(), row)) {
                Some(cell) => writer.write_field(cell)?,
                None => writer.write_field(cell)?,
            }
        }
        writer.write_record(None::<&[u8]>)?;
    }
    writer.flush()?;
    Ok(())
}
