//! Evidence as Parquet.
//! Comes in: targets and what was seen for them, as JSON text. Goes out: row groups as those of rows, and the header in the
//! file's own metadata.
//! What stands beside the text is there to find a record by; nothing in the text is understood here.

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{StringBuilder, UInt64Builder};
use arrow_schema::{DataType, Field, Schema};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::EnabledStatistics;

use super::super::{Checkpoint, Ending, Error};
use super::parts::{Parts, Table};
use super::{BATCH_BYTES, BATCH_ROWS, begin};
use crate::model::header::Kind;
use crate::model::target::Target;

/// A file of records: each one's place, its target, and all of it as JSON text.
pub(in super::super) struct EvidenceColumns {
    table: Table,
    sequence: UInt64Builder,
    line: UInt64Builder,
    target: StringBuilder,
    evidence: StringBuilder,
    rows: usize,
    bytes: usize,
}

impl EvidenceColumns {
    /// Records into these parts, with a header in the file's own metadata.
    pub(in super::super) fn new(parts: Parts, header: String) -> Result<Self, Error> {
        let schema = Schema::new(vec![
            Field::new("sequence", DataType::UInt64, false),
            Field::new("line", DataType::UInt64, true),
            Field::new("target", DataType::Utf8, false),
            Field::new("evidence", DataType::Utf8, false),
        ]);
        let header = KeyValue::new(Kind::Evidence.as_str().to_owned(), header);
        // No two records are the same, and nobody looks for a range of JSON texts.
        let properties =
            begin().set_key_value_metadata(Some(vec![header])).set_statistics_enabled(EnabledStatistics::None);
        Ok(Self {
            table: Table::new(parts, schema, properties.build())?,
            sequence: UInt64Builder::new(),
            line: UInt64Builder::new(),
            target: StringBuilder::new(),
            evidence: StringBuilder::new(),
            rows: 0,
            bytes: 0,
        })
    }

    /// Writes one record.
    pub(in super::super) fn write(&mut self, target: &Target, evidence: &str) -> Result<(), Error> {
        self.sequence.append_value(target.sequence);
        self.line.append_option(target.line);
        self.target.append_value(&target.text);
        self.evidence.append_value(evidence);
        self.rows += 1;
        self.bytes += target.text.len() + evidence.len();
        if self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES {
            self.write_batch()?;
        }
        Ok(())
    }

    /// Ends the file; a complete one gets its final name.
    pub(in super::super) fn finish(mut self, ending: Ending) -> Result<(), Error> {
        self.write_batch()?;
        self.table.finish(ending)
    }

    /// Hands all that was written to the system.
    pub(in super::super) fn checkpoint(&mut self) -> Result<Checkpoint, Error> {
        self.write_batch()?;
        self.table.checkpoint()
    }

    /// Where this is, for messages.
    pub(in super::super) fn place(&self) -> &Path {
        self.table.place()
    }

    fn write_batch(&mut self) -> Result<(), Error> {
        if self.rows == 0 {
            return Ok(());
        }
        (self.rows, self.bytes) = (0, 0);
        self.table.write(vec![
            Arc::new(self.sequence.finish()),
            Arc::new(self.line.finish()),
            Arc::new(self.target.finish()),
            Arc::new(self.evidence.finish()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::RecordBatch;
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::UInt64Type;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::model::name::Name;
    use crate::model::target::Subject;
    use crate::output::file::Destination;

    #[test]
    fn any_engine_finds_a_record_by_its_place_its_line_or_its_target() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seen.parquet");
        let mut file =
            EvidenceColumns::new(Parts::new(Destination::file(&path).unwrap()).unwrap(), "{\"kind\":7}".to_owned())
                .unwrap();
        for (sequence, line) in [(4, Some(9)), (5, None)] {
            let target = Target {
                sequence,
                line,
                text: "example.org".into(),
                subject: Subject::Domain(Name::root()),
                from_network: false,
                excluded: false,
                unstable: false,
            };
            file.write(&target, &format!("{{\"sequence\":{sequence}}}")).unwrap();
        }
        file.finish(Ending::Complete).unwrap();

        let builder = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&path).unwrap()).unwrap();
        let pairs = builder.metadata().file_metadata().key_value_metadata().unwrap();
        let header = pairs.iter().find(|pair| pair.key == "mxcensus-evidence").unwrap();
        assert_eq!(header.value.as_deref(), Some("{\"kind\":7}"));
        let batches: Vec<RecordBatch> = builder.build().unwrap().collect::<Result<_, _>>().unwrap();
        let [batch] = batches.as_slice() else { panic!("{} batches", batches.len()) };
        let number = |column: &str| batch.column_by_name(column).unwrap().as_primitive::<UInt64Type>();
        let text = |column: &str| batch.column_by_name(column).unwrap().as_string::<i32>();
        assert_eq!(number("sequence").values().to_vec(), [4, 5]);
        assert_eq!(number("line").iter().collect::<Vec<_>>(), [Some(9), None]);
        assert_eq!(text("target").value(1), "example.org");
        assert_eq!(text("evidence").value(0), "{\"sequence\":4}");
    }
}
