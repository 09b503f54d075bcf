//! Stored evidence, read back: JSONL, plain or compressed, or Parquet.
//! Comes in: a file that `scan --evidence` wrote. Goes out: its header, then its records, one at a time.
//! A record is first taken as text and understood later, by whoever has a thread to spare for it.
//! Memory holds a record, or a batch of Parquet, and never the file.

use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::columnar::{self, Columnar};
use super::lines::{self, Line, Plain};
use super::{Error, hex};
use crate::model::evidence::Evidence;
use crate::model::header::{EVIDENCE_VERSION, Header, Kind};

/// Records of a Parquet file read at a time.
const BATCH: usize = 64;

/// One open file of evidence.
pub struct Stored {
    header: Header,
    source: Source,
    number: u64,
}

enum Source {
    Text(Box<BufReader<Plain>>),
    Columns { file: Box<Columnar>, digest: [u8; 32], batch: std::vec::IntoIter<Vec<u8>> },
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stored").field("name", self.name()).field("number", &self.number).finish_non_exhaustive()
    }
}

/// One record, not yet understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number in the file, from 1, the header not counted.
    pub number: u64,
    /// Its text; None when it is longer than any record is.
    text: Option<Vec<u8>>,
}

/// Why a record cannot be understood.
#[derive(Debug)]
pub struct Damage {
    /// It ends too early: as the last record of a file it shows that the file's end is missing.
    pub is_cut: bool,
    /// What is wrong, in words that go on from "record 7".
    pub reason: String,
}

impl Record {
    /// What it holds, or why that cannot be told.
    pub fn understand(&self) -> Result<Evidence, Damage> {
        let Some(text) = &self.text else {
            return Err(Damage { is_cut: false, reason: format!("is over {} MiB", lines::MOST >> 20) });
        };
        serde_json::from_slice(text).map_err(|error| {
            let is_cut = error.is_eof();
            let what = if is_cut { "is cut off" } else { "is damaged" };
            Damage { is_cut, reason: format!("{what} ({})", told(&error)) }
        })
    }

    /// Bytes it takes while it waits to be understood.
    pub fn size(&self) -> usize {
        self.text.as_ref().map_or(0, Vec::len)
    }
}

/// What the decoder says, with the place inside the record: a record is one line.
fn told(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at byte ")
}

impl Stored {
    /// Opens a file and reads its header; `-` is standard input, which holds JSONL.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if columnar::is_parquet(path) {
            let digest = columnar::digest(path)?;
            let columns = Columnar::open(path, &["evidence"], BATCH)?;
            let told = columns.told(Kind::Evidence.as_str());
            let header = header(columns.name(), told.unwrap_or_default().as_bytes())?;
            let source = Source::Columns { file: Box::new(columns), digest, batch: Vec::new().into_iter() };
            return Ok(Self { header, source, number: 0 });
        }
        let mut reader = Plain::open(path)?;
        let name = Arc::clone(reader.get_ref().stream.name());
        let mut line = Vec::new();
        let header = match lines::next(&mut reader, &mut line)? {
            Line::Whole => header(&name, &line)?,
            Line::TooLong | Line::End => header(&name, b"")?,
        };
        Ok(Self { header, source: Source::Text(Box::new(reader)), number: 0 })
    }

    /// The file's name, or `-`.
    pub fn name(&self) -> &Arc<str> {
        match &self.source {
            Source::Text(reader) => reader.get_ref().stream.name(),
            Source::Columns { file, .. } => file.name(),
        }
    }

    /// What the scan judged by.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Records read so far.
    pub const fn records(&self) -> u64 {
        self.number
    }

    /// SHA-256 of the file as it is stored, lower-case hex; of text, as far as it was read.
    pub fn sha256(&self) -> String {
        match &self.source {
            Source::Text(reader) => hex(&reader.get_ref().stream.digest()),
            Source::Columns { digest, .. } => hex(digest),
        }
    }

    /// The next record; None at the end. After an error there is nothing more.
    pub fn next_record(&mut self) -> Result<Option<Record>, Error> {
        let text = match &mut self.source {
            Source::Text(reader) => {
                let mut line = Vec::new();
                match lines::next(reader, &mut line)? {
                    Line::Whole => Some(line),
                    Line::TooLong => None,
                    Line::End => return Ok(None),
                }
            }
            Source::Columns { file, batch, .. } => loop {
                if let Some(text) = batch.next() {
                    break Some(text);
                }
                let Some(rows) = file.next()? else { return Ok(None) };
                let texts = (0..rows.rows()).map(|row| rows.text("evidence", row).unwrap_or_default().into());
                *batch = texts.collect::<Vec<Vec<u8>>>().into_iter();
            },
        };
        self.number += 1;
        Ok(Some(Record { number: self.number, text }))
    }
}

/// Understands a header. What it is not is told before what is wrong with it.
fn header(name: &Arc<str>, text: &[u8]) -> Result<Header, Error> {
    #[derive(Deserialize)]
    struct Claim {
        kind: Kind,
        version: u16,
    }

    let claim = serde_json::from_slice::<Claim>(text).map_err(|_| Error::Foreign {
        path: Arc::clone(name),
        what: "no evidence: its first record is no header; keep the evidence of a scan with `scan --evidence FILE`",
    })?;
    let Kind::Evidence = claim.kind;
    if !(1..=EVIDENCE_VERSION).contains(&claim.version) {
        return Err(Error::Version { path: Arc::clone(name), version: claim.version, known: EVIDENCE_VERSION });
    }
    serde_json::from_slice(text).map_err(|error| Error::Damaged {
        path: Arc::clone(name),
        record: 0,
        reason: format!("its header: {}", told(&error)).into(),
    })
}
