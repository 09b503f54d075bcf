//! Rows of earlier runs, read back to be counted and copied: CSV, JSONL (each also compressed) or Parquet.
//! Comes in: a file of rows. Goes out: its form and its columns, and row after row what is counted of it; where rows are lines, the
//! line as well.
//! Which of the three it is is seen from the first bytes. A file that is not whole is an error: half a result is none.

mod json;

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::BufReader;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use self::json::Object;
use super::columnar::{self, Batch, Columnar};
use super::lines::{self, Line, Plain};
use super::record::{self, Syntax};
use super::{Error, hex};
use crate::model::finding::Code;
use crate::model::gist::{Gist, Server};
use crate::model::words::{Cause, ConnectStatus, Overall, Rule, TargetKind, Verdict, words};

/// The columns that are looked at, the verdicts of `Rule::ALL` last.
const COLUMNS: [&str; 23] = [
    "schema_version",
    "line",
    "target",
    "target_kind",
    "exchange",
    "address",
    "introduction",
    "basis",
    "mx_preference",
    "connect_status",
    "dnsbl_listed",
    "dnsbl_counted",
    "dnsbl_unknown",
    "verdict",
    "findings",
    "unknown_why",
    "introduces",
    "fqdn",
    "exists",
    "matches",
    "unlisted",
    "reverse",
    "mx",
];
/// Rows of a Parquet file read at a time.
const BATCH: usize = 4_096;
/// How this program writes CSV.
const SYNTAX: Syntax = Syntax { delimiter: b',', terminator: b'\n', comments: false };

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

/// An open file of rows.
pub struct Results {
    name: Arc<str>,
    columns: Vec<String>,
    source: Source,
    /// The cells of the row at hand that are looked at, in the order of `COLUMNS`, as CSV has them.
    cells: [String; COLUMNS.len()],
    /// The line at hand.
    line: Vec<u8>,
    number: u64,
    /// Counts the targets.
    target: u64,
    /// Line and target of the row before.
    last: Option<(String, String)>,
}

enum Source {
    /// With the places of `COLUMNS` in its header.
    Csv(Box<BufReader<Plain>>, Vec<Option<usize>>),
    /// With its first line, until that is read as a row.
    Jsonl(Box<BufReader<Plain>>, Option<Vec<u8>>),
    Parquet(Box<Columnar>, Option<(Batch, usize)>),
}

/// One row, as far as it is counted.
#[derive(Debug)]
pub struct Told {
    /// The version of the column table it was written by.
    pub schema_version: u64,
    /// The same for rows of the same record, target, exchange, address and introduction.
    pub key: u64,
    /// Its outcome.
    pub gist: Gist,
    /// The causes of its unknown verdicts.
    pub causes: Vec<Cause>,
    /// Its findings.
    pub findings: Vec<Code>,
}

impl fmt::Debug for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Results").field("name", &self.name).field("number", &self.number).finish_non_exhaustive()
    }
}

impl Results {
    /// Opens a file and reads its header.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if columnar::is_parquet(path) {
            let file = Columnar::open(path, &COLUMNS, BATCH)?;
            let (name, columns) = (Arc::clone(file.name()), file.columns().to_vec());
            return Ok(Self::new(name, columns, Source::Parquet(Box::new(file), None)));
        }
        let mut reader = Plain::open(path)?;
        let name = Arc::clone(reader.get_ref().stream.name());
        let mut line = Vec::new();
        let first = lines::next(&mut reader, &mut line)?;
        if line.first() == Some(&b'{') {
            let keys = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&line);
            let columns: Vec<String> = keys.map_err(|_| foreign(&name))?.into_iter().map(|(key, _)| key).collect();
            missing(&name, &columns)?;
            return Ok(Self::new(name, columns, Source::Jsonl(Box::new(reader), Some(line))));
        }
        // Without a row there is no line in JSONL, and in CSV there is still the header.
        if first == Line::End && named_jsonl(path) {
            return Ok(Self::new(name, Vec::new(), Source::Jsonl(Box::new(reader), None)));
        }
        let columns = record::cells(&line, SYNTAX).map(|cell| String::from_utf8_lossy(&cell).into_owned());
        let columns: Vec<String> = columns.collect();
        missing(&name, &columns)?;
        let place = |there: &String| COLUMNS.iter().position(|column| column == there);
        let places = columns.iter().map(place).collect();
        let mut results = Self::new(name, columns, Source::Csv(Box::new(reader), places));
        results.line = line;
        Ok(results)
    }

    fn new(name: Arc<str>, columns: Vec<String>, source: Source) -> Self {
        Self {
            name,
            columns,
            source,
            cells: std::array::from_fn(|_| String::new()),
            line: Vec::new(),
            number: 0,
            target: 0,
            last: None,
        }
    }

    /// How its rows are stored.
    pub const fn form(&self) -> Form {
        match self.source {
            Source::Csv(..) => Form::Csv,
            Source::Jsonl(..) => Form::Jsonl,
            Source::Parquet(..) => Form::Parquet,
        }
    }

    /// Its columns, in their order, those of Parquet with their types; none where there is not a row to show them.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The line at hand without its end: that of the row read last, and before the first row the header of a CSV file.
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// Rows read so far.
    pub const fn rows(&self) -> u64 {
        self.number
    }

    /// SHA-256 of the file as it is stored, lower-case hex; of text, as far as it was read.
    pub fn sha256(&self, path: &Path) -> Result<String, Error> {
        match &self.source {
            Source::Csv(reader, _) | Source::Jsonl(reader, _) => Ok(hex(&reader.get_ref().stream.digest())),
            Source::Parquet(..) => Ok(hex(&columnar::digest(path)?)),
        }
    }

    /// Reads the next line without understanding it; false at the end. Parquet has none.
    pub fn next_line(&mut self) -> Result<bool, Error> {
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

    /// Reads the next row; None at the end. After an error there is nothing more.
    pub fn next_row(&mut self) -> Result<Option<Told>, Error> {
        self.cells.iter_mut().for_each(String::clear);
        let is_there =
            if matches!(self.source, Source::Parquet(..)) { self.columns_of_next()? } else { self.next_line()? };
        if !is_there {
            return Ok(None);
        }
        match &self.source {
            Source::Csv(_, places) => {
                let mut found = 0;
                for (cell, place) in
                    record::cells(&self.line, SYNTAX).zip(places.iter().map(Some).chain(std::iter::repeat(None)))
                {
                    found += 1;
                    if let Some(own) = place.copied().flatten().and_then(|at| self.cells.get_mut(at)) {
                        own.push_str(&String::from_utf8_lossy(&cell));
                    }
                }
                if found != places.len() {
                    return Err(self.damaged("it has other columns than the header"));
                }
            }
            Source::Jsonl(..) => {
                let mut from = serde_json::Deserializer::from_slice(&self.line);
                let read = Object(&mut self.cells).read(&mut from).and_then(|()| from.end());
                read.map_err(|error| self.damaged(&error.to_string()))?;
            }
            Source::Parquet(..) => {}
        }
        self.told().map(Some)
    }

    /// Takes the cells of the next row of Parquet.
    fn columns_of_next(&mut self) -> Result<bool, Error> {
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
        for (cell, column) in self.cells.iter_mut().zip(COLUMNS) {
            batch.push(column, row, cell);
        }
        self.number += 1;
        Ok(true)
    }

    /// What the cells at hand say.
    fn told(&mut self) -> Result<Told, Error> {
        let [version, line, target, kind, exchange, address, introduction, ..] = &self.cells;
        let mut hasher = DefaultHasher::new();
        [line, target, exchange, address, introduction].hash(&mut hasher);
        let key = hasher.finish();
        let kind: TargetKind = self.word("target_kind", TargetKind::called(kind))?;
        // Each address of a network is a target.
        let is_same = kind != TargetKind::Network
            && self.last.as_ref().is_some_and(|(last_line, last)| last_line == line && last == target);
        if !is_same {
            self.target += 1;
            self.last = Some((line.clone(), target.clone()));
        }
        let [.., basis, preference, connect, listed, counted, unknown, overall, findings, why, _, _, _, _, _, _, _] =
            &self.cells;
        let mut verdicts = [Verdict::Na; Rule::ALL.len()];
        let last = self.cells.iter().skip(COLUMNS.len() - Rule::ALL.len());
        for (verdict, cell) in verdicts.iter_mut().zip(last) {
            *verdict = self.word("a verdict", Verdict::called(cell))?;
        }
        let [.., unlisted, _, _] = verdicts;
        // A host is told by its basis.
        let server = if basis.is_empty() {
            None
        } else {
            Some(Server {
                address: self.number("address", address)?,
                connect: self.word("connect_status", ConnectStatus::called(connect))?,
                asked: !listed.is_empty() || !unknown.is_empty() || matches!(unlisted, Verdict::Pass | Verdict::Fail),
                listed: !counted.is_empty(),
            })
        };
        let gist = Gist {
            target: self.target,
            kind,
            preference: if preference.is_empty() { None } else { Some(self.number("mx_preference", preference)?) },
            server,
            verdicts,
            overall: self.word("verdict", Overall::called(overall))?,
        };
        let causes = items(why).map(|item| {
            let cause = item.split_once('=').and_then(|(_, cause)| Cause::called(cause));
            cause.ok_or_else(|| self.unknown(item))
        });
        let causes = causes.collect::<Result<_, _>>()?;
        let findings = items(findings).map(|item| Code::called(item).ok_or_else(|| self.unknown(item)));
        let findings = findings.collect::<Result<_, _>>()?;
        Ok(Told { schema_version: self.number("schema_version", version)?, key, gist, causes, findings })
    }

    fn word<T>(&self, column: &str, word: Option<T>) -> Result<T, Error> {
        word.ok_or_else(|| self.damaged(&format!("its {column} is no word of this program's")))
    }

    fn number<T: FromStr>(&self, column: &str, cell: &str) -> Result<T, Error> {
        cell.parse().map_err(|_| self.damaged(&format!("its {column} is {cell:?}")))
    }

    fn unknown(&self, word: &str) -> Error {
        self.damaged(&format!("this program does not know {word:?}; a newer one may"))
    }

    fn damaged(&self, reason: &str) -> Error {
        Error::Damaged { path: Arc::clone(&self.name), record: self.number, reason: reason.into() }
    }
}

/// The items of a list of words.
fn items(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(';').filter(|item| !item.is_empty())
}

fn foreign(name: &Arc<str>) -> Error {
    Error::Foreign { path: Arc::clone(name), what: "no file of rows: its first line is neither a header nor a row" }
}

/// That all columns are there that are looked at.
fn missing(name: &Arc<str>, there: &[String]) -> Result<(), Error> {
    match COLUMNS.iter().find(|column| !there.iter().any(|name| name == *column)) {
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
